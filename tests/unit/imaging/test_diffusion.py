"""Signals of two diffusion models by hand, and the noise of magnitude images by its moments."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hakken.imaging.diffusion import RANGES, check_ranges, normalised, ranges_of, rician, signals

B = np.array([0.0, 100.0, 1000.0])


def test_ivim_is_two_exponentials() -> None:
    # f e^(-b D*) + (1 - f) e^(-b D) with D = 0.001, D* = 0.01, f = 0.25
    found = signals("ivim", B, [np.array([0.001]), np.array([0.01]), np.array([0.25])])
    expected = [1, 0.25 * np.exp(-1) + 0.75 * np.exp(-0.1), 0.25 * np.exp(-10) + 0.75 * np.exp(-1)]
    assert found == pytest.approx(np.array([expected]))


def test_kurtosis_bends_the_logarithm() -> None:
    # log S = -b D + (b D)^2 K / 6 with D = 0.001, K = 1.2: at b = 1000 it is -1 + 0.2.
    found = signals("dki", B, [np.array([0.001]), np.array([1.2])])
    assert np.log(found) == pytest.approx(np.array([[0, -0.1 + 0.002, -1 + 0.2]]))


@pytest.mark.parametrize(("model", "count"), [("ivim", 3), ("dki", 2)])
def test_tensors_give_what_arrays_give(model: str, count: int) -> None:
    values = list(np.random.default_rng(0).uniform(0.001, 0.05, (count, 4)))
    tensors = signals(model, torch.tensor(B), [torch.tensor(value) for value in values], torch.exp)  # type: ignore[arg-type]
    assert tensors.numpy() == pytest.approx(signals(model, B, values))  # type: ignore[arg-type]


@pytest.mark.parametrize("sigma", [0.02, 0.3, 1.0])
def test_the_second_moment_of_a_magnitude_is_the_square_and_twice_the_variance(sigma: float) -> None:
    clean = np.tile([0.0, 0.2, 1.0], (100_000, 1))
    found = rician(clean, np.full(100_000, sigma), np.random.default_rng(1))
    assert (found >= 0).all()
    assert (found**2).mean(0) == pytest.approx(clean[0] ** 2 + 2 * sigma**2, rel=0.02)


def test_each_voxel_has_its_own_noise_and_the_same_random_numbers_give_the_same() -> None:
    sigma = np.array([0.0, 0.5])
    one, again = (rician(np.ones((2, 3)), sigma, np.random.default_rng(2)) for _ in range(2))
    assert one[0].tolist() == [1, 1, 1]
    assert (one[1] != 1).all()
    np.testing.assert_array_equal(one, again)


def test_signals_are_shares_of_their_mean_at_b_0() -> None:
    b = np.array([0.0, 500.0, 0.0])
    found = normalised(b, np.array([[90.0, 50.0, 110.0], [0.0, 5.0, 0.0]]))
    assert found.tolist() == [[0.9, 0.5, 1.1], [0, 5, 0]]  # where nothing is measured nothing is divided by
    with pytest.raises(ValueError, match="no b value is 0, so there is nothing to normalise by"):
        normalised(b[1:2], np.ones((1, 1)))


def test_ranges_that_are_not_given_are_those_of_tissues() -> None:
    assert ranges_of({"f": (0.0, 0.2)}, "ivim") == {"D": RANGES["D"], "D_star": RANGES["D_star"], "f": (0.0, 0.2)}
    assert list(ranges_of({}, "dki")) == ["D", "K"]


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({"K": (0, 1)}, "`ivim` has no quantity `K`, only D, D_star, f"),
        ({"D": (0.002, 0.002)}, "the range of `D` must be [low, high] with low < high"),
    ],
)
def test_a_range_that_is_none_is_named(ranges: dict[str, tuple[float, float]], message: str) -> None:
    with pytest.raises(ValueError, match=r"^") as caught:
        check_ranges(ranges, "ivim")
    assert str(caught.value) == message
