"""The part of a study that says where its images come from: publication, cohort, phantom, channels."""

from __future__ import annotations

import math
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from hakken.study_section import Name, Positive, Section

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
Generator = Literal["brain_metastasis", "aneurysm", "head_ct", "chest_pet_ct", "endoscopy", "liver_phases"]
Spacing = tuple[Positive, Positive, Positive]


class Published(Section):
    """What the publication reports, to stand beside what was measured here."""

    citation: str = Field(description="Authors, title, year.")
    system: str = Field(description="The published system in one sentence.")
    result: str = Field(description="The published result, quoted.")
    unclear: str = Field(default="", description="What the publication leaves open about this result.")


class PartSizes(Section):
    """How many cases each part holds."""

    train: int = Field(ge=1, description="Training cases.")
    validation: int = Field(ge=1, description="Validation cases.")
    test: int = Field(ge=1, description="Test cases, read only after the freeze.")


class PartFractions(Section):
    """Which fraction of the patients each part receives where the case table has no `split` column."""

    train: float = Field(default=0.6, gt=0, lt=1, description="Fraction of patients for training.")
    validation: float = Field(default=0.2, gt=0, lt=1, description="Fraction of patients for validation.")
    test: float = Field(default=0.2, gt=0, lt=1, description="Fraction of patients for the sealed test set.")

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        if not math.isclose(self.train + self.validation + self.test, 1, abs_tol=1e-6):
            raise ValueError("train + validation + test must be 1")
        return self


class Phantom(Section):
    """A cohort that the package itself draws, written as image files with real headers."""

    generator: Generator = Field(
        description="Which generator draws the cases: `brain_metastasis`, T1-weighted MR with and without contrast "
        "agent; `aneurysm`, time-of-flight MR angiography, one channel; `head_ct`, emergency head CT, one channel, "
        "training cases without lesions; `chest_pet_ct`, FDG PET/CT of the chest, a channel of modality `ct` and one "
        "of `pet`, training cases without foci; `endoscopy`, frames of colonoscopy, channels red, green and blue; "
        "`liver_phases`, liver CT unenhanced, early and late after contrast agent, one tumour a case, of one of five "
        "histological classes."
    )
    cases: PartSizes = Field(description="Cases of each part.")
    shape_mm: Spacing = Field(default=(150.0, 180.0, 130.0), description="Size of head or chest x, y, z in mm.")
    spacing_mm: float = Field(default=1.0, ge=0.5, le=4, description="In-plane voxel size of the images in mm.")
    displacement_mm: float = Field(default=6.0, ge=0, le=20, description="Largest shift between channels in mm.")
    displacement_degrees: float = Field(default=5.0, ge=0, le=20, description="Largest rotation between channels.")
    class_frequencies: dict[Name, Positive] | None = Field(
        default=None, description="How frequent each class of lesion is, in any unit. Default: as the generator's."
    )
    frames: int = Field(
        default=1, ge=1, le=100, description="Frames of a sequence, which is one patient (`endoscopy`)."
    )

    @model_validator(mode="after")
    def _sequences(self) -> Self:
        if self.frames > 1 and self.generator != "endoscopy":
            raise ValueError("`frames`: only the generator `endoscopy` draws sequences; remove the key")
        return self


class Cohort(Section):
    """Where the cases come from: a case table of your own, or a phantom."""

    table: str | None = Field(default=None, description="Case table (CSV), relative to the working folder.")
    phantom: Phantom | None = Field(default=None, description="A phantom instead of a case table.")
    truth: Literal["lesion_mask", "lesion_table", "label"] = Field(
        default="lesion_mask",
        description="The column of the case table that holds the truth: `lesion_mask` or `lesion_table`, a file of "
        "each case; or `label`, its class in a word, `none` where it is normal; where the lesions are is then unknown.",
    )
    classes: tuple[str, ...] = Field(
        default=(),
        description="The classes that the task `classification` tells apart, in their order, as the truth spells them.",
    )
    labels: Literal["instances", "binary"] = Field(
        default="instances",
        description="Lesion masks hold 0 and n for lesion n (`instances`), or 0 and 1, and 26-connected components "
        "are the lesions (`binary`).",
    )
    minimum_lesion_mm3: float = Field(default=0.0, ge=0, description="Smaller lesions count as excluded findings.")
    fractions: PartFractions = Field(
        default=PartFractions(), description="Split by patient where the table has no `split` column."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.table is None) == (self.phantom is None):
            raise ValueError("give either `table` or `phantom`, not both and not neither")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("a class stands twice in `classes`")
        return self


class Channel(Section):
    """One image of a case and how its intensities become comparable between cases."""

    modality: Literal["mr", "ct", "pet", "xray", "endoscopy"] = Field(description="Modality.")
    colour: Literal["red", "green", "blue"] | None = Field(
        default=None, description="Which colour of a colour picture this channel is; several may share one file."
    )
    target: bool = Field(
        default=False,
        description="Whether this channel is what the network is to predict from the others (`expectation_unet`).",
    )
    normalise: Literal["zscore", "percentile", "window"] = Field(
        default="zscore",
        description="`zscore`: mean 0 and SD 1 inside the mask; `percentile`: the percentiles of `range` inside the "
        "mask become 0 and 1; `window`: the intensities of `range` become 0 and 1.",
    )
    range: tuple[float, float] | None = Field(
        default=None, description="Two percentiles (`percentile`, default 1 and 99) or two intensities (`window`)."
    )

    @model_validator(mode="after")
    def _range_fits(self) -> Self:
        if self.normalise == "window" and self.range is None:
            raise ValueError("`normalise: window` needs `range: [low, high]`")
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError("`range` must be [low, high] with low < high")
        return self
