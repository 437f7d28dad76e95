"""Spaces that several tests of the search use."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

MIXED: dict[str, Any] = {
    "momentum": {"type": "real", "low": 0.5, "high": 0.99, "when": {"optimizer": "sgd"}},
    "nesterov": {"type": "categorical", "choices": [True, False], "when": {"optimizer": ["sgd"]}},
    "warm_up": {"type": "integer", "low": 1, "high": 100, "scale": "log", "when": {"nesterov": True}},
    "learning_rate": {"type": "real", "low": 1e-5, "high": 1e-1, "scale": "log"},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adam"]},
    "layers": {"type": "integer", "low": 2, "high": 6},
    "units": {"type": "integer", "low": 3, "high": 3, "when": {"layers": [3, 4]}},
    "kernel": {"type": "categorical", "choices": [3, "5", 0.5, True]},
}


def _parameter(draw: st.DrawFn, parents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    kind = draw(st.sampled_from(["real", "integer", "categorical"]))
    parameter: dict[str, Any] = {"type": kind}
    if kind == "categorical":
        values = st.one_of(st.booleans(), st.integers(-3, 3), st.sampled_from(["a", "b", "1", "true"]))
        unique = st.lists(values, min_size=1, max_size=4, unique_by=lambda value: (type(value), value))
        parameter["choices"] = draw(unique)
    else:
        log = draw(st.booleans())
        numbers = st.integers(1 if log else -20, 20) if kind == "integer" else st.floats(1e-6 if log else -10, 10)
        parameter["low"], parameter["high"] = sorted([draw(numbers), draw(numbers)])
        parameter["scale"] = "log" if log else "linear"
    for parent, described in parents.items():
        if described["type"] != "real" and draw(st.integers(0, 3)) == 0:
            allowed = described.get("choices") or range(described["low"], described["high"] + 1)
            parameter.setdefault("when", {})[parent] = draw(st.lists(st.sampled_from(list(allowed)), min_size=1))
    return parameter


@st.composite
def mappings(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Search spaces of one to six parameters with chained conditions, parents anywhere."""
    described: dict[str, dict[str, Any]] = {}
    for place in range(draw(st.integers(1, 6))):
        described[f"p{place}"] = _parameter(draw, described)
    names = draw(st.permutations(list(described)))
    return {name: described[name] for name in names}
