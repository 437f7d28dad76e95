"""Stage `separate`: no image stands in two parts of the cohort."""

from __future__ import annotations

from pathlib import Path

from hakken.cohort.checks import identical_pixels
from hakken.cohort.split import assign_parts
from hakken.cohort.table import read_table
from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, write_json
from hakken.core.problems import listed
from hakken.stages import stage
from hakken.study import Study


@stage
def separate(*, study: Study, table: Path, digests: list[Path], output: Path) -> None:
    """Compare the pixel digests of all checked batches.

    Raises HakkenError naming every pair of cases with identical pixels in two parts.
    """
    found: dict[str, str] = {}
    for path in digests:
        found.update(read_json(path)["digests"])
    cohort = assign_parts(read_table(table, study, files_exist=False), study)
    problems = identical_pixels(found, cohort)
    if problems:
        raise HakkenError(listed(problems, str(table)))
    write_json(output, found)
    progress(f"{len(found)} cases, no image in two parts")
