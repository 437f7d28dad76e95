"""The U-Net of mean and standard deviation: shapes, likelihood, the two kinds of doubt, and that it learns them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from hakken.core.errors import InvalidArchitecture
from hakken.methods.expectation.network import FLOOR, UNIT, Expectation, ExpectationUNet, negative_log_likelihood
from hakken.networks.structure import Structure
from hakken.networks.unet import UNet

SMALL = Structure(poolings=1, convolutions=1, base_features=4, growth=2, dropout=0.0, batch_norm=False)
PARAMETERS = Structure(poolings=2, convolutions=2, base_features=8, growth=2, dropout=0.3)


@pytest.mark.parametrize("shape", [(3, 1, 32, 32), (2, 1, 27, 38), (2, 1, 5, 16, 20)])
def test_two_axes_keep_the_extent(shape: tuple[int, ...]) -> None:
    mean, sigma = ExpectationUNet(1, structure=PARAMETERS)(torch.randn(shape))
    assert mean.shape == sigma.shape == shape
    assert mean.dtype == sigma.dtype == torch.float32


def test_three_axes_and_several_channels() -> None:
    found = ExpectationUNet(3, 1, 3, SMALL)(torch.randn(2, 3, 6, 8, 10))
    assert found.mean.shape == (2, 1, 6, 8, 10)


def test_it_is_a_unet_with_two_outputs_a_target() -> None:
    count = sum(weight.numel() for weight in ExpectationUNet(2, 1, 2, PARAMETERS).parameters())
    assert count == UNet(2, 2, 2, PARAMETERS).parameter_count
    # Two levels of one convolution: 4 maps from 1, 8 from 4, 4 from 8 doubled, 4 from 8 joined, 2 outputs.
    counted = sum(weight.numel() for weight in ExpectationUNet(1, structure=SMALL).parameters())
    assert counted == (9 * 4 + 4) + (9 * 4 * 8 + 8) + (4 * 8 * 4 + 4) + (9 * 8 * 4 + 4) + (4 * 2 + 2)


def test_a_structure_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidArchitecture):
        UNet(1, 2, 2, SMALL, widths=(3,))


def test_windows_are_channels_of_the_first_one_cut_and_stretched() -> None:
    torch.manual_seed(4)
    network = ExpectationUNet(2, 1, 2, SMALL, windows=[(0.4, 0.6), (0.0, 0.5)]).eval()
    assert network.unet.channels == 4
    images = torch.rand(3, 2, 12, 16)
    seen: list[torch.Tensor] = []
    network.unet.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network(images)
    first = images[:, 0]
    expected = [first, images[:, 1], ((first - 0.4) / 0.2).clamp(0, 1), (first / 0.5).clamp(0, 1)]
    assert torch.allclose(seen[0], torch.stack(expected, 1), atol=1e-6)


def test_sigma_never_falls_below_its_floor() -> None:
    network = ExpectationUNet(1, structure=SMALL)
    with torch.no_grad():
        network.unet.head.bias[1] = -1000.0
        sigma = network(torch.randn(2, 1, 8, 8)).sigma
    assert sigma.numpy() == pytest.approx(FLOOR)


def test_the_likelihood_is_that_of_a_gaussian_inside_alone() -> None:
    mean, sigma, target = (torch.rand(2, 1, 4, 4) + 0.1 for _ in range(3))
    inside = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    inside[0, 0, 1] = inside[1, 0, 2, :2] = True
    expected = -torch.distributions.Normal(mean, sigma).log_prob(target)[inside].mean()
    found = negative_log_likelihood(Expectation(mean, sigma), target, inside)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    assert negative_log_likelihood(Expectation(mean, sigma), target, inside & False).item() == 0


def test_beta_weighs_voxels_by_their_deviation_which_is_held_fixed() -> None:
    """Two voxels with sigma of 1 and 4 units and an error of 2 units: at a beta of 1 mu learns the error alone."""
    mean = torch.zeros(1, 1, 1, 2, requires_grad=True)
    sigma = (UNIT * torch.tensor([[[[1.0, 4.0]]]])).requires_grad_()
    target, inside = torch.full((1, 1, 1, 2), 2 * UNIT), torch.ones(1, 1, 1, 2)
    plain = [math.log(s * UNIT) + 0.5 * (2 / s) ** 2 + 0.5 * math.log(2 * math.pi) for s in (1, 4)]
    for beta, weights in ((0.0, (1, 1)), (0.5, (1, 4)), (1.0, (1, 16))):
        loss = negative_log_likelihood(Expectation(mean, sigma), target, inside, beta)
        assert loss.item() == pytest.approx(sum(w * one for w, one in zip(weights, plain, strict=True)) / 2, rel=1e-5)
        of_mean, of_sigma = torch.autograd.grad(loss, (mean, sigma))
        error = [-w * 2 * UNIT / (s * UNIT) ** 2 / 2 for w, s in zip(weights, (1, 4), strict=True)]
        assert of_mean.ravel().tolist() == pytest.approx(error, rel=1e-5)
        d_sigma = [w * (1 / s - 4 / s**3) / UNIT / 2 for w, s in zip(weights, (1, 4), strict=True)]
        assert of_sigma.ravel().tolist() == pytest.approx(d_sigma, rel=1e-4)
    assert error[0] == pytest.approx(error[1]), "at a beta of 1 it does not matter how wide sigma is"


def test_total_variance_is_the_data_s_and_the_network_s_own() -> None:
    torch.manual_seed(0)
    network = ExpectationUNet(1, structure=PARAMETERS).eval()
    images = torch.randn(2, 1, 16, 16)
    with torch.no_grad():
        found = network.expect(images, samples=64, seed=5)
        torch.manual_seed(5)
        network.train()
        passes = [network(images) for _ in range(64)]
    mean, own = torch.stack([one.mean for one in passes]), torch.stack([one.sigma for one in passes])
    assert torch.allclose(found.mean, mean.mean(0), atol=1e-6)
    assert torch.allclose(found.sigma**2, own.square().mean(0) + mean.var(0, unbiased=False), rtol=1e-4)
    assert mean.std(0).max() > 0


def test_the_seed_decides_the_passes_and_nothing_else_is_disturbed() -> None:
    network = ExpectationUNet(1, structure=PARAMETERS).eval()
    images = torch.randn(1, 1, 16, 16)
    state = torch.get_rng_state()
    with torch.no_grad():
        first, again, other = (network.expect(images, samples=3, seed=seed).mean for seed in (1, 1, 2))
        single, plain = network.expect(images).mean, network(images).mean
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(single, plain)
    assert not network.training
    assert torch.equal(state, torch.get_rng_state())


def test_mean_and_deviation_of_a_heteroscedastic_problem_are_recovered() -> None:
    """y = 2 x + (0.2 + 0.8 x) e with e standard normal, both in units of the network's outputs."""
    torch.manual_seed(1)
    structure = replace(SMALL, poolings=0, kernel=1, convolutions=2, base_features=16)
    network = ExpectationUNet(1, structure=structure)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    inside = torch.ones(4, 1, 32, 32, dtype=torch.bool)
    for _ in range(400):
        x = torch.rand(4, 1, 32, 32)
        y = UNIT * (2 * x + (0.2 + 0.8 * x) * torch.randn_like(x))
        optimiser.zero_grad()
        negative_log_likelihood(network(x), y, inside).backward()
        optimiser.step()
    x = torch.linspace(0.05, 0.95, 10).reshape(1, 1, 1, 10)
    with torch.no_grad():
        mean, sigma = network(x)
    assert (mean / UNIT).ravel().tolist() == pytest.approx((2 * x).ravel().tolist(), abs=0.1)
    assert (sigma / UNIT).ravel().tolist() == pytest.approx((0.2 + 0.8 * x).ravel().tolist(), rel=0.12, abs=0.03)


def test_one_batch_is_overfitted() -> None:
    torch.manual_seed(2)
    network = ExpectationUNet(1, structure=replace(PARAMETERS, dropout=0.0))
    images, inside = torch.randn(2, 1, 16, 16), torch.ones(2, 1, 16, 16, dtype=torch.bool)
    target = UNIT * (1 + 0.5 * torch.nn.functional.avg_pool2d(torch.randn(2, 1, 16, 16), 3, 1, 1))
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(250):
        optimiser.zero_grad()
        loss = negative_log_likelihood(network(images), target, inside)
        loss.backward()
        optimiser.step()
    assert (network(images).mean - target).abs().mean() < 0.15 * target.std()
    assert loss.item() < math.log(target.std().item())
