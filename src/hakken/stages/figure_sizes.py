"""Stage `figure_sizes`: mean Dice against multiply-adds, one network for all sizes beside one for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hakken.core.console import progress
from hakken.plots.publish import publish
from hakken.plots.sizes import Family, SizePoint, SizesInput, draw_sizes, short_number
from hakken.plots.style import Origin, interval_text
from hakken.core.files import read_json
from hakken.baselines.colour_threshold import Threshold
from hakken.networks.unet import Size
from hakken.report.figure import provenance
from hakken.report.seal import read_openings
from hakken.report.tables import read_rows
from hakken.stages import stage
from hakken.stages.size_table import BASELINE, COLUMNS
from hakken.study import Study
from hakken.runs.table import APART, DEFAULT

Row = Mapping[str, str]


@stage
def figure_sizes(
    *, study: Study, sizes: Path, rule: Path, table: Path, openings: Path, code: str, output: list[Path]
) -> None:
    """Draw the table ``sizes`` of `size_table`; ``rule`` is the trivial baseline (JSON)."""
    rows = read_rows(sizes, COLUMNS)
    opened, threshold = len(read_openings(openings)), Threshold(**read_json(rule))
    models = (
        ("once", "trained once, at all sizes", [row for row in rows if row["model"] == DEFAULT]),
        ("tuned", "trained once, tuned", [row for row in rows if row["model"] == "selected"]),
        ("apart", "trained apart, equal budgets", [row for row in rows if row["model"].startswith(APART)][::-1]),
    )
    baseline = next((row for row in rows if row["model"] == BASELINE), None)
    given = SizesInput(
        families=tuple(Family(role, label, tuple(map(_point, found))) for role, label, found in models if found),
        baseline=_interval(baseline, "dice", "low", "high") if baseline else (None, None, None),
        baseline_label=f"threshold: {threshold.words}",
        notes=_notes(study, rows),
        origin=Origin(study.title or study.name, study.scale, study.data, opened),
    )
    facts = provenance(study, figure="sizes", inputs=[sizes, rule, table], code=code, openings=opened)
    publish(draw_sizes(given), output, facts)
    progress(f"{sum(len(family.points) for family in given.families)} sizes")


def _point(row: Row) -> SizePoint:
    dice, low, high = _interval(row, "dice", "low", "high")
    return SizePoint(
        label=Size(int(row["levels"]), float(row["features"])).words,
        multiply_adds=float(row["multiply_adds"]),
        dice=dice,
        low=low,
        high=high,
        cells=(
            interval_text(*_interval(row, "above_baseline", "above_baseline_low", "above_baseline_high")),
            short_number(float(row["parameters"])),
            short_number(float(row["multiply_adds"])),
            f"{float(row['peak_mb']):.2g} MB",
            f"{float(row['latency_ms']):.2g} ms",
        ),
    )


def _interval(row: Row, *names: str) -> tuple[float | None, float | None, float | None]:
    value, low, high = (float(row[name]) if row[name] else None for name in names)
    return value, low, high


def _notes(study: Study, rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the lines on intervals, the comparison with networks trained apart, and the publication."""
    shown = next((row for row in rows if row["latency_ms"]), None)
    notes = ["Brackets and bars: 95 %, patients resampled; differences are paired by case."]
    if shown is not None:
        notes[0] += f" Memory and latency: one image of {shown['shape']} on {shown['device']}, weights included."
    ends = ("above_apart", "above_apart_low", "above_apart_high")
    apart = [
        f"{Size(int(row['levels'])).words} {interval_text(*_interval(row, *ends))}"
        for row in rows
        if row["above_apart"]
    ]
    if apart:
        notes.append(f"Trained once less trained apart: {'; '.join(apart)}.")
    if study.published is not None:
        caution = " (patients; a phantom is no comparison)" if "phantom" in study.data.lower() else ""
        notes.append(f"Published: {study.published.result.rstrip('.')}{caution}.")
    return tuple(notes)
