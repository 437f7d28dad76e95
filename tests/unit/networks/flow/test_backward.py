"""Three ways back through a chain of steps: the same gradients, less and less memory, and what is not exact is left."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import Tensor

from hakken.methods.glow.memory import kept_bytes
from hakken.networks.flow import backward as module
from hakken.networks.flow.backward import Backward, Chain
from hakken.networks.flow.glow import Glow
from hakken.networks.flow.steps import ActNorm, Mixing, Step

from .helpers import learnt, optimiser_of, perturbed, pictures

MODES: tuple[Backward, ...] = ("plain", "checkpoint", "invert")


def flow_of(mode: Backward, axes: int = 2, depth: int = 4, dtype: torch.dtype = torch.float64) -> Glow:
    """A flow with the same weights in each mode."""
    torch.manual_seed(5)
    flow = perturbed(Glow(1, axes, levels=2, depth=depth, width=6, backward=mode), sd=0.02)
    return flow.to(dtype)


def images(axes: int, dtype: torch.dtype = torch.float64) -> Tensor:
    shape = (3, 1, *((8, 12) if axes == 2 else (4, 8, 4)))
    return torch.rand(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64).to(dtype) - 0.5


def gradients(flow: Glow, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The loss, and the gradients of all weights and of the images."""
    x = x.clone().requires_grad_()
    loss = -flow(x).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    found = [weight.grad for weight in (*flow.parameters(), x)]
    assert all(one is not None for one in found)
    return loss.detach(), [one for one in found if one is not None]


def furthest(found: list[Tensor], exact: list[Tensor]) -> float:
    return max(float((one - other).norm() / other.norm()) for one, other in zip(found, exact, strict=True))


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_gradients_are_those_of_the_plain_pass(axes: int, dtype: torch.dtype, limit: float) -> None:
    x = images(axes, dtype)
    loss, exact = gradients(flow_of("plain", axes, dtype=dtype), x)
    again, same = gradients(flow_of("checkpoint", axes, dtype=dtype), x)
    assert torch.equal(loss, again)
    assert all(torch.equal(one, other) for one, other in zip(same, exact, strict=True))
    rebuilt, near = gradients(flow_of("invert", axes, dtype=dtype), x)
    assert abs(rebuilt - loss) <= 1e-6 * abs(loss)
    assert furthest(near, exact) < limit


def test_gradients_of_a_trained_flow() -> None:
    flow, _ = learnt()
    x = (pictures(9) + 0.5) / 32 - 0.5
    found = {}
    for mode in MODES:
        other = Glow(1, 2, levels=2, depth=4, width=16, backward=mode)
        other.load_state_dict(flow.state_dict())
        found[mode] = gradients(other, x)[1]
        assert not other.fallen
    assert all(torch.equal(one, two) for one, two in zip(found["checkpoint"], found["plain"], strict=True))
    assert furthest(found["invert"], found["plain"]) < 1e-4


def test_weights_are_the_same_after_three_steps() -> None:
    after = {}
    for mode in MODES:
        flow = flow_of(mode)
        optimiser = optimiser_of(flow, 0.01)
        for _ in range(3):
            optimiser.clear()
            (-flow(images(2)).mean()).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        after[mode] = [weight.detach() for weight in flow.parameters()]
    assert furthest(after["checkpoint"], after["plain"]) == 0
    assert furthest(after["invert"], after["plain"]) < 1e-9


def test_weights_that_stand_still_get_no_gradient() -> None:
    plain, inverted = flow_of("plain"), flow_of("invert")
    for flow in (plain, inverted):
        for module_ in flow.modules():
            if isinstance(module_, Mixing):
                module_.requires_grad_(False)
        (-flow(images(2)).mean()).backward()  # type: ignore[no-untyped-call]
    for one, other in zip(plain.parameters(), inverted.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None) == (not one.requires_grad)
        assert one.grad is None or other.grad is None or (one.grad - other.grad).norm() <= 1e-9 * one.grad.norm()


