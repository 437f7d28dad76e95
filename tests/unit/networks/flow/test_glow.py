"""The whole flow: a density that is one, and images that come back."""

from __future__ import annotations

import math

import pytest
import torch

from hakken.core.errors import InvalidArchitecture
from hakken.networks.flow.density import bits_per_dimension
from hakken.networks.flow.glow import Glow, Stage, through

from .helpers import learn, learnt, optimiser_of, perturbed, pictures


def flow_of(axes: int, levels: int = 2, channels: int = 1) -> Glow:
    torch.manual_seed(4)
    return perturbed(Glow(channels, axes, levels=levels, depth=2, width=4), sd=0.1)


SHAPES = {2: (3, 1, 8, 12), 3: (3, 1, 4, 8, 4)}


def images(axes: int) -> torch.Tensor:
    return torch.rand(SHAPES[axes], generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 0.5


@pytest.mark.parametrize("axes", [2, 3])
def test_the_density_is_that_of_the_jacobian(axes: int) -> None:
    """Of all latents together, whose density is the standard normal one: an odd batch, extents that differ."""
    flow, x = flow_of(axes), images(axes)

    def every(one: torch.Tensor) -> torch.Tensor:
        return torch.cat([latent.flatten() for latent in flow.encode(one[None]).latents])

    exact = []
    for one in x:
        latent, jacobian = every(one), torch.autograd.functional.jacobian(every, one)
        normal = -0.5 * (latent.square() + math.log(2 * math.pi)).sum()
        exact.append(normal + torch.linalg.slogdet(jacobian.reshape(one.numel(), -1)).logabsdet)
    assert (flow(x) - torch.stack(exact)).abs().max() < 1e-10


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_come_back(axes: int, channels: int) -> None:
    flow = flow_of(axes, channels=channels)
    x = images(axes).expand(-1, channels, *SHAPES[axes][2:]) * torch.arange(1, channels + 1).view(-1, *[1] * axes)
    assert (flow.decode(flow.encode(x).latents) - x).abs().max() < 1e-10


def test_images_come_back_from_a_trained_flow() -> None:
    """From the latents of all stages; the last one alone is not enough."""
    flow, losses = learnt()
    assert losses[-1] < losses[0] - 0.5
    x = (pictures(77) + 0.5) / 32 - 0.5
    latents = flow.encode(x).latents
    assert (flow.decode(latents) - x).abs().max() < 1e-5
    exact = Glow(1, 2, levels=2, depth=4, width=16)
    exact.load_state_dict(flow.state_dict())
    exact.double()
    assert (exact.decode(exact.encode(x.double()).latents) - x).abs().max() < 1e-10
    assert (flow.decode([torch.zeros_like(latents[0]), latents[1]]) - x).abs().max() > 0.01
    assert 1 <= flow.condition < 100


@pytest.mark.parametrize("axes", [2, 3])
def test_positions_sum_to_the_density(axes: int) -> None:
    flow, x = flow_of(axes), images(axes)
    found = flow.encode(x)
    assert found.positions.shape == (3, *SHAPES[axes][2:])
    assert (found.positions.flatten(1).sum(1) - found.log_density).abs().max() < 1e-9
    assert (found.log_density - flow(x)).abs().max() < 1e-9


@pytest.mark.parametrize("axes", [2, 3])
def test_stages_may_be_cut_anywhere(axes: int) -> None:
    flow, x = flow_of(axes), images(axes)
    stages = [stage for stage in flow.stages if isinstance(stage, Stage)]
    rest, first = through(stages[:1], x)
    assert rest is not None
    assert rest.numel() == x.numel() // 2
    nothing, second = through(stages[1:], rest)
    assert nothing is None
    assert (first + second - flow(x)).abs().max() < 1e-10


def test_a_sample_does_not_depend_on_its_neighbours() -> None:
    flow, x = flow_of(2), images(2)
    assert (torch.cat([flow(one[None]) for one in x]) - flow(x)).abs().max() < 1e-10


def test_the_first_images_make_every_step_standard() -> None:
    torch.manual_seed(0)
    flow, x = Glow(1, 2, levels=1, depth=3, width=8).double(), 5 * images(2) + 3
    flow.initialise(x)
    latents = torch.cat([latent.flatten() for latent in flow.encode(x).latents]).detach()
    assert abs(float(latents.mean())) < 1e-6
    assert abs(float(latents.std(correction=0)) - 1) < 1e-6
    before = {name: value.clone() for name, value in flow.state_dict().items()}
    flow.initialise(images(2))
    assert all(torch.equal(value, before[name]) for name, value in flow.state_dict().items())


@pytest.mark.parametrize("axes", [2, 3])
def test_twenty_seeds_stay_finite(axes: int) -> None:
    """From the first step on, at a rate that is high for a flow."""
    for seed in range(20 if axes == 2 else 3):
        torch.manual_seed(seed)
        flow = Glow(1, axes, levels=2, depth=2, width=8)
        losses = learn(flow, 30 if axes == 2 else 10, rate=1e-2, seed=seed, count=4, edge=8, axes=axes)
        assert all(map(math.isfinite, losses)), seed
        assert losses[-1] < losses[0], seed


def test_a_normal_density_is_learnt_to_the_bit() -> None:
    """Cells of 2 x 2 values of a known covariance: the flow misses it by at most 0.005 bits/dim."""
    torch.manual_seed(0)
    mixed = torch.tensor([[1.0, 0, 0, 0], [0.9, 0.3, 0, 0], [-0.4, 0.5, 0.7, 0], [0.2, 0.6, -0.3, 0.4]])
    truth = torch.distributions.MultivariateNormal(torch.tensor([0.1, -0.2, 0.0, 0.3]), scale_tril=mixed)

    def drawn(count: int, edge: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
        cells = truth.sample((count, edge, edge))
        images = cells.view(count, edge, edge, 2, 2).permute(0, 1, 3, 2, 4).reshape(count, 1, 2 * edge, 2 * edge)
        return images, truth.log_prob(cells).sum((1, 2))

    flow = Glow(1, 2, levels=1, depth=2, width=4)
    optimiser = optimiser_of(flow, 0.02)
    flow.initialise(drawn(64)[0])
    for step in range(200):
        optimiser.rate = 0.02 * (1 - step / 200)
        optimiser.clear()
        bits_per_dimension(flow(drawn(32)[0]), 64).mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    images, exact = drawn(512)
    with torch.no_grad():
        lost = (bits_per_dimension(flow(images), 64) - bits_per_dimension(exact, 64)).mean()
    assert -0.001 < float(lost) < 0.005


def test_a_likelihood_prefers_what_is_smooth_and_two_flows_do_not() -> None:
    """Abnormal pictures have less noise: the flow of normal ones takes them for more probable, as they are."""
    normal, _ = learnt()
    torch.manual_seed(2)
    mixture = Glow(1, 2, levels=2, depth=4, width=16)
    learn(mixture, 60, seed=1, smooth=8)
    x = (pictures(5, count=64, smooth=32) + 0.5) / 32 - 0.5
    with torch.no_grad():
        alone = -normal(x)
        both = alone + mixture(x)

    def area(score: torch.Tensor) -> float:
        return float((score[:32, None] > score[None, 32:]).double().mean())

    assert area(alone) < 0.1
    assert area(both) > 0.9


def test_what_is_no_flow_is_said() -> None:
    with pytest.raises(InvalidArchitecture, match="1 channels, 0 levels of 2 steps and 4 maps: each must be 1 or more"):
        Glow(1, 2, levels=0, depth=2, width=4)
    flow = Glow(1, 2, levels=2, depth=1, width=4)
    for shape in ((1, 1, 6, 8), (1, 2, 8, 8), (1, 1, 8, 8, 8)):
        with pytest.raises(ValueError, match=r"this flow takes \(b, 1, \.\.\.\) of 2 axes, each a multiple of 4"):
            flow(torch.zeros(shape))
