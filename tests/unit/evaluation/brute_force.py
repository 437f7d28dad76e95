"""The evaluation once more, as slowly and plainly as it can be written: loops over single findings, exact fractions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from hakken.evaluation.findings import Candidates, Cases, Findings, Lesions, Overlaps

Point = tuple[int, int, int]


@dataclass(frozen=True)
class Lesion:
    case: int
    xyz: Point
    diameter: int
    included: bool


@dataclass(frozen=True)
class Mark:
    case: int
    xyz: Point
    score: int
    inside: int = -1
    """The row of the lesion whose mask it lies in, -1 for none."""


@dataclass(frozen=True)
class Cohort:
    """``patient`` of each case; ``iou`` of pairs (row of the mark, row of the lesion)."""

    patient: tuple[str, ...]
    lesions: tuple[Lesion, ...]
    marks: tuple[Mark, ...]
    iou: dict[tuple[int, int], Fraction] = field(default_factory=dict)


@dataclass
class Result:
    """``false`` and ``found``: scores of the false positives that count, and of the lesions that are found."""

    counts: dict[str, int]
    cases: int
    lesions: int
    false: list[int]
    found: list[int]
    by_case: list[Fraction]
    pairs: set[tuple[int, int]]

    @property
    def points(self) -> list[tuple[Fraction, Fraction]]:
        """Operating points (false positives per case, sensitivity) by falling threshold, from (0, 0) on."""
        ends = [(Fraction(0), Fraction(0))]
        for threshold in sorted({*self.false, *self.found}, reverse=True):
            false = sum(score >= threshold for score in self.false)
            found = sum(score >= threshold for score in self.found)
            ends.append((Fraction(false, self.cases), Fraction(found, self.lesions)))
        return ends

    def at(self, x: Fraction) -> Fraction:
        """Sensitivity by linear interpolation, the upper end of a vertical part, flat beyond the last point."""
        points = self.points
        reached = max(number for number, point in enumerate(points) if point[0] <= x)
        (x0, y0) = points[reached]
        if reached + 1 == len(points):
            return y0
        (x1, y1) = points[reached + 1]
        return y0 + (y1 - y0) * (x - x0) / (x1 - x0)

    def step(self, x: Fraction) -> Fraction:
        return max(y for at, y in self.points if at <= x)

    def false_positives_at(self, sensitivity: Fraction) -> Fraction | None:
        return next((x for x, y in self.points if y >= sensitivity), None)

    def precision(self, threshold: int) -> Fraction:
        """Found lesions at a threshold, divided by those and the false positives there."""
        false = sum(score >= threshold for score in self.false)
        found = sum(score >= threshold for score in self.found)
        return Fraction(found, found + false)

    def average_precision(self, kind: str) -> Fraction:
        """`step`, `all_point` or `points_101`, one recall after the other."""
        levels = sorted({*self.false, *self.found}, reverse=True)

        def recall(threshold: int) -> Fraction:
            return Fraction(sum(score >= threshold for score in self.found), self.lesions)

        def highest(level: Fraction) -> Fraction:
            return max((self.precision(t) for t in levels if recall(t) >= level), default=Fraction(0))

        if kind == "points_101":
            return sum((highest(Fraction(number, 100)) for number in range(101)), Fraction(0)) / 101
        total, before = Fraction(0), Fraction(0)
        for threshold in levels:
            gained, before = recall(threshold) - before, recall(threshold)
            total += gained * (self.precision(threshold) if kind == "step" else highest(before))
        return total

    def partial_auc(self, most: Fraction) -> Fraction:
        places = sorted({x for x, _ in self.points if x < most} | {Fraction(0), most})
        area = Fraction(0)
        for left, right in itertools.pairwise(places):
            before = next((y for x, y in self.points if x >= right), self.points[-1][1])  # lower end of a vertical part
            end = before if any(x == right for x, _ in self.points) else self.at(right)
            area += (right - left) * (self.at(left) + end) / 2
        return area / most

    def cpm(self) -> Fraction:
        return sum((self.at(Fraction(1, 8) * 2**power) for power in range(7)), Fraction(0)) / 7


def squared_distance(one: Point, other: Point) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def hits(cohort: Cohort, mark: int, lesion: int, hit: str) -> bool:
    m, truth = cohort.marks[mark], cohort.lesions[lesion]
    if m.case != truth.case:
        return False
    if hit == "inside":
        return m.inside == lesion
    name, _, limit = hit.partition(":")
    if name == "overlap":
        return cohort.iou.get((mark, lesion), Fraction(0)) >= Fraction(limit)
    squared = squared_distance(m.xyz, truth.xyz)
    if name == "fixed":
        return squared < Fraction(limit) ** 2
    radius = Fraction(truth.diameter, 2)
    return squared <= radius**2 if name == "distance-inclusive" else squared < radius**2


def kept(cohort: Cohort, most: int | None) -> list[int]:
    """Rows of the marks that stay: strictly above the (most + 1)st score of their case."""
    rows = []
    for row, mark in enumerate(cohort.marks):
        scores = sorted((other.score for other in cohort.marks if other.case == mark.case), reverse=True)
        if most is None or len(scores) <= most or mark.score > scores[most]:
            rows.append(row)
    return rows


def one_to_one(cohort: Cohort, pairs: set[tuple[int, int]], overlap: bool = False) -> set[tuple[int, int]]:
    """Take the best pair of those that are left, until none is left."""
    left, taken = set(pairs), set()

    def rank(pair: tuple[int, int]) -> tuple[Any, ...]:
        mark, lesion = cohort.marks[pair[0]], cohort.lesions[pair[1]]
        near = -cohort.iou[pair] if overlap else squared_distance(mark.xyz, lesion.xyz)
        return (-mark.score, near, mark.xyz[::-1], lesion.xyz[::-1], lesion.diameter, pair)

    while left:
        best = min(left, key=rank)
        taken.add(best)
        left = {pair for pair in left if pair[0] != best[0] and pair[1] != best[1]}
    return taken


def matchings(pairs: Sequence[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], ...]]:
    """Every way to take pairs of which no mark and no lesion is in two."""
    if not pairs:
        yield ()
        return
    first, rest = pairs[0], pairs[1:]
    yield from matchings(rest)
    free = [pair for pair in rest if pair[0] != first[0] and pair[1] != first[1]]
    yield from ((first, *more) for more in matchings(free))


def assigned(cohort: Cohort, pairs: set[tuple[int, int]]) -> tuple[int, Fraction]:
    """How many pairs can be taken of overlaps, and how much IoU so many can add up to."""
    return max((len(taken), sum((cohort.iou[pair] for pair in taken), Fraction(0))) for taken in matchings(list(pairs)))


def measure(
    cohort: Cohort,
    *,
    hit: str = "distance",
    duplicates: str = "ignore",
    double_hit: str = "both",
    most: int | None = None,
    per: str = "case",
    pairs: set[tuple[int, int]] | None = None,
) -> Result:
    """``pairs``: which pairs were taken one to one, where that is not for this function to decide."""
    stay = kept(cohort, most)
    every = {(m, k) for m in stay for k in range(len(cohort.lesions)) if hits(cohort, m, k, hit)}
    right = {pair for pair in every if cohort.lesions[pair[1]].included}
    if pairs is None:
        overlap = hit.startswith("overlap")
        pairs = one_to_one(cohort, right, overlap) if double_hit != "both" else right
    best: dict[int, int] = {}
    for lesion in {lesion for _, lesion in pairs}:
        marks = [mark for mark, other in pairs if other == lesion]

        def rank(mark: int, lesion: int = lesion) -> tuple[Any, ...]:
            place = cohort.marks[mark].xyz
            apart = (
                -cohort.iou[mark, lesion]
                if hit.startswith("overlap")
                else squared_distance(place, cohort.lesions[lesion].xyz)
            )
            return (-cohort.marks[mark].score, apart, tuple(-x for x in place[::-1]), mark)

        best[lesion] = min(marks, key=rank)
    true, hitting, touching = set(best.values()), {mark for mark, _ in right}, {mark for mark, _ in every}
    false = [mark for mark in stay if mark not in touching]
    in_vain = [mark for mark in hitting if mark not in true]
    if duplicates == "false-positive":
        false += in_vain
        ignored = 0
    elif double_hit != "both":
        ignored = len(in_vain)
    else:
        ignored = sum(sum(other == lesion for _, other in right) - 1 for lesion in best)
    included = [row for row, lesion in enumerate(cohort.lesions) if lesion.included]
    diseased = {lesion.case for lesion in cohort.lesions}
    free = [case for case in range(len(cohort.patient)) if per == "case" or case not in diseased]
    by_case = []
    for case in range(len(cohort.patient)):
        own = [row for row in included if cohort.lesions[row].case == case]
        if own:
            by_case.append(Fraction(sum(row in best for row in own), len(own)))
    return Result(
        counts={
            "cases": len(cohort.patient),
            "lesions": len(included),
            "candidates": len(stay),
            "true_positives": len(best),
            "false_positives": len(false),
            "missed": len(included) - len(best),
            "ignored_duplicates": ignored,
            "ignored_excluded": len(touching - hitting),
        },
        cases=len(free),
        lesions=len(included),
        false=[cohort.marks[mark].score for mark in false if cohort.marks[mark].case in free],
        found=[cohort.marks[mark].score for mark in best.values()],
        by_case=by_case,
        pairs=right,
    )


def resampled(cohort: Cohort, times: Sequence[int]) -> Cohort:
    """The cohort in which patient i, by name, stands ``times[i]`` times."""
    names = sorted(set(cohort.patient))
    patient: list[str] = []
    lesions: list[Lesion] = []
    marks: list[Mark] = []
    for name, count in zip(names, times, strict=True):
        for copy in range(count):
            for case in [number for number, whose in enumerate(cohort.patient) if whose == name]:
                new = len(patient)
                patient.append(f"{name} {copy}")
                lesions += [Lesion(new, *_rest(one)) for one in cohort.lesions if one.case == case]
                marks += [Mark(new, one.xyz, one.score) for one in cohort.marks if one.case == case]
    return Cohort(tuple(patient), tuple(lesions), tuple(marks))


def _rest(lesion: Lesion) -> tuple[Point, int, bool]:
    return lesion.xyz, lesion.diameter, lesion.included


def findings(cohort: Cohort, lesion_rows: Sequence[int], mark_rows: Sequence[int]) -> Findings:
    """The cohort as the package takes it, with its rows in the order that is given."""
    lesions, marks = [cohort.lesions[row] for row in lesion_rows], [cohort.marks[row] for row in mark_rows]
    pairs = sorted(cohort.iou)
    overlaps = Overlaps(
        np.array([list(mark_rows).index(mark) for mark, _ in pairs], np.int64),
        np.array([list(lesion_rows).index(lesion) for _, lesion in pairs], np.int64),
        np.array([float(cohort.iou[pair]) for pair in pairs]),
    )
    label = {row: place + 1 for place, row in enumerate(lesion_rows)} | {-1: 0}
    return Findings(
        Cases.of([f"c{number}" for number in range(len(cohort.patient))], cohort.patient),
        Lesions.of(
            [one.case for one in lesions],
            [one.xyz for one in lesions],
            [one.diameter for one in lesions],
            [one.included for one in lesions],
        ),
        Candidates.of(
            [one.case for one in marks],
            [one.xyz for one in marks],
            [one.score for one in marks],
            [label[one.inside] for one in marks],
        ),
        overlaps,
    )
