"""Method `unet`: which voxels belong to lesions, by one U-Net that runs at several sizes.

The sizes are depths (structural dropout; the University of Tokyo's report of 2020) and widths (Yu et al., Slimmable
neural networks, ICLR 2019) between which is chosen after the training, without any more. A size that is drawn too
rarely stays where every training begins, at the mean probability of a lesion, and marks nothing; so each mini-batch
runs at several sizes, the largest and the smallest among them (the sandwich rule of Yu and Huang, Universally slimmable
networks and improved training techniques, ICCV 2019).
"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hakken.methods import Needs
from hakken.study import Distinct, Section, Study
from hakken.study.parameters import Balanced, Convolutional, Optimised, Patched
from hakken.study.section import only_with

Levels = Annotated[int, Field(ge=1, le=6)]
Fraction = Annotated[float, Field(gt=0, le=1)]

NEEDS = Needs(patches=True, maps=True, learns_from="lesions")
OUTCOMES = ("masks",)
AVERAGED = "the probability of each voxel at each size"


class Sizes(Section):
    """The sizes at which one U-Net is trained and measured, every depth with every width."""

    version: ClassVar[int] = 2

    levels: Distinct[Levels] = Field(
        default=(), description="Numbers of levels; none: all that `parameters.poolings` gives, and no others."
    )
    features: Distinct[Fraction] = Field(
        default=(1.0,), min_length=1, description="Fractions of the feature maps of each level."
    )
    drawn: Literal["one", "sandwich", "every"] = Field(
        default="sandwich",
        description="Sizes that a mini-batch runs at: one drawn by its seed (structural dropout); the largest, the "
        "smallest and one drawn between them (Yu and Huang 2019), up to three times the work; or all of them.",
    )
    distillation: bool = Field(
        default=False,
        description="The largest size learns from the truth, the others of the same mini-batch from the largest.",
        json_schema_extra=only_with(drawn=("sandwich", "every")),
    )
    scaling: Literal["shared", "own"] = Field(
        default="shared",
        description="The scales and shifts behind the normalisation belong to all sizes, or each has its own (Yu et "
        "al. 2019). The normalisation itself has no statistics that sizes could share.",
    )


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
    if parameters.sizes.scaling == "own" and not parameters.batch_norm:
        yield "parameters.sizes.scaling: own scales and shifts stand behind a normalisation; set parameters.batch_norm"
    if levels and "poolings" in study.search.space:
        yield "parameters.sizes.levels says how deep the network is; do not search `poolings` as well"
