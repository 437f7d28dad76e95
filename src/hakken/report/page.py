"""The report: one self-contained HTML page that needs no network."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from hakken.files import read_json
from hakken.report.bill import charge, figure_charges, stage_charges
from hakken.report.measurements import measurements
from hakken.report.result import StudyResult, plain, with_interval
from hakken.report.tokens import Rates

CAPTIONS = {
    "froc": "Free-response operating characteristic: share of lesions found against false positives per case, with "
    "95 % intervals from resampled patients. The operating point was chosen on validation.",
    "roc": "Receiver operating characteristic of the cases: sensitivity against false positive rate, with 95 % "
    "intervals. A case has the score of its highest candidate; the operating point was chosen on validation.",
    "search": "Best objective so far, every trial, and how the slots were used.",
    "learnt": "What the search learnt: importance of each parameter, and the objective against it. A best value at the "
    "border of its range is marked: the range may be too narrow.",
    "strata": "Sensitivity at the operating point by lesion diameter and by group of cases.",
    "overlays": "Examples from the test set: found lesions in magenta, false positives in red, missed lesions in blue.",
    "anomalies": "The most anomalous abnormal and normal cases of the test set: the slice through the patch with the "
    "highest error of reconstruction, and the error of each voxel over it. Lesions are outlined.",
    "calibration": "Calibration: z of cases without lesions against the standard normal distribution, and its mean and "
    "standard deviation in each case. Voxels of one patient are not independent, so intervals resample patients.",
    "expectations": "Test lesions, from the highest score to the lowest: what the network sees, the target, what it "
    "expects, with which standard deviation, and z. Lesions in magenta, candidates as crosses.",
    "baseline": "The selected network beside the brightest components of the target channel, on the same resamples.",
    "segmentations": "Test cases with the outlines of truth and of the masks that were found, worst first.",
    "sizes": "Mean Dice on the test set against the multiply-adds of an image: one network trained once for all sizes, "
    "networks of one size trained apart with equal budgets, and the best threshold on one colour.",
    "confusion": "Which classes of lesions are taken for which by the selected network. A lesion is called as its most "
    "probable class; 95 % intervals from resampled patients.",
    "grid": "Accuracy of each network on registered crops and on crops whose channels were moved against each other on "
    "purpose, by cross-validation on the development cases. Dashed: published readers, who saw clinical images.",
    "registration": "Channels before and after registration to the reference channel.",
}


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
    template = environment.get_template("page.html.j2")
    rates = rates or Rates()
    return template.render(
        result=result,
        study=result.study,
        measured=measurements(result.study, result.evaluations, "false positives per case"),
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
    path, kind = (vector, "svg+xml") if vector.stat().st_size < 1_500_000 else (raster, "png")
    data = base64.b64encode(path.read_bytes()).decode()
    name = provenance.stem
    return Picture(name, f"data:image/{kind};base64,{data}", CAPTIONS.get(name, ""), read_json(provenance))