@functools.cache
def bytes_of(mode: Backward, axes: int, depth: int) -> int:
    flow, x = flow_of(mode, axes, depth, torch.float32), images(axes, torch.float32)
    flow(x)  # the first pass of `invert` looks at the inverse
    return kept_bytes(lambda: flow(x))


@pytest.mark.parametrize("axes", [2, 3])
def test_memory_of_the_inverse_does_not_grow_with_depth(axes: int) -> None:
    assert bytes_of("invert", axes, 4) == bytes_of("invert", axes, 16)
    assert bytes_of("plain", axes, 16) > 3 * bytes_of("plain", axes, 4)
    assert bytes_of("plain", axes, 16) > bytes_of("checkpoint", axes, 16) > bytes_of("invert", axes, 16)


def ill() -> Chain:
    """A chain whose mixing loses more digits than float32 has."""
    torch.manual_seed(0)
    chain = Chain(4, 2, 4, 6, "invert")
    with torch.no_grad():
        for step in chain.steps:
            assert isinstance(step, Step)
            step.mixing.weight[0] = step.mixing.weight[1] + 1e-3 * step.mixing.weight[0]
    return chain


def test_an_inverse_that_is_not_exact_is_given_up_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(module, "log", said.append)
    chain, x = ill(), torch.randn(2, 4, 4, 4)
    sum(one.sum() for one in chain(x)).backward()  # type: ignore[union-attr]
    assert chain.fallen
    assert len(said) == 1
    assert "above 0.001: their gradients are computed by `checkpoint` from now on, which takes more memory" in said[0]
    plain = ill()
    plain.backward = "plain"
    sum(one.sum() for one in plain(x)).backward()  # type: ignore[union-attr]
    for one, other in zip(chain.parameters(), plain.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.equal(one.grad, other.grad)


def test_a_look_comes_now_and_then_and_is_part_of_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    monkeypatch.setattr(module, "CHECK_EVERY", 3)
    monkeypatch.setattr(Chain, "_look", lambda self, x: looks.append(len(looks)))
    chain, x = Chain(4, 2, 4, 2, "invert"), torch.randn(2, 4, 4, 4)
    for _ in range(4):
        chain(x)
    with torch.no_grad():
        chain(x)  # without gradients there is nothing to look at
    assert len(looks) == 2
    other = Chain(4, 2, 4, 2, "invert")
    other.load_state_dict(chain.state_dict())
    other(x), other(x)
    assert len(looks) == 2
    other(x)
    assert len(looks) == 3


def test_a_chain_that_fell_goes_on_so_from_its_state() -> None:
    chain = ill()
    chain(torch.randn(2, 4, 4, 4))
    other = Chain(4, 2, 4, 6, "invert")
    other.load_state_dict(chain.state_dict())
    assert other.fallen


@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_set_by_data_in_any_pass(mode: Backward) -> None:
    """So that a step that is computed again is the same step."""
    flow = Glow(1, 2, levels=1, depth=2, width=4, backward=mode).train()
    (-flow(torch.rand(2, 1, 4, 4)).mean()).backward()  # type: ignore[no-untyped-call]
    assert not any(one.initialised for one in flow.modules() if isinstance(one, ActNorm))


@pytest.mark.parametrize("mode", ["checkpoint", "invert"])
def test_what_is_computed_again_is_computed_at_the_same_precision(mode: Backward) -> None:
    x = images(2, torch.float32)
    found = {}
    for one in ("plain", mode):
        flow = flow_of(one, dtype=torch.float32)
        with torch.autocast("cpu", torch.bfloat16):
            loss = -flow(x).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        found[one] = [weight.grad for weight in flow.parameters() if weight.grad is not None]
    assert furthest(found[mode], found["plain"]) < (0.02 if mode == "invert" else 1e-6)
