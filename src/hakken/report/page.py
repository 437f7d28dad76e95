"""The report: one self-contained HTML page that needs no network."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from hakken import plugins
from hakken.core.files import read_json
from hakken.outcomes import words_of
from hakken.report.bill import charge, figure_charges, stage_charges
from hakken.report.result import (
    StudyResult,
    averaged_words,
    chosen_words,
    confirmed_words,
    counted,
    is_average,
    measured_table,
    objective_of,
    plain,
    rung_words,
    variants_table,
    with_interval,
)
from hakken.report.tokens import Rates

LARGEST_VECTOR = 1_500_000
"""Bytes of an SVG above which the PNG is embedded."""


@dataclass(frozen=True)
class Picture:
    """A figure on the page: its picture as a data address, its caption and what it was made from."""

    name: str
    source: str
    caption: str
    provenance: dict[str, Any]


def render(result: StudyResult, figures: list[Path], rates: Rates | None = None) -> str:
    """Return the page of a finished study; ``figures`` are the figures' provenance files, ``rates`` those of a site."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hakken.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["interval"] = with_interval
    environment.filters["plain"] = plain
    environment.filters["objective"] = objective_of
    environment.filters["confirmed"] = confirmed_words
    environment.filters["chosen"] = chosen_words
    environment.filters["averaged"] = averaged_words
    environment.filters["rungs"] = rung_words
    environment.filters["is_average"] = is_average
    template = environment.get_template("page.html.j2")
    rates = rates or Rates()
    heads, rows = measured_table(result)
    return template.render(
        result=result,
        study=result.study,
        heads=heads,
        rows=rows,
        intervals=result.measurements[result.main[0]].main.intervals,
        counted=counted(result),
        objective=words_of(result.study),
        variants=variants_table(result),
        pictures=[_picture(path) for path in figures],
        costs=list(zip(result.costs, stage_charges(result.jobs, rates), strict=True)),
        figure_charges=figure_charges([path.stem for path in figures], result.jobs, rates),
        total=charge("all", result.jobs, rates),
        rates=rates,
        unfinished=sum(job.unfinished for job in result.jobs),
        unfinished_cpu_hours=sum(job.unfinished_cpu_seconds for job in result.jobs) / 3600,
    )


def _picture(provenance: Path) -> Picture:
    """Embed the SVG of a figure where it is small, else its PNG."""
    vector, raster = provenance.with_suffix(".svg"), provenance.with_suffix(".png")
    path, kind = (vector, "svg+xml") if vector.stat().st_size < LARGEST_VECTOR else (raster, "png")
    data = base64.b64encode(path.read_bytes()).decode()
    name = provenance.stem
    caption = str(plugins.literals("figures", name)["CAPTION"])
    return Picture(name, f"data:image/{kind};base64,{data}", caption, read_json(provenance))
