"""Which candidate hits which lesion.

Notation: L lesions, M candidates (marks), P pairs of a mark and a lesion that it hits, in arrays of one entry a pair.
Choices between equals go by score, place and size, never by row, so no order of rows changes a score or a count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from hakken.core.decimals import SLACK, below, reaches, rounding_of, same
from hakken.core.errors import HakkenError
from hakken.core.tables import FIRST_ROW
from hakken.evaluation.findings import Candidates, Cases, Findings, Flags, Floats, Ints, Lesions, Overlaps

HITS = r"distance|distance-inclusive|inside|fixed:(?=.*[1-9])(\d+\.?\d*|\.\d+)|overlap:(0?\.\d*[1-9]\d*|1(\.0*)?)"
SAME_IOU = 1e-7
"""Sums of IoU of a case that differ by less count as equal; then the higher scores are taken."""

FAR = 1e100
"""Coordinates and radii beyond it are compared as if they lay there, so that no sum of them overflows."""


@dataclass(frozen=True)
class Rules:
    """How candidates are compared with lesions.

    ``hit``: `distance` (distance to the centre < radius), `distance-inclusive` (<=), `fixed:MM` (distance < MM),
    `inside` (the mark lies in the lesion's mask) or `overlap:IOU` (intersection over union >= IOU, of the spheres of
    both diameters, or as given). ``duplicates``: further marks on a lesion are ignored or `false-positive`.
    ``double_hit``: a mark in two lesions hits `both`, or `one`: neither mark nor lesion is taken twice, and pairs are
    taken by falling score, then by distance; those that overlap so that each case has as many as can be, and then the
    most IoU in all (as challenges on masks do). ``max_candidates``: only marks strictly above the (N + 1)st score of
    their case stay (the rule of LUNA16).
    """

    hit: str = "distance"
    duplicates: Literal["ignore", "false-positive"] = "ignore"
    double_hit: Literal["both", "one", "score"] = "both"
    max_candidates: int | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(HITS, self.hit):
            raise HakkenError(
                f"hit rule `{self.hit}`: use distance, distance-inclusive, inside, fixed:MM or overlap:IOU"
            )

    def as_dict(self) -> dict[str, str | int | None]:
        """Return the rules as plain values, to stand in every result."""
        return {
            "hit": self.hit,
            "duplicates": self.duplicates,
            "double_hit": self.double_hit,
            "max_candidates": self.max_candidates,
        }


class Fate(IntEnum):
    """What a candidate turned out to be."""

    FALSE = 0
    TRUE = 1
    DUPLICATE = 2
    EXCLUDED = 3
    CUT = 4


@dataclass(frozen=True)
class Counts:
    """Totals over all candidates, at the lowest threshold."""

    cases: int
    lesions: int
    candidates: int
    true_positives: int
    false_positives: int
    missed: int
    ignored_duplicates: int
    ignored_excluded: int


@dataclass(frozen=True, eq=False)
class Matching:
    """Candidates against lesions under ``rules``.

    ``lesion_score`` (L,) is the highest score among a lesion's marks, -inf where it is missed; ``lesion_mark`` (L,) the
    row of that mark, -1 where there is none; ``hits`` (L,) how many marks hit it; ``fate`` (M,) what each candidate is.
    """

    cases: Cases
    lesions: Lesions
    candidates: Candidates
    rules: Rules
    lesion_score: Floats
    lesion_mark: Ints
    hits: Ints
    fate: NDArray[np.int8]

    @property
    def false(self) -> Flags:
        """Which candidates (M,) are false positives."""
        return np.asarray(self.fate == Fate.FALSE)

    @property
    def counts(self) -> Counts:
        """Totals over the whole cohort."""
        included = self.lesions.included
        found = included & (self.lesion_mark >= 0)
        return Counts(
            cases=len(self.cases),
            lesions=int(included.sum()),
            candidates=int((self.fate != Fate.CUT).sum()),
            true_positives=int(found.sum()),
            false_positives=int(self.false.sum()),
            missed=int((included & ~found).sum()),
            ignored_duplicates=self._ignored_duplicates(found),
            ignored_excluded=int((self.fate == Fate.EXCLUDED).sum()),
        )

    def _ignored_duplicates(self, found: Flags) -> int:
        """Hits of each detected lesion beyond its first, summed as LUNA16 does; one to one, marks that hit in vain."""
        if self.rules.duplicates != "ignore":
            return 0
        if self.rules.double_hit != "both":
            return int((self.fate == Fate.DUPLICATE).sum())
        return int((self.hits[found] - 1).sum())


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Hits: mark (P,) and lesion (P,) rows, and how far apart they are: squared distance in mm², or 1 - IoU."""

    mark: Ints
    lesion: Ints
    apart: Floats

    def where(self, keep: Flags) -> _Pairs:
        return _Pairs(self.mark[keep], self.lesion[keep], self.apart[keep])


