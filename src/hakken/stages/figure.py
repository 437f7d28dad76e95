"""Stage `figure`: draw one figure of a study from its files, in three formats, with the table that it draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hakken import plugins
from hakken.core.console import progress
from hakken.core.tables import write_table
from hakken.figures import Drawing, Files
from hakken.plots.publish import publish
from hakken.plots.style import Origin
from hakken.report.figure import provenance
from hakken.report.heads import warnings_of
from hakken.report.seal import read_openings
from hakken.stages import stage
from hakken.study import Study


@stage
def figure(
    *,
    study: Study,
    name: str,
    files: dict[str, list[Path]],
    pictures: list[Path],
    facts: Path,
    numbers: Path,
    code: str,
    table: Path | None = None,
    openings: Path | None = None,
) -> None:
    """Draw the figure ``name`` from its ``files`` as ``pictures``, its ``numbers`` as CSV and its origin as ``facts``.

    What warns of the numbers that it draws stands below the pictures and in the JSON file. ``table`` is the case table,
    ``openings`` the ledger of test openings; None where nothing of them is shown.
    """
    opened = len(read_openings(openings)) if openings else None
    origin = Origin(study.title or study.name, study.scale, study.data, opened)
    drawing: Drawing = plugins.load("figures", name).draw(study, Files(files, origin))
    inputs = [path for paths in files.values() for path in paths]
    warnings = [*warnings_of(name, files), *drawing.warnings]
    details: dict[str, Any] = provenance(
        study,
        figure=name,
        inputs=[*inputs, *([table] if table else [])],
        code=code,
        openings=opened,
        trials=drawing.trials,
        spent=drawing.cost,
        warnings=warnings,
    )
    write_table(numbers, drawing.table.columns, drawing.table.rows)
    publish(drawing.figure, [*pictures, facts], details, warnings)
    progress(f"{name}: {drawing.words}")
