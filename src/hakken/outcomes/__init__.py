"""Outcomes: what is predicted of a case, how that is kept, measured and resampled; each a module.

An outcome's module holds

- ``Settings``: the closed model of how it is measured, which stands in a study under `outcomes`;
- ``FIGURES``: the figures of a study whose outcome it is, the main one first;
- ``BASELINES``: the baselines of a study whose models are chosen by it and that names none; a literal;
- ``write(folder, found, part)`` and ``read(folder, part)``: predictions by case id to files and back;
- ``measure(found, part)``: what is `Measured` of them, with intervals over patients;

and, where a training can maximise it,

- ``words(settings)``: the objective in a few words;
- ``objective(found, part)``: its value, high being good;
- ``replicates(tables, part, seed)``: the objective of several models on the same resamples of the patients;

and where there is something to say ``MEASURED_ON``, the kinds of cases that a part must hold to be measured,
``problems(study)``, which yields what does not fit in a study, and ``row_names(study)``, the names of the rows that
`measure` gives, where they are known before.

``found`` maps case ids to what a method predicts; of which kind that is, the outcome's module says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hakken import plugins
from hakken.core.seeds import derive_seed
from hakken.evaluation.caution import NO_WIDTH, Caution, has_no_width, lines, of_few

if TYPE_CHECKING:
    from hakken.cohort.items import Item
    from hakken.imaging.cases import Cases
    from hakken.imaging.prepared import PreparedCase
    from hakken.study import Section, Study

Point = Mapping[str, Any]
Thresholds = float | NDArray[np.float64]
"""A threshold, or one for each case of a part, where its cases are predicted by different models."""


@dataclass(frozen=True)
class Row:
    """A line of what was measured: a name, a value with its 95 % interval, and how many digits are worth printing.

    ``value`` is None where it is undefined; ``text`` stands in its place where the cell is no number. A ``reference``
    is a level to compare the row above with, such as that of guessing: the same for every model. ``warning`` is what a
    reader must know of this number alone; an asterisk in its cell points there.
    """

    name: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    digits: int = 3
    text: str = ""
    reference: bool = False
    warning: str = ""

    @property
    def cell(self) -> str:
        """Return the value as people read it.

        >>> Row("AUC", 0.8123, 0.71, 0.9).cell, Row("cases", text="12, 3").cell, Row("AUC").cell
        ('0.812 [0.710, 0.900]', '12, 3', 'undefined')
        >>> Row("AUC", 1.0, 1.0, 1.0, warning="no width").cell
        '1.000 [1.000, 1.000] *'
        """
        return f"{self._number} *" if self.warning else self._number

    @property
    def _number(self) -> str:
        if self.text:
            return self.text
        if self.value is None:
            return "undefined"
        value = f"{self.value:.{self.digits}f}"
        if self.low is None or self.high is None:
            return value
        return f"{value} [{self.low:.{self.digits}f}, {self.high:.{self.digits}f}]"


@dataclass(frozen=True)
class Table:
    """A table of what was measured, as a CSV file keeps it."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Measured:
    """What was measured of one outcome on one part.

    ``objective`` is its main row; ``rows`` are what summary and report print, ``intervals`` says what their brackets
    are, ``counts`` what was counted. ``point`` is the operating point, None where the outcome has none. ``warnings``
    are about all rows, or about numbers that are none of them; a row has its own. ``details`` are plain values for the
    outcome's own figures, ``tables`` are kept as CSV.
    """

    objective: Row | None
    rows: tuple[Row, ...]
    intervals: str = "95 % intervals, patients resampled"
    counts: Mapping[str, int] = field(default_factory=dict)
    point: Point | None = None
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)

    @property
    def said(self) -> tuple[str, ...]:
        """All warnings, those of single rows with the names of these."""
        own = [Caution(row.name.strip(), row.warning) for row in self.rows if row.warning]
        return (*self.warnings, *lines(own))

    def as_dict(self) -> dict[str, Any]:
        """Return all but the tables as plain values for JSON."""
        return {
            "objective": asdict(self.objective) if self.objective else None,
            "rows": [asdict(row) for row in self.rows],
            "intervals": self.intervals,
            "counts": dict(self.counts),
            "point": dict(self.point) if self.point is not None else None,
            "warnings": list(self.warnings),
            "details": dict(self.details),
        }


