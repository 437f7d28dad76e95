"""The examples of docs/reference/anova.md, read from its page."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from hakken.evaluation.anova import Factor, anova
from hakken.evaluation.bootstrap import draw
from hakken.evaluation.repeated import arrange, compare_levels, repeated_measures

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/reference/anova.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table with this heading."""
    lines = PAGE.partition(heading + "\n")[2].splitlines()[1:]
    table = lines[: next(number for number, line in enumerate(lines) if not line.startswith("|"))]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_the_independent_observations_of_the_example() -> None:
    cells = rows("| network | misregistration | accuracy | mean |")
    flat = [(one, two, float(value)) for one, two, values, _ in cells for value in values.split(", ")]
    names = ("network", "misregistration")
    factors = [Factor.of(name, [row[place] for row in flat]) for place, name in enumerate(names)]
    found = anova(factors, np.array([row[2] for row in flat]))
    assert [cell.mean for cell in found.cells] == [float(row[3]) for row in cells]
    assert (found.error_ss, found.error_df) == (pytest.approx(4), 2)
    for effect, second, (name, _, ss, f) in zip(
        found.type_iii, found.type_ii, rows("| effect | ψ | SS | F |"), strict=True
    ):
        assert effect.effect == name
        assert effect.ss == pytest.approx(float(Fraction(ss)))
        assert effect.f == pytest.approx(float(Fraction(f)))
        assert second.ss == pytest.approx(effect.ss)
    assert "SS = 6² · (2/3 + 2/3) = 48" in PAGE


def test_the_cases_of_the_example() -> None:
    cells = rows("| case | x | y | z | mean |")
    flat = [(row[0], level, float(value)) for row in cells for level, value in zip("xyz", row[1:4], strict=True)]
    factor = Factor.of("network", [row[1] for row in flat])
    given = arrange([row[0] for row in flat], [factor], np.array([row[2] for row in flat]), "page")
    assert given.values.mean(axis=1).tolist() == [float(row[4]) for row in cells]
    [effect] = repeated_measures(given)
    assert (effect.ss, effect.error_ss, effect.error_df) == (pytest.approx(24), pytest.approx(12), 4)
    assert (effect.f, effect.p, effect.epsilon) == (pytest.approx(4), pytest.approx(1 / 9), pytest.approx(1 / 2))
    assert effect.p_corrected == pytest.approx(0.184, abs=5e-4)
    assert effect.partial_eta_squared == pytest.approx(2 / 3)
    same, pair, _ = compare_levels(given, np.arange(3), draw(3, 10, 0))
    assert (same.t, same.mean.value) == (None, pytest.approx(-2))
    assert (pair.t, pair.w, pair.p_wilcoxon) == (pytest.approx(-2.309, abs=5e-4), 0, 0.25)
    assert pair.p_wilcoxon_holm == pytest.approx(0.75)
    for number in ("0.184", "/ (3/√3) = ", "*W* = 0", "*p* = 1/4, by Holm's method 3/4", "partial *η*² = 24/36 = 2/3"):
        assert re.search(re.escape(number), PAGE), number


def test_every_result_of_the_comparisons_is_defined() -> None:
    for name in (
        "mean",
        "t_interval",
        "p_t",
        "w",
        "p_wilcoxon",
        "p_t_holm",
        "p_wilcoxon_holm",
        "epsilon",
        "p_corrected",
    ):
        assert f"`{name}`" in PAGE
