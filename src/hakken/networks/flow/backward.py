"""Many steps in a row, and how their gradients are computed: which of what they pass on is kept for the backward pass.

- ``plain``: everything that each step needs; memory grows with the number of steps.
- ``checkpoint``: the input of each step; the rest is computed again (Chen et al., Training deep nets with sublinear
  memory cost, 2016). The gradients are the same to the bit.
- ``invert``: the output of the last step alone; the input of each is rebuilt by its inverse (Gomez et al., The
  reversible residual network, NeurIPS 2017). Memory does not depend on the number of steps. Gradients are as exact as
  the inverse is, which is measured now and then: where it is not, ``checkpoint`` takes over for good, and it is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from hakken.core.console import log
from hakken.networks.flow.steps import Invertible, Mapped, Step

Backward = Literal["plain", "checkpoint", "invert"]
CHECK_EVERY = 50
"""Forward passes with gradients from one look at the inverse to the next; the first one looks."""
LIMIT = 1e-3
"""Largest error of the inverse, as a share of the largest value, at which gradients are still computed through it."""


@dataclass(frozen=True)
class _Precision:
    """The autocast that is on, so that what is computed again is computed alike."""

    device: str
    dtype: torch.dtype
    enabled: bool

    @classmethod
    def now(cls, device: str) -> _Precision:
        return cls(device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device))

    def again(self) -> torch.autocast:
        """Return the context; weights that were cast without gradients are not kept in it for later."""
        return torch.autocast(self.device, self.dtype, self.enabled, cache_enabled=False)


class Chain(Invertible):
    """``depth`` steps on images of so many ``channels``; gradients are computed in the way of ``backward``.

    ``fallen`` says that ``invert`` was given up. That and the passes since the last look at the inverse are part of the
    state, so that a training goes on as it would have.
    """

    def __init__(self, channels: int, axes: int, width: int, depth: int, backward: Backward = "plain") -> None:
        super().__init__()
        self.steps = nn.ModuleList(Step(channels, axes, width) for _ in range(depth))
        self.backward, self.fallen, self._passes = backward, False, 0

    def initialise(self, x: Tensor) -> Tensor:
        """Set each `ActNorm` by what reaches it of ``x``, and return what becomes of it."""
        for step in self._each:
            step.norm.initialise(x)
            x, _ = step(x)
        return x

    def forward(self, x: Tensor) -> Mapped:
        """Return what all steps make of x."""
        mode = self._mode(x)
        if mode == "plain":
            return self._through(x)
        weights = [weight for weight in self.parameters() if weight.requires_grad]
        y, stretched = _Again.apply(self, mode == "invert", x, *weights)  # type: ignore[no-untyped-call]
        return y, stretched

    def inverse(self, y: Tensor) -> Tensor:
        """Return x, all steps undone in turn."""
        for step in reversed(self._each):
            y = step.inverse(y)
        return y

    @property
    def condition(self) -> float:
        """The largest condition number of the steps' mixing."""
        return max(step.mixing.condition() for step in self._each)

    def get_extra_state(self) -> Tensor:
        """Return what is neither weight nor buffer, for the state of the network."""
        return torch.tensor([self._passes, int(self.fallen)])

    def set_extra_state(self, state: Tensor) -> None:
        """Go on from what `get_extra_state` returned."""
        self._passes, self.fallen = int(state[0]), bool(state[1])

    @property
    def _each(self) -> Sequence[Step]:
        return [step for step in self.steps if isinstance(step, Step)]

    def _through(self, x: Tensor, kept: list[Tensor] | None = None) -> Mapped:
        """Return what all steps make of x; the input of each joins those that are ``kept``."""
        total = x.new_zeros(len(x))
        for step in self._each:
            if kept is not None:
                kept.append(x)
            x, stretched = step(x)
            total = total + stretched
        return x, total

    def _mode(self, x: Tensor) -> Backward:
        """Return how this pass is to be gone back through; looks at the inverse where that is due."""
        if not torch.is_grad_enabled():
            return "plain"
        if self.backward != "invert":
            return self.backward
        if not self.fallen:
            if self._passes % CHECK_EVERY == 0:
                self._look(x)
            self._passes += 1
        return "checkpoint" if self.fallen else "invert"

    @torch.no_grad()
    def _look(self, x: Tensor) -> None:
        with _Precision.now(x.device.type).again():
            error = float((self.inverse(self._through(x)[0]) - x).abs().max() / x.abs().max())
        self.fallen = not error <= LIMIT
        if self.fallen:
            log(
                f"the inverse of {len(self.steps)} steps of the flow has an error of {error:.1g}, above {LIMIT:g}: "
                "their gradients are computed by `checkpoint` from now on, which takes more memory"
            )


class _Again(torch.autograd.Function):
    """A chain that keeps the input of each step, or its own output alone (``inverted``), and computes the rest again.

    The weights are arguments, so that whoever waits for their gradients gets them.
    """

    @staticmethod
    def forward(ctx: Any, chain: Chain, inverted: bool, x: Tensor, *weights: Tensor) -> Mapped:
        ctx.chain, ctx.inverted, ctx.weights = chain, inverted, weights
        ctx.precision = _Precision.now(x.device.type)
        inputs: list[Tensor] = []
        with ctx.precision.again():
            y, stretched = chain._through(x, None if inverted else inputs)
        ctx.save_for_backward(*(inputs or [y]))
        return y, stretched

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_y: Tensor, of_stretched: Tensor) -> tuple[Tensor | None, ...]:
        """Go back through one step after the other, the last first, each with its input as it was or as rebuilt."""
        steps, kept = ctx.chain._each, ctx.saved_tensors
        found: dict[Tensor, Tensor] = {}
        x = kept[-1]
        for number, step in reversed([*enumerate(steps)]):
            x = _before(step, x, ctx.precision) if ctx.inverted else kept[number]
            of_y, of_weights = _through_one(step, x, of_y, of_stretched, ctx.precision)
            found.update(of_weights)
        return (None, None, of_y, *(found.get(weight) for weight in ctx.weights))


@torch.no_grad()
def _before(step: Step, y: Tensor, precision: _Precision) -> Tensor:
    """Return the input of a step by its output."""
    with precision.again():
        return step.inverse(y)


def _through_one(
    step: Step, x: Tensor, of_y: Tensor, of_stretched: Tensor, precision: _Precision
) -> tuple[Tensor, dict[Tensor, Tensor]]:
    """Return the gradient of the input of a step, and those of its weights; these are not computed under autocast."""
    weights = [weight for weight in step.parameters() if weight.requires_grad]
    with torch.enable_grad(), precision.again():
        x = x.detach().requires_grad_()
        out = step(x)
    of_x, *others = torch.autograd.grad(out, [x, *weights], [of_y, of_stretched], allow_unused=True)
    return of_x, {weight: one for weight, one in zip(weights, others, strict=True) if one is not None}
