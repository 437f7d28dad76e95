"""The best fit to the signals of a voxel: exact where they have no noise, whatever the order of the b values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.baselines.nonlinear_least_squares import fit, fitted, predict, segmented, words
from hakken.imaging.diffusion import RANGES, signals

from ..methods.parameter_regression.helpers import B_VALUES, case_of, study

IVIM = np.array([0, 10, 20, 40, 60, 80, 100, 200, 400, 600, 800], float)
DKI = np.array([0, 250, 500, 750, 1000], float)


def truth_of(*names: str, count: int = 40) -> np.ndarray:
    random = np.random.default_rng(3)
    return np.stack([random.uniform(*RANGES[name], count) for name in names], axis=1)


def clean(model: Any, b: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.asarray(signals(model, b, list(truth.T)))


@pytest.mark.parametrize(("model", "b", "names"), [("ivim", IVIM, ("D", "D_star", "f")), ("dki", DKI, ("D", "K"))])
def test_clean_signals_give_the_truth_back(model: Any, b: np.ndarray, names: tuple[str, ...]) -> None:
    truth = truth_of(*names)
    assert fitted(model, b, clean(model, b, truth)) == pytest.approx(truth, rel=1e-3)


def test_a_first_guess_of_kurtosis_is_exact_and_one_of_ivim_knows_d_and_f() -> None:
    truth = truth_of("D", "K")
    assert segmented("dki", DKI, clean("dki", DKI, truth)) == pytest.approx(truth, rel=1e-6)
    truth = truth_of("D", "D_star", "f")
    truth[:, 1] = 0.1  # perfusion has left the signal at the high b values
    guess = segmented("ivim", IVIM, clean("ivim", IVIM, truth))
    assert guess[:, [0, 2]] == pytest.approx(truth[:, [0, 2]], rel=1e-6)


def test_answers_stay_within_what_is_possible() -> None:
    noise = np.random.default_rng(0).uniform(0, 2, (20, len(IVIM)))
    found = fitted("ivim", IVIM, noise)
    assert (found >= 0).all()
    assert (found <= [0.01, 0.5, 1.0]).all()


def test_it_is_asked_as_a_model_is(tmp_path: Path) -> None:
    truth = truth_of("D", "K", count=5)
    truth[:, 1] /= 3  # so that the model holds up to the highest b value
    order = [2, 0, 4, 1, 3]
    measured = 800 * clean("dki", np.array(B_VALUES, float), truth)
    case = case_of(tmp_path / "a.npz", b=np.array(B_VALUES)[order], signals=measured[:, order])
    assert fit([], study()) == {}
    assert words({}, study()) == "the best fit to the signals of each voxel"
    found = predict({}, case, study())["numbers"]
    assert list(found) == ["D", "K"]
    assert np.stack(list(found.values()), 1) == pytest.approx(truth, rel=1e-3)
