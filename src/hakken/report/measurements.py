"""The table of what a finished study measured, as the summary and the report show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hakken.networks.unet import Size
from hakken.report.result import with_interval
from hakken.study import Study

COLUMNS = (("validation", "selected"), ("test", "selected"), ("test", "default"))
SHARES = ("sensitivity", "specificity", "ppv", "npv")
SPOKEN = {"ppv": "PPV", "npv": "NPV"}

Evaluations = Mapping[tuple[str, str], Mapping[str, Any]]
Rows = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Measurements:
    """Rows of a head and a cell for each of `COLUMNS`; what the intervals are; what was counted, and the counts."""

    intervals: str
    rows: Rows
    counted: str
    counts: tuple[str, ...]


def measurements(study: Study, evaluations: Evaluations, unit: str) -> Measurements:
    """Return the table of a study from its evaluations by part and model; ``unit`` is how to write FP per case."""
    found = [evaluations[column] for column in COLUMNS]
    if study.task == "segmentation":
        return _of_masks(found)
    if study.task == "classification":
        return _of_classes(found)
    return _of_cases(found) if study.of_cases else _of_lesions(study, found, unit)


def case_rows(found: list[Mapping[str, Any]]) -> Rows:
    """Return the AUC and what the operating point gives for the ROC of each measurement, with logit and Wilson ends."""
    rows = [("AUC of the cases", tuple(with_interval(area_of(one), 3) for one in found))]
    for share in SHARES:
        entries = [one["roc"]["operating_point"][share] for one in found]
        cells = tuple(with_interval({"value": entry["value"]} | entry["wilson"]) for entry in entries)
        rows.append((SPOKEN.get(share, share), cells))
    return tuple(rows)


def area_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the AUC of the cases of a measurement with DeLong's interval on the logit scale.

    Where patients have several cases the variance is the clustered one.
    """
    area = found["roc"]["auc"]
    spread = area["clustered"] or area["delong"]
    return {"value": area["value"]} | (spread["logit"] if spread else {})


def _of_cases(found: list[Mapping[str, Any]]) -> Measurements:
    counts = [one["roc"]["counts"] for one in found]
    return Measurements(
        "95 % intervals: DeLong, Wilson",
        case_rows(found),
        "abnormal cases, normal cases",
        tuple(f"{count['abnormal']}, {count['normal']}" for count in counts),
    )


def _of_classes(found: list[Mapping[str, Any]]) -> Measurements:
    rows = [
        ("balanced accuracy", tuple(with_interval(one["balanced_accuracy"], 3) for one in found)),
        ("  of guessing", tuple(f"{one['chance']['balanced_accuracy']:.3f}" for one in found)),
        ("accuracy", tuple(with_interval(one["accuracy"], 3) for one in found)),
        ("  of the most frequent class", tuple(f"{one['chance']['accuracy']:.3f}" for one in found)),
        ("macro AUC", tuple(with_interval(one["macro_auc"], 3) for one in found)),
    ]
    return Measurements(
        "95 % intervals, patients resampled",
        tuple(rows),
        "lesions, patients",
        tuple(f"{one['counts']['lesions']}, {one['counts']['patients']}" for one in found),
    )


def _of_lesions(study: Study, found: list[Mapping[str, Any]], unit: str) -> Measurements:
    rows = [
        (
            f"sensitivity at {rate:g} {unit}",
            tuple(with_interval(one["sensitivity_at"].get(f"{rate:g}")) for one in found),
        )
        for rate in study.evaluation.at
    ]
    areas = tuple(with_interval(one["partial_auc"], 3) for one in found)
    rows.append((f"partial AUC to {study.evaluation.maximum_fp:g} {unit}", areas))
    counts = [one["counts"] for one in found]
    return Measurements(
        "95 % intervals, patients resampled",
        tuple(rows),
        "cases, lesions",
        tuple(f"{count['cases']}, {count['lesions']}" for count in counts),
    )


def _of_masks(found: list[Mapping[str, Any]]) -> Measurements:
    """Return the mean Dice of each size, and volume error and surface distance of the largest."""
    rows = [
        (
            f"Dice, {Size(entry['levels'], entry['features']).words}",
            tuple(with_interval(one["sizes"][number]["dice"], 3) for one in found),
        )
        for number, entry in enumerate(found[0]["sizes"])
    ]
    largest = [one["sizes"][0] for one in found]
    rows += [
        ("relative volume error", tuple(with_interval(one["relative_volume_error"]) for one in largest)),
        ("HD95 in mm", tuple(with_interval(one["hd95_mm"], 1) for one in largest)),
    ]
    counts = [one["counts"] for one in found]
    return Measurements(
        "95 % intervals, patients resampled",
        tuple(rows),
        "cases, patients, lesions",
        tuple(f"{count['cases']}, {count['patients']}, {count['lesions']}" for count in counts),
    )
