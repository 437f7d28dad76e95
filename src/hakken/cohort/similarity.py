"""What two cases, or two columns of one, must not share: files, pixels, masks, images that are copies of each other.

These are rules over what was computed from the images (`hakken.imaging.fingerprint`); no file is read here. What is
shared by cases of two parts lets a test case train, and stops; within a part it is a warning.
"""

from __future__ import annotations

import base64
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.near_copies import SETTINGS, Pair, near, unusual
from hakken.core.problems import Problem

Fingerprint = NDArray[np.int8]
Distinct = Collection[frozenset[str]]
REMEDY = "remove one of the two cases, or give both the same `patient` and `split`"
VOLUME = 3  # axes
SEPARATOR = "\n"  # between case and channel in the name of an image: neither holds one


@dataclass(frozen=True)
class Content:
    """What is known of the images of one case.

    ``digests``: of the content of each channel. ``fingerprints``: of the channels that have one; constant images have
    none, and what they share says nothing. Items and phantoms have none either (``fingerprinted`` false), and are
    compared by their digests. ``truth``: digest of the findings, None where two cases may share them by chance.
    """

    digests: Mapping[str, str]
    fingerprints: Mapping[str, Fingerprint] = field(default_factory=dict)
    truth: str | None = None
    fingerprinted: bool = True

    @property
    def compared(self) -> Collection[str]:
        """The channels whose pixels say something."""
        return self.fingerprints if self.fingerprinted else self.digests

    def as_dict(self) -> dict[str, Any]:
        """Return the content as plain values, for JSON; fingerprints are packed."""
        packed = {name: _packed(one) for name, one in self.fingerprints.items()}
        return {
            "digests": dict(self.digests),
            "fingerprints": packed,
            "truth": self.truth,
            "fingerprinted": self.fingerprinted,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return the content that ``as_dict`` described."""
        prints = {name: _unpacked(one) for name, one in content["fingerprints"].items()}
        return cls(dict(content["digests"]), prints, content["truth"], content["fingerprinted"])


@dataclass(frozen=True)
class Shared:
    """What cases share: ``stops`` what must not be, ``warnings`` what should be looked at; in the order of the rows."""

    stops: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def same_within(case: Case, content: Content, colours: Mapping[str, str | None] | None = None) -> list[Problem]:
    """Return a problem for every channel of ``case`` that is the same file, or has the same pixels, as an earlier one.

    ``colours`` holds the colour that each channel takes out of a picture: channels of different colours may share a
    file, whose colours are the same where it is grey.
    """
    problems = []
    names = list(case.channels)
    for number, name in enumerate(names):
        for first in names[:number]:
            reason = _sameness(case, content, colours or {}, (first, name))
            if reason is not None:
                problems.append(Problem(case.case_id, name, reason, "correct the path of one of the two", case.row))
                break
    return [*problems, *_truth_as_image(case)]


def _truth_as_image(case: Case) -> Iterator[Problem]:
    """Yield a problem where the truth of a case is the file of a channel."""
    truths = {"lesion_mask": case.lesion_mask, "lesion_table": case.lesion_table, "regions": case.regions}
    for column, truth in truths.items():
        name = next((name for name, path in case.channels.items() if truth and path.resolve() == truth.resolve()), None)
        if name is not None:
            reason = f"is the same file as {name}, which the truth would be read from"
            yield Problem(case.case_id, column, reason, "correct the path of one of the two", case.row)


def problems_between(contents: Mapping[str, Content], table: CaseTable, distinct: Distinct = ()) -> list[Problem]:
    """Return what `shared_between` finds, where warnings are questions that stop nothing."""
    shared = shared_between(contents, table, distinct)
    return [*shared.stops, *(replace(problem, stops=False) for problem in shared.warnings)]


def shared_between(contents: Mapping[str, Content], table: CaseTable, distinct: Distinct = ()) -> Shared:
    """Return what the cases of ``table`` share: the same pixels, copies of an image, the same lesions.

    ``contents`` are by case id; cases without stay out, so that sealed ones may remain unread. Pairs of case ids in
    ``distinct`` were looked at and are no copies. A case is named once for each kind, beside the case that tells most:
    one of another part, if there is any. Images of one patient are compared bit by bit alone, since two dates of a
    patient look alike; the same lesions in two cases of different patients are a warning even across parts, for they
    stand in no training image.
    """
    cases = [case for case in table.cases if case.case_id in contents]
    found = _Pairs(cases, {frozenset(pair) for pair in distinct})
    identical = found.of_equals(_by_digest(cases, contents))
    truths = found.of_equals(_by_truth(cases, contents), of_two_patients=True)
    copies = [*identical, *found.of_copies(cases, contents)]
    stops = [pair.problem() for pair in copies if pair.across and pair.sure]
    warnings = [pair.problem() for pair in copies if not (pair.across and pair.sure)]
    return Shared(_in_order(stops), _in_order([*warnings, *(pair.mask_problem() for pair in truths)]))


@dataclass(frozen=True)
class _Pair:
    """Two cases that share something: ``case`` stands further down; the columns, and the similarity of near copies."""

    case: Case
    column: str
    other: Case
    other_column: str
    similarity: float | None = None
    sure: bool = True

    @property
    def ids(self) -> frozenset[str]:
        return frozenset((self.case.case_id, self.other.case_id))

    @property
    def across(self) -> bool:
        return self.case.split != self.other.split

    def problem(self) -> Problem:
        that = f"{self.other_column} of case {self.other.case_id}{_row(self.other)}"
        parts = f", but this one is in {self.case.split} and that in {self.other.split}" if self.across else ""
        reason, remedy = f"has the same pixels as {that}{parts}", REMEDY
        if self.similarity is not None:
            said = "looks like a copy of" if self.sure else "may be a copy, much changed, of"
            far = "" if self.sure else ", far above that of other pairs"
            reason = f"{said} {that}{parts} (similarity {self.similarity:.2f}{far})"
            remedy = f"look at both and {REMEDY}; if they show two patients, name the pair in `cohort.distinct`"
        return Problem(self.case.case_id, self.column, reason, remedy, self.case.row)

    def mask_problem(self) -> Problem:
        that = f"case {self.other.case_id}{_row(self.other)}, another patient"
        remedy = "look at both on their images: one was probably copied in place of the right one"
        reason = f"is the same mask as that of {that}" if self.column == "lesion_mask" else f"has the lesions of {that}"
        return Problem(self.case.case_id, self.column, reason, remedy, self.case.row)


class _Pairs:
    """Which pairs of cases are named: each case once, with the first that fits, those of other parts before others."""

    def __init__(self, cases: Sequence[Case], distinct: Collection[frozenset[str]]) -> None:
        self.place = {case.case_id: number for number, case in enumerate(cases)}
        self.distinct = distinct

    def of_equals(self, groups: Mapping[str, Sequence[tuple[Case, str]]], of_two_patients: bool = False) -> list[_Pair]:
        """Return the pairs of ``groups`` of cases and columns that hold the same, of two patients alone if asked so."""
        return self._best(
            _Pair(case, column, other, first)
            for members in groups.values()
            for number, (case, column) in enumerate(members)
            for other, first in _tellers(case, members[:number])
            if not (of_two_patients and case.patient == other.patient)
        )

    def of_copies(self, cases: Sequence[Case], contents: Mapping[str, Content]) -> list[_Pair]:
        """Return the pairs of cases of different patients with images that are copies of each other."""
        images = {
            f"{case.case_id}{SEPARATOR}{channel}": (case, channel, fingerprint)
            for case in cases
            for channel, fingerprint in contents[case.case_id].fingerprints.items()
        }
        patients = {name: case.patient for name, (case, _, _) in images.items()}
        prints = {name: fingerprint for name, (_, _, fingerprint) in images.items()}
        candidates = near(prints, patients, threshold=0)
        surely = {pair for pair in candidates if pair.similarity >= SETTINGS[prints[pair.first].ndim].threshold}
        pairs = []
        for pair in [*(one for one in candidates if one in surely), *_standing_out(candidates, prints, surely)]:
            ends = [images[name][:2] for name in (pair.first, pair.second)]
            (other, first), (case, column) = sorted(ends, key=lambda end: self.place[end[0].case_id])
            if not _shared_digests(contents[case.case_id], contents[other.case_id]):
                pairs.append(_Pair(case, column, other, first, pair.similarity, pair in surely))
        return self._best(pairs)

    def _best(self, pairs: Iterator[_Pair] | Sequence[_Pair]) -> list[_Pair]:
        """Return of each case further down the first pair, or the first across parts if there is one."""
        best: dict[str, _Pair] = {}
        for pair in pairs:
            if pair.case.case_id == pair.other.case_id or pair.ids in self.distinct:
                continue
            kept = best.get(pair.case.case_id)
            if kept is None or (pair.across and not kept.across):
                best[pair.case.case_id] = pair
        return list(best.values())


def _standing_out(candidates: Sequence[Pair], prints: Mapping[str, Fingerprint], sure: Collection[Pair]) -> list[Pair]:
    """Return the pairs of volumes of one channel that are no ``sure`` copies, and far more alike than the others."""
    by_channel: dict[str, list[Pair]] = defaultdict(list)
    for pair in candidates:
        one, other = (name.partition(SEPARATOR)[2] for name in (pair.first, pair.second))
        if one == other and prints[pair.first].ndim == VOLUME:
            by_channel[one].append(pair)
    return [pair for pairs in by_channel.values() for pair in unusual(pairs) if pair not in sure]


def _tellers(case: Case, before: Sequence[tuple[Case, str]]) -> Iterator[tuple[Case, str]]:
    """Yield those before ``case`` that may be named beside it: any of another part first."""
    yield from (member for member in before if member[0].split != case.split)
    yield from before


def _shared_digests(one: Content, other: Content) -> set[str]:
    """Return the digests of images that both cases have."""
    return {one.digests[name] for name in one.fingerprints} & {other.digests[name] for name in other.fingerprints}


def _by_digest(cases: Sequence[Case], contents: Mapping[str, Content]) -> dict[str, list[tuple[Case, str]]]:
    groups = defaultdict(list)
    for case in cases:
        content = contents[case.case_id]
        for channel in content.compared:
            groups[content.digests[channel]].append((case, channel))
    return groups


def _by_truth(cases: Sequence[Case], contents: Mapping[str, Content]) -> dict[str, list[tuple[Case, str]]]:
    groups = defaultdict(list)
    for case in cases:
        truth = contents[case.case_id].truth
        if truth is not None:
            groups[truth].append(
                (case, "lesion_table" if case.lesion_table and not case.lesion_mask else "lesion_mask")
            )
    return groups


def _sameness(case: Case, content: Content, colours: Mapping[str, str | None], names: tuple[str, str]) -> str | None:
    """Return why two channels of a case are the same, None where they are not."""
    first, name = names
    one_file = case.channels[first].resolve() == case.channels[name].resolve()
    if one_file:
        return None if colours.get(first) != colours.get(name) else f"is the same file as {first}"
    alike = name in content.fingerprints and first in content.fingerprints
    same = alike and content.digests[name] == content.digests[first]
    return f"has the same pixels as {first}, in another file" if same else None


def _row(case: Case) -> str:
    return f" (row {case.row})" if case.row is not None else ""


def _in_order(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: problem.row or 0))


def _packed(fingerprint: Fingerprint) -> dict[str, Any]:
    values = base64.b64encode(zlib.compress(np.ascontiguousarray(fingerprint).tobytes())).decode()
    return {"shape": list(fingerprint.shape), "values": values}


def _unpacked(packed: Mapping[str, Any]) -> Fingerprint:
    values = np.frombuffer(zlib.decompress(base64.b64decode(packed["values"])), np.int8)
    return values.reshape(packed["shape"])
