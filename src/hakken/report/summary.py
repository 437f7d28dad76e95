"""The last words of a run: what was found, and where it stands."""

from __future__ import annotations

from hakken.report.measurements import measurements
from hakken.report.result import StudyResult, plain, with_interval

WIDTH = 34


def summarise(result: StudyResult) -> str:
    """Return the summary of a finished study as plain text."""
    study = result.study
    lines = [
        "",
        f"{study.title or study.name}",
        f"study {study.name} at scale {study.scale}, data: {study.data}; research use only",
        "",
        *_measurements(result),
        "",
        *_selection(result),
        "",
        *_cost(result),
        "",
        *_paths(result),
    ]
    return "\n".join(lines) + "\n"


def _measurements(result: StudyResult) -> list[str]:
    """Return the table of what was measured, with 95 % intervals."""
    heads = ["validation", f"test (opening {len(result.openings)})", "test, untuned default"]
    table = measurements(result.study, result.evaluations, "FPs/case")
    return [_row(table.intervals, heads), *(_row(head, list(cells)) for head, cells in table.rows)]


def _selection(result: StudyResult) -> list[str]:
    """Return the selected trial, how the search went and the selected parameters."""
    best = result.selection["models"]["selected"]
    states = ", ".join(f"{count} {state}" for state, count in result.selection["trials"].items())
    untuned = result.selection["models"]["default"]["objective"]
    honest = with_interval(result.optimism["corrected"], 3)
    lines = [
        f"selected: trial {best['number']} of {result.trials} ({states})",
        f"  validation objective {best['objective']:.3f}, corrected for the choice of the best {honest}, "
        f"untuned default {untuned:.3f}",
    ]
    parameters = [f"{name} {plain(value)}" for name, value in best["parameters"].items()]
    for start in range(0, len(parameters), 4):
        lines.append("  " + "".join(f"{text:<32}" for text in parameters[start : start + 4]).rstrip())
    return lines


def _cost(result: StudyResult) -> list[str]:
    jobs = sum(cost.jobs for cost in result.costs)
    return [
        f"cost: {jobs} jobs, {result.cpu_hours:.2f} CPU-hours, {result.gpu_hours:.2f} GPU-hours, "
        f"at most {result.peak_mb:.0f} MB in one job"
    ]


def _paths(result: StudyResult) -> list[str]:
    figures = {
        "froc": "FROC figure",
        "roc": "ROC figure",
        "sizes": "sizes figure",
        "grid": "grid figure",
        "confusion": "confusion",
        "search": "search figure",
    }
    lines = [
        f"{label + ':':<15}{result.folder / 'figures' / name}.pdf (.svg, .png)"
        for name, label in figures.items()
        if name in result.study.figures
    ]
    return [*lines, f"{'report:':<15}{result.folder / 'report.html'}"]


def _row(head: str, cells: list[str]) -> str:
    return f"{head:<{WIDTH}}  " + "  ".join(f"{cell:<24}" for cell in cells).rstrip()
