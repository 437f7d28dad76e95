"""Stage `separate`: no image stands in two parts of the cohort, and none that was opened as test trains."""

from __future__ import annotations

from pathlib import Path

from hakken.cohort.checked import read_checked
from hakken.cohort.similarity import problems_between
from hakken.cohort.split import assign_parts
from hakken.cohort.table import read_table
from hakken.core.console import log, progress
from hakken.core.errors import HakkenError
from hakken.core.files import write_json
from hakken.core.problems import listed, questions, stopping
from hakken.seal.elsewhere import opened_elsewhere, openings_elsewhere
from hakken.seal.guard import opened_images
from hakken.seal.openings import read_openings
from hakken.stages import stage
from hakken.study import Study


@stage
def separate(*, study: Study, table: Path, digests: list[Path], ledger: Path, output: Path) -> None:
    """Compare what was checked of all batches, and with the openings in the ``ledger`` and elsewhere.

    Raises HakkenError naming every pair of cases with identical or nearly the same pixels in two parts, every case that
    trains although it was opened as a test case, and every case that was opened without the ledger knowing.
    """
    checked = read_checked(digests)
    cohort = assign_parts(read_table(table, study, files_exist=False), study)
    contents = {case_id: one.content for case_id, one in checked.items()}
    problems = problems_between(contents, cohort, [frozenset(pair) for pair in study.cohort.distinct])
    if not study.cohort.reuse_opened:
        problems += opened_images(study, cohort, read_openings(ledger), checked)
        if not study.of_phantom:
            problems += opened_elsewhere(cohort, openings_elsewhere(ledger, cohort, output.parents[1]), checked)
    for question in questions(problems):
        log(f"question: {question}")
    if wrong := stopping(problems):
        raise HakkenError(listed(wrong, str(table)))
    write_json(output, {name: {"images": dict(one.images), "truth": one.truth} for name, one in checked.items()})
    progress(f"{len(checked)} cases, no image in two parts")