def match_findings(findings: Findings, rules: Rules) -> Matching:
    """Compare the candidates of ``findings`` with their lesions, as `match`."""
    return match(findings.cases, findings.lesions, findings.candidates, rules, findings.overlaps)


def match(
    cases: Cases,
    lesions: Lesions,
    candidates: Candidates,
    rules: Rules | None = None,
    overlaps: Overlaps | None = None,
) -> Matching:
    """Compare candidates with lesions; ``overlaps`` are those of extents, for the rule `overlap`.

    Raises HakkenError naming the row of a lesion or candidate whose case is not in the cohort, and when the rule
    `inside` lacks the candidates' labels or `overlap` their diameters.
    """
    rules = rules or Rules()
    _check_cases("lesions", lesions.case, len(cases))
    _check_cases("candidates", candidates.case, len(cases))
    kept = _kept(candidates, rules.max_candidates)
    pairs = _hits(lesions, candidates, rules.hit, overlaps)
    pairs = pairs.where(kept[pairs.mark])
    right = pairs.where(lesions.included[pairs.lesion])
    resolved = _resolved(right, lesions, candidates, rules) if rules.double_hit != "both" else right
    lesion_mark = _best_marks(resolved, candidates, len(lesions))
    return Matching(
        cases=cases,
        lesions=lesions,
        candidates=candidates,
        rules=rules,
        lesion_score=np.append(candidates.score, -np.inf)[lesion_mark],
        lesion_mark=lesion_mark,
        hits=np.bincount(right.lesion, minlength=len(lesions)).astype(np.int64),
        fate=_fates(kept, pairs, right, lesion_mark, rules),
    )


def _check_cases(table: str, case: Ints, cases: int) -> None:
    bad = np.flatnonzero((case < 0) | (case >= cases))
    if bad.size:
        raise HakkenError(
            f"{table}, row {bad[0] + FIRST_ROW}: case number {case[bad[0]]} is not among the {cases} of the cohort"
        )


def _kept(candidates: Candidates, most: int | None) -> Flags:
    """Which marks stay: those strictly above the (most + 1)st score of their case, all in cases of fewer marks."""
    if most is None:
        return np.ones(len(candidates), bool)
    order = np.lexsort((-candidates.score, candidates.case))
    case = candidates.case[order]
    rank = np.arange(len(order)) - np.searchsorted(case, case)
    limit = np.full(int(case.max(initial=-1)) + 1, -np.inf)
    limit[case[rank == most]] = candidates.score[order[rank == most]]
    return np.asarray(candidates.score > limit[candidates.case])


def _hits(lesions: Lesions, candidates: Candidates, hit: str, overlaps: Overlaps | None) -> _Pairs:
    """Return the pairs of a mark and a lesion that it hits."""
    if hit == "inside":
        return _inside(lesions, candidates)
    if hit.startswith("overlap:"):
        found = overlaps or sphere_overlaps(lesions, candidates)
        return _Pairs(found.mark, found.lesion, 1 - found.iou).where(reaches(found.iou, float(hit.partition(":")[2])))
    return _near(lesions, candidates, hit)


