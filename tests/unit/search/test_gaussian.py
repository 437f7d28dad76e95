from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from hakken.search import Space, cube, gaussian
from hakken.search.gaussian import Encoder, Kernel, Model, condition, fit
from hakken.search.scikit import ScikitEncoder, fit_scikit

from .spaces import MIXED

PLAIN = Encoder((0, 1, 2), np.zeros(3, dtype=bool))


def seen(u: np.ndarray) -> np.ndarray:
    """Features of points of which every parameter is an active number."""
    return np.hstack([u, np.ones_like(u)])


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    x = rng.random((14, 3))
    y = np.sin(5 * x[:, 0]) + x[:, 1] + 0.05 * rng.standard_normal(14)
    return seen(x), (y - y.mean()) / y.std()


@pytest.fixture(scope="module", params=["bayesian", "skopt"])
def model(request: pytest.FixtureRequest, data: tuple[np.ndarray, np.ndarray]) -> Model:
    return fit(PLAIN, *data) if request.param == "bayesian" else fit_scikit(*data)


def exact_posterior(model: Model, x: np.ndarray, y: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rasmussen & Williams 2006, equations 2.23 and 2.24, without any decomposition kept."""
    gram = np.linalg.inv(model.kernel(x, x) + (model.noise + 1e-8) * np.eye(len(x)))
    cross = model.kernel(x, at)
    return cross.T @ gram @ y, np.diag(model.kernel(at, at) - cross.T @ gram @ cross)


def test_prediction_is_the_textbook_posterior(model: Model, data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    at = seen(np.random.default_rng(1).random((6, 3)))
    mean, variance = exact_posterior(model, x, y, at)
    prediction = model.predict(at)
    np.testing.assert_allclose(prediction.means[0], mean, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(prediction.deviation**2, variance, rtol=1e-4, atol=1e-7)


def test_fantasies_condition_as_if_their_values_had_been_measured(
    model: Model, data: tuple[np.ndarray, np.ndarray]
) -> None:
    x, y = data
    pending = seen(np.random.default_rng(2).random((3, 3)))
    at = seen(np.random.default_rng(3).random((5, 3)))
    imagined = model.imagine(pending, np.random.default_rng(4), fantasies=7)
    normal = np.random.default_rng(4).standard_normal((3, 7))
    mean, _ = exact_posterior(model, x, y, pending)
    gram = np.linalg.inv(model.kernel(x, x) + (model.noise + 1e-8) * np.eye(len(x)))
    cross = model.kernel(x, pending)
    covariance = model.kernel(pending, pending) - cross.T @ gram @ cross + (model.noise + 1e-8) * np.eye(3)
    drawn = mean[:, None] + np.linalg.cholesky(covariance) @ normal
    for fantasy in range(7):
        expected, variance = exact_posterior(model, np.vstack([x, pending]), np.concatenate([y, drawn[:, fantasy]]), at)
        np.testing.assert_allclose(imagined.predict(at).means[fantasy], expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(imagined.predict(at).deviation ** 2, variance, rtol=1e-3, atol=1e-6)


def test_without_pending_trials_the_model_is_unchanged(model: Model) -> None:
    assert model.imagine(np.empty((0, 6)), np.random.default_rng(0)) is model


def test_pending_trials_do_not_enter_the_fit(model: Model) -> None:
    imagined = model.imagine(np.full((2, 6), 0.5), np.random.default_rng(0))
    assert imagined.kernel is model.kernel
    assert imagined.noise == model.noise


def test_the_irrelevant_parameter_gets_the_longest_scale(data: tuple[np.ndarray, np.ndarray]) -> None:
    kernel = fit(PLAIN, *data).kernel
    assert isinstance(kernel, Kernel)
    assert np.argmax(kernel.lengths) == 2


def test_the_gradient_of_the_fit_is_that_of_its_loss() -> None:
    rng = np.random.default_rng(0)
    u, active = rng.random((9, 3)), np.ones((9, 3), dtype=bool)
    active[:4, 2], u[:4, 2] = False, 0.5
    u[:, 1] = rng.integers(3, size=9)
    encoder = Encoder((0, 1, 2), np.array([False, True, False]))
    x = encoder.features(cube.Points(u, active))
    loss = gaussian._loss(encoder.distances(x, x), rng.standard_normal(9))
    at = rng.normal(-1, 0.5, 6)
    np.testing.assert_allclose(loss(at)[1], approx_fprime(at, lambda theta: loss(theta)[0], 1e-6), atol=1e-4)


def test_the_kernel_is_the_sum_of_its_full_and_its_additive_part() -> None:
    def matern(r: float) -> float:
        return (1 + 5**0.5 * r + 5 / 3 * r**2) * float(np.exp(-(5**0.5) * r))

    kernel = Kernel(Encoder((0, 1), np.zeros(2, dtype=bool)), full=2.0, additive=3.0, lengths=np.array([0.5, 1.0]))
    here, there = seen(np.array([[0.0, 0.0]])), seen(np.array([[0.3, 0.8]]))
    expected = 2 * matern((0.6**2 + 0.8**2) ** 0.5) + 3 / 2 * (matern(0.6) + matern(0.8))
    np.testing.assert_allclose(kernel(here, there), [[expected]])
    np.testing.assert_allclose(kernel(here, here), [[kernel.variance]])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_and_equal_targets_can_be_fitted(count: int) -> None:
    x = seen(np.random.default_rng(0).random((count, 20)))
    encoder = Encoder(tuple(range(20)), np.zeros(20, dtype=bool))
    prediction = fit(encoder, x, np.zeros(count)).predict(seen(np.random.default_rng(1).random((4, 20))))
    np.testing.assert_allclose(prediction.means, 0, atol=1e-12)
    assert (prediction.deviation > 0).all()


def test_more_trials_than_are_fitted_all_count_in_the_prediction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaussian, "MOST_FITTED", 10)
    u = np.random.default_rng(0).random((30, 3))
    y = u[:, 0] - u[:, 0].mean()
    model = fit(PLAIN, seen(u), y)
    assert len(model.x) == 30
    again = condition(gaussian.Fitted(model.kernel, model.noise), seen(u), y)
    np.testing.assert_array_equal(model.alpha, again.alpha)
    assert np.corrcoef(model.predict(seen(u)).means[0], y)[0, 1] > 0.99


SGD = {"optimizer": "sgd", "layers": 2, "kernel": 3, "learning_rate": 1e-5, "momentum": 0.99, "nesterov": False}
ADAM = {"optimizer": "adam", "layers": 4, "units": 3, "kernel": 0.5, "learning_rate": 1e-3}


def test_distances_of_a_conditional_space() -> None:
    space = Space.from_mapping(MIXED)
    encoder = Encoder.of(space)
    x = encoder.features(cube.encode(space, [ADAM, SGD]))
    squared = dict(
        zip((space.dimensions[place].name for place in encoder.columns), encoder.distances(x, x)[:, 0, 1], strict=True)
    )
    assert squared["optimizer"] == squared["kernel"] == 1
    assert squared["learning_rate"] == pytest.approx(0.5**2)
    # Active at the upper end of its axis here, inactive there: half an axis apart, and the mismatch.
    assert squared["momentum"] == pytest.approx(0.5**2 + 0.25)
    assert squared["nesterov"] == 1
    np.testing.assert_allclose(np.einsum("jaa->ja", encoder.distances(x, x)), 0)


def test_features_of_scikit_optimize_in_a_conditional_space() -> None:
    space = Space.from_mapping(MIXED)
    features = ScikitEncoder.of(space).features(cube.encode(space, [ADAM, SGD]))
    expected = [
        # momentum  nesterov   warm_up    rate  optimizer layers  kernel (one-hot; `units` has one value only)
        [0.5, 0.0, 0.5, 0.0, 0.5, 0.0, 0.5, 1.0, 0.5, 0.0, 0.0, 1.0, 0.0],
        [1.0, 1.0, 1.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0],
    ]
    np.testing.assert_allclose(features, expected, atol=1e-12)
