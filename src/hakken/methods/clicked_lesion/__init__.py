"""Method `clicked_lesion`: the voxels of one lesion in a volume of interest around a click, whatever kind it is of.

The volume of interest is resampled so that its edge is a multiple of the size that the user gives, and its intensities
are brought into one range; a residual encoder-decoder marks the lesion in it. It learns from several kinds of lesions,
each as often, in images that are changed so much (a set of augmentations for domain generalisation, and grey levels
inverted at random) that it also segments kinds that it has never seen. After Nomura et al., IJCARS 2021;16:1901-1913.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from hakken.methods import Needs
from hakken.study import Section, Study
from hakken.study.parameters import Optimised

NEEDS = Needs(learns_from="lesions", optional=False, clicks=True)
OUTCOMES = ("lesion_masks",)
FIGURES = ("lesion_outlines", "search")


class Parameters(Optimised):
    """What a search may vary."""

    batch_size: int = Field(default=4, ge=1, le=4096, description="Volumes of interest in a mini-batch.")
    voxels: int = Field(default=32, ge=8, le=128, description="Voxels along each edge of a volume of interest.")
    edge: float = Field(
        default=2.0,
        ge=1.2,
        le=6,
        description="Edge of a volume of interest as a multiple of the size that the user gives.",
    )
    levels: int = Field(default=3, ge=2, le=5, description="Levels, each on a grid twice as coarse as the one before.")
    base_features: int = Field(default=16, ge=4, le=128, description="Feature maps of the first level.")
    growth: float = Field(default=2.0, ge=1, le=4, description="Factor of the feature maps from level to level.")
    convolutions: int = Field(default=2, ge=1, le=6, description="Convolutions of each level.")
    dice: float = Field(default=0.5, ge=0, le=1, description="Share of the soft Dice loss; the rest is cross-entropy.")
    jitter: float = Field(
        default=0.1, ge=0, le=0.4, description="How far off a click is while it learns, as a share of the size."
    )
    augmentation: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="Strength of the augmentation (noise, blur, sharpness, brightness, contrast, scale, rotation, "
        "elastic), 0 is none.",
    )
    inversion: float = Field(
        default=0.5, ge=0, le=1, description="Share of the volumes of interest whose grey levels are inverted; 0: none."
    )
    average: float = Field(
        default=0.98, ge=0, lt=1, description="Decay of the moving average of the weights that is kept; 0 keeps these."
    )


class Inference(Section):
    """How a trained network is used on a click."""

    jitter: float = Field(
        default=0.1,
        ge=0,
        le=0.4,
        description="How far off the simulated clicks are that everything is measured with, as a share of the size; "
        "baselines are given the same ones.",
    )
    threshold: float = Field(
        default=0.5, gt=0, lt=1, description="The probability from which on a voxel belongs to the lesion."
    )
    batch: int = Field(default=8, ge=1, le=256, description="Volumes of interest that are seen at once.")


def problems(study: Study) -> Iterator[str]:
    """Yield what does not fit between the levels and what they are seen through."""
    parameters = study.parameters
    assert isinstance(parameters, Parameters)
    least = int(2 ** (parameters.levels + 1))
    if parameters.voxels < least:
        yield f"parameters.voxels {parameters.voxels}: {parameters.levels} levels need at least {least}; lower `levels`"
