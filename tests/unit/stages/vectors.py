"""A study of vectors, whose method and baseline come from another package: cases, models and what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hakken.cohort.items import Item
from hakken.core.files import sha256_file, write_json
from hakken.runs.model_file import save_model
from hakken.runs.predictions import write_predictions
from hakken.study import Study
from hakken.study.reading import parse_study

from ..miniature import content_of

CONTENT: dict[str, Any] = {
    "name": "vectors",
    "seed": 3,
    "method": "toy_centroids",
    "cohort": {"kind": "items", "files": ["vector"], "truth": "label", "table": "cases.csv"},
    "evaluation": {"bootstrap": 100, "strata": []},
    "baselines": ["toy_coin"],
}


def study(**changes: Any) -> Study:
    """Return the study; asks for the toys."""
    return parse_study(content_of(CONTENT, **changes))


def checked(path: Path, ill: str, well: str) -> Path:
    """Write items, one for each letter: a vector that is moved where it is ill; return the file of the batch."""
    items = []
    for name in (*ill, *well):
        file = path.parent / f"{name}.npz"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, values=np.full(2, 2.0 if name in ill else 0.0) + (ord(name) % 7) / 10)
        label = "ill" if name in ill else None
        items.append(Item(name, f"p{name}", {}, {"vector": file}, {"vector": sha256_file(file)}, label))
    write_json(path, {"digests": {}, "items": [item.as_dict() for item in items]})
    return path


def model(path: Path, middle: float = 2.0, **metadata: str) -> Path:
    """Write a model: normal vectors lie around 0, abnormal ones around ``middle``."""
    values = {"normal": [0.0, 0.0], "abnormal": [middle, middle]}
    save_model(path, {}, values, study=study(), metadata=metadata)
    return path


def coin(path: Path) -> Path:
    """Write the baseline."""
    save_model(path, {}, {}, study=study(), metadata={}, baseline="toy_coin")
    return path


def said(folder: Path, scores: Mapping[str, float], cases: Sequence[Item]) -> Path:
    """Write predictions."""
    found = {name: {"case_scores": score} for name, score in scores.items()}
    write_predictions(folder, found, study(), cases, ("case_scores",))
    return folder
