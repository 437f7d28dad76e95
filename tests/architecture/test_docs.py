"""The reference pages that people write say what the code does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from hakken import plugins
from hakken.evaluation.findings import Candidates, Cases, Lesions, Overlaps
from hakken.evaluation.froc import cpm, fp_at_sensitivity, froc, partial_auc, sensitivity_at
from hakken.evaluation.matching import Rules, match
from hakken.evaluation.measure import Settings, measure, per_patient
from hakken.evaluation.operating import choose_threshold
from hakken.evaluation.strata import proportion
from hakken.patches.shards import COLUMNS as INDEX

ROOT = Path(__file__).resolve().parents[2]
FILES = (ROOT / "docs/reference/files.md").read_text()
EVALUATION = (ROOT / "docs/reference/evaluation.md").read_text()


def outputs() -> list[tuple[str, str]]:
    """The rule and the path of every output of the workflow."""
    found = []
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        pieces = re.split(r"^rule (\w+):\n", path.read_text(), flags=re.MULTILINE)
        for rule, text in zip(pieces[1::2], pieces[2::2], strict=True):
            block = re.search(r"^    output:\n((?: {8}.*\n)+)", text, flags=re.MULTILINE)
            assert block, rule
            found += [(rule, file) for file in re.findall(r'"results/\{+study\}+/\{+scale\}+/([^"]+)"', block[1])]
    return found


@pytest.mark.parametrize(("rule", "path"), outputs())
def test_every_output_stands_in_the_reference_beside_its_rule(rule: str, path: str) -> None:
    written = re.sub(r"\{+(\w+)\}+", r"<\1>", path)
    written = re.sub(r"(figures/\w+)\.(svg|png|json)$", r"\1.pdf", written)
    assert f"| `{written}` | `{rule}` |" in FILES


@pytest.mark.parametrize("name", plugins.names("outcomes"))
def test_every_column_of_an_outcome_is_explained(name: str) -> None:
    assert unexplained(getattr(plugins.load("outcomes", name), "COLUMNS", ())) == []


def test_every_column_of_the_index_of_patches_is_explained() -> None:
    assert unexplained(INDEX) == []


def unexplained(columns: Sequence[str]) -> list[str]:
    """Those of the columns that stand nowhere in the reference."""
    return [name for name in columns if f"`{name}`" not in FILES]


def rows(heading: str) -> list[list[str]]:
    """The cells of the example's table with this heading."""
    lines = EVALUATION.partition("## An example by hand")[2].partition(heading + "\n")[2].splitlines()[1:]
    table = lines[: next(number for number, line in enumerate(lines) if not line.startswith("|"))]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


@pytest.fixture(scope="module")
def example() -> tuple[Cases, Lesions, Candidates]:
    """The example of the page, read from its tables."""
    cases = Cases.of(["A", "B", "C"])
    truth = rows("| case | lesion | x | y | z | diameter |")
    marks = rows("| case | x | y | z | score | what it is |")
    lesions = Lesions.of(
        cases.index([row[0] for row in truth], "lesions"),
        [[float(cell) for cell in row[2:5]] for row in truth],
        [float(row[5]) for row in truth],
        label=[int(row[1]) for row in truth],
    )
    candidates = Candidates.of(
        cases.index([row[0] for row in marks], "candidates"),
        [[float(cell) for cell in row[1:4]] for row in marks],
        [float(row[4]) for row in marks],
    )
    return cases, lesions, candidates


def test_the_curve_of_the_example(example: tuple[Cases, Lesions, Candidates]) -> None:
    curve = froc(match(*example))
    table = rows("| threshold | FP per case | sensitivity |")
    assert curve.threshold.tolist() == [np.inf, *(float(row[0]) for row in table[1:])]
    assert curve.fp_per_case == pytest.approx([float(Fraction(row[1])) for row in table])
    assert curve.sensitivity == pytest.approx([float(Fraction(row[2])) for row in table])


def test_the_numbers_of_the_example(example: tuple[Cases, Lesions, Candidates]) -> None:
    matching = match(*example)
    curve = froc(matching)
    assert sensitivity_at(curve, 0.5).value == pytest.approx(1 / 3)
    assert sensitivity_at(curve, 1).value == pytest.approx(2 / 3)
    assert not sensitivity_at(curve, 1).extrapolated
    assert sensitivity_at(curve, 2).value == pytest.approx(2 / 3)
    assert sensitivity_at(curve, 2).extrapolated
    assert fp_at_sensitivity(curve, 0.5) == pytest.approx(2 / 3)
    assert fp_at_sensitivity(curve, 0.9) is None
    assert partial_auc(curve, 2) == pytest.approx(5 / 9)
    assert cpm(curve) == pytest.approx(11 / 21)
    assert choose_threshold(curve, 0.7) == 0.6
    assert per_patient(matching, 0.6) == {"pooled": pytest.approx(2 / 3), "mean_over_cases": 0.75}


def test_average_precision_and_the_picai_score_of_the_example(example: tuple[Cases, Lesions, Candidates]) -> None:
    found = measure(match(*example), Settings(2, (1,), resamples=10))
    for words in ("`all_point` (1 + 1/2)/3 = 1/2.", "(34 + 33/2)/101 = 1/2.", "PI-CAI score: (1/2 + 1/2)/2 = 1/2."):
        assert words in EVALUATION
    averages = {name: entry.value for name, entry in found.average_precision.items()}
    assert averages == {name: pytest.approx(1 / 2) for name in ("step", "all_point", "points_101")}
    assert (found.case_auc.value, found.picai.value) == (1 / 2, pytest.approx(1 / 2))


def test_the_two_ways_of_matching_one_to_one_of_the_page() -> None:
    assert "0.9 with an IoU of 0.3 and 0.1 with an IoU of 0.6" in EVALUATION
    cases, lesions = Cases.of(["a"]), Lesions.of([0], [[0, 0, 0]], [4])
    marks = Candidates.of([0, 0], np.zeros((2, 3)), [0.9, 0.1])
    pairs = Overlaps(np.array([0, 1]), np.array([0, 0]), np.array([0.3, 0.6]))
    scores = {
        rule: match(cases, lesions, marks, Rules(hit="overlap:0.1", double_hit=rule), pairs).lesion_score.tolist()
        for rule in ("score", "one")
    }
    assert scores == {"score": [0.9], "one": [0.1]}


def test_none_of_four_of_the_page() -> None:
    assert "0 of 4 lesions of four patients have 0.00 [0.00, 0.49]" in EVALUATION
    found = proportion(np.zeros(4, bool), np.arange(4))
    assert (found.low, round(found.high or 0, 2)) == (0, 0.49)


def test_the_touching_candidate_of_the_example(example: tuple[Cases, Lesions, Candidates]) -> None:
    assert match(*example).counts.true_positives == 2
    inclusive = match(*example, Rules(hit="distance-inclusive"))
    assert inclusive.counts.true_positives == 3
    assert inclusive.lesion_score.tolist() == [0.9, 0.3, 0.6]
