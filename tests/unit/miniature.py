"""Miniature studies: bright balls in noise, small enough to train in a second; and files of finished ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.core.digests import SEEN, read_seen
from hakken.core.files import write_json
from hakken.core.volume import Geometry
from hakken.imaging.prepared import Lesion, PreparedCase, save_prepared
from hakken.search.ledger import Ledger
from hakken.study import Study
from hakken.study.reading import parse_study

GEOMETRY = Geometry((22, 26, 24), (1.5, 1.5, 1.5), (-11.0, 7.0, 30.0), (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
RADIUS = 2.5  # voxels

CONTENT: dict[str, Any] = {
    "name": "balls",
    "seed": 5,
    "method": "patch_classifier",
    "cohort": {"table": "cases.csv"},
    "channels": {"A": {"modality": "mr"}, "B": {"modality": "mr"}},
    "preparation": {"spacing_mm": [1.5, 1.5, 1.5], "mask": "none"},
    "patches": {
        "size_voxel": 9,
        "margin_voxel": 2,
        "positives_per_lesion": 8,
        "easy_negatives_per_case": 40,
        "hard_negatives_per_case": 8,
    },
    "parameters": {
        "patch_size": 9,
        "batch_size": 16,
        "base_features": 4,
        "convolutions": 2,
        "poolings": 1,
        "dense_units": 8,
        "learning_rate": 0.02,
    },
    "search": {"space": {"learning_rate": {"type": "real", "low": 0.005, "high": 0.05, "scale": "log"}}},
    "training": {"steps": 12, "validate_every": 4, "checkpoint_seconds": 1000},
}


def content_of(base: Mapping[str, Any] = CONTENT, **changes: Any) -> dict[str, Any]:
    """Return the study as a file holds it; ``changes`` replace keys of its sections."""
    content = dict(base)
    for section, values in changes.items():
        content[section] = content.get(section, {}) | values if isinstance(values, dict) else values
    return content


def study(base: Mapping[str, Any] = CONTENT, **changes: Any) -> Study:
    """Return the study; ``changes`` as of `content_of`, as in ``training={"steps": 3}``."""
    return parse_study(content_of(base, **changes))


def without(*sections: str) -> dict[str, Any]:
    """Return the study as a file holds it, without some of its sections."""
    return {section: values for section, values in CONTENT.items() if section not in sections}


def prepare_case(
    folder: Path, name: str, places: Sequence[tuple[float, float, float]], columns: Mapping[str, str] | None = None
) -> PreparedCase:
    """Write a case with balls of `RADIUS` voxels at ``places`` (z, y, x) and return it."""
    noise = np.random.default_rng(sum(map(ord, name))).normal(0, 0.3, (2, *GEOMETRY.shape_zyx))
    labels = np.zeros(GEOMETRY.shape_zyx, np.int16)
    grid = np.moveaxis(np.indices(GEOMETRY.shape_zyx), 0, -1)
    for number, place in enumerate(places, start=1):
        labels[((grid - np.array(place)) ** 2).sum(-1) <= RADIUS**2] = number
    volume = 4 / 3 * np.pi * RADIUS**3 * GEOMETRY.voxel_mm3
    lesions = tuple(
        Lesion(number, *GEOMETRY.to_world([place])[0].tolist(), 2 * RADIUS * 1.5, volume)
        for number, place in enumerate(places, start=1)
    )
    return save_case(folder, name, noise + 2 * (labels > 0), labels=labels, lesions=lesions, columns=columns)


def save_case(
    folder: Path,
    name: str,
    image: NDArray[Any],
    *,
    geometry: Geometry = GEOMETRY,
    channels: tuple[str, ...] = ("A", "B"),
    labels: NDArray[Any] | None = None,
    lesions: Sequence[Lesion] = (),
    columns: Mapping[str, str] | None = None,
    patient: str | None = None,
    label: str | None = None,
    mask: NDArray[Any] | None = None,
    optional: Mapping[str, bool] | None = None,
    regions: NDArray[Any] | None = None,
) -> PreparedCase:
    """Write a prepared case into ``folder`` and return it; ``channels`` are all that ``image`` holds."""
    case = PreparedCase(
        case_id=name,
        patient=name if patient is None else patient,
        columns=dict(columns or {}),
        channels=channels,
        geometry=geometry,
        source_geometry=geometry,
        normalisation={},
        pixel_digest=name,
        has_truth=labels is not None,
        lesions=tuple(lesions),
        label=label,
        optional=dict(optional or {}),
        has_regions=regions is not None,
    )
    inside = np.ones(geometry.shape_zyx) if mask is None else mask
    return save_prepared(folder, case, image, inside, labels, regions=regions)


def publish_trial(run: Path, number: int, record: Mapping[str, Any]) -> Path:
    """Publish the record of a trial in the ledger of a ``run``, write its file as a trial does, and return its path."""
    path = run / "trials" / f"{number:04d}.json"
    write_json(path, Ledger(run / "ledger" / "aaaa").publish(number, {"generation": "aaaa", **record}))
    return path


def lose_a_byte(path: Path) -> None:
    """Alter a byte as a failing disk does: nothing that the file system tells of the file changes."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    now, seen = path.stat(), read_seen(path.parent)
    seen[path.name] = ((now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino), seen[path.name][1])
    (path.parent / SEEN).write_text(json.dumps(seen), encoding="utf-8")
