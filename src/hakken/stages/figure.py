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
from hakken.runs.shown import require_shown
from hakken.seal.guard import opened_for
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
    opening: Path | None = None,
    ledger: Path | None = None,
    reused: str = "",
) -> None:
    """Draw the figure ``name`` from its ``files`` as ``pictures``, its ``numbers`` as CSV and its origin as ``facts``.

    What warns of the numbers that it draws stands below the pictures and in the JSON file. ``table`` is the case table;
    ``opening`` is that of the test set, known to the ``ledger``, None where nothing of it is shown; ``reused`` says why
    cases that were once opened train here. Raises HakkenError where the ledger does not know the opening, where what is
    frozen is not what was opened, or where a measurement is not what was measured.
    """
    opened = opened_for(opening, ledger)
    require_shown(facts.parents[1], [path for paths in files.values() for path in paths], opened, ledger)
    words = opened.words if opened else None
    origin = Origin(study.title or study.name, study.scale, study.images, words, reused, study.of_phantom)
    drawing: Drawing = plugins.load("figures", name).draw(study, Files(files, origin))
    inputs = [path for paths in files.values() for path in paths]
    warnings = [*warnings_of(name, files), *drawing.warnings]
    details: dict[str, Any] = provenance(
        study,
        figure=name,
        inputs=[*inputs, *([table] if table else [])],
        code=code,
        opening=opened,
        trials=drawing.trials,
        spent=drawing.cost,
        warnings=warnings,
    )
    write_table(numbers, drawing.table.columns, drawing.table.rows)
    publish(drawing.figure, [*pictures, facts], details, warnings)
    progress(f"{name}: {drawing.words}")
