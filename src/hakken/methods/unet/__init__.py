"""Method `unet`: which voxels belong to lesions, by one U-Net that runs at several sizes.

The sizes are depths (structural dropout; the University of Tokyo's report of 2020) and widths (Yu et al., Slimmable
neural networks, ICLR 2019) between which is chosen after the training, without any more.
"""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from hakken.methods import Needs
from hakken.study import Distinct, Section, Study
from hakken.study.parameters import Balanced, Convolutional, Optimised, Patched

Levels = Annotated[int, Field(ge=1, le=6)]
Fraction = Annotated[float, Field(gt=0, le=1)]

NEEDS = Needs(patches=True, maps=True, learns_from="lesions")
OUTCOMES = ("masks",)
AVERAGED = "the probability of each voxel at each size"


class Sizes(Section):
    """The sizes at which one U-Net is trained and measured, every depth with every width.

    Each mini-batch runs at one of them, drawn by the step's seed (structural dropout), or at several (`distillation`).
    """

    levels: Distinct[Levels] = Field(
        default=(), description="Numbers of levels; none: all that `parameters.poolings` gives, and no others."
    )
    features: Distinct[Fraction] = Field(
        default=(1.0,), min_length=1, description="Fractions of the feature maps of each level."
    )
    distillation: bool = Field(
        default=False,
        description="Each mini-batch runs at the largest size, which learns from the truth, and at the smallest and "
        "one in between, which learn from the largest (Yu and Huang 2019); about three times the work of a step.",
    )

    @property
    def several(self) -> bool:
        """Whether there is more than one size, so that a mini-batch may leave weights out."""
        return len(self.levels) > 1 or len(self.features) > 1


class Parameters(Optimised, Patched, Balanced, Convolutional):
    """What a search may vary: `poolings` + 1 levels of `convolutions` each; the soft Dice loss is added to the loss."""

    sizes: Sizes = Field(default=Sizes(), description="Sizes between which is chosen after training.")


class Inference(Section):
    """How a U-Net is used on a case."""

    threshold: float = Field(
        default=0.5, gt=0, lt=1, description="The probability from which on a voxel belongs to a lesion."
    )
    memory_mb: int = Field(default=1024, ge=64, le=65_536, description="Most memory of one forward pass.")


def problems(study: Study) -> Iterator[str]:
    """Yield what does not fit between the sizes and the network that has them."""
    parameters = study.parameters
    assert isinstance(parameters, Parameters)
    levels, most = parameters.sizes.levels, parameters.poolings + 1
    if levels and max(levels) != most:
        yield (
            f"parameters.sizes.levels ends at {max(levels)}, but parameters.poolings {most - 1} gives {most} levels; "
            "the largest size is the whole network"
        )
    if levels and "poolings" in study.search.space:
        yield "parameters.sizes.levels says how deep the network is; do not search `poolings` as well"
