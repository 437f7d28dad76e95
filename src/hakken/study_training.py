"""The part of a study that says how one network is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hakken.study_grid import ImageNetName, Weights
from hakken.study_section import Section
from hakken.study_sizes import Sizes
from hakken.study_tasks import NetworkName


class Training(Section):
    """Which network is trained, and how."""

    network: NetworkName = Field(
        default="patch_cnn",
        description="`patch_cnn`: convolutions of the patch, structured by `parameters`; `projection_cnn`: the same in "
        "2-D on maximum-intensity projections of the patch in nine directions; `conv_autoencoder`: strided "
        "convolutions to a code and transposed ones back (`convolutions` a level, `poolings` levels, `dense_units` "
        "feature maps of the code); `unet`: a mask of the whole patch (`poolings` + 1 levels of `convolutions` each); "
        "`expectation_unet`, a U-Net that predicts the channel marked `target` and its standard deviation from the "
        "others; those of the ImageNet years, for the task `classification`: `alexnet`, `vgg16`, `vgg19`, `googlenet`, "
        "`inception_v3`, `resnet50`, `resnet101`, `efficientnet_lite0`.",
    )
    input_size: int = Field(
        default=224,
        ge=15,
        le=1024,
        description="Edge in pixels to which networks of the ImageNet years have crops resized.",
    )
    weights: dict[ImageNetName, Weights] = Field(
        default={}, description="Files of weights that these networks start from; the others start at random."
    )
    sizes: Sizes = Field(default=Sizes(), description="Sizes of a `unet` between which is chosen after training.")
    steps: int = Field(default=4000, ge=1, description="Mini-batches at most.")
    validate_every: int = Field(default=500, ge=1, description="Steps between two measurements of the objective.")
    patience: int = Field(default=3, ge=1, description="Stop after so many measurements without improvement.")
    loss: Literal["cross_entropy", "focal"] = Field(
        default="cross_entropy", description="Loss; the task `segmentation` adds the soft Dice loss to cross-entropy."
    )
    focal_gamma: float = Field(default=2.0, ge=0, le=10, description="Exponent of the focal loss.")
    optimizer: Literal["adamw", "sgd"] = Field(default="adamw", description="Optimiser.")
    schedule: Literal["cosine", "step"] = Field(default="cosine", description="Course of the learning rate.")
    checkpoint_seconds: float = Field(default=300.0, gt=0, description="Seconds between two checkpoints.")
    precision: Literal["float32", "bfloat16", "auto"] = Field(
        default="auto",
        description="`auto`: bfloat16 on a GPU that has it, and on a CPU on which `hakken tune-cpu` has found it "
        "faster; else float32.",
    )
    out_of_memory: Literal["fail", "accumulate"] = Field(
        default="fail",
        description="What follows when memory runs out: a failed trial (`fail`), or the same training with every "
        "mini-batch in two parts, then four, whose gradients are added up (`accumulate`; written in its record).",
    )
    nodes: int = Field(default=1, ge=1, le=1024, description="Machines that one training runs on.")
    gpus_per_node: int = Field(
        default=1,
        ge=1,
        le=64,
        description="GPUs of each of them, one process each (on machines without GPUs: processes). `nodes` times "
        "`gpus_per_node` mini-batches, each of `batch_size` patches, make one update; however many of the processes "
        "there are at last, the updates are the same. `steps` counts mini-batches: the work stays what it was.",
    )
    rate_scaling: Literal["linear", "none"] = Field(
        default="linear",
        description="What several mini-batches an update do to `learning_rate`: multiply it by their number (Goyal et "
        "al., Accurate, large minibatch SGD, 2017), or nothing.",
    )
    warm_up: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="Share of the steps over which `learning_rate` rises to its multiple; none where it has none.",
    )
    synchronised_norm: bool = Field(
        default=False,
        description="Batch normalisation over the mini-batches of all processes together, and not of each for itself.",
    )

    @property
    def minibatches(self) -> int:
        """How many mini-batches make one update."""
        return self.nodes * self.gpus_per_node
