"""What the workflow must know of a cohort before it starts: which cases stand in which batch of which part.

Who starts a run chooses how many cases a batch holds: few on one machine, many on a cluster. A run keeps the number
that it was begun with, which stands in ``batches.json`` beside its results: batches are named by their place, so with
another number the finished ones would be other cases' and all would have to be made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hakken.cohort.split import assign_parts, batches, phantom_table
from hakken.cohort.table import CaseTable, read_table
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, write_json
from hakken.study import Part, Study

RECORD = "batches.json"
KEY = "cases_per_job"


@dataclass(frozen=True)
class CohortPlan:
    """A study's cases in batches: ``batches[part][batch]`` holds case ids in the order of the case table."""

    study: Study
    table: Path
    cohort: CaseTable
    batches: dict[Part, dict[str, tuple[str, ...]]]
    cases_per_job: int

    def files(self, part: Part, batch: str) -> list[Path]:
        """Return the image and truth files of a batch."""
        return [path for case in self.cohort.select(self.batches[part][batch]) for path in case.files]


def plan_cohort(study: Study, cases_per_job: int) -> CohortPlan:
    """Read or derive the case table of a study and divide it into batches; raises HakkenError naming bad rows.

    Batches hold ``cases_per_job`` cases each, or as many as in the run that was begun in this folder.
    """
    results = Path("results") / study.name / study.scale
    each = begun_with(results) or cases_per_job
    if study.cohort.phantom is not None:
        table = results / "cohort" / "cases.csv"
        cohort = phantom_table(study, table.parent, each)
    else:
        table = Path(study.cohort.table or "")
        cohort = assign_parts(read_table(table, study), study)
    parts = study.parts
    nested: dict[Part, dict[str, tuple[str, ...]]] = {part: {} for part in parts}
    for (part, batch), cases in batches(cohort, each, parts).items():
        nested[part][batch] = cases
    return CohortPlan(study, table, cohort, nested, each)


def begun_with(results: Path) -> int | None:
    """Return how many cases a batch of the run in the ``results`` folder holds; None where none was begun.

    Raises HakkenError where the record cannot be understood.
    """
    path = results / RECORD
    if not path.exists():
        return None
    found = read_json(path).get(KEY)
    if type(found) is not int or found < 1:
        raise HakkenError(f"{path}: `{KEY}` is {found!r} and no number of cases; move {results} away to start afresh")
    return found


def record_batches(plan: CohortPlan) -> None:
    """Write down how many cases a batch of a plan holds, where its results will stand."""
    path = Path("results") / plan.study.name / plan.study.scale / RECORD
    if not path.exists():
        write_json(path, {KEY: plan.cases_per_job})


def kept_batches(plan: CohortPlan, wanted: int) -> str | None:
    """Return the line that says why a plan has other batches than ``wanted``; None where it has those."""
    if plan.cases_per_job == wanted:
        return None
    results = Path("results") / plan.study.name / plan.study.scale
    return (
        f"{results}: begun with {plan.cases_per_job} cases a job, and goes on so, not with {wanted}, "
        f"so that finished batches count; move {results} away to start afresh with {wanted}"
    )
