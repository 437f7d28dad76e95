"""Each step of a flow: what it does to volume, and that it goes back exactly."""

from __future__ import annotations

import math

import pytest
import torch

from hakken.networks.flow.steps import ActNorm, Coupling, Invertible, Mixing, Normal, Squeeze, Step

from .helpers import perturbed

SHAPES = {2: (3, 4, 2, 3), 3: (3, 8, 2, 1, 3)}
"""An odd batch, extents that differ."""


def images(axes: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(SHAPES[axes], generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def steps(axes: int) -> dict[str, Invertible]:
    channels = SHAPES[axes][1]
    made: list[Invertible] = [ActNorm(channels), Mixing(channels), Coupling(channels, axes, 5), Step(channels, axes, 5)]
    torch.manual_seed(3)
    return {type(step).__name__: perturbed(step, sd=0.3) for step in made}


def volume(step: Invertible, x: torch.Tensor) -> torch.Tensor:
    """Log |det| of each sample by the whole Jacobian."""
    jacobian = torch.autograd.functional.jacobian(lambda one: step(one[None])[0].flatten(), x)
    return torch.linalg.slogdet(jacobian.reshape(x.numel(), x.numel())).logabsdet


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("name", ["ActNorm", "Mixing", "Coupling", "Step"])
def test_log_det_is_that_of_the_jacobian(name: str, axes: int) -> None:
    step, x = steps(axes)[name], images(axes)
    y, stretched = step(x)
    exact = torch.stack([volume(step, one) for one in x])
    assert stretched.shape == (3,)
    assert abs(exact).min() > 0.1
    assert (stretched - exact).abs().max() < 1e-10
    assert (step.inverse(y) - x).abs().max() < 1e-10


@pytest.mark.parametrize("axes", [2, 3])
def test_a_reflection_is_as_good_as_a_rotation(axes: int) -> None:
    """The determinant may become negative while it learns."""
    mixing = perturbed(Mixing(4), sd=0.1)
    with torch.no_grad():
        mixing.weight[0] *= -1
    x = torch.randn(2, 4, *[2] * axes, dtype=torch.float64)
    assert torch.linalg.det(mixing.weight) < 0
    y, stretched = mixing(x)
    assert (stretched - torch.stack([volume(mixing, one) for one in x])).abs().max() < 1e-10
    assert (mixing.inverse(y) - x).abs().max() < 1e-10


def test_mixing_begins_as_a_rotation() -> None:
    torch.manual_seed(0)
    mixing = Mixing(12)
    assert (mixing.weight @ mixing.weight.T - torch.eye(12)).abs().max() < 1e-5
    assert abs(mixing.condition() - 1) < 1e-5


def test_a_squeeze_takes_cells_as_they_lie() -> None:
    x = torch.arange(16.0).view(1, 1, 4, 4)
    y, stretched = Squeeze()(x)
    assert y[0, :, 0, 0].tolist() == [0, 1, 4, 5]
    assert y[0, :, 1, 0].tolist() == [8, 9, 12, 13]
    assert stretched.tolist() == [0]


@pytest.mark.parametrize("extent", [(4, 6), (2, 8), (2, 6, 4), (4, 2, 8)])
def test_a_squeeze_goes_back(extent: tuple[int, ...]) -> None:
    """Volumes that hold their own indices; an odd batch, two channels, no cubes."""
    x = torch.arange(float(3 * 2 * math.prod(extent))).view(3, 2, *extent)
    squeeze = Squeeze()
    y, _ = squeeze(x)
    assert y.shape == (3, 2 * 2 ** len(extent), *(edge // 2 for edge in extent))
    assert torch.equal(squeeze.inverse(y), x)
    cell = x[(1, 1, *[slice(2, 4) if edge > 2 else slice(0, 2) for edge in extent])].flatten()
    place = tuple(int(edge > 2) for edge in extent)
    assert torch.equal(y[(1, slice(2 ** len(extent), None), *place)], cell)


def test_odd_extents_cannot_be_halved() -> None:
    with pytest.raises(ValueError, match=r"images of extents \(4, 5\) cannot be halved"):
        Squeeze()(torch.zeros(1, 1, 4, 5))


@pytest.mark.parametrize("axes", [2, 3])
def test_the_first_images_set_mean_and_deviation_once(axes: int) -> None:
    norm, x = ActNorm(SHAPES[axes][1]).double(), 3 * images(axes) + 7
    norm.eval()
    assert torch.equal(norm(x)[0], x)  # nothing is drawn from data by looking
    norm.initialise(x)
    seen = norm(x)[0].transpose(0, 1).flatten(1)
    assert seen.mean(1).abs().max() < 1e-12
    assert (seen.std(1, correction=0) - 1).abs().max() < 1e-12
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    norm.initialise(images(axes, seed=1))
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())


def test_a_loaded_norm_is_not_set_again() -> None:
    kept = ActNorm(4)
    kept.initialise(images(2).float() + 5)
    loaded = ActNorm(4)
    loaded.load_state_dict(kept.state_dict())
    loaded.train().initialise(images(2, seed=1).float())
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in kept.state_dict().items())


def test_a_channel_without_any_spread_stays_finite() -> None:
    norm = ActNorm(2)
    norm.initialise(torch.ones(2, 2, 4, 4))
    assert all(torch.isfinite(one).all() for one in norm(torch.ones(2, 2, 4, 4)))


def test_a_coupling_begins_by_doing_nothing() -> None:
    coupling, x = Coupling(4, 2, 8).double(), images(2)
    y, stretched = coupling(x)
    assert torch.equal(y, x)
    assert stretched.abs().max() == 0


def test_scales_are_bounded() -> None:
    coupling = Coupling(4, 2, 8)
    with torch.no_grad():
        for weight in coupling.parameters():
            weight.fill_(1e6)
    y, stretched = coupling(images(2).float().abs())
    assert stretched.max() <= Coupling.BOUND * y[0].numel() / 2
    assert torch.isfinite(stretched).all()


@pytest.mark.parametrize("given", [0, 4])
def test_a_normal_is_the_density_that_it_says(given: int) -> None:
    normal = perturbed(Normal(4, given, 2), sd=0.3)
    z, other = images(2), images(2, seed=1) if given else None
    standard, density = normal(z, other)
    step = (standard - normal(torch.zeros_like(z), other)[0]) / z  # 1 / SD
    exact = torch.distributions.Normal(-normal(torch.zeros_like(z), other)[0] / step, 1 / step).log_prob(z).sum(1)
    assert density.shape == (3, 2, 3)
    assert (density - exact).abs().max() < 1e-9
    assert (normal.inverse(standard, other) - z).abs().max() < 1e-10  # type: ignore[operator]


def test_log_dets_keep_their_precision_under_autocast() -> None:
    torch.manual_seed(0)
    step, x = Step(4, 2, 8), images(2).float()
    with torch.no_grad():
        next(step.coupling.layers[-1].parameters()).normal_(0, 0.3)
    plain, _ = step.mixing(x)
    with torch.autocast("cpu", torch.bfloat16):
        mixed, stretched = step.mixing(x)
        y, whole = step(x)
        back = step.inverse(y)
        normal = Normal(4, 4, 2)
        torch.nn.init.ones_(next(normal.parameters()))
        density = normal(x, x)[1]
    assert torch.equal(density, normal(x, x)[1])
    assert torch.equal(mixed, plain)
    assert {stretched.dtype, whole.dtype, y.dtype} == {torch.float32}
    assert not torch.equal(y, step(x)[0])  # the convolutions do follow it
    assert (back - x).abs().max() < 1e-5
