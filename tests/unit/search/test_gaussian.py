from __future__ import annotations

import numpy as np
import pytest

from hakken.search import Space, cube
from hakken.search.gaussian import Encoder, Model, fit

from .spaces import MIXED


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    x = rng.random((14, 3))
    y = np.sin(5 * x[:, 0]) + x[:, 1] + 0.05 * rng.standard_normal(14)
    return x, (y - y.mean()) / y.std()


@pytest.fixture(scope="module")
def model(data: tuple[np.ndarray, np.ndarray]) -> Model:
    return fit(*data)


def exact_posterior(model: Model, x: np.ndarray, y: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rasmussen & Williams 2006, equations 2.23 and 2.24, without any decomposition kept."""
    gram = np.linalg.inv(model.kernel(x) + (model.noise + 1e-8) * np.eye(len(x)))
    cross = model.kernel(x, at)
    return cross.T @ gram @ y, np.diag(model.kernel(at) - cross.T @ gram @ cross)


def test_prediction_is_the_textbook_posterior(model: Model, data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    at = np.random.default_rng(1).random((6, 3))
    mean, variance = exact_posterior(model, x, y, at)
    prediction = model.predict(at)
    np.testing.assert_allclose(prediction.means[0], mean, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(prediction.deviation**2, variance, rtol=1e-4, atol=1e-7)


def test_fantasies_condition_as_if_their_values_had_been_measured(
    model: Model, data: tuple[np.ndarray, np.ndarray]
) -> None:
    x, y = data
    pending = np.random.default_rng(2).random((3, 3))
    at = np.random.default_rng(3).random((5, 3))
    imagined = model.imagine(pending, np.random.default_rng(4), fantasies=7)
    normal = np.random.default_rng(4).standard_normal((3, 7))
    mean, _ = exact_posterior(model, x, y, pending)
    gram = np.linalg.inv(model.kernel(x) + (model.noise + 1e-8) * np.eye(len(x)))
    cross = model.kernel(x, pending)
    covariance = model.kernel(pending) - cross.T @ gram @ cross + (model.noise + 1e-8) * np.eye(3)
    drawn = mean[:, None] + np.linalg.cholesky(covariance) @ normal
    for fantasy in range(7):
        expected, variance = exact_posterior(model, np.vstack([x, pending]), np.concatenate([y, drawn[:, fantasy]]), at)
        np.testing.assert_allclose(imagined.predict(at).means[fantasy], expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(imagined.predict(at).deviation ** 2, variance, rtol=1e-3, atol=1e-6)


def test_without_pending_trials_the_model_is_unchanged(model: Model) -> None:
    assert model.imagine(np.empty((0, 3)), np.random.default_rng(0)) is model


def test_pending_trials_do_not_enter_the_fit(model: Model) -> None:
    imagined = model.imagine(np.full((2, 3), 0.5), np.random.default_rng(0))
    assert imagined.kernel is model.kernel
    assert imagined.noise == model.noise


def test_the_irrelevant_parameter_gets_the_longest_scale(data: tuple[np.ndarray, np.ndarray], model: Model) -> None:
    lengths = model.kernel.k1.k2.length_scale  # type: ignore[attr-defined]
    assert np.argmax(lengths) == 2


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_and_equal_targets_can_be_fitted(count: int) -> None:
    x = np.random.default_rng(0).random((count, 20))
    prediction = fit(x, np.zeros(count)).predict(np.random.default_rng(1).random((4, 20)))
    np.testing.assert_allclose(prediction.means, 0, atol=1e-12)
    assert (prediction.deviation > 0).all()


def test_features_of_a_conditional_space() -> None:
    space = Space.from_mapping(MIXED)
    encoder = Encoder.of(space)
    adam = {"optimizer": "adam", "layers": 4, "units": 3, "kernel": 0.5, "learning_rate": 1e-3}
    sgd = {"optimizer": "sgd", "layers": 2, "kernel": 3, "learning_rate": 1e-5, "momentum": 0.99, "nesterov": False}
    features = encoder.features(cube.encode(space, [adam, sgd]))
    expected = [
        # momentum  nesterov   warm_up    rate  optimizer layers  kernel (one-hot; `units` has one value only)
        [0.5, 0.0, 0.5, 0.0, 0.5, 0.0, 0.5, 1.0, 0.5, 0.0, 0.0, 1.0, 0.0],
        [1.0, 1.0, 1.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0],
    ]
    np.testing.assert_allclose(features, expected, atol=1e-12)