def cautioned(measured: Measured) -> Measured:
    """Return what was measured with a warning where intervals are of few patients or have no width."""
    few = [
        line
        for line in of_few(measured.counts.get("patients", 0))
        if not any(line in known for known in measured.warnings)
    ]
    objective = measured.objective and _cautioned(measured.objective)
    rows = tuple(map(_cautioned, measured.rows))
    return replace(measured, objective=objective, rows=rows, warnings=(*few, *measured.warnings))


def _cautioned(row: Row) -> Row:
    return replace(row, warning=row.warning or NO_WIDTH) if has_no_width(row.value, row.low, row.high) else row


def measured_of(content: Mapping[str, Any]) -> Measured:
    """Return what `Measured.as_dict` wrote; tables stay in their files."""
    objective = content["objective"]
    return Measured(
        objective=Row(**objective) if objective else None,
        rows=tuple(Row(**row) for row in content["rows"]),
        intervals=content["intervals"],
        counts=content["counts"],
        point=content["point"],
        warnings=tuple(content["warnings"]),
        details=content["details"],
    )


@dataclass(frozen=True, eq=False)
class Part:
    """The cases of a part in the order of their ids, and what is asked of them.

    ``points`` are thresholds that were chosen elsewhere, by outcome: numbers, or one for each case; an outcome that is
    not among them chooses its own. ``folds`` (n,) is the fold of each case, where there are several.
    """

    study: Study
    cases: Cases
    settings: Section
    points: Mapping[str, Thresholds] = field(default_factory=dict)
    folds: NDArray[np.int64] | None = None

    @property
    def case_ids(self) -> list[str]:
        """The cases by id."""
        return [case.case_id for case in self.cases]

    @property
    def images(self) -> list[PreparedCase]:
        """The cases, which are images; raises HakkenError where they are not."""
        from hakken.imaging.cases import image

        return [image(case) for case in self.cases]

    @property
    def items(self) -> list[Item]:
        """The cases, which are items; raises HakkenError where they are not."""
        from hakken.imaging.cases import item

        return [item(case) for case in self.cases]

    @property
    def patients(self) -> list[str]:
        """The patient of each case; the case itself where nobody says."""
        return [case.patient or case.case_id for case in self.cases]

    @property
    def patient_index(self) -> NDArray[np.int64]:
        """The number of each case's patient (n,), from 0."""
        return np.asarray(np.unique(np.asarray(self.patients), return_inverse=True)[1], np.int64)

    @property
    def resamples(self) -> int:
        """How often the patients are resampled."""
        return self.study.evaluation.bootstrap

    @property
    def seed(self) -> int:
        """The seed of the resamples, the same for all that is measured, so that differences are paired."""
        return derive_seed(self.study.seed, "bootstrap")


@dataclass(frozen=True, eq=False)
class Replicates:
    """The objective of some models (m,) and on each resample of the patients (m, R), those without a value left out.

    ``skipped`` of the ``resamples`` were left out. ``bounds`` are what the objective can be.
    """

    values: NDArray[np.float64]
    drawn: NDArray[np.float64]
    resamples: int
    skipped: int
    seed: int
    bounds: tuple[float, float] = (0.0, 1.0)


def in_order(cases: Sequence[Any]) -> list[Any]:
    """Return cases in the order of their ids, in which everything is measured."""
    return sorted(cases, key=lambda case: str(case.case_id))


def words_of(study: Study) -> str:
    """Return what trainings maximise on validation, in a few words."""
    words: str = plugins.load("outcomes", study.objective).words(study.outcomes[study.objective])
    return words


def chosen_words(point: Mapping[str, Any], unit: str = "false positives per case") -> str:
    """Return in words what an operating point was chosen by: `for 8.4 false positives per case`, `by the Youden index`.

    >>> chosen_words({"chosen_by": "sensitivity:0.9"})
    'for a sensitivity of 0.9'
    """
    if point.get("chosen_by") == "case_scores":
        return "by the scores of the cases"
    if "chosen_by" not in point:
        return f"for {point['chosen_for']:g} {unit}"
    kind, _, level = str(point["chosen_by"]).partition(":")
    return f"for a {kind} of {level}" if level else "by the Youden index"
