from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hakken.search import Space, cube
from hakken.search.cube import Floats, Points
from hakken.search.effects import partial_dependence, variance_shares

CIRCLE = {name: {"type": "real", "low": -np.pi, "high": np.pi} for name in ("x1", "x2", "x3")}
ADDITIVE: dict[str, Any] = {
    "rate": {"type": "real", "low": 1e-4, "high": 1.0, "scale": "log"},
    "layers": {"type": "integer", "low": 1, "high": 3},
    "kernel": {"type": "categorical", "choices": ["small", "large"]},
}
# `units` exists only with one or two of the three numbers of layers.
CONDITIONAL: dict[str, Any] = {
    "layers": {"type": "integer", "low": 0, "high": 2},
    "units": {"type": "real", "low": 0, "high": 1, "when": {"layers": [1, 2]}},
}


def columns(space: Space, points: Points) -> list[Floats]:
    """The values of every parameter, by parameter."""
    return [cube.from_unit(one, points.u[:, place]) for place, one in enumerate(space.dimensions)]


def test_the_shares_of_the_ishigami_function() -> None:
    # Ishigami & Homma 1990 with a = 7 and b = 0.1: V = a²/8 + bπ⁴/5 + b²π⁸/18 + 1/2.
    space = Space.from_mapping(CIRCLE)

    def ishigami(points: Points) -> Floats:
        x1, x2, x3 = columns(space, points)
        return np.asarray(np.sin(x1) + 7 * np.sin(x2) ** 2 + 0.1 * x3**4 * np.sin(x1))

    found = variance_shares(space, ishigami, seed=0)
    assert found is not None
    assert found.first == pytest.approx({"x1": 0.3139, "x2": 0.4424, "x3": 0.0}, abs=0.01)
    assert found.total == pytest.approx({"x1": 0.5576, "x2": 0.4424, "x3": 0.2437}, abs=0.01)
    assert found == variance_shares(space, ishigami, seed=0)


def additive(points: Points) -> Floats:
    """2 u of the rate, 1 for each layer, 3 for the large kernel."""
    space = Space.from_mapping(ADDITIVE)
    _, layers, kernel = columns(space, points)
    return np.asarray(2 * points.u[:, 0] + layers + 3 * kernel)


def test_the_shares_of_an_additive_function_are_those_of_its_terms() -> None:
    # Variances: 4/12 of the rate, 2/3 of the layers, 9/4 of the kernel.
    found = variance_shares(Space.from_mapping(ADDITIVE), additive, seed=1)
    whole = 4 / 12 + 2 / 3 + 9 / 4
    exact = {"rate": 4 / 12 / whole, "layers": 2 / 3 / whole, "kernel": 9 / 4 / whole}
    assert found is not None
    assert found.first == pytest.approx(exact, abs=0.005)
    assert found.total == pytest.approx(exact, abs=0.005)


def test_a_pure_interaction_has_no_first_order() -> None:
    space = Space.from_mapping({name: {"type": "real", "low": -1, "high": 1} for name in ("x", "y")})
    found = variance_shares(space, lambda points: (points.u[:, 0] - 0.5) * (points.u[:, 1] - 0.5), seed=2)
    assert found is not None
    assert found.first == pytest.approx({"x": 0, "y": 0}, abs=0.01)
    assert found.total == pytest.approx({"x": 1, "y": 1}, abs=0.01)


def test_a_flat_model_explains_nothing() -> None:
    assert variance_shares(Space.from_mapping(ADDITIVE), lambda points: np.full(len(points), 0.7), seed=0) is None


def test_an_inactive_parameter_explains_nothing() -> None:
    # Only without layers does the model move, and there the units are not active.
    space = Space.from_mapping(CONDITIONAL)

    def model(points: Points) -> Floats:
        return np.asarray(np.where(points.active[:, 1], 0.0, points.u[:, 1]))

    found = variance_shares(space, model, seed=3)
    assert found is not None
    assert found.first["layers"] == pytest.approx(1, abs=0.01)
    assert found.total["units"] == 0


def averaged(points: Points) -> tuple[float, float]:
    return float(additive(points).mean()), float(points.u[:, 0].mean())


def test_the_partial_dependence_of_an_additive_function() -> None:
    # E[2u] = 1, E[layers] = 2, E[3 kernel] = 1.5; the deviation is that of the rate's coordinate.
    space = Space.from_mapping(ADDITIVE)
    rate = partial_dependence(space, "rate", averaged, seed=0)
    assert rate.numbers[[0, 12, 24]] == pytest.approx([1e-4, 1e-2, 1.0])
    assert rate.mean == pytest.approx(2 * np.linspace(0, 1, 25) + 3.5, abs=0.02)
    assert rate.deviation == pytest.approx(np.linspace(0, 1, 25))
    layers = partial_dependence(space, "layers", averaged, seed=0)
    assert layers.numbers.tolist() == [1, 2, 3]
    assert layers.mean == pytest.approx([3.5, 4.5, 5.5], abs=0.02)
    assert layers.deviation == pytest.approx([0.5, 0.5, 0.5], abs=0.01)
    kernel = partial_dependence(space, "kernel", averaged, seed=0)
    assert kernel.numbers.tolist() == [0, 1]
    assert kernel.mean == pytest.approx([3.0, 6.0], abs=0.02)


def test_settings_without_the_parameter_do_not_count_for_its_curve() -> None:
    space = Space.from_mapping(CONDITIONAL)

    def model(points: Points) -> tuple[float, float]:
        layers, units = columns(space, points)
        return float(np.where(points.active[:, 1], layers + units, -99.0).mean()), 0.0

    curve = partial_dependence(space, "units", model, seed=0)
    assert curve.mean == pytest.approx(1.5 + curve.numbers, abs=0.03)


def test_a_parameter_that_is_never_active_has_no_curve() -> None:
    space = Space.from_mapping(
        {
            "optimizer": {"type": "categorical", "choices": ["sgd", "adam"]},
            "nesterov": {"type": "categorical", "choices": [True, False], "when": {"optimizer": "sgd"}},
            "delay": {"type": "real", "low": 0, "high": 1, "when": {"optimizer": "adam", "nesterov": True}},
        }
    )
    assert len(partial_dependence(space, "delay", lambda points: (0.0, 0.0), seed=0).numbers) == 0
