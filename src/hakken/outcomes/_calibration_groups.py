"""The calibration of z in parts of a cohort of normal cases: by region of the body and by scanner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.evaluation.calibration_z import Voxels, ZCalibration, calibrate_z
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes import Part
from hakken.study import BODY_REGIONS

GROUPS = (
    *("z", "group", "stratum", "cases", "patients", "voxels", "mean", "mean_low", "mean_high", "mean_met"),
    *("sd", "sd_low", "sd_high", "sd_met", "beyond_3", "beyond_3_low", "beyond_3_high"),
)
"""Columns of the table: ``z`` is `as used` or, where z was recalibrated, `uncorrected`; ``beyond_3`` is a share."""

Pairs = Sequence[tuple[PreparedCase, NDArray[np.float32]]]


def grouped(pairs: Pairs, part: Part) -> Iterator[tuple[str, str, int, ZCalibration]]:
    """Yield group, stratum, voxels and calibration of the z (z, y, x) of normal cases."""
    for number, name in enumerate(BODY_REGIONS if all(case.has_body for case, _ in pairs) else (), start=1):
        own = [(case, z[(case.mask() > 0) & (case.body_regions() == number)]) for case, z in pairs]
        yield from _one("region", name, [(case, values) for case, values in own if len(values)], part)
    for scanner in sorted({case.columns.get("scanner", "") for case, _ in pairs} - {""}):
        chosen = [(case, z[case.mask() > 0]) for case, z in pairs if case.columns.get("scanner") == scanner]
        yield from _one("scanner", scanner, chosen, part)


def _one(group: str, name: str, chosen: Pairs, part: Part) -> Iterator[tuple[str, str, int, ZCalibration]]:
    if not chosen:
        return
    voxels = Voxels.of([values for _, values in chosen], [case.patient for case, _ in chosen])
    yield group, name, int(voxels.count.sum()), calibrate_z(voxels, part.resamples, part.seed)


def group_rows(label: str, pairs: Pairs, part: Part) -> list[tuple[Any, ...]]:
    """Return the rows of the table `GROUPS` for one kind of z."""
    rows = []
    for group, name, voxels, found in grouped(pairs, part):
        mean, sd, beyond = found.mean, found.sd, found.beyond["3"]
        met = (int(found.mean_met), int(found.sd_met))
        rows.append(
            (
                *(label, group, name, found.cases, found.patients, voxels, mean.value, mean.low, mean.high, met[0]),
                *(sd.value, sd.low, sd.high, met[1], beyond.value, beyond.low, beyond.high),
            )
        )
    return rows


def missed(rows: Sequence[tuple[Any, ...]]) -> Iterator[str]:
    """Yield a line on the regions whose mean or SD of z, as used, misses its goal."""
    known: list[Mapping[str, Any]] = [dict(zip(GROUPS, row, strict=True)) for row in rows]
    used = [row for row in known if row["z"] == "as used" and row["group"] == "region"]
    for name, goal in (("mean", "mean_met"), ("sd", "sd_met")):
        wrong = [f"{row['stratum']} ({row[name]:.2f})" for row in used if not row[goal]]
        if wrong:
            yield f"calibration of z by region: the {name.replace('sd', 'SD')} misses its goal in {', '.join(wrong)}"