def sphere_overlaps(lesions: Lesions, candidates: Candidates) -> Overlaps:
    """Return the pairs whose spheres overlap, and their intersection over union.

    Two spheres of radii r ≥ s whose centres are d apart share π (r + s - d)² (d² + 2 d (r + s) - 3 (r - s)²) / 12 d, or
    the smaller one where d ≤ r - s (Weisstein, Sphere-sphere intersection, MathWorld). Raises HakkenError where the
    candidates have no diameters.
    """
    if candidates.diameter_mm is None:
        raise HakkenError(
            "candidates, column diameter_mm: missing; hit rule `overlap` needs the diameter of each mark, or overlaps"
        )
    own = candidates.diameter_mm / 2
    mark, lesion = _neighbours(lesions, candidates, lesions.diameter_mm / 2 + own.max(initial=0))
    a, b = own[mark], lesions.diameter_mm[lesion] / 2
    distance = np.sqrt(_squared_distance(candidates, mark, lesions, lesion))
    near = distance < a + b
    mark, lesion, a, b, distance = mark[near], lesion[near], a[near], b[near], distance[near]
    nested = distance <= np.abs(a - b)
    d = np.where(nested, 1.0, distance)
    lens = np.pi * (a + b - d) ** 2 * (d * d + 2 * d * (a + b) - 3 * (a - b) ** 2) / (12 * d)
    shared = np.where(nested, 4 / 3 * np.pi * np.minimum(a, b) ** 3, lens)
    return Overlaps(mark, lesion, shared / (4 / 3 * np.pi * (a**3 + b**3) - shared))


def _near(lesions: Lesions, candidates: Candidates, hit: str) -> _Pairs:
    """Return the pairs that are near enough under a distance rule."""
    fixed = float(hit.partition(":")[2]) if hit.startswith("fixed:") else None
    radius = lesions.diameter_mm / 2 if fixed is None else np.full(len(lesions), fixed)
    mark, lesion = _neighbours(lesions, candidates, radius)
    squared = _squared_distance(candidates, mark, lesions, lesion)
    distance, limit = np.sqrt(squared), radius[lesion]
    rounding = rounding_of(candidates.xyz[mark], lesions.xyz[lesion])
    on = same(distance, limit, rounding) if hit == "distance-inclusive" else np.zeros(len(mark), bool)
    return _Pairs(mark, lesion, squared).where(below(distance, limit, rounding) | on)


def _neighbours(lesions: Lesions, candidates: Candidates, radius: Floats) -> tuple[Ints, Ints]:
    """Return (mark, lesion) rows of one case each whose x differ by no more than the radius, and a few more.

    Marks are sorted on one line on which the cases lie one after another, so no case is compared with another.
    """
    if not len(lesions) or not len(candidates):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    x, radius = (
        np.clip(np.concatenate([candidates.xyz[:, 0], lesions.xyz[:, 0]]), -FAR, FAR),
        np.minimum(radius, 2 * FAR),
    )
    stride = 2 * (np.ptp(x) + 2 * radius.max() + 1)
    line, centre = np.split(np.concatenate([candidates.case, lesions.case]) * stride + (x - x.min()), [len(candidates)])
    order = np.argsort(line, kind="stable")
    slack = radius * (1 + 2 * SLACK) + np.abs(centre) * 1e-12 + 1e-9
    first = np.searchsorted(line[order], centre - slack, side="left")
    last = np.searchsorted(line[order], centre + slack, side="right")
    return order[_ranges(first, last)], np.repeat(np.arange(len(lesions)), last - first)


def _inside(lesions: Lesions, candidates: Candidates) -> _Pairs:
    """Return the pairs of a mark and the lesion of its case whose label it carries."""
    if candidates.label is None:
        raise HakkenError("candidates, column lesion: missing; hit rule `inside` needs the lesion each mark lies in")
    base = int(max(lesions.label.max(initial=0), candidates.label.max(initial=0))) + 1
    key = lesions.case * base + lesions.label
    order = np.argsort(key, kind="stable")
    wanted = np.where(candidates.label > 0, candidates.case * base + candidates.label, -1)
    first = np.searchsorted(key[order], wanted, side="left")
    last = np.searchsorted(key[order], wanted, side="right")
    lesion = order[_ranges(first, last)]
    mark = np.repeat(np.arange(len(candidates)), last - first)
    return _Pairs(mark, lesion, _squared_distance(candidates, mark, lesions, lesion))


def _squared_distance(candidates: Candidates, mark: Ints, lesions: Lesions, lesion: Ints) -> Floats:
    """Return the squared distance (P,) of pairs in mm², infinite where it is too large for a number."""
    with np.errstate(over="ignore"):
        return np.asarray(((candidates.xyz[mark] - lesions.xyz[lesion]) ** 2).sum(axis=1))


def _ranges(first: Ints, last: Ints) -> Ints:
    """Return first[0] .. last[0] - 1, first[1] .. last[1] - 1 and so on, in one array."""
    lengths = last - first
    ends = np.cumsum(lengths)
    return np.asarray(np.arange(lengths.sum()) + np.repeat(first - (ends - lengths), lengths))


