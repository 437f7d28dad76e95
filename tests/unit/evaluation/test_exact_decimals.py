"""Whatever lies exactly on a limit is decided by the decimals that stand in the table, not by their binary rounding."""

from __future__ import annotations

import itertools
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.core.decimals import below, reaches, same
from hakken.core.volume import Geometry
from hakken.evaluation.findings import Candidates, Cases, Lesions, Overlaps
from hakken.evaluation.matching import Rules, match
from hakken.evaluation.overlap import LesionRule, measure_overlap
from hakken.evaluation.strata import diameter_ranges
from hakken.imaging.lesions import measure_lesions, with_minimum

Point = tuple[Decimal, Decimal, Decimal]
ZERO = Decimal(0)


def found(marks: list[Point], centres: list[Point], radii: list[Decimal], hit: str) -> np.ndarray:
    """Which lesions are hit by the mark of the same row; every row is a case of its own."""
    rows = range(len(marks))
    lesions = Lesions.of(rows, np.array(centres, float), [float(2 * radius) for radius in radii])
    candidates = Candidates.of(rows, np.array(marks, float), np.ones(len(marks)))
    return match(Cases.of([str(row) for row in rows]), lesions, candidates, Rules(hit=hit)).lesion_mark >= 0


def on_a_line(digits: int, most: int) -> list[tuple[Point, Point, Decimal]]:
    """All marks a and centres b of up to ``most`` units of the last of so many digits, a - b apart."""
    unit = Decimal(10) ** -digits
    return [
        ((a * unit, ZERO, ZERO), (b * unit, ZERO, ZERO), (a - b) * unit)
        for a, b in itertools.combinations(range(most, 0, -1), 2)
    ]


TRIPLES = [(1, 2, 2, 3), (2, 3, 6, 7), (1, 4, 8, 9), (4, 4, 7, 9), (2, 6, 9, 11), (6, 6, 7, 11), (3, 4, 12, 13)]


def in_space() -> list[tuple[Point, Point, Decimal]]:
    """Pythagorean quadruples, turned and mirrored, of tenths and hundredths, about centres of decimals."""
    rows = []
    for (*sides, radius), unit, shift in itertools.product(TRIPLES, ("0.1", "0.01", "0.7"), ("0.3", "-512.7", "99.99")):
        for turned in sorted(set(itertools.permutations(sides))):
            centre = (Decimal(shift), Decimal(shift) + Decimal("0.2"), -Decimal(shift))
            x, y, z = (place + side * Decimal(unit) for place, side in zip(centre, turned, strict=True))
            rows.append(((x, y, z), centre, radius * Decimal(unit)))
    return rows


@pytest.mark.parametrize(
    "pairs",
    [on_a_line(1, 34)[:551], on_a_line(1, 100), on_a_line(2, 110), in_space()],
    ids=["551 pairs", "tenths", "hundredths", "space"],
)
def test_marks_exactly_on_the_radius_are_missed_by_distance_and_hit_by_distance_inclusive(
    pairs: list[tuple[Point, Point, Decimal]],
) -> None:
    marks, centres, radii = (list(column) for column in zip(*pairs, strict=True))
    assert not found(marks, centres, radii, "distance").any()
    assert found(marks, centres, radii, "distance-inclusive").all()


@pytest.mark.parametrize("radius", ["0.1", "0.2", "0.3", "0.7", "2.3"])
def test_a_fixed_radius_is_decided_by_its_decimals(radius: str) -> None:
    pairs = [row for row in on_a_line(1, 60) if row[2] == Decimal(radius)]
    marks, centres, radii = (list(column) for column in zip(*pairs, strict=True))
    assert not found(marks, centres, [Decimal(50)] * len(radii), f"fixed:{radius}").any()
    assert found(marks, centres, [Decimal(50)] * len(radii), f"fixed:{Decimal(radius) + Decimal('0.001')}").all()


@pytest.mark.parametrize("off", [Decimal("1e-6"), Decimal("-1e-6")])
def test_what_is_not_on_the_radius_is_decided_as_ever(off: Decimal) -> None:
    pairs = on_a_line(1, 40)
    marks = [(x + off, y, z) for (x, y, z), _, _ in pairs]
    _, centres, radii = (list(column) for column in zip(*pairs, strict=True))
    for hit in ("distance", "distance-inclusive"):
        assert (found(marks, centres, radii, hit) == (off < 0)).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 10**4), st.integers(-(10**7), 10**7), st.integers(0, 4))
