"""The part of a study that compares networks under deliberate misregistration: a grid of independent trainings."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from hakken.study_section import Section

ImageNetName = Literal[
    "alexnet", "vgg16", "vgg19", "googlenet", "inception_v3", "resnet50", "resnet101", "efficientnet_lite0"
]
IMAGENET: tuple[ImageNetName, ...] = get_args(ImageNetName)
Amount = Annotated[float, Field(gt=0, le=45)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Weights(Section):
    """A file of weights that a training starts from, and the SHA-256 that it must have."""

    path: str = Field(
        description="The file: a state dict as torchvision publishes them. Relative to the working folder, or where "
        "that has none, to the folder of installed packages."
    )
    sha256: str = Field(pattern="^[0-9a-fA-F]{64}$", description="SHA-256 of the file, 64 hexadecimal digits.")


class Misregistration(Section):
    """How far the phases of a composite are moved against each other; each amount is a condition of the grid."""

    shift: tuple[Amount, ...] = Field(default=(), description="Shifts in voxels.")
    rotation: tuple[Amount, ...] = Field(default=(), description="Rotations in degrees.")
    skew: tuple[Amount, ...] = Field(default=(), description="Skews in degrees.")

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        for kind, amounts in self.by_kind.items():
            if list(amounts) != sorted(set(amounts)):
                raise ValueError(f"the amounts of `{kind}` must ascend, each once")
        if len({len(amounts) for amounts in self.by_kind.values()}) > 1:
            raise ValueError("give all kinds that are used the same number of amounts, so that they can be compared")
        return self

    @property
    def by_kind(self) -> dict[str, tuple[float, ...]]:
        """The amounts of each kind that is used."""
        given = {"shift": self.shift, "rotation": self.rotation, "skew": self.skew}
        return {kind: amounts for kind, amounts in given.items() if amounts}


class Grid(Section):
    """Networks x misregistration x folds: each a training of its own, on the development cases alone."""

    networks: tuple[ImageNetName, ...] = Field(min_length=1, description="Networks, with their weights where given.")
    from_scratch: tuple[ImageNetName, ...] = Field(
        default=(), description="Networks that are also trained from random weights, to measure what the weights give."
    )
    misregistration: Misregistration = Field(
        default=Misregistration(), description="Conditions beside the registered images."
    )
    folds: int = Field(default=5, ge=2, le=20, description="Folds of the cross-validation, by patient.")
    steps: int = Field(default=500, ge=1, description="Mini-batches of each training; there is no early stopping.")
    learning_rates: dict[ImageNetName, Annotated[float, Field(gt=0, le=1)]] = Field(
        default={}, description="Learning rates of networks that need another than `parameters.learning_rate`."
    )
    readers: dict[str, Share] = Field(
        default={}, description="Published accuracies of readers, drawn as lines: they read clinical images."
    )
    provenance: Literal["publication", "reconstruction"] = Field(
        default="reconstruction", description="Whether the publication names these amounts or they are reconstructed."
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for key, names in (("networks", self.networks), ("from_scratch", self.from_scratch)):
            if len(set(names)) < len(names):
                raise ValueError(f"a network stands twice in `{key}`")
        return self
