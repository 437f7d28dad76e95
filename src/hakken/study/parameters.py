"""Parameters that several methods share, and what a network is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, field_validator

from hakken.study.section import Section, only_with


@dataclass(frozen=True)
class Optimisation:
    """How weights move: AdamW (``momentum`` is its beta 1, ``beta2``) or SGD with momentum, weight decay decoupled.

    The learning rate falls from ``learning_rate`` to ``learning_rate * learning_rate_decay`` over the training; over
    the share ``warm_up`` of the steps it rises to that course.
    """

    learning_rate: float = 1e-3
    learning_rate_decay: float = 0.1
    weight_decay: float = 1e-4
    momentum: float = 0.9
    beta2: float = 0.999
    kind: Literal["adamw", "sgd"] = "adamw"
    warm_up: float = 0.0


class Optimised(Section):
    """Parameters of a training by one optimiser."""

    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Initial learning rate.")
    learning_rate_decay: float = Field(
        default=0.1, gt=0, le=1, description="Learning rate at the end, as a fraction of the initial one."
    )
    weight_decay: float = Field(default=1e-4, ge=0, le=1, description="Decoupled weight decay.")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Momentum of SGD, or beta 1 of AdamW.")
    batch_size: int = Field(default=32, ge=1, le=4096, description="Samples in a mini-batch.")
    optimizer: Literal["adamw", "sgd"] = Field(default="adamw", description="Optimiser.")

    @property
    def optimisation(self) -> Optimisation:
        """The same as the training loop takes it."""
        return Optimisation(
            learning_rate=self.learning_rate,
            learning_rate_decay=self.learning_rate_decay,
            weight_decay=self.weight_decay,
            momentum=self.momentum,
            kind=self.optimizer,
        )


class Patched(Section):
    """Parameters of a training on augmented patches."""

    patch_size: int = Field(default=16, ge=3, le=512, description="Edge of the network's input in voxels.")
    augmentation: float = Field(default=0.5, ge=0, le=1, description="Strength of the augmentation, 0 is none.")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="Dropout before the last layers.")


class Balanced(Section):
    """Parameters of a training on patches with and without a lesion."""

    negative_ratio: float = Field(default=3.0, gt=0, le=100, description="Negatives per positive in a mini-batch.")
    hard_fraction: float = Field(default=0.5, ge=0, le=1, description="Hard ones among the negatives.")
    loss: Literal["cross_entropy", "focal"] = Field(
        default="cross_entropy", description="Loss of the voxels or patches: cross-entropy, or the focal loss."
    )
    focal_gamma: float = Field(
        default=2.0,
        ge=0,
        le=10,
        description="Exponent of the focal loss.",
        json_schema_extra=only_with(loss="focal"),
    )


class Convolutional(Section):
    """Parameters that make the structure of a convolutional network."""

    convolutions: int = Field(
        default=3, ge=1, le=12, description="Convolution layers; of each level where it has levels."
    )
    base_features: int = Field(default=16, ge=1, le=512, description="Feature maps of the first layer.")
    growth: float = Field(
        default=2.0,
        ge=1,
        le=4,
        description="Factor of the feature maps at each pooling step.",
        json_schema_extra=only_with(poolings=(1, 2, 3, 4, 5)),
    )
    kernel: int = Field(default=3, ge=1, le=9, description="Edge of the convolution kernels in voxels.")
    poolings: int = Field(
        default=1, ge=0, le=5, description="Poolings, spread over the convolutions; one between two levels."
    )
    batch_norm: bool = Field(
        default=True,
        description="Normalisation after each convolution: by mini-batches, in a U-Net by groups of feature maps.",
    )

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError("kernel must be odd")
        return kernel


class Dense(Section):
    """Parameters of the fully connected layers behind the convolutions."""

    dense_layers: int = Field(default=1, ge=0, le=4, description="Hidden fully connected layers.")
    dense_units: int = Field(
        default=32,
        ge=1,
        le=4096,
        description="Units of each hidden fully connected layer.",
        json_schema_extra=only_with(dense_layers=(1, 2, 3, 4)),
    )


class Scanning(Section):
    """How a map of scores over a case is made and its peaks become candidates."""

    stride_voxel: int = Field(default=2, ge=1, le=16, description="Distance of the score map's points in voxels.")
    suppression_mm: float = Field(default=4.0, ge=0, le=100, description="Weaker candidates this near are dropped.")
    maximum_candidates: int = Field(default=100, ge=1, le=10_000, description="Most candidates of a case.")
    memory_mb: int = Field(default=1024, ge=64, le=65_536, description="Most memory of one forward pass.")


class ByProbability(Scanning):
    """The same for scores that are probabilities."""

    threshold: float = Field(default=0.1, gt=0, lt=1, description="Probabilities below it are background.")
    prominence: float = Field(
        default=0.5,
        gt=0,
        le=20,
        description="By how much, in logits, a peak must stand above where it meets a higher one to be of its own.",
    )
