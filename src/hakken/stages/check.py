"""Check: read every image of a batch of cases before anything is computed from them."""

from __future__ import annotations

from pathlib import Path

from hakken.cohort.table import read_table
from hakken.console import progress
from hakken.errors import HakkenError
from hakken.files import write_json
from hakken.imaging.checks import examine_case
from hakken.problems import Problem, listed
from hakken.stages import stage
from hakken.study import Study


@stage
def check(*, study: Study, table: Path, cases: list[str], output: Path) -> None:
    """Write ``output``, a JSON of {case id: digest of the reference channel's pixels}, for the ``cases`` of ``table``.

    Raises HakkenError that lists every problem of every case: row, column, reason and remedy.
    """
    digests: dict[str, str] = {}
    problems: list[Problem] = []
    for number, case in enumerate(read_table(table, study, files_exist=False).select(cases), start=1):
        found = examine_case(case, study)
        problems += found.problems
        if found.pixel_digest is not None:
            digests[case.case_id] = found.pixel_digest
        verdict = f"{len(found.problems)} problems" if found.problems else "good"
        progress(f"case {number}/{len(cases)} {case.case_id}: {verdict}")
    if problems:
        raise HakkenError(listed(problems, str(table)))
    write_json(output, digests)
