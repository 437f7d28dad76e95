"""Files that figures are drawn from, made by the very code that makes them in a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hakken.core.files import write_json
from hakken.figures import Files
from hakken.outcomes import in_order
from hakken.plots.style import Origin
from hakken.runs.predictions import write_predictions
from hakken.stages.measure import measure
from hakken.study import Study

ORIGIN = Origin("A study", "tiny", "phantom", None, phantom=True)


def files(**named: Path | Sequence[Path]) -> Files:
    """Return files by name."""
    listed = {name: (given,) if isinstance(given, Path) else tuple(given) for name, given in named.items()}
    return Files(listed, ORIGIN)


def predicted(folder: Path, study: Study, found: Mapping[str, Mapping[str, Any]], cases: Sequence[Any]) -> Path:
    """Write what is ``found`` of each outcome, by case id."""
    by_case = {
        case.case_id: {outcome: said[case.case_id] for outcome, said in found.items()} for case in in_order(cases)
    }
    write_predictions(folder, by_case, study, in_order(cases), tuple(found))
    return folder


def measured(
    folder: Path, study: Study, predictions: Path, places: Sequence[Path], part: str = "test", **more: Any
) -> Path:
    """Measure predictions as the workflow does; the model has the name of the folder."""
    measure(
        study=study,
        predictions=predictions,
        cases=list(places),
        model=folder.name,
        part=part,
        output=folder,
        **more,
    )
    return folder


def record(path: Path, number: int = 7, **trial: Any) -> Path:
    """Write what is recorded of a selected model."""
    content = {"number": number, "objective": 0.4, "all_parameters": {}} | trial
    write_json(path, {"trial": content, "trials": {"complete": 1}, "gpu_seconds": 1.5})
    return path


def trial(folder: Path, number: int, sweep: str = "search", **more: Any) -> Path:
    """Write the record of a finished trial, which takes the minute of its number and half of the next."""
    path = folder / sweep / f"{number:04d}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {
        "sweep": sweep,
        "number": number,
        "parameters": {},
        "state": "complete",
        "objective": 0.5,
        "start": f"2026-01-01T00:{number:02d}:00.000+00:00",
        "end": f"2026-01-01T00:{number + 1:02d}:30.000+00:00",
        "gpu_seconds": 2.0,
        "host": "host",
        "device": "cpu",
        "threads": 1,
    }
    path.write_text(json.dumps(content | more))
    return path


def handed(monkeypatch: Any, figure: Any, draw: str, *arguments: Any) -> tuple[Any, ...]:
    """Return what a ``figure`` hands to the function that draws, and its `Drawing`, without drawing anything."""
    seen: list[Any] = []
    monkeypatch.setattr(figure, draw, lambda *given: seen.extend(given))
    drawing = figure.draw(*arguments)
    return (*seen, drawing)
