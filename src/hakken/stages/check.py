"""Stage `check`: read every case of a batch before anything is computed from it."""

from __future__ import annotations

from pathlib import Path

from hakken.cohort.case import Case
from hakken.cohort.checked import NOTHING, Checked, states_of
from hakken.cohort.items import Item, examine_item
from hakken.cohort.similarity import Content, same_within
from hakken.cohort.table import read_table
from hakken.core.console import progress
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

    Items stand there as well. Raises HakkenError that lists every problem of every case: row, column, reason and
    remedy.
    """
    checked: dict[str, Checked] = {}
    items: list[Item] = []
    problems: list[Problem] = []
    for number, case in enumerate(read_table(table, study, files_exist=False).select(cases), start=1):
        found, content, truth = _examined(case, study, items)
        problems += found
        if not stopping(found):
            checked[case.case_id] = Checked(content, truth, states_of(case.files))
        verdict = counted(len(stopping(found)), "problem") if stopping(found) else "good"
        progress(f"case {number}/{len(cases)} {case.case_id}: {verdict}")
    if odd := questions(problems):
        progress(listed(odd, str(table), "question"))
    if wrong := stopping(problems):
        raise HakkenError(listed(wrong, str(table)))
    known = {name: one.as_dict() for name, one in checked.items()}
    asked = [str(question) for question in odd]
    write_json(output, {"cases": known, "questions": asked, "items": [item.as_dict() for item in items]})


def _examined(case: Case, study: Study, items: list[Item]) -> tuple[list[Problem], Content, str]:
    """Return problems, what the images hold, and the digest of the truth; ``items`` takes a case that is one."""
    if study.cohort.kind == "items":
        problems, item = examine_item(case)
        items += [item] if item else []
        return problems, Content(dict(item.sha256) if item else {}, fingerprinted=False), _labelled(case)
    examined = examine_case(case, study)
    content = Content(examined.images, examined.fingerprints, examined.findings, not study.of_phantom)
    colours = {name: channel.colour for name, channel in study.channels.items()}
    problems = [*examined.problems, *same_within(case, content, colours)]
    lesions = examined.truth_digest or _labelled(case)
    whole = lesions if examined.regions_digest is None else sha256_json([lesions, examined.regions_digest])
    return problems, content, whole


def _labelled(case: Case) -> str:
    """Return the digest of a truth that is a class in a word."""
    return NOTHING if case.label is None else sha256_json(case.label)
