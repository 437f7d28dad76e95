"""The part of a study that says how images become comparable: channels, registration, preparation, patches."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hakken.study.section import Name, Section, Spacing, only_with

Shrink = Annotated[int, Field(ge=1, le=64)]
Pixels = Annotated[int, Field(ge=8, le=8192)]


class Channel(Section):
    """One image of a case and how its intensities become comparable between cases."""

    modality: Literal["mr", "ct", "pet", "xray", "endoscopy"] = Field(description="Modality.")
    colour: Literal["red", "green", "blue"] | None = Field(
        default=None, description="Which colour of a colour picture this channel is; several may share one file."
    )
    target: bool = Field(
        default=False,
        description="Whether this channel is what the network is to predict from the others (method `expectation`).",
    )
    optional: bool = Field(
        default=False,
        description="Whether a case may lack this channel, its cell in the case table left empty. The network then "
        "sees zeros in its place, and in a channel of its own where it was measured (1) and where not (0).",
    )
    normalise: Literal["zscore", "median", "percentile", "window"] = Field(
        default="zscore",
        description="`zscore`: mean 0 and SD 1 inside the mask; `median`: divided by the median inside the mask, so "
        "that 0 stays 0; `percentile`: the percentiles of `range` inside the mask become 0 and 1; `window`: the "
        "intensities of `range` become 0 and 1.",
    )
    range: tuple[float, float] | None = Field(
        default=None,
        description="Two percentiles (`percentile`, default 1 and 99) or two intensities (`window`).",
        json_schema_extra=only_with(normalise=("percentile", "window")),
    )

    local_mm: float | None = Field(
        default=None,
        gt=0,
        le=200,
        description="Local normalisation of a radiograph: each pixel less the mean about it, divided by the standard "
        "deviation about it, both weighted by a Gaussian of this SD in mm (px where pixels have no known size). What "
        "was stored cannot be had back.",
        json_schema_extra=only_with(modality="xray"),
    )

    scale: Literal["linear", "log", "asinh"] = Field(
        default="linear",
        description="What becomes of intensities x before the window: nothing, log(1 + x) or asinh(x), for uptake that "
        "spans orders of magnitude. `range` stays in the units of the image; z is taken on this scale.",
        json_schema_extra=only_with(normalise="window"),
    )

    @model_validator(mode="after")
    def _seen_in_every_case(self) -> Self:
        if self.optional and self.target:
            raise ValueError("a channel that is a `target` cannot be `optional`; remove one of the two")
        return self

    @model_validator(mode="after")
    def _local_on_radiographs(self) -> Self:
        if self.local_mm is not None and self.modality != "xray":
            raise ValueError("`local_mm` takes away what intensities mean, which is for radiographs alone; remove it")
        return self

    @model_validator(mode="after")
    def _range_fits(self) -> Self:
        if self.normalise == "window" and self.range is None:
            raise ValueError("`normalise: window` needs `range: [low, high]`")
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError("`range` must be [low, high] with low < high")
        if self.scale == "log" and self.range is not None and self.range[0] < 0:
            raise ValueError(
                "`scale: log` takes log(1 + x) of intensities from 0 on; begin `range` there, or use asinh"
            )
        return self


def less_than_a_pixel(width: float) -> str:
    """Return what is wrong with a `local_mm` that is less than the ``width`` of a pixel of the common grid."""
    return f"is less than a pixel, {width:g} wide when prepared, and nothing of the image would be left; make it larger"


def presence_of(channel: str) -> str:
    """Return the name of what stands beside an optional channel: a channel of 1 where it was measured, 0 elsewhere."""
    return f"{channel}_present"


REGISTERED = only_with(method=("rigid", "affine", "bspline"))
FOUND = only_with(mask=("brain", "lung", "body", "nonzero"))
MASKED = only_with(mask=("brain", "lung", "body", "nonzero", "given"))
REGION = "mask"
"""The column of the case table that holds a region of interest of one's own."""


