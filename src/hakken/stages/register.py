"""Register: bring every channel of a batch of cases onto the reference channel."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from hakken.cohort.checked import read_checked, require_checked
from hakken.cohort.table import Case, read_table
from hakken.core.case_ids import file_name
from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.files import write_json
from hakken.core.volume import Volume
from hakken.imaging.channels import align_channels, mask_to_register, read_channels
from hakken.imaging.files import write_picture, write_transform, write_volume
from hakken.imaging.pictures import registration_picture
from hakken.imaging.registration import RegistrationResult
from hakken.stages import stage
from hakken.study import Study


@stage
def register(*, study: Study, table: Path, cases: list[str], checked: Path, output: Path) -> None:
    """Write into the folder ``output``, for each of the ``cases``, what brings its channels onto the reference.

    ``<case>.<channel>.tfm`` maps reference points to points of the channel, ``<case>.<channel>.png`` shows both before
    and after, ``<case>.json`` holds the case id, metric (lower is better; null where it cannot be measured), iterations
    and seconds, ``<case>.mask.nii.gz`` the mask where similarity was measured inside one. Raises HakkenError where a
    file is not the one that was ``checked``.
    """
    output.mkdir(parents=True, exist_ok=True)
    known = read_checked([checked])
    for number, case in enumerate(read_table(table, study, files_exist=False).select(cases), start=1):
        require_checked(case, known, checked)
        try:
            said = _register_case(study, case, output)
        except HakkenError as error:
            raise HakkenError(f"case {case.case_id}: {error}") from None
        progress(f"case {number}/{len(cases)} {case.case_id}: {said}")


def _register_case(study: Study, case: Case, output: Path) -> str:
    volumes = read_channels(case.channels, study)
    record: dict[str, Any] = {}
    said, name = [], file_name(case.case_id)
    mask = mask_to_register(study, volumes)
    if mask is not None:
        geometry = volumes[study.reference].geometry
        write_volume(output / f"{name}.mask.nii.gz", Volume.on(geometry, mask.astype(np.uint8)))
    for aligned in align_channels(study, volumes, mask):
        channel, result = aligned.channel, aligned.result
        _write(output, f"{name}.{channel}", result, volumes[study.reference], volumes[channel])
        record[channel] = _record(study, result, aligned.seed)
        said.append(_line(study, channel, result))
    content = {"case_id": case.case_id, "reference": study.reference, "channels": record}
    write_json(output / f"{name}.json", content)
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
