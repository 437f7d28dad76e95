"""Stage `check`: read every case of a batch before anything is computed from it."""

from __future__ import annotations

from pathlib import Path

from hakken.cohort.case import Case
from hakken.cohort.checked import NOTHING, Checked, states_of
from hakken.cohort.items import Item, examine_item
from hakken.cohort.table import read_table
from hakken.core.console import log, progress
from hakken.core.errors import HakkenError
from hakken.core.files import sha256_json, write_json
from hakken.core.names import counted
from hakken.core.problems import Problem, listed, questions, stopping
from hakken.imaging.checks import examine_case
from hakken.stages import stage
from hakken.study import Study


@stage
def check(*, study: Study, table: Path, cases: list[str], output: Path) -> None:
    """Write ``output``, a JSON with digests of images and truth of each of the ``cases`` of ``table``, and its files.

    Items stand there as well, and the questions that stop nothing. Raises HakkenError that lists every problem of every
    case: row, column, reason and remedy.
    """
    checked: dict[str, Checked] = {}
    items: list[Item] = []
    problems: list[Problem] = []
    for number, case in enumerate(read_table(table, study, files_exist=False).select(cases), start=1):
        found, images, truth = _examined(case, study, items)
        problems += found
        if not stopping(found):
            checked[case.case_id] = Checked(images, truth, states_of(case.files))
        verdict = counted(len(stopping(found)), "problem") if stopping(found) else "good"
        progress(f"case {number}/{len(cases)} {case.case_id}: {verdict}")
    for question in questions(problems):
        log(f"question: {question}")
    if wrong := stopping(problems):
        raise HakkenError(listed(wrong, str(table)))
    content = {name: one.as_dict() for name, one in checked.items()}
    asked = [str(question) for question in questions(problems)]
    write_json(output, {"cases": content, "questions": asked, "items": [item.as_dict() for item in items]})


def _examined(case: Case, study: Study, items: list[Item]) -> tuple[list[Problem], dict[str, str], str]:
    """Return problems, digests of the images by column, and that of the truth; ``items`` takes a case that is one."""
    if study.cohort.kind == "items":
        problems, item = examine_item(case)
        items += [item] if item else []
        return problems, dict(item.sha256) if item else {}, _labelled(case)
    examined = examine_case(case, study)
    return list(examined.problems), dict(examined.images), examined.truth_digest or _labelled(case)


def _labelled(case: Case) -> str:
    """Return the digest of a truth that is a class in a word."""
    return NOTHING if case.label is None else sha256_json(case.label)
