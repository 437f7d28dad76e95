"""`hakken redraw`: a figure of finished results, from these files alone."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hakken import plugins
from hakken.commands.parser import add_command
from hakken.core.errors import HakkenError
from hakken.core.names import nearest

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers
    from hakken.runs.plan import Plan
    from hakken.study import Study


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "redraw",
        "draw a figure of finished results again, from the folder of results alone, wherever it stands",
        "hakken redraw results/brain_metastasis/tiny froc",
        run,
    )
    parser.add_argument("results", type=Path, metavar="RESULTS", help="folder of the results of a study at a scale")
    parser.add_argument("figure", metavar="FIGURE", help="name of the figure")


def run(options: argparse.Namespace) -> None:
    """Draw the figure in the folder `figures` of the results; no case, model or measurement is touched."""
    from hakken.runs.beside import STUDY
    from hakken.study import Study
    from hakken.study.reading import read_mapping

    results = options.results.resolve()
    if not (results / STUDY).is_file():
        raise HakkenError(f"{options.results / STUDY}: no such file; name the folder of results/<study>/<scale>")
    study = Study.model_validate(read_mapping(results / STUDY))
    known = plugins.names("figures")
    if options.figure not in known:
        raise HakkenError(f"no figure `{options.figure}`, there are {', '.join(known)}{nearest(options.figure, known)}")
    with _standing_at(results, study):
        _draw(study, options.figure)
    for path in sorted((options.results / "figures").glob(f"{options.figure}.*")):
        print(path)


@contextmanager
def _standing_at(results: Path, study: Study) -> Iterator[None]:
    """Work in a folder where the results stand as they did when they were made; the case table need not be there."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "results" / study.name
        place.mkdir(parents=True)
        (place / study.scale).symlink_to(results, target_is_directory=True)
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def _draw(study: Study, name: str) -> None:
    from hakken.runs import drawn_from, jobs
    from hakken.stages.figure import figure

    plan = _plan_of(study)
    wildcards = {"study": study.name, "scale": study.scale, "figure": name}
    files = {key: [Path(path) for path in paths] for key, paths in drawn_from.figure_inputs(plan, name).items()}
    drawn_from.require_figure(plan, name)
    missing = next((path for paths in files.values() for path in paths if not path.exists()), None)
    if missing is not None:
        raise HakkenError(f"{missing.relative_to(plan.root)}: missing from the results; the figure `{name}` needs it")
    stem = Path(plan.root) / "figures" / name
    opening = Path(plan.root) / "test/opening.json"
    figure(
        study=study,
        name=name,
        files=files,
        pictures=[stem.with_suffix(f".{ending}") for ending in ("pdf", "svg", "png")],
        facts=stem.with_suffix(".json"),
        numbers=stem.with_suffix(".csv"),
        code=jobs.code({study.name: plan}, wildcards, "figure"),
        opening=opening if drawn_from.is_of_test(plan, name) and opening.is_file() else None,
        reused=study.cohort.reuse_opened,
    )


def _plan_of(study: Study) -> Plan:
    """Return the plan of finished results: what its batches hold, the checked cases say."""
    from hakken.cohort.batches import CohortPlan
    from hakken.cohort.case import CaseTable
    from hakken.core.files import read_json
    from hakken.runs.plan import Plan

    if study.cohort.kind == "none":
        return Plan(study, None)
    batches: dict[str, dict[str, tuple[str, ...]]] = {part: {} for part in study.parts}
    for path in sorted((Path("results") / study.name / study.scale / "checked").glob("*-*.json")):
        part, _, batch = path.stem.rpartition("-")
        if part in batches:
            batches[part][batch] = tuple(read_json(path)["cases"])
    return Plan(study, CohortPlan(study, Path(study.cohort.table or "cases.csv"), CaseTable(()), batches, 1))
