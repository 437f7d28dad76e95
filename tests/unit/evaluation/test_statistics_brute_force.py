"""Reader studies, ROC and agreement against their definitions, written out with loops and exact fractions."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hakken.core.tables import FIRST_ROW, Table
from hakken.evaluation.agreement import confusion, f1, kappa, macro_f1, mcnemar, rows_kappa, weights
from hakken.evaluation.readers.ratings import FROC_COLUMNS, froc_table
from hakken.evaluation.readers.result import analyse_study
from hakken.evaluation.roc import Choice, auc, choose, corrected, partial_auc, rank

NORMAL, DISEASED = ("a", "b", "c"), ("d", "e", "f")
READERS, MODALITIES = ("1", "2"), ("with", "without")
UNMARKED = -1

Study = dict[tuple[str, str], tuple[dict[str, list[int]], dict[tuple[str, int], int]]]
"""By modality and reader: ratings of the NL marks of each case, and the rating of each lesion (-1: unmarked)."""


@st.composite
def studies(draw: st.DrawFn) -> tuple[dict[str, int], Study]:
    """How many lesions each diseased case has, and what was marked, with few different ratings."""
    lesions = {case: draw(st.integers(1, 3)) for case in DISEASED}
    marks = st.lists(st.integers(0, 3), max_size=3)
    return lesions, {
        reading: (
            {case: draw(marks) for case in NORMAL + DISEASED},
            {(case, number): draw(st.integers(UNMARKED, 3)) for case in DISEASED for number in range(lesions[case])},
        )
        for reading in itertools.product(MODALITIES, READERS)
    }


def psi(noise: int, signal: int) -> Fraction:
    return Fraction(1) if noise < signal else Fraction(1, 2) if noise == signal else Fraction(0)


def mean(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def merit(name: str, reading: tuple[dict[str, list[int]], dict[tuple[str, int], int]], without: str = "") -> Fraction:
    """A figure of merit by its definition, ``without`` one case."""
    noise = {case: marks for case, marks in reading[0].items() if case != without}
    signal = {key: rating for key, rating in reading[1].items() if key[0] != without}
    diseased = sorted({case for case, _ in signal})
    highest = {case: max([UNMARKED, *marks]) for case, marks in noise.items()}
    noisy = [case for case in noise if case in NORMAL or name.endswith("roc1")]
    own = {case: [rating for key, rating in signal.items() if key[0] == case] for case in diseased}
    if name == "inferred-roc":
        return mean([psi(highest[n], max(highest[d], *own[d])) for n in noisy for d in diseased])
    if name in {"afroc", "afroc1"}:
        return mean([psi(highest[n], rating) for n in noisy for rating in signal.values()])
    if name in {"wafroc", "wafroc1"}:
        return mean([mean([psi(highest[n], rating) for rating in own[d]]) for n in noisy for d in diseased])
    if name == "max-llf":
        return mean([Fraction(rating != UNMARKED) for rating in signal.values()])
    return mean([Fraction(len(marks)) for case, marks in noise.items() if name == "max-nlf" or case in NORMAL])


def table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    cells = {name: [row[place] for row in rows] for place, name in enumerate(columns)}
    return Table(Path("t.csv"), cells, list(range(FIRST_ROW, FIRST_ROW + len(rows))))


def as_tables(lesions: dict[str, int], study: Study) -> tuple[Table, Table, Table]:
    marks = [(*reading, "a", "none", "", "") for reading in study]
    for reading, (noise, signal) in study.items():
        marks += [(*reading, case, "NL", "", str(rating)) for case, ratings in noise.items() for rating in ratings]
        marks += [
            (*reading, case, "LL", str(number), str(rating))
            for (case, number), rating in signal.items()
            if rating != UNMARKED
        ]
    truth = [(case, str(number)) for case, count in lesions.items() for number in range(count)]
    return (
        table(FROC_COLUMNS, marks),
        table(("case_id", "lesion_id"), truth),
        table(("case_id",), [(case,) for case in NORMAL + DISEASED]),
    )


NAMES = ("inferred-roc", "afroc", "wafroc", "afroc1", "wafroc1", "max-llf", "max-nlf", "max-nlf-normal")


@settings(max_examples=40, deadline=None)
@given(studies(), st.sampled_from(NAMES))
def test_figures_of_merit_and_their_analysis(given: tuple[dict[str, int], Study], name: str) -> None:
    lesions, study = given
    found = analyse_study(froc_table(*as_tables(lesions, study)).study(), name)
    readings = list(itertools.product(MODALITIES, READERS))
    plain = {reading: merit(name, study[reading]) for reading in readings}
    for (i, modality), (j, reader) in itertools.product(enumerate(MODALITIES), enumerate(READERS)):
        assert found.merit.value[i, j] == pytest.approx(float(plain[modality, reader]), abs=1e-12)

    cases = {"max-llf": DISEASED, "max-nlf-normal": NORMAL}.get(name, NORMAL + DISEASED)
    left = {reading: [merit(name, study[reading], case) for case in cases] for reading in readings}

    def covariance(one: tuple[str, str], other: tuple[str, str]) -> Fraction:
        products = [
            (a - mean(left[one])) * (b - mean(left[other])) for a, b in zip(left[one], left[other], strict=True)
        ]
        return Fraction(len(cases) - 1, len(cases)) * sum(products, Fraction(0))

    kinds: dict[tuple[bool, bool], list[Fraction]] = {}
    for one, other in itertools.product(readings, readings):
        kinds.setdefault((one[0] == other[0], one[1] == other[1]), []).append(covariance(one, other))
    cov2, cov3 = mean(kinds[True, False]), mean(kinds[False, False])
    by_modality = [mean([plain[m, r] for r in READERS]) for m in MODALITIES]
    by_reader = [mean([plain[m, r] for m in MODALITIES]) for r in READERS]
    all_ = mean(by_modality)
    ms_t = 2 * sum((value - all_) ** 2 for value in by_modality)  # J / (I - 1), two of each
    ms_tr = sum(
        (plain[m, r] - by_modality[i] - by_reader[j] + all_) ** 2
        for (i, m), (j, r) in itertools.product(enumerate(MODALITIES), enumerate(READERS))
    )
    parts = found.analysis.components
    ours = (parts.var, parts.cov1, parts.cov2, parts.cov3, parts.ms_t, parts.ms_tr)
    theirs = (mean(kinds[True, True]), mean(kinds[False, True]), cov2, cov3, ms_t, ms_tr)
    assert ours == pytest.approx([float(value) for value in theirs], abs=1e-12)

    test = found.analysis.inference["RRRC"].test
    error = ms_tr + 2 * max(cov2 - cov3, Fraction(0))
    if not error:
        assert test.p is None
        return
    f = float(ms_t / error)
    assert test.f == pytest.approx(f, abs=1e-9)
    if ms_tr:
        df = float(error**2 / ms_tr**2)  # over (I - 1)(J - 1) = 1: Hillis (2007)
        assert test.p == pytest.approx(stats.f.sf(f, 1, df), abs=1e-9)


scored = st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=2, max_size=12).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


@given(scored, st.sampled_from([Fraction(1, 10), Fraction(1, 3), Fraction(1, 2), Fraction(1)]))
def test_areas_under_the_roc_curve(rows: list[tuple[bool, int]], most: Fraction) -> None:
    positive, negative = ([score for label, score in rows if label is wanted] for wanted in (True, False))
    ranking = rank(np.array([label for label, _ in rows]), np.array([score for _, score in rows], float))
    assert auc(ranking) == pytest.approx(float(mean([psi(n, p) for p in positive for n in negative])), abs=1e-12)

    def share(scores: list[int], threshold: int) -> Fraction:
        return Fraction(sum(score >= threshold for score in scores), len(scores))

    points = [(share(negative, at), share(positive, at)) for at in range(5, -1, -1)]
    area = Fraction(0)
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        end = min(x1, most)
        if end > x0:
            area += (end - x0) * (y0 + y0 + (y1 - y0) * (end - x0) / (x1 - x0)) / 2
    part = partial_auc(ranking, float(most))
    assert part == pytest.approx(float(area), abs=1e-12)
    chance = most**2 / 2
    assert corrected(float(area), float(most)) == pytest.approx(
        float((1 + (area - chance) / (most - chance)) / 2), abs=1e-12
    )
    youden = {at: share(positive, at) - share(negative, at) for at in {score for _, score in rows}}
    assert choose(ranking, Choice("youden")) == max(at for at, index in youden.items() if index == max(youden.values()))


labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=15)


@given(labels, st.sampled_from(["unweighted", "linear", "quadratic"]))
def test_kappa(pairs: list[tuple[int, int]], weighting: str) -> None:
    def weight(i: int, j: int) -> Fraction:
        distance = Fraction(abs(i - j), 3)
        return Fraction(i == j) if weighting == "unweighted" else 1 - distance ** (1 + (weighting == "quadratic"))

    observed = mean([weight(*pair) for pair in pairs])
    expected = mean([weight(one[0], other[1]) for one in pairs for other in pairs])
    matrix = confusion(*(np.array(column) for column in zip(*pairs, strict=True)), 4)
    value = rows_kappa(matrix, weights(4, weighting))  # type: ignore[arg-type]
    if expected == 1:
        assert math.isnan(value)
        assert kappa(matrix, weights(4, weighting)).value is None  # type: ignore[arg-type]
        return
    assert value == pytest.approx(float((observed - expected) / (1 - expected)), abs=1e-9)


@given(labels)
def test_f1(pairs: list[tuple[int, int]]) -> None:
    matrix = confusion(*(np.array(column) for column in zip(*pairs, strict=True)), 4)
    plain = []
    for one in sorted({label for pair in pairs for label in pair}):
        hits = sum(pair == (one, one) for pair in pairs)
        plain.append(Fraction(2 * hits, sum((truth == one) + (called == one) for truth, called in pairs)))
        assert f1(matrix)[one] == pytest.approx(float(plain[-1]))
    there = ~np.isnan(f1(matrix))
    assert macro_f1(matrix, there) == pytest.approx(float(mean(plain)))


@given(st.integers(0, 12), st.integers(0, 12))
def test_mcnemar(only_first: int, only_second: int) -> None:
    first = np.repeat([True, False, True], [only_first, only_second, 3])
    second = np.repeat([False, True, True], [only_first, only_second, 3])
    apart, less = only_first + only_second, min(only_first, only_second)
    tail = Fraction(sum(math.comb(apart, k) for k in range(less + 1)), 2**apart)
    found = mcnemar(first, second)
    assert found.exact_p == (None if not apart else pytest.approx(float(min(Fraction(1), 2 * tail))))
