"""Register: bring every channel of a batch of cases onto the reference channel."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from hakken.cohort.table import Case, read_table
from hakken.console import progress
from hakken.errors import HakkenError
from hakken.files import write_json
from hakken.imaging.files import read_volume, write_picture, write_transform
from hakken.imaging.masks import find_mask
from hakken.imaging.pictures import registration_picture
from hakken.imaging.registration import RegistrationResult
from hakken.imaging.registration import register as align
from hakken.seeds import derive_seed
from hakken.stages import stage
from hakken.study import Study
from hakken.volume import Volume


@stage
def register(*, study: Study, table: Path, cases: list[str], output: Path) -> None:
    """Write into the folder ``output``, for each of the ``cases``, what brings its channels onto the reference.

    ``<case>_<channel>.tfm`` maps reference points to points of the channel, ``<case>_<channel>.png`` shows both before
    and after, ``<case>.json`` holds metric (lower is better; null where it cannot be measured), iterations and seconds.
    """
    output.mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(read_table(table, study, files_exist=False).select(cases), start=1):
        try:
            said = _register_case(study, case, output)
        except HakkenError as error:
            raise HakkenError(f"case {case.case_id}: {error}") from None
        progress(f"case {number}/{len(cases)} {case.case_id}: {said}")


def _register_case(study: Study, case: Case, output: Path) -> str:
    fixed = read_volume(case.channels[study.reference])
    settings = study.preparation
    used = study.registration.use_mask and settings.mask != "none"
    mask = find_mask(fixed, settings.mask, study.channels[study.reference].modality) if used else None
    record: dict[str, Any] = {}
    said = []
    for channel in (name for name in study.channels if name != study.reference):
        moving = read_volume(case.channels[channel])
        seed = derive_seed(study.seed, "register", case.case_id, channel)
        result = align(fixed, moving, study.registration, seed, mask)
        _write(output, f"{case.case_id}_{channel}", result, fixed, moving)
        record[channel] = _record(study, result, seed)
        said.append(_line(study, channel, result))
    write_json(output / f"{case.case_id}.json", {"reference": study.reference, "channels": record})
    return "; ".join(said) or f"{study.reference} alone, nothing to register"


def _write(output: Path, name: str, result: RegistrationResult, fixed: Volume, moving: Volume) -> None:
    write_transform(output / f"{name}.tfm", result.transform)
    write_picture(output / f"{name}.png", registration_picture(fixed, moving, result.transform))


def _record(study: Study, result: RegistrationResult, seed: int) -> dict[str, Any]:
    return {
        "settings": study.registration.model_dump(mode="json"),
        "seed": seed,
        "metric_before": result.metric_before if math.isfinite(result.metric_before) else None,
        "metric_after": result.metric_after if math.isfinite(result.metric_after) else None,
        "iterations": result.iterations,
        "seconds": round(result.seconds, 3),
    }


def _line(study: Study, channel: str, result: RegistrationResult) -> str:
    if study.registration.method == "none":
        return f"{channel} taken as it lies"
    metric = study.registration.metric.replace("_", " ")
    change = f"{result.metric_before:.2f} -> {result.metric_after:.2f}"
    return f"{channel} {study.registration.method}, {result.seconds:.1f} s, {metric} {change}"