def test_large_coordinates_do_not_move_a_mark_off_the_radius(steps: int, place: int, digits: int) -> None:
    unit = Decimal(10) ** -digits
    mark, centre = ((place + steps) * unit, ZERO, ZERO), (place * unit, ZERO, ZERO)
    assert not found([mark], [centre], [steps * unit], "distance").any()
    assert found([mark], [centre], [steps * unit], "distance-inclusive").all()


@pytest.mark.parametrize("limit", [f"0.{digit}" for digit in range(1, 10)] + ["0.15", "0.35", "0.55"])
def test_an_overlap_that_equals_the_limit_is_a_hit_however_it_was_computed(limit: str) -> None:
    cases, lesions = Cases.of(["a"]), Lesions.of([0], [[0, 0, 0]], [4])
    marks = Candidates.of([0], [[0, 0, 0]], [0.5])
    share = sum([0.05] * round(float(limit) / 0.05))  # 0.05 + 0.05 + ... misses most of the limits by a bit
    for iou, hit in ((share, True), (share - 1e-6, False)):
        overlaps = Overlaps(np.array([0]), np.array([0]), np.array([iou]))
        assert (match(cases, lesions, marks, Rules(hit=f"overlap:{limit}"), overlaps).lesion_mark[0] == 0) == hit


def test_spheres_one_in_the_other_reach_the_cube_of_their_diameters() -> None:
    # 0.3 in 0.6, 0.7 in 1.4 and so on: exactly 1/8, whatever the diameters are in binary
    small = np.arange(1, 200) / 10
    rows = range(len(small))
    lesions = Lesions.of(rows, np.zeros((len(small), 3)), 2 * small)
    marks = Candidates.of(rows, np.zeros((len(small), 3)), np.ones(len(small)), diameter_mm=small)
    cases = Cases.of([str(row) for row in rows])
    assert (match(cases, lesions, marks, Rules(hit="overlap:0.125")).lesion_mark >= 0).all()
    assert not (match(cases, lesions, marks, Rules(hit="overlap:0.126")).lesion_mark >= 0).any()


@pytest.mark.parametrize("shared", range(1, 10))
def test_pieces_that_share_exactly_the_asked_for_iou_match(shared: int) -> None:
    truth, mask = np.zeros((2, 1, 1, 10), bool)
    truth[..., :shared] = True
    mask[...] = True
    rule = LesionRule(minimum_iou=sum([0.1] * shared))
    assert measure_overlap(truth, mask, (1, 1, 1), rule).lesions.found == 1


@pytest.mark.parametrize("edge", [0.1, 0.3, 0.7, 1.1])
def test_a_lesion_of_exactly_the_least_volume_counts(edge: float) -> None:
    geometry = Geometry((2, 1, 20), (edge,) * 3, (0.0,) * 3, (1, 0, 0, 0, 1, 0, 0, 0, 1))
    for voxels in range(1, 20):
        labels = np.zeros((2, 1, 20), np.int16)
        labels[0, 0, :voxels] = 1
        least = float(voxels * Decimal(str(edge)) ** 3)  # as written in a study
        (lesion,) = measure_lesions(labels, geometry, least)
        assert lesion.kind == "included"
        assert with_minimum([lesion], least)[0].kind == "included"
        assert measure_lesions(labels, geometry, least * 1.0001)[0].kind == "excluded"


@pytest.mark.parametrize("border", ["0.3", "0.7", "5", "10.1"])
def test_a_diameter_on_a_border_belongs_to_the_upper_stratum_alone(border: str) -> None:
    limit = float(border)
    ways = [limit, limit / 3 * 3, sum([limit / 10] * 10), np.nextafter(limit, 0), np.nextafter(limit, 99)]
    lesions = Lesions.of([0] * len(ways), np.zeros((len(ways), 3)), ways)
    lower, upper = (part.holds(lesions) for part in diameter_ranges([limit]))
    assert upper.all()
    assert not lower.any()


def test_every_diameter_lies_in_exactly_one_stratum() -> None:
    diameters = np.concatenate([np.linspace(0.01, 12, 5000), [5, 10, np.nextafter(5, 0), np.nextafter(10, 0)]])
    lesions = Lesions.of(np.zeros(len(diameters), int), np.zeros((len(diameters), 3)), diameters)
    assert (sum(part.holds(lesions).astype(int) for part in diameter_ranges([5, 10])) == 1).all()


def test_numbers_without_end_and_none_compare_as_ever() -> None:
    inf, nan = float("inf"), float("nan")
    assert same(inf, inf) and not same(1.0, inf) and not same(inf, 1.0) and not same(nan, nan)
    assert below(1.0, inf) and not below(inf, inf) and not below(nan, 1.0)
    assert reaches(inf, inf) and not reaches(nan, 0.0)
