"""Stage `check`: read every case of a batch before anything is computed from it."""

from __future__ import annotations

from pathlib import Path

from hakken.cohort.items import Item, examine_item
from hakken.cohort.table import read_table
from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.files import write_json
from hakken.core.names import counted
from hakken.core.problems import Problem, listed, questions, stopping
from hakken.imaging.checks import examine_case
from hakken.stages import stage
from hakken.study import Study


@stage
def check(*, study: Study, table: Path, cases: list[str], output: Path) -> None:
    """Write ``output``, a JSON with the digest of the content of each of the ``cases`` of ``table``.

    Of images that is the reference channel's pixels, of items all their files, which stand there as well. Raises
    HakkenError that lists every problem of every case: row, column, reason and remedy.
    """
    digests: dict[str, str] = {}
    items: list[Item] = []
    problems: list[Problem] = []
    for number, case in enumerate(read_table(table, study, files_exist=False).select(cases), start=1):
        if study.cohort.kind == "items":
            found, item = examine_item(case)
            items += [item] if item else []
            digest = item.digest if item else None
        else:
            examined = examine_case(case, study)
            found, digest = list(examined.problems), examined.pixel_digest
        problems += found
        if digest is not None:
            digests[case.case_id] = digest
        verdict = counted(len(found), "problem") if stopping(found) else "good"
        progress(f"case {number}/{len(cases)} {case.case_id}: {verdict}")
    odd = questions(problems)
    if odd:
        progress(listed(odd, str(table), "question"))
    if wrong := stopping(problems):
        raise HakkenError(listed(wrong, str(table)))
    write_json(output, {"digests": digests, "items": [item.as_dict() for item in items]})
