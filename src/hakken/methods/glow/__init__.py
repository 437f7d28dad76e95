"""Method `glow`: how probable an image is, by a flow that has learnt from normal cases; 2-D and 3-D.

Kingma and Dhariwal, Glow: generative flow with invertible 1x1 convolutions, NeurIPS 2018. Shibata et al., IJCARS 2021,
doi:10.1007/s11548-021-02480-4: the second flow, of an unlabelled mixture of normal and abnormal cases, whose density
against that of the first tells by Bayes' rule how likely a case is abnormal. A likelihood alone ranks smooth images as
more probable, whatever they show (Serrà et al., Input complexity and out-of-distribution detection, ICLR 2020), so
several scores are made of the two flows, all are recorded, and none is ever turned round.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from pydantic import Field

from hakken.methods import Needs
from hakken.study import Section, Study
from hakken.study.parameters import Optimisation, Optimised
from hakken.study.section import OF_VALIDATION, only_with

NEEDS = Needs(learns_from="any", optional=False)
OUTCOMES = ("case_scores", "alternative_scores")
FURTHER = ("score_maps",)
FIGURES = ("roc", "search", "learnt")
WITH_SHARES = ("window", "percentile")
"""How a channel is normalised where 0 and 1 are the ends of a window, which grey levels are counted in."""

Score = Literal["likelihood", "two_flows", "distance", "latent", "compression"]


class Parameters(Optimised):
    """What a search may vary."""

    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Initial learning rate.")
    weight_decay: float = Field(default=0.0, ge=0, le=1, description="Decoupled weight decay.")
    batch_size: int = Field(default=16, ge=1, le=4096, description="Windows in a mini-batch.")
    warm_up: float = Field(
        default=0.1, ge=0, le=1, description="Share of the steps over which the learning rate rises from nought."
    )
    clip: float = Field(default=50.0, gt=0, le=1e6, description="Norm that gradients are cut to.")
    average: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Decay of the moving average of the weights that is measured and kept; 0 keeps the weights.",
    )
    axes: Literal[2, 3] = Field(default=2, description="Axes of a window: 3, or 2 for images and slices.")
    patch_size: int = Field(
        default=64, ge=2, le=2048, description="Edge of a window in voxels, a multiple of 2 to the power of `levels`."
    )
    least_inside: float = Field(
        default=0.0, ge=0, le=1, description="Share of a window that is to lie inside the mask, wherever there is one."
    )
    mirrored: bool = Field(default=False, description="Whether half of the windows are mirrored, left to right.")
    levels: int = Field(default=3, ge=1, le=9, description="Levels, each of half the extents and half the channels.")
    depth: int = Field(default=6, ge=1, le=128, description="Steps of the flow on each level.")
    width: int = Field(default=48, ge=1, le=1024, description="Feature maps of the couplings' networks.")
    bits: int = Field(default=5, ge=1, le=8, description="Grey levels of the window that are told apart: 2 to this.")
    first_bits: Literal[0, 1, 2, 3, 4, 5, 6, 7] = Field(
        default=0, description="Bits with which the training begins; it goes up to `bits`. 0 begins there."
    )
    bits_every: int = Field(
        default=1000,
        ge=1,
        description="Mini-batches until there is a bit more.",
        json_schema_extra=only_with(first_bits=(1, 2, 3, 4, 5, 6, 7)),
    )
    backward: Literal["plain", "checkpoint", "invert"] = Field(
        default="plain",
        description="What is kept for the backward pass: everything; the input of each step (`checkpoint`, the same "
        "gradients to the bit); or the output of each level, from which inputs are rebuilt (`invert`), so that memory "
        "does not grow with `depth`. Where the inverse is not exact, `invert` goes on as `checkpoint` and says so.",
    )
    mixture: bool = Field(
        default=False,
        description="Whether a second flow learns from all training cases, abnormal ones among them, without being "
        "told which these are.",
    )
    score: Literal["likelihood", "two_flows", "distance", "latent", "compression", "chosen"] = Field(
        default="likelihood",
        description="What the score of a case is, in bits per dimension: its negative log `likelihood`; that less the "
        "one by the flow of the mixture (`two_flows`); how far it is from the mean of the normal validation cases "
        "(`distance`); the mean square of its `latent` (no bits); its likelihood less its size once compressed "
        "(`compression`); or which of these is best on the validation cases (`chosen`).",
        json_schema_extra=OF_VALIDATION,
    )

    @property
    def optimisation(self) -> Optimisation:
        """The same as the training loop takes it."""
        return replace(super().optimisation, warm_up=self.warm_up)


class Inference(Section):
    """How a flow is used on a case."""

    draws: int = Field(default=4, ge=1, le=1000, description="Draws of the noise within grey levels that are averaged.")
    overlap: float = Field(
        default=0.5, ge=0, lt=1, description="Share of its edge that a window has in common with the next one."
    )
    windows: Literal["mean", "p99", "max"] = Field(
        default="mean", description="What the score of a case is of those of its windows."
    )


def problems(study: Study) -> Iterator[str]:
    """Yield what does not fit in a study of this method."""
    chosen = study.parameters
    assert isinstance(chosen, Parameters)
    for name, channel in study.channels.items():
        if channel.normalise not in WITH_SHARES:
            yield (
                f"channels.{name}.normalise: grey levels are counted in a window, and `{channel.normalise}` has none; "
                f"use {' or '.join(WITH_SHARES)}"
            )
    if chosen.score == "two_flows" and not chosen.mixture:
        yield "parameters.score is `two_flows`, and there is one; set `mixture: true`, or use another score"
    if chosen.first_bits >= chosen.bits:
        yield f"parameters.first_bits {chosen.first_bits} is not below bits {chosen.bits}; lower it, or leave it out"
