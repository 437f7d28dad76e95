"""Method `dense`: which voxels belong to lesions, by a residual encoder-decoder; candidates are read out of its map.

Nothing is cut beforehand: windows are taken from the prepared cases while the network learns, half of them around a
lesion. At use the whole case is seen through overlapping windows. Every branch of the component tree of the map of
probabilities is a candidate, and all that is at least as probable as not is the mask.
"""

import math
from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from hakken.methods import Needs
from hakken.study import Section, Study
from hakken.study.parameters import Optimised
from hakken.study.section import only_with

NEEDS = Needs(learns_from="lesions")
OUTCOMES = ("candidates",)
FURTHER = ("masks", "case_scores")
AVERAGED = "the probability of each voxel"
FIGURES = ("froc", "strata", "overlays", "search", "learnt")


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
    average: float = Field(
        default=0.98,
        ge=0,
        lt=1,
        description="Decay of the moving average of the weights that is measured and kept; 0 keeps the weights.",
    )
    augmentation: float = Field(default=0.7, ge=0, le=1, description="Strength of the augmentation, 0 is none.")


class Inference(Section):
    """How a dense network is used on a case.

    The prominence was set on the validation cases of the phantom of brain metastases and of two patients with multiple
    sclerosis: partial AUC 0.566, 0.590, 0.265 at 1; 0.647, 0.593, 0.373 at 6; 0.654, 0.622, 0.328 at 8.
    """

    version: ClassVar[int] = 2

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
        default=6.0,
        gt=0,
        le=20,
        description="By how much, in logits, a peak must stand above where it meets a higher one to be of its own. Of "
        "0.998 and 0.5 the logits are 6 apart: a vessel or a large lesion with a rough top is one candidate.",
        json_schema_extra=only_with(reading="branches"),
    )
    maximum_candidates: int = Field(default=1000, ge=1, le=100_000, description="Most candidates of a case.")
    mask_threshold: float = Field(
        default=0.5, gt=0, lt=1, description="The probability from which on a voxel belongs to a lesion."
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
    if parameters.target == "heat" and "masks" in study.outcomes:
        yield "outcomes.masks: what learns `target: heat` knows no outlines; learn `labels`, or leave masks out"
