"""One run of `benchmarks/detection.py`: a detector on a rotation, and what is kept of it in the work folder."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Protocol

import numpy as np
from detection_cost import cpu_seconds, peak_memory_mb
from detection_hakken import Brightness, Dense, Patches
from detection_monai import Monai
from detection_nnunet import NnUnet
from detection_sets import Rotation
from numpy.typing import NDArray

from hakken.core.case_ids import file_name
from hakken.core.files import write_json
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates
from hakken.inference.component_tree import branches, candidates_of_branches

AT_OWN_COST = ("brightness",)
"""Detectors that no budget is set for, and that no seed changes."""


class Detector(Protocol):
    """What learns on a rotation and says of a case where its lesions are."""

    def train(self, rotation: Rotation, budget: float, folder: Path, seed: int) -> dict[str, Any]:
        """Learn into a folder; return what is to be said of it."""
        ...

    def predict(self, rotation: Rotation, folder: Path, case: PreparedCase) -> NDArray[np.float32] | Candidates:
        """Return a map of probabilities (z, y, x), or candidates."""
        ...


DETECTORS: dict[str, type[Detector]] = {
    "brightness": Brightness,
    "patches": Patches,
    "monai": Monai,
    "nnunet": NnUnet,
    "dense": Dense,
}


@dataclass(frozen=True)
class Run:
    """One detector on one rotation, and where its files stand."""

    rotation: Rotation
    method: str
    budget: float
    work: Path
    seed: int

    @property
    def folder(self) -> Path:
        """The folder of this run."""
        told = "own" if self.method in AT_OWN_COST else f"{self.budget:g}"
        name = f"{self.method}-{told}" + (f"-seed{self.seed}" if self.seed else "")
        return self.work / self.rotation.images.name / self.rotation.name.replace("/", "-") / name

    @property
    def trained(self) -> Path:
        """What is said of its training, once it has ended."""
        return self.folder / "trained.json"

    @property
    def predicted(self) -> Path:
        """What is said of its use on the test cases, once it has ended."""
        return self.folder / "predicted.json"

    def train(self) -> None:
        """Train from the beginning."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        begun = cpu_seconds()
        info = DETECTORS[self.method]().train(self.rotation, self.budget, self.folder, self.seed)
        spent = cpu_seconds() - begun - info.get("beforehand", 0)
        write_json(self.trained, info | {"cpu_seconds": round(spent, 1), "memory_mb": round(peak_memory_mb())})

    def predict(self) -> None:
        """Say of each test case where its lesions are; cases that are there are not done again."""
        detector, seconds = DETECTORS[self.method](), []
        for case in self.rotation.cases("test"):
            path = self.folder / "test" / f"{file_name(case.case_id)}.npz"
            if not path.exists():
                start = cpu_seconds()
                found = detector.predict(self.rotation, self.folder, case)
                _save(path, found, cpu_seconds() - start)
            with np.load(path) as kept:
                seconds.append(float(kept["seconds"]))
        info = {"seconds_per_case": round(mean(seconds), 2), "memory_mb": round(peak_memory_mb())}
        write_json(self.predicted, info)

    def candidates(self) -> dict[str, Candidates]:
        """Return the candidates of each test case."""
        inference: Any = self.rotation.images.study().inference
        found = {}
        for case in self.rotation.cases("test"):
            with np.load(self.folder / "test" / f"{file_name(case.case_id)}.npz") as kept:
                found[case.case_id] = _read(dict(kept), case, inference)
        return found


def _save(path: Path, found: NDArray[np.float32] | Candidates, seconds: float) -> None:
    kept: dict[str, Any] = {"seconds": seconds}
    if isinstance(found, Candidates):
        kept |= {"xyz": found.xyz, "score": found.score, "size": found.size, "voxel": found.voxel}
    else:
        kept["map"] = found
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}")
    np.savez_compressed(hidden, **kept)
    hidden.rename(path)


def _read(kept: dict[str, NDArray[Any]], case: PreparedCase, inference: Any) -> Candidates:
    """Return the candidates that were kept, or those of the map that was kept."""
    if "map" not in kept:
        return Candidates(kept["xyz"], kept["score"], kept["size"], kept["voxel"])
    every = branches(kept["map"], threshold=inference.threshold, prominence=inference.prominence)
    return candidates_of_branches(every, case.geometry, inference.maximum_candidates)
