"""Method `dense`: which voxels belong to lesions, by a residual encoder-decoder; candidates are read out of its map.

Nothing is cut beforehand: windows are taken from the prepared cases while the network learns, half of them around a
lesion. At use the whole case is seen through overlapping windows. Every branch of the component tree of the map of
probabilities is a candidate, and all that is at least as probable as not is the mask.

Where lesions are told apart by class, the network has an output for each class; the map is that of the probability of
any of them, and a candidate is of the class whose probabilities have the largest sum over its branch. A second head may
learn the regions of the cohort, and candidates may be limited to one of them.
"""

import math
from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from hakken.core.names import nearest
from hakken.methods import Needs
from hakken.study import Distinct, Section, Study
from hakken.study.parameters import Optimised
from hakken.study.section import OF_VALIDATION, only_with

NEEDS = Needs(learns_from="lesions")
OUTCOMES = ("candidates",)
FURTHER = ("masks", "case_scores", "regions")
AVERAGED = "the probability of each voxel"
FIGURES = ("froc", "strata", "overlays", "search", "learnt")
OF_OTHERS = ("hard_share", "region_share")
"""Shares of the windows without a lesion."""
OF_PLACE, OF_LIMIT = ("within_voxel", "region_share"), ("within_mm", "oracle")
"""Keys that say more of `within`, of the section of parameters and of that of inference."""


class Parameters(Optimised):
    """What a search may vary.

    The defaults were set after trials on the phantom of brain metastases and on three patients with multiple sclerosis.
    """

    learning_rate: float = Field(default=2e-3, gt=0, le=1, description="Initial learning rate.")
    learning_rate_decay: float = Field(
        default=0.01, gt=0, le=1, description="Learning rate at the end, as a fraction of the initial one."
    )
    batch_size: int = Field(default=2, ge=1, le=4096, description="Windows in a mini-batch.")
    patch_size: int = Field(default=48, ge=8, le=512, description="Edge of a window in voxels, while it learns.")
    axes: Literal[2, 3] = Field(default=3, description="Axes of a window: 3, or 2 for slices that are seen one by one.")
    levels: int = Field(default=4, ge=2, le=7, description="Levels, each on a grid twice as coarse as the one before.")
    base_features: int = Field(default=8, ge=4, le=128, description="Feature maps of the first level.")
    growth: float = Field(default=2.0, ge=1, le=4, description="Factor of the feature maps from level to level.")
    convolutions: int = Field(default=2, ge=1, le=6, description="Convolutions of each level on the way down.")
    joining: int = Field(default=1, ge=1, le=6, description="Convolutions of each level on the way up.")
    norm: Literal["instance", "group", "none"] = Field(
        default="instance", description="Normalisation: each feature map by itself, in groups of four, or none."
    )
    supervised: int = Field(default=2, ge=1, le=6, description="Levels, from the finest, whose maps the loss compares.")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout on the coarsest level.")
    target: Literal["labels", "heat"] = Field(
        default="labels",
        description="What is learnt: the voxels of the lesions, or a Gaussian about the centre of each, for truth that "
        "is points or spheres.",
    )
    classes: bool = Field(
        default=False,
        description="Whether the network tells the classes of lesions apart (`cohort.classes`): an output for each, "
        "beside the background.",
        json_schema_extra=only_with(target="labels"),
    )
    apart: bool = Field(
        default=False,
        description="Whether the loss asks apart for lesions of any class and, in their voxels, for the class. "
        "Otherwise for background and classes side by side, where few voxels of lesions say little of their classes.",
        json_schema_extra=only_with(classes=True),
    )
    class_balance: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Rare classes weigh more in the cross-entropy: their frequency in the mini-batch to the power of "
        "minus this.",
        json_schema_extra=only_with(classes=True),
    )
    regions: bool = Field(
        default=False, description="Whether a second head learns the regions of the cohort (`cohort.regions`)."
    )
    lesion_weight: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="Weight of the loss of the lesions beside that of the regions.",
        json_schema_extra=only_with(regions=True),
    )
    within: str = Field(
        default="",
        description="A region of `cohort.regions`: lesions are learnt there alone; voxels farther from it are neither "
        "right nor wrong. Without it everywhere.",
    )
    within_voxel: int = Field(
        default=3, ge=0, le=16, description="How far around the region of `within` lesions are learnt, in voxels."
    )
    channels: Distinct[str] = Field(
        default=(), description="The channels that the network sees, in this order; by default all of the study."
    )
    phases: bool = Field(
        default=False,
        description="Whether the channels are phases in time that a stem sees first: twice a convolution in space, the "
        "same for all, and one over three phases at each voxel. Otherwise they are channels of one image.",
    )
    dice: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of the soft Dice loss; the rest is cross-entropy.",
        json_schema_extra=only_with(target="labels"),
    )
    lesion_share: float = Field(default=0.5, gt=0, le=1, description="Share of the windows that hold a lesion.")
    lesion_power: float = Field(
        default=0.5, ge=0, le=1, description="Power of its size with which a lesion is drawn: 0 draws all alike."
    )
    balanced: bool = Field(
        default=False, description="Whether windows hold lesions of each class equally often, however many there are."
    )
    region_share: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of the windows without a lesion that are put on the region of `within`; the others lie "
        "anywhere in the mask.",
    )
    hard_share: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Hard mining: share of the windows without a lesion that, in the second half of the steps, are put "
        "on false candidates of the network itself, each drawn in proportion to its score. They are looked for once, "
        "half-way, in training cases that the seed draws, as many as cost about a tenth of the training at most. By "
        "default none are.",
    )
    second_stage: bool = Field(
        default=False,
        description="Whether a classifier of crops learns, after the network, to tell its hits from its false "
        "candidates on training cases (for half as many steps), and has a say in the scores of candidates, with a "
        "weight that is chosen on validation cases.",
        json_schema_extra=OF_VALIDATION,
    )
    average: float = Field(
        default=0.98,
        ge=0,
        lt=1,
        description="Decay of the moving average of the weights that is measured and kept; 0 keeps the weights.",
    )
    augmentation: float = Field(default=0.7, ge=0, le=1, description="Strength of the augmentation, 0 is none.")


