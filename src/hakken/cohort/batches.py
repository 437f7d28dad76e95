"""What the workflow must know of a cohort before it starts: which cases stand in which batch of which part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hakken.cohort.split import assign_parts, batches, phantom_table
from hakken.cohort.table import CaseTable, read_table
from hakken.study import Part, Study


@dataclass(frozen=True)
class CohortPlan:
    """A study's cases in batches: ``batches[part][batch]`` holds case ids in the order of the case table."""

    study: Study
    table: Path
    cohort: CaseTable
    batches: dict[Part, dict[str, tuple[str, ...]]]

    def files(self, part: Part, batch: str) -> list[Path]:
        """Return the image and truth files of a batch."""
        return [path for case in self.cohort.select(self.batches[part][batch]) for path in case.files]


def plan_cohort(study: Study, cases_per_job: int) -> CohortPlan:
    """Read or derive the case table of a study and divide it into batches; raises HakkenError naming bad rows."""
    if study.cohort.phantom is not None:
        table = Path("results") / study.name / study.scale / "cohort" / "cases.csv"
        cohort = phantom_table(study, table.parent, cases_per_job)
    else:
        table = Path(study.cohort.table or "")
        cohort = assign_parts(read_table(table, study), study)
    nested: dict[Part, dict[str, tuple[str, ...]]] = {"train": {}, "validation": {}, "test": {}}
    for (part, batch), cases in batches(cohort, cases_per_job).items():
        nested[part][batch] = cases
    return CohortPlan(study, table, cohort, nested)
