"""The part of a study that says how a training goes, whatever its method learns."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hakken.study.section import Section, only_with


class Training(Section):
    """One training by gradients: how long, at which precision, on how many processes."""

    steps: int = Field(default=4000, ge=1, description="Mini-batches at most; with several players: rounds.")
    validate_every: int = Field(default=500, ge=1, description="Steps between two measurements of the objective.")
    validate_cases: int | None = Field(
        default=None,
        ge=1,
        description="Validation cases that these measurements take (default: all): whole patients, drawn by what their "
        "images show, with and without findings and of each class in proportion, at least one of each. Early stopping "
        "and the kept weights go by them; what the search compares is then measured once on all.",
    )
    patience: int = Field(default=3, ge=1, description="Stop after so many measurements without improvement.")
    keep: Literal["best", "last"] = Field(
        default="best",
        description="Which weights a training ends with: those that were best on validation, or the last.",
    )
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
        json_schema_extra=only_with(rate_scaling="linear"),
    )
    synchronised_norm: bool = Field(
        default=False,
        description="Batch normalisation over the mini-batches of all processes together, and not of each for itself.",
    )

    @property
    def minibatches(self) -> int:
        """How many mini-batches make one update."""
        return self.nodes * self.gpus_per_node
