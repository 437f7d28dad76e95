"""The study model: every key that a study file may hold, closed, typed, bounded and described.

A study file is YAML. Its top level holds the study as published; `scales` holds, for each scale, the keys that differ.
`hakken.studyfile.load_study` merges the two and validates the result. The JSON schema and the reference page of all
keys are generated from these classes, so a description here is the documentation.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from hakken.names import nearest

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*$")]
Positive = Annotated[float, Field(gt=0)]
Shrink = Annotated[int, Field(ge=1, le=64)]
Spacing = tuple[Positive, Positive, Positive]
Value = bool | int | float | str
HITS = r"distance|distance-inclusive|inside|fixed:\d+(\.\d+)?"


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, values never change, numbers are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Published(Section):
    """What the publication reports, to stand beside what was measured here."""

    citation: str = Field(description="Authors, title, year.")
    system: str = Field(description="The published system in one sentence.")
    result: str = Field(description="The published result, quoted.")


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

    generator: Literal["brain_metastasis"] = Field(description="Which generator draws the cases.")
    cases: PartSizes = Field(description="Cases of each part.")
    shape_mm: Spacing = Field(default=(150.0, 180.0, 130.0), description="Head size x, y, z in mm.")
    spacing_mm: float = Field(default=1.0, ge=0.5, le=4, description="In-plane voxel size of the images in mm.")
    displacement_mm: float = Field(default=6.0, ge=0, le=20, description="Largest shift between channels in mm.")
    displacement_degrees: float = Field(default=5.0, ge=0, le=20, description="Largest rotation between channels.")


class Cohort(Section):
    """Where the cases come from: a case table of your own, or a phantom."""

    table: str | None = Field(default=None, description="Case table (CSV), relative to the working folder.")
    phantom: Phantom | None = Field(default=None, description="A phantom instead of a case table.")
    truth: Literal["lesion_mask", "lesion_table"] = Field(
        default="lesion_mask", description="The column of the case table that holds the truth."
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
        return self


class Channel(Section):
    """One image of a case and how its intensities become comparable between cases."""

    modality: Literal["mr", "ct", "pet", "xray"] = Field(description="Modality.")
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


class Registration(Section):
    """How every channel is brought onto the reference channel."""

    method: Literal["none", "rigid", "affine", "bspline"] = Field(default="rigid", description="Transform model.")
    metric: Literal["mutual_information", "correlation", "mean_squares"] = Field(
        default="mutual_information", description="Similarity; Mattes mutual information across contrasts."
    )
    sampling: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Fraction of voxels that the metric looks at: at least 20,000 and at most 100,000 a level.",
    )
    shrink: tuple[Shrink, ...] = Field(
        default=(4, 2, 1), min_length=1, description="Shrink factor of each resolution level."
    )
    iterations: int = Field(default=100, ge=1, le=2000, description="Most iterations of each level.")
    mesh: int = Field(default=4, ge=1, le=32, description="B-spline mesh elements along each axis.")
    use_mask: bool = Field(default=False, description="Measure similarity inside the head or body mask only.")


class Preparation(Section):
    """The common grid and the mask in which patches are taken and candidates may lie."""

    spacing_mm: Spacing = Field(default=(1.0, 1.0, 1.0), description="Voxel size x, y, z of the common grid in mm.")
    mask: Literal["brain", "body", "nonzero", "none"] = Field(
        default="brain", description="Region of interest, found on the reference channel."
    )
    margin_mm: float = Field(default=4.0, ge=0, le=50, description="Margin around the mask kept when cropping.")


class Patches(Section):
    """Which patches are cut out and kept in the shards."""

    size_voxel: int = Field(default=24, ge=4, le=128, description="Largest patch edge that a network may ask for.")
    margin_voxel: int = Field(default=4, ge=0, le=64, description="Extra border for augmentation, on each side.")
    positives_per_lesion: int = Field(default=8, ge=1, le=1000, description="Patches centred in each lesion.")
    easy_negatives_per_case: int = Field(default=60, ge=0, le=100_000, description="Anywhere in the mask.")
    hard_negatives_per_case: int = Field(default=60, ge=0, le=100_000, description="On bright structures.")
    clearance_mm: float = Field(default=2.0, ge=0, le=50, description="Negatives keep this distance from lesions.")
    shard_mb: int = Field(default=256, ge=1, le=16_384, description="Size of one shard file.")


class Hyperparameters(Section):
    """Everything that a search may vary; the values in `parameters` are the untuned default."""

    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Initial learning rate.")
    learning_rate_decay: float = Field(
        default=0.1, gt=0, le=1, description="Learning rate at the end, as a fraction of the initial one."
    )
    weight_decay: float = Field(default=1e-4, ge=0, le=1, description="Decoupled weight decay.")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Momentum of SGD, or beta 1 of AdamW.")
    batch_size: int = Field(default=32, ge=1, le=4096, description="Patches in a mini-batch.")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="Dropout before the last layers.")
    negative_ratio: float = Field(default=3.0, gt=0, le=100, description="Negatives per positive in a mini-batch.")
    hard_fraction: float = Field(default=0.5, ge=0, le=1, description="Hard ones among the negatives.")
    patch_size: int = Field(default=16, ge=3, le=128, description="Edge of the network's input in voxels.")
    augmentation: float = Field(default=0.5, ge=0, le=1, description="Strength of the augmentation, 0 is none.")
    convolutions: int = Field(default=3, ge=1, le=12, description="Convolution layers.")
    base_features: int = Field(default=16, ge=1, le=512, description="Feature maps of the first layer.")
    growth: float = Field(default=2.0, ge=1, le=4, description="Factor of the feature maps at each pooling step.")
    kernel: int = Field(default=3, ge=1, le=9, description="Edge of the convolution kernels in voxels.")
    poolings: int = Field(default=1, ge=0, le=5, description="Max-pooling steps, spread over the convolutions.")
    dense_layers: int = Field(default=1, ge=0, le=4, description="Hidden fully connected layers.")
    dense_units: int = Field(default=32, ge=1, le=4096, description="Units of each hidden fully connected layer.")
    batch_norm: bool = Field(default=True, description="Batch normalisation after each convolution.")

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError("kernel must be odd")
        return kernel


class Parameter(Section):
    """One dimension of the search space."""

    type: Literal["real", "integer", "categorical"] = Field(description="Kind of the parameter.")
    low: float | None = Field(default=None, description="Lowest value (`real`, `integer`).")
    high: float | None = Field(default=None, description="Highest value (`real`, `integer`).")
    scale: Literal["linear", "log"] = Field(default="linear", description="Scale on which it is searched.")
    choices: tuple[Value, ...] | None = Field(default=None, description="The values (`categorical`).")
    when: dict[str, Value | tuple[Value, ...]] = Field(
        default={}, description="Active only where the named parameters have this value, or one of these values."
    )
    provenance: Literal["publication", "reconstruction"] = Field(
        default="reconstruction", description="Whether the publication names this range or it is our reconstruction."
    )

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.type == "categorical":
            if not self.choices or self.low is not None or self.high is not None:
                raise ValueError("a categorical parameter needs `choices` and no bounds")
            if len(set(self.choices)) < len(self.choices):
                raise ValueError("a choice stands twice in `choices`")
        elif self.low is None or self.high is None or self.choices is not None:
            raise ValueError(f"a parameter of type {self.type} needs `low` and `high` and no `choices`")
        elif self.low > self.high:
            raise ValueError(f"`low` {self.low:g} is above `high` {self.high:g}")
        elif self.type == "integer" and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError("an integer parameter needs whole numbers for `low` and `high`")
        elif self.scale == "log" and self.low <= 0:
            raise ValueError("`scale: log` needs `low` above 0")
        return self


class Search(Section):
    """The sweep: how many trainings, how many at once, over which parameters, for which objective."""

    trials: int = Field(default=50, ge=1, le=100_000, description="Trainings in the sweep.")
    slots: int = Field(default=8, ge=1, le=1024, description="Trainings at once (N).")
    startup: int = Field(default=3, ge=1, description="Random parameters until so many trials have finished.")
    sampler: Literal["bayesian", "random", "sobol"] = Field(default="bayesian", description="Who proposes.")
    space: dict[str, Parameter] = Field(
        default={}, description="The searched parameters; the names are those of `parameters`."
    )

    @field_validator("space")
    @classmethod
    def _known(cls, space: dict[str, Parameter]) -> dict[str, Parameter]:
        for name, parameter in space.items():
            if name not in Hyperparameters.model_fields:
                raise ValueError(f"unknown parameter `{name}`{nearest(name, Hyperparameters.model_fields)}")
            for parent in parameter.when:
                if parent not in space:
                    raise ValueError(f"`{name}` depends on `{parent}`, which is not searched{nearest(parent, space)}")
            _check_values(name, parameter)
        for name in space:
            _check_conditions(name, space, ())
        return space


class Training(Section):
    """How one network is trained."""

    steps: int = Field(default=4000, ge=1, description="Mini-batches at most.")
    validate_every: int = Field(default=500, ge=1, description="Steps between two measurements of the objective.")
    patience: int = Field(default=3, ge=1, description="Stop after so many measurements without improvement.")
    loss: Literal["cross_entropy", "focal"] = Field(default="cross_entropy", description="Loss.")
    focal_gamma: float = Field(default=2.0, ge=0, le=10, description="Exponent of the focal loss.")
    optimizer: Literal["adamw", "sgd"] = Field(default="adamw", description="Optimiser.")
    schedule: Literal["cosine", "step"] = Field(default="cosine", description="Course of the learning rate.")
    checkpoint_seconds: float = Field(default=300.0, gt=0, description="Seconds between two checkpoints.")
    precision: Literal["float32", "bfloat16", "auto"] = Field(
        default="auto", description="`auto`: bfloat16 on a GPU that has it, else float32."
    )


class Inference(Section):
    """How a trained network turns a case into candidates."""

    stride_voxel: int = Field(default=2, ge=1, le=16, description="Distance of the score map's points in voxels.")
    threshold: float = Field(default=0.1, gt=0, lt=1, description="Scores below it are background.")
    suppression_mm: float = Field(default=4.0, ge=0, le=100, description="Weaker candidates this near are dropped.")
    maximum_candidates: int = Field(default=100, ge=1, le=10_000, description="Most candidates of a case.")
    memory_mb: int = Field(default=1024, ge=64, le=65_536, description="Most memory of one forward pass.")


class Evaluation(Section):
    """What is measured on the candidates."""

    hit: str = Field(
        default="distance",
        description="When a candidate hits a lesion: `distance` to its centre below its radius, `distance-inclusive` "
        "(or equal), `fixed:MM` (a fixed radius), or `inside` its mask.",
        json_schema_extra={"pattern": f"^({HITS})$"},
    )
    maximum_fp: float = Field(default=10.0, gt=0, description="Partial AUC up to so many false positives per case.")
    at: tuple[Positive, ...] = Field(default=(1.0, 3.0, 8.4), description="False positives per case to report at.")
    operating_point: float = Field(
        default=8.4, gt=0, description="False positives per case that choose the threshold on validation."
    )
    bootstrap: int = Field(default=1000, ge=100, le=100_000, description="Resamples of the patients.")
    diameters_mm: tuple[Positive, ...] = Field(default=(5.0, 10.0), description="Borders of the diameter strata.")
    strata: tuple[Name, ...] = Field(default=("scanner",), description="Columns of the case table to stratify by.")

    @field_validator("hit")
    @classmethod
    def _known_rule(cls, hit: str) -> str:
        if not re.fullmatch(HITS, hit):
            known = ("distance", "distance-inclusive", "inside", "fixed:5")
            raise ValueError(f"use distance, distance-inclusive, inside or fixed:MM{nearest(hit, known)}")
        return hit


Figure = Literal["froc", "search", "learnt", "strata", "overlays", "registration"]


class Study(Section):
    """One study at one scale."""

    name: Name = Field(description="Name of the study; its results stand in a folder of that name.")
    title: str = Field(default="", description="Title for figures and reports.")
    description: str = Field(default="", description="What is searched for, in which images, after whom.")
    scale: Name = Field(default="paper", description="Scale of this run; set by `scales`, printed on every figure.")
    data: str = Field(default="own data", description="What the images are, printed on every figure.")
    seed: int = Field(ge=0, description="All randomness of the study derives from it.")
    task: Literal["detection"] = Field(default="detection", description="What is asked of the images.")
    published: Published | None = Field(default=None, description="The published system and its result.")
    cohort: Cohort = Field(description="Where the cases come from.")
    channels: dict[Name, Channel] = Field(min_length=1, description="Images of a case, by column of the case table.")
    reference: Name = Field(description="The channel whose space the others are registered to.")
    registration: Registration = Field(default=Registration(), description="Registration to the reference channel.")
    preparation: Preparation = Field(default=Preparation(), description="Common grid and mask.")
    patches: Patches = Field(default=Patches(), description="Patches for training.")
    parameters: Hyperparameters = Field(default=Hyperparameters(), description="Defaults of all hyper-parameters.")
    search: Search = Field(default=Search(), description="The sweep.")
    training: Training = Field(default=Training(), description="One training.")
    inference: Inference = Field(default=Inference(), description="From network to candidates.")
    evaluation: Evaluation = Field(default=Evaluation(), description="Measurements.")
    figures: tuple[Figure, ...] = Field(default=get_args(Figure), description="Figures to draw.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.reference not in self.channels:
            known = f"only {', '.join(self.channels)}{nearest(self.reference, self.channels)}"
            raise ValueError(f"reference `{self.reference}` is no channel, {known}")
        return self


def _check_values(name: str, parameter: Parameter) -> None:
    """Every choice or extreme of a searched parameter must be a value that the parameter may have."""
    for value in _some_values(parameter):
        try:
            Hyperparameters.model_validate({name: value})
        except ValidationError as error:
            message = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise ValueError(f"`{name}` = {value}: {message[0].lower()}{message[1:]}") from None


def _some_values(parameter: Parameter) -> tuple[Value, ...]:
    """Return the choices, or both ends of the range (of integers also the second: not every kernel size is one)."""
    if parameter.choices is not None:
        return parameter.choices
    low, high = parameter.low or 0.0, parameter.high or 0.0
    return (int(low), int(min(low + 1, high)), int(high)) if parameter.type == "integer" else (low, high)


def _check_conditions(name: str, space: dict[str, Parameter], below: tuple[str, ...]) -> None:
    """Conditions must not lead back to the parameter itself, and must be possible."""
    if name in below:
        raise ValueError(f"the conditions (`when`) of {', '.join(below)} go round in a circle")
    for parent, wanted in space[name].when.items():
        _check_conditions(parent, space, (*below, name))
        if space[parent].type == "real":
            raise ValueError(
                f"`{name}` depends on `{parent}`, a real number; only integers and choices can be conditions"
            )
        for value in wanted if isinstance(wanted, tuple) else (wanted,):
            if not _possible(value, space[parent]):
                raise ValueError(f"`{name}` depends on `{parent}` = {value}, which `{parent}` cannot be")


def _possible(value: Value, parameter: Parameter) -> bool:
    """Whether a searched integer or choice can have this value."""
    if parameter.choices is not None:
        return value in parameter.choices
    return not isinstance(value, str) and (parameter.low or 0.0) <= value <= (parameter.high or 0.0)