class Registration(Section):
    """How every channel is brought onto the reference channel."""

    method: Literal["none", "rigid", "affine", "bspline"] = Field(default="rigid", description="Transform model.")
    metric: Literal["mutual_information", "correlation", "mean_squares"] = Field(
        default="mutual_information",
        description="Similarity; Mattes mutual information across contrasts.",
        json_schema_extra=REGISTERED,
    )
    sampling: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Fraction of voxels that the metric looks at: at least 20,000 and at most 100,000 a level.",
        json_schema_extra=REGISTERED,
    )
    shrink: tuple[Shrink, ...] = Field(
        default=(4, 2, 1),
        min_length=1,
        description="Shrink factor of each resolution level.",
        json_schema_extra=REGISTERED,
    )
    iterations: int = Field(
        default=100, ge=1, le=2000, description="Most iterations of each level.", json_schema_extra=REGISTERED
    )
    mesh: int = Field(
        default=4,
        ge=1,
        le=32,
        description="B-spline mesh elements along each axis.",
        json_schema_extra=only_with(method="bspline"),
    )
    use_mask: bool = Field(
        default=False, description="Measure similarity inside the head or body mask only.", json_schema_extra=REGISTERED
    )


class Preparation(Section):
    """The common grid and the mask in which patches are taken and candidates may lie."""

    spacing_mm: Spacing = Field(default=(1.0, 1.0, 1.0), description="Voxel size x, y, z of the common grid in mm.")
    mask: Literal["brain", "lung", "body", "nonzero", "given", "none"] = Field(
        default="brain",
        description="Region of interest, found on the reference channel or on that of `mask_channel`; `given`: a mask "
        "of your own on the reference channel's grid, in the column `mask` of the case table. `lung`: both lungs of a "
        "chest on CT or MR, with nodules at the pleura and vessels.",
    )
    mask_channel: Name | None = Field(
        default=None,
        description="The channel on which the region of interest is found (default: the reference).",
        json_schema_extra=FOUND,
    )
    rim_mm: float = Field(
        default=0.0,
        ge=0,
        le=20,
        description="Rim of the mask that is left out again, at least one voxel along each axis: its voxels "
        "are partly bone or air. 0 keeps it.",
        json_schema_extra=MASKED,
    )
    margin_mm: float = Field(default=4.0, ge=0, le=50, description="Margin around the mask kept when cropping.")
    matrix: tuple[Pixels, Pixels] | None = Field(
        default=None,
        description="Columns and rows that every flat image is resized to, whatever its size, instead of a spacing: "
        "for networks that see images as a whole. What is resized is the box around the mask, without a margin; "
        "lesions keep the sizes of the original image.",
    )
    keep_aspect: bool = Field(
        default=True,
        description="Whether pixels stay square, the image in the middle of the matrix with an empty border at two "
        "sides; or are stretched to fill it.",
    )

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if self.matrix is not None:
            for name in ("spacing_mm", "margin_mm"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"`{name}` has no effect with `matrix`; give one of the two")
        elif not self.keep_aspect:
            raise ValueError("`keep_aspect` has an effect with `matrix` alone; give it, or leave this key out")
        return self


class Patches(Section):
    """Which patches are cut out and kept in the shards."""

    axes: Literal[2, 3] = Field(
        default=3, description="Axes of a patch: 3, or 2 for flat images and for axial slices of volumes."
    )
    size_voxel: int = Field(default=24, ge=4, le=512, description="Largest patch edge that a network may ask for.")
    margin_voxel: int = Field(default=4, ge=0, le=64, description="Extra border for augmentation, on each side.")
    positives_per_lesion: int = Field(default=8, ge=1, le=1000, description="Patches centred in each lesion.")
    jitter_voxel: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Positives are moved by up to so many voxels along each axis, so that a lesion may lie anywhere in "
        "its patch: for methods that mark every voxel, where the middle of a patch must not give the lesion away.",
    )
    easy_negatives_per_case: int = Field(default=60, ge=0, le=100_000, description="Anywhere in the mask.")
    spread: Literal["voxels", "slices", "regions"] = Field(
        default="voxels",
        description="How easy negatives lie along a volume: every voxel of the mask alike, which favours wide and long "
        "parts of the body; every axial slice alike; or every region of `body_regions` that is a level of the body.",
    )
    hard_negatives_per_case: int = Field(default=60, ge=0, le=100_000, description="On bright structures.")
    clearance_mm: float = Field(default=2.0, ge=0, le=50, description="Negatives keep this distance from lesions.")
    shard_mb: int = Field(default=256, ge=1, le=16_384, description="Size of one shard file.")
