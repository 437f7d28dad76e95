"""hakken's own detectors for `benchmarks/detection.py`: brightness, the patch classifier and dense networks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detection_cost import cpu_seconds
from detection_sets import Images, Rotation
from numpy.typing import NDArray

from hakken import plugins
from hakken.core.seeds import derive_seed
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates
from hakken.methods.dense.learn import LESIONS
from hakken.runs.fit import MODEL, Fitting, fit
from hakken.runs.model_file import load_model
from hakken.stages.patches import patches
from hakken.study import Study

Info = dict[str, Any]
MEASURED = 2
"""How often a training of a dense network is measured on validation: in the middle and at the end."""
SHORT, LONG, TRIED = 2, 22, 0.08
"""Steps of the trainings that the cost of a step is told from; a cheap step is told from a share of all of them."""
BASELINE = "brightness_peaks"


class Brightness:
    """The brightest, or darkest, places of a smoothed channel; which is chosen on validation."""

    def train(self, rotation: Rotation, budget: float, folder: Path, seed: int) -> Info:
        """Choose channel, sign and smoothing."""
        del budget, seed
        study = rotation.images.study()
        found = plugins.load("baselines", BASELINE)
        values = found.fit(rotation.cases("validation"), study)
        torch.save(values, folder / "values.pt")
        return {"steps": 0, "rule": found.words(values, study)}

    def predict(self, rotation: Rotation, folder: Path, case: PreparedCase) -> Candidates:
        """Return the peaks of a case."""
        values = torch.load(folder / "values.pt", weights_only=False)
        found: Candidates = plugins.load("baselines", BASELINE).predict(values, case, rotation.images.study())[
            "candidates"
        ]
        return found


class Patches:
    """The classifier of patches at the untuned default of its study, but for the steps, as many as the budget holds."""

    def train(self, rotation: Rotation, budget: float, folder: Path, seed: int) -> Info:
        """Cut patches and find out what a step costs, which is told apart, then learn from them."""
        begun, study = cpu_seconds(), rotation.images.classifier
        assert study is not None, "only sets that have one are run"
        cut = folder / "train"
        patches(study=study, prepared=list(rotation.places["train"]), output=cut)

        def learnt(steps: int, place: Path, measured: int = 1) -> Any:
            training = study.training.model_copy(update=_times(steps, measured))
            own = study.model_copy(update={"training": training})
            return fit(_fitting(own, rotation, place, seed, cut), torch.device("cpu"))

        steps, beforehand = _within(budget, learnt, folder), cpu_seconds() - begun
        return _said(steps, beforehand, learnt(steps, folder / "model", MEASURED))

    def predict(self, rotation: Rotation, folder: Path, case: PreparedCase) -> Candidates:
        """Return the candidates that the method itself reads out of its coarser map."""
        del rotation
        trained = load_model(folder / "model" / MODEL)
        found: Candidates = trained.learner.predict(trained.model.eval(), case, ("candidates",))["candidates"]
        return found


class Dense:
    """A dense network at the untuned defaults of its method but for the edge and the number of windows of the set."""

    def train(self, rotation: Rotation, budget: float, folder: Path, seed: int) -> Info:
        """Learn for as many steps as the budget holds; what finding that out costs is told apart."""
        begun = cpu_seconds()

        def learnt(steps: int, place: Path, measured: int = 1) -> Any:
            study = dense_study(rotation.images, steps, measured)
            return fit(_fitting(study, rotation, place, seed), torch.device("cpu"))

        steps, beforehand = _within(budget, learnt, folder), cpu_seconds() - begun
        parameters = dense_study(rotation.images, steps).parameters.model_dump(mode="json")
        return _said(steps, beforehand, learnt(steps, folder / "model", MEASURED)) | {"parameters": parameters}

    def predict(self, rotation: Rotation, folder: Path, case: PreparedCase) -> NDArray[np.float32]:
        """Return the probability of a lesion at each voxel."""
        del rotation
        trained = load_model(folder / "model" / MODEL)
        found: NDArray[np.float32] = trained.learner.answer(trained.model.eval(), case)[LESIONS]
        return found


def dense_study(images: Images, steps: int = 1, measured: int = 1) -> Study:
    """Return the study of a set with a dense network that learns for so many steps and is measured so often."""
    edge = {"patch_size": images.edge, "batch_size": images.batch} | ({"axes": 2} if images.axes == 2 else {})
    return images.study(parameters=edge, training=_times(steps, measured))


def _times(steps: int, measured: int) -> dict[str, Any]:
    return {"steps": steps, "validate_every": -(-steps // measured), "checkpoint_seconds": 100_000.0}


def _said(steps: int, beforehand: float, record: Mapping[str, Any]) -> Info:
    told = {"best_step": "best_step", "validation": "objective", "weights": "parameter_count"}
    return {"steps": steps, "beforehand": round(beforehand, 1)} | {one: record[name] for one, name in told.items()}


def _within(budget: float, learnt: Callable[[int, Path], Any], folder: Path) -> int:
    """Return how many steps a budget of CPU-seconds holds, by short trainings; the first is slower than all later."""

    def cost(steps: int) -> float:
        start = cpu_seconds()
        learnt(steps, folder / f"trial{next(numbers)}")
        return cpu_seconds() - start

    numbers = itertools.count()
    cost(SHORT)
    short, steps = cost(SHORT), LONG
    found = steps_within(budget, short, cost(steps), steps)
    if found > 1 / TRIED * steps:  # too short to be told from noise
        steps = int(found * TRIED)
        found = steps_within(budget, short, cost(steps), steps)
    return found


def steps_within(budget: float, short: float, long: float, steps: int) -> int:
    """Return how many steps a budget of CPU-seconds holds, by the costs of trainings of `SHORT` and of ``steps`` steps.

    Both were measured once, at their end.

    >>> steps_within(100, short=3.0, long=13.0, steps=22)  # 0.5 a step, 2 a measurement
    192
    """
    step = max((long - short) / (steps - SHORT), long / steps / 10)
    measuring = max(short - SHORT * step, 0.0)
    return max(int((budget - MEASURED * measuring) / step), MEASURED)


def _fitting(study: Study, rotation: Rotation, folder: Path, seed: int, cut: Path | None = None) -> Fitting:
    folder.mkdir(parents=True, exist_ok=True)
    values: Mapping[str, Any] = {}
    return Fitting(
        study=study,
        seed=derive_seed(study.seed, "benchmark", seed),
        patches=cut,
        train=rotation.places["train"],
        validation=rotation.places["validation"],
        folder=folder,
        label=f"{rotation.images.name} {rotation.name}",
        identity=folder.name,
        metadata=values,
    )
