"""Several studies on one page: what their publications report beside what was measured here, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hakken.report.result import StudyResult
from hakken.runs.table import SELECTED

HEADS = ("study", "published", "measured on test, selected", "on", "unclear in the publication")


def overview_page(results: Sequence[StudyResult], picture: str) -> str:
    """Return a page with the table *published and ours* and the contact sheet of all figures, the file ``picture``.

    Every row says what our numbers were measured on; a number measured on a phantom is none about patients.
    """
    lines = [
        "# Published and ours",
        "",
        "What the publications report was measured on patients; what stands beside it was measured on what the column "
        "`on` says. Numbers of a phantom test the software and say nothing about patients.",
        "",
        *_table(HEADS, (_row(result) for result in results)),
        "",
        "# Figures",
        "",
        f"![Contact sheet of all figures]({picture})",
    ]
    return "\n".join(lines) + "\n"


def _row(result: StudyResult) -> tuple[str, ...]:
    study, published = result.study, result.study.published
    key = next(key for key in (("test", SELECTED), ("records", SELECTED)) if key in result.measurements)
    measured = result.measurements[key]
    ours = "; ".join(f"{row.name.strip()} {row.cell}" for row in measured.rows)
    counts = ", ".join(f"{count} {what}" for what, count in measured.main.counts.items())
    return (
        f"`{study.name}`",
        f"{published.result} ({published.citation})" if published else "nothing",
        f"{ours} ({measured.main.intervals}){''.join(f'; * {line}' for line in measured.warnings)}",
        f"{study.images}, scale `{study.scale}`; {counts}",
        (published.unclear if published else "") or "",
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_line(heads), _line(["---"] * len(heads)), *map(_line, rows)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ").strip() for cell in cells) + " |"