class Inference(Section):
    """How a dense network is used on a case.

    The prominence was set on validation cases: of the phantom of brain metastases (two trainings), of CT patches with
    lung tumours (two), of PET with sarcomas (two). The mean of their partial AUCs is 0.635 at 1, 0.677 at 3 and at 4,
    0.670 at 6; on three patients with multiple sclerosis it changes by at most 0.01.
    """

    version: ClassVar[int] = 3

    window_voxel: int | None = Field(
        default=None,
        ge=16,
        le=512,
        description="Edge of a window in voxels; by default a third more than while it learns, in whole steps of the "
        "coarsest level. Maps are normalised by what a window shows, so much larger ones find less.",
    )
    overlap: float = Field(default=0.33, ge=0, lt=1, description="Least part of its edge that a window shares.")
    windows: int = Field(default=2, ge=1, le=256, description="Windows that are seen at once.")
    flips: bool = Field(
        default=False, description="Mean over the image and its mirror images along each axis: four times the time."
    )
    threshold: float = Field(default=0.02, gt=0, lt=1, description="Probabilities below it are background.")
    reading: Literal["branches", "peaks"] = Field(
        default="branches",
        description="What of the map is a candidate: each `branches` of its component tree, or all its `peaks`, the "
        "voxels that no neighbour exceeds, as heat maps are read.",
    )
    suppression_mm: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="Of two peaks nearer than this the lower one is dropped.",
        json_schema_extra=only_with(reading="peaks"),
    )
    prominence: float = Field(
        default=4.0,
        gt=0,
        le=20,
        description="By how much, in logits, a peak must stand above where it meets a higher one to be of its own. Of "
        "0.98 and 0.5 the logits are 4 apart: a vessel or a large lesion with a rough top is one candidate.",
        json_schema_extra=only_with(reading="branches"),
    )
    maximum_candidates: int = Field(default=1000, ge=1, le=100_000, description="Most candidates of a case.")
    mask_threshold: float = Field(
        default=0.5, gt=0, lt=1, description="The probability from which on a voxel belongs to a lesion."
    )
    within: str = Field(
        default="",
        description="A region of `cohort.regions` that candidates must lie in: the largest component of what the "
        "network takes for it, which is then also the region that it gives.",
    )
    within_mm: float = Field(
        default=0.0, ge=0, le=50, description="How far around the region of `within` candidates may lie, in mm."
    )
    oracle: bool = Field(
        default=False,
        description="Whether the true region takes the place of the one that the network finds: what a perfect region "
        "would give. It is said wherever the result is shown.",
    )

    @property
    def said(self) -> str:
        """What must be said of the candidates wherever they are measured; nothing where they are the network's own."""
        if not (self.within and self.oracle):
            return ""
        around = f", up to {self.within_mm:g} mm around it" if self.within_mm else ""
        return (
            f"an oracle: candidates of the models lie within the true region `{self.within}`{around}, which no new "
            "case has (`inference.oracle`)"
        )


def window_at_use(parameters: Parameters, inference: Inference) -> int:
    """Return the edge of a window at use in voxels.

    >>> window_at_use(Parameters(patch_size=48), Inference()), window_at_use(Parameters(patch_size=20), Inference())
    (64, 32)
    """
    if inference.window_voxel is not None:
        return inference.window_voxel
    step = int(2 ** (parameters.levels - 1))
    return max(16, math.ceil(4 / 3 * parameters.patch_size / step) * step)