def _resolved(pairs: _Pairs, lesions: Lesions, candidates: Candidates, rules: Rules) -> _Pairs:
    """Return pairs of which no mark and no lesion is in two."""
    single = (np.bincount(pairs.mark)[pairs.mark] == 1) & (np.bincount(pairs.lesion)[pairs.lesion] == 1)
    taken = single.copy()
    unclear = np.flatnonzero(~single)
    unclear = unclear[_ranked(pairs.where(~single), lesions, candidates)]
    assigned = rules.double_hit == "one" and rules.hit.startswith("overlap:")
    taken[_assigned(pairs, unclear, candidates) if assigned else _greedy(pairs, unclear)] = True
    return pairs.where(taken)


def _ranked(pairs: _Pairs, lesions: Lesions, candidates: Candidates) -> Ints:
    """Return the order (P,) of pairs by case, falling score, how far apart, place of mark and lesion, and its size."""
    mark, lesion = pairs.mark, pairs.lesion
    places = (lesions.diameter_mm[lesion], *lesions.xyz[lesion].T, *candidates.xyz[mark].T)
    return np.lexsort((*places, pairs.apart, -candidates.score[mark], candidates.case[mark]))


def _greedy(pairs: _Pairs, unclear: Ints) -> list[int]:
    """Return which of the ``unclear`` pairs are taken, in their order: by falling score, then the nearest."""
    marks: set[int] = set()
    lesions: set[int] = set()
    taken = []
    for pair in unclear.tolist():
        mark, lesion = int(pairs.mark[pair]), int(pairs.lesion[pair])
        if mark not in marks and lesion not in lesions:
            taken.append(pair)
            marks.add(mark)
            lesions.add(lesion)
    return taken


def _assigned(pairs: _Pairs, unclear: Ints, candidates: Candidates) -> list[int]:
    """Return which of the ``unclear`` pairs are taken: as many as can be, and of those the most IoU of each case."""
    taken: list[int] = []
    for group in np.split(unclear, np.flatnonzero(np.diff(candidates.case[pairs.mark[unclear]])) + 1):
        (marks, row), (lesions, column) = _numbered(pairs.mark[group]), _numbered(pairs.lesion[group])
        rank = np.unique(candidates.score[pairs.mark[group]], return_inverse=True)[1]
        most = max(1, min(marks, lesions))
        gain = np.zeros((marks, lesions))
        # one pair more outweighs all overlaps; among equal overlaps higher scores tip the scales
        gain[row, column] = most + 2 - pairs.apart[group] + SAME_IOU / most * rank / max(marks, 1)
        at = {(r, c): pair for r, c, pair in zip(row.tolist(), column.tolist(), group.tolist(), strict=True)}
        chosen = zip(*(line.tolist() for line in linear_sum_assignment(gain, maximize=True)), strict=True)
        taken += [at[place] for place in chosen if place in at]
    return taken


def _numbered(rows: Ints) -> tuple[int, Ints]:
    """Return how many different ``rows`` (n,) there are, and the number of each, from 0 as they first occur."""
    _, first, number = np.unique(rows, return_index=True, return_inverse=True)
    return len(first), np.argsort(np.argsort(first))[number]


def _best_marks(pairs: _Pairs, candidates: Candidates, lesions: int) -> Ints:
    """Return the row of the highest mark of each lesion (L,), the nearest of equals, -1 where there is none."""
    best = np.full(lesions, -1, np.int64)
    places = candidates.xyz[pairs.mark].T
    order = np.lexsort((-pairs.mark, *places, -pairs.apart, candidates.score[pairs.mark]))
    best[pairs.lesion[order]] = pairs.mark[order]
    return best


def _fates(kept: Flags, pairs: _Pairs, right: _Pairs, lesion_mark: Ints, rules: Rules) -> NDArray[np.int8]:
    fate = np.where(kept, Fate.FALSE, Fate.CUT).astype(np.int8)
    fate[pairs.mark] = Fate.EXCLUDED
    fate[right.mark] = Fate.DUPLICATE if rules.duplicates == "ignore" else Fate.FALSE
    fate[lesion_mark[lesion_mark >= 0]] = Fate.TRUE
    return fate
