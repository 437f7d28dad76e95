"""The ledger of test openings: a folder with one file an opening, each with the hash of the one before inside.

An opening belongs to the cases that were opened and not to a study or its folder: it names them by digests of their
pixels and truth and by a hash of the patient, and holds no name, so that a renamed patient or a copied table is
recognised. A file is created exclusively and never changed; where two runs take the same number, one takes the next.
A full copy of each, the receipt, stands with the results.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hakken.cohort.parts import writing_openings
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, sha256_json
from hakken.core.publish import create

ORIGIN = "0" * 64
FILE = re.compile(r"(\d{4,})\.json")
TEXTS = ("number", "begun", "study", "scale", "design", "reason", "freeze", "models")
BACKUP = (
    "test results cannot be trusted without it: restore it from a backup; or, where its receipt in results is sound, "
    "move the file away and run `hakken openings STUDY --restore`"
)


@dataclass(frozen=True, order=True)
class CaseKey:
    """What a case is known by: a hash of the patient, digests of its images (sorted) and of its truth."""

    patient: str
    images: tuple[str, ...]
    truth: str

    def as_list(self) -> list[Any]:
        """Return the key as plain values."""
        return [self.patient, list(self.images), self.truth]


@dataclass(frozen=True)
class Opening:
    """One opening of test cases for what was frozen.

    ``freeze`` is the hash of the models and their operating points, or of the plan where each fold has its own.
    ``restored`` are the days on which this copy was made from the other one.
    """

    number: int
    begun: str
    study: str
    scale: str
    design: str
    reason: str
    freeze: str
    models: Mapping[str, str]
    cases: tuple[CaseKey, ...]
    previous: str
    restored: tuple[str, ...] = field(default=(), compare=False)

    @property
    def body(self) -> dict[str, Any]:
        """Everything that the hash is of."""
        return {
            "number": self.number,
            "begun": self.begun,
            "study": self.study,
            "scale": self.scale,
            "design": self.design,
            "reason": self.reason,
            "freeze": self.freeze,
            "models": dict(self.models),
            "cases": [case.as_list() for case in self.cases],
            "previous": self.previous,
        }

    @property
    def hash(self) -> str:
        """The SHA-256 of all that an opening says."""
        return sha256_json(self.body)

    @property
    def words(self) -> str:
        """What stands below every figure."""
        return f"test opening {self.number} known to this ledger, begun on {self.begun[:10]}"

    def as_dict(self) -> dict[str, Any]:
        """Return the content of the file."""
        return self.body | {"hash": self.hash} | ({"restored": list(self.restored)} if self.restored else {})

    def same_cases(self, other: Opening) -> bool:
        """Whether the same is frozen and the same cases are opened, whatever their patients are called."""
        return (self.freeze, self._contents) == (other.freeze, other._contents)

    @property
    def _contents(self) -> frozenset[tuple[tuple[str, ...], str]]:
        return frozenset((case.images, case.truth) for case in self.cases)


def read_opening(path: Path) -> Opening:
    """Return the opening of a file; raises HakkenError where the file does not hold what it held when it was made."""
    content = read_json(path)
    try:
        found = Opening(
            **{key: content[key] for key in TEXTS},
            cases=tuple(CaseKey(patient, tuple(images), truth) for patient, images, truth in content["cases"]),
            previous=content["previous"],
            restored=tuple(content.get("restored", ())),
        )
        sound = found.hash == content["hash"]
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise HakkenError(f"{path}: an opening of the test set that was changed since it was written; {BACKUP}")
    return found


def read_openings(ledger: Path) -> tuple[Opening, ...]:
    """Return all openings of a ledger, the first one first; none where there is no folder.

    Raises HakkenError naming the file that is missing, was changed or does not follow the one before.
    """
    numbers = sorted(int(found[1]) for path in ledger.glob("*.json") if (found := FILE.fullmatch(path.name)))
    openings: list[Opening] = []
    for number in range(1, max(numbers, default=0) + 1):
        path = place_of(ledger, number)
        if not path.is_file():
            raise HakkenError(f"{path}: missing, though opening {max(numbers)} is there; {BACKUP}")
        opening = read_opening(path)
        if (opening.number, opening.previous) != (number, openings[-1].hash if openings else ORIGIN):
            raise HakkenError(f"{path}: does not follow the opening before it, one of the two was replaced; {BACKUP}")
        openings.append(opening)
    return tuple(openings)


def place_of(folder: Path, number: int) -> Path:
    """Return the file of an opening in a ledger or among receipts."""
    return folder / f"{number:04d}.json"


def append(ledger: Path, wanted: Callable[[tuple[Opening, ...]], Opening | None]) -> Opening | None:
    """Add the opening that is ``wanted`` after those that are known; nothing where None is.

    Where another run takes the number first, it is asked again what is wanted. A killed writer leaves the ledger whole.
    """
    while True:
        known = read_openings(ledger)
        opening = wanted(known)
        if opening is None:
            return None
        opening = replace(opening, number=len(known) + 1, previous=known[-1].hash if known else ORIGIN)
        with writing_openings(ledger):
            if create(place_of(ledger, opening.number), opening.as_dict()):
                return opening


def open_cases(ledger: Path, new: Opening) -> Opening:
    """Return the opening of the cases of ``new`` for what was frozen: the one that the ledger knows already, else this.

    `new_opening` makes it.
    """
    known: list[Opening] = []

    def wanted(openings: tuple[Opening, ...]) -> Opening | None:
        known[:] = [one for one in openings if one.same_cases(new)]
        return None if known else replace(new, reason=_why(new, openings))

    return append(ledger, wanted) or known[-1]


def new_opening(
    *, study: str, scale: str, design: str, freeze: str, models: Mapping[str, str], cases: Iterable[CaseKey]
) -> Opening:
    """Return an opening of this moment that has no number yet."""
    begun = datetime.now(UTC).isoformat(timespec="seconds")
    return Opening(0, begun, study, scale, design, "", freeze, dict(models), tuple(sorted(cases)), ORIGIN)


def again(last: Opening, reason: str) -> Opening:
    """Return another opening of the same cases for the same models, of this moment, that has no number yet."""
    return replace(last, begun=datetime.now(UTC).isoformat(timespec="seconds"), reason=reason, restored=())


def _why(new: Opening, openings: Sequence[Opening]) -> str:
    """Return in words why an opening is none of those before: what is new."""
    same_freeze = [one for one in openings if one.freeze == new.freeze]
    if same_freeze:
        return f"the same models as in opening {same_freeze[-1].number}, other test images or truth"
    seen = [one for one in openings if _known_by(one) & _known_by(new)]
    return f"other models than in opening {seen[-1].number}" if seen else "first opening of these cases"


def _known_by(opening: Opening) -> set[str]:
    """Return the hashes of the patients of an opening, and the digests of their images."""
    return {text for case in opening.cases for text in (case.patient, *case.images)}


def earlier_opening(line: Mapping[str, Any], study: str, scale: str, design: str) -> Opening:
    """Return the opening of a line of the ledger of hakken 0.1 and 0.2, which did not say which cases it opened."""
    models = {str(name): str(digest) for name, digest in line["models"].items()}
    reason = "counted by an earlier version of hakken, which did not write down the cases"
    return Opening(0, str(line["time"]), study, scale, design, reason, str(line["freeze"]), models, (), ORIGIN)