def problems(study: Study) -> Iterator[str]:
    """Yield what does not fit between the levels and what they are seen through."""
    parameters = study.parameters
    assert isinstance(parameters, Parameters)
    if parameters.supervised >= parameters.levels:
        yield (
            f"parameters.supervised {parameters.supervised}: a network of {parameters.levels} levels has "
            f"{parameters.levels - 1} on the way up"
        )
    if parameters.lesion_share == 1 and "lesion_share" not in study.search.space:
        for given in filter(None, (_given(study, key) for key in OF_OTHERS)):
            yield (
                f"{given}: is a share of the windows without a lesion, and with parameters.lesion_share 1 there are "
                "none; lower that, or leave it out"
            )
    yield from _problems_of_second_stage(study, parameters)
    yield from _problems_of_channels(study, parameters)
    yield from _problems_of_heads(study, parameters)
    if parameters.target == "heat" and "masks" in study.outcomes:
        yield "outcomes.masks: what learns `target: heat` knows no outlines; learn `labels`, or leave masks out"


def _given(study: Study, share: str) -> str:
    """Return where a share of windows is searched or above 0, as a message names it; nothing where it is 0."""
    if share in study.search.space:
        return f"search.space.{share}"
    value = getattr(study.parameters, share)
    return f"parameters.{share} {value:g}" if value else ""


def _problems_of_second_stage(study: Study, parameters: Parameters) -> Iterator[str]:
    """Yield what a second stage cannot be combined with."""
    if "second_stage" in study.search.space:
        yield (
            "search.space.second_stage: its weight is chosen on validation cases, 0 among others, in every training; "
            "set `parameters.second_stage`"
        )
    if not parameters.second_stage:
        return
    if study.search.ensemble > 1:
        yield (
            "parameters.second_stage: scores the candidates of one network, and an average of several has candidates "
            "of its own; remove `search.ensemble`, or leave the second stage out"
        )
    if "candidates" not in study.outcomes and "case_scores" not in study.outcomes:
        yield "parameters.second_stage: scores candidates, and the study has none among its outcomes; leave it out"


def _problems_of_channels(study: Study, parameters: Parameters) -> Iterator[str]:
    """Yield which channels a network cannot see, and phases that may be missing."""
    for name in parameters.channels:
        if name not in study.inputs:
            known = f"there are {', '.join(study.inputs)}{nearest(name, study.inputs)}"
            yield f"parameters.channels: `{name}` is no channel that a network may see; {known}"
    if parameters.channels and study.optional:
        yield "parameters.channels: leaves no room for channels that a case may lack; remove it, or `optional`"
    if parameters.phases and study.optional:
        yield f"parameters.phases: a phase must not be missing, but {', '.join(study.optional)} is `optional`"


def _problems_of_heads(study: Study, parameters: Parameters) -> Iterator[str]:
    """Yield what the heads lack, and what only the study can decide, since models of other shapes have no mean."""
    inference, cohort = study.inference, study.cohort
    assert isinstance(inference, Inference)
    for key in ("classes", "regions"):
        if key in study.search.space:
            yield f"search.space.{key}: networks of other outputs must not be compared; set `parameters.{key}`"
        if getattr(parameters, key) and not getattr(cohort, key):
            yield f"parameters.{key}: the study has none; name them in `cohort.{key}`"
    if parameters.classes and parameters.target == "heat":
        yield "parameters.classes: heat maps tell no classes apart; learn `labels`, or leave the classes out"
    for key, name in (("parameters.within", parameters.within), ("inference.within", inference.within)):
        if name and name not in cohort.regions:
            known = f"there are {', '.join(cohort.regions)}" if cohort.regions else "the study names none"
            yield f"{key} `{name}` is no region of `cohort.regions`{nearest(name, cohort.regions)}; {known}"
    if inference.within and not inference.oracle and not parameters.regions:
        yield "inference.within: the network finds no regions; set `parameters.regions`, or `inference.oracle`"
    for key in OF_PLACE:
        if key in study.search.space and not parameters.within and "within" not in study.search.space:
            yield f"search.space.{key}: has an effect only with `parameters.within`; name the region"
    for section, of, keys in (("parameters", parameters, OF_PLACE), ("inference", inference, OF_LIMIT)):
        idle = [key for key in keys if getattr(of, key) != type(of).model_fields[key].default]
        if idle and not of.within:
            yield f"{section}.{idle[0]}: has an effect only with `{section}.within`; name the region"
    if "regions" in study.outcomes and not parameters.regions:
        yield "outcomes.regions: the network finds no regions; set `parameters.regions`"
