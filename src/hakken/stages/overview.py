"""Stage `overview`: all finished studies on one page, and a contact sheet of their figures."""

from __future__ import annotations

from pathlib import Path

from hakken.core.console import progress
from hakken.core.files import write_text
from hakken.plots.overview import Row, contact_sheet
from hakken.plots.publish import save_one
from hakken.report.overview import overview_page
from hakken.report.result import StudyResult, gather
from hakken.stages import stage
from hakken.study import Study


@stage
def overview(*, studies: list[Study], folders: list[Path], page: Path, sheet: Path) -> None:
    """Write the Markdown ``page`` and the PNG ``sheet`` of ``studies``, whose results stand in ``folders``."""
    results = [gather(study, folder) for study, folder in zip(studies, folders, strict=True)]
    save_one(contact_sheet([_row(result) for result in results]), sheet)
    write_text(page, overview_page(results, sheet.name))
    progress(f"{len(results)} studies: {page}")


def _row(result: StudyResult) -> Row:
    study = result.study
    pictures = tuple((name, result.folder / "figures" / f"{name}.png") for name in study.drawn)
    note = f"{study.name} at scale {study.scale}, measured on: {study.images}"
    return Row(study.title or study.name, note, pictures)
