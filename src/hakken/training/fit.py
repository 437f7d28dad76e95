"""One training of a study: hyper-parameters in; a network, what it says of validation, and a record of it out."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hakken.console import log
from hakken.files import sha256_file, write_text
from hakken.imaging.prepared import PreparedCase
from hakken.inference.model import save_model
from hakken.networks.build import count_weights
from hakken.patches.loader import PatchLoader
from hakken.patches.shards import PatchStore
from hakken.seeds import derive_seed
from hakken.study import Hyperparameters, Study
from hakken.tasks.choose import Predictions, Task, task_of
from hakken.training.checkpoint import Checkpoints
from hakken.training.device import choose_precision
from hakken.training.loop import CurvePoint, TrainingResult, train
from hakken.training.reporter import Reporter
from hakken.training.stopping import stop_requests

Record = dict[str, Any]
MEDIAN_RULE = "median rule"


@dataclass(frozen=True, eq=False)
class Fitting:
    """What is trained, on which data and with which seed, and where its files go.

    ``label`` names it in the log, ``identity`` is a digest of all that its result depends on, ``metadata`` goes into
    the model's file. ``mine`` tells whether ``folder`` is this process's to write in.
    """

    study: Study
    parameters: Hyperparameters
    seed: int
    patches: Path
    cases: Sequence[PreparedCase]
    folder: Path
    label: str
    identity: str
    metadata: Mapping[str, Any]
    mine: Callable[[], bool]


def fit(
    fitting: Fitting, device: torch.device, hopeless: Callable[[Sequence[CurvePoint]], str] = lambda curve: ""
) -> Record:
    """Train one network, write its files, and return what a record says of them.

    A training that is ``hopeless`` (see `hakken.training.loop.train`) is `pruned` and leaves no files. Raises what a
    training raises, `InvalidArchitecture` among it.
    """
    store = PatchStore.open(fitting.patches, verify=True)
    training = fitting.study.training
    task = task_of(fitting.study, store.layout.axes, fitting.parameters, fitting.cases)
    torch.manual_seed(derive_seed(fitting.seed, "weights"))
    network = task.network().to(device)
    log(f"{fitting.label}: {count_weights(network)} weights, {device.type}, {torch.get_num_threads()} threads")
    validation = _Validation(task, fitting.cases)
    with stop_requests() as stop:
        result = train(
            network,
            _loader(store, fitting, task, device),
            task.loss,
            validation,
            parameters=fitting.parameters,
            training=training,
            seed=fitting.seed,
            precision=choose_precision(training.precision, device),
            checkpoints=Checkpoints(fitting.folder, fitting.identity, training.checkpoint_seconds, mine=fitting.mine),
            stop=stop,
            report=Reporter(fitting.label, training.steps, fitting.study.objective),
            hopeless=hopeless,
        )
    measuring = f"of them {validation.seconds:.1f} s measured the objective"
    log(f"{fitting.label}: {result.seconds:.1f} s of training, {measuring}")
    record = {"parameter_count": count_weights(network)} | _outcome(result)
    if result.stopped == "pruned":
        return record
    network.load_state_dict(result.weights)
    since = sum(point.step > result.best_step for point in result.curve)
    found = validation.found if validation.since == since else _predictions(task, fitting.cases, network.eval())
    return record | _write_files(fitting, task, result, found)


@dataclass
class _Validation:
    """Measures a network as the task does, and keeps what the best one says for the trial's table.

    ``since`` counts the measurements after the best; a resumed training may have had its best before them all.
    """

    task: Task
    cases: Sequence[PreparedCase]
    best: float = -math.inf
    since: int = -1
    seconds: float = 0.0
    found: Predictions = field(default_factory=dict)

    def __call__(self, network: nn.Module) -> float:
        start = time.monotonic()
        found = _predictions(self.task, self.cases, network)
        objective = self.task.objective(found)
        self.since += 1
        if objective > self.best:
            self.best, self.found, self.since = objective, found, 0
        self.seconds += time.monotonic() - start
        return objective


def _predictions(task: Task, cases: Sequence[PreparedCase], network: nn.Module) -> Predictions:
    """Return what a network in evaluation mode says of each case, by case id."""
    return {case.case_id: task.predict(network, case) for case in cases}


def _loader(store: PatchStore, fitting: Fitting, task: Task, device: torch.device) -> PatchLoader:
    parameters = fitting.parameters
    return PatchLoader(
        store,
        batch_size=parameters.batch_size,
        patch_size=parameters.patch_size,
        negative_ratio=task.negative_ratio,
        classes=task.classes,
        hard_fraction=parameters.hard_fraction,
        augmentation=parameters.augmentation,
        seed=derive_seed(fitting.seed, "batches"),
        device=device,
    )


def _outcome(result: TrainingResult) -> Record:
    pruned = result.stopped == "pruned"
    return {
        "state": "pruned" if pruned else "complete",
        "objective": result.objective,
        "reason": MEDIAN_RULE if pruned else None,
        **({"detail": result.hopeless} if pruned else {}),
        "best_step": result.best_step,
        "stopped": result.stopped,
        "seconds": result.seconds,
        "curve": [asdict(point) for point in result.curve],
    }


def _write_files(fitting: Fitting, task: Task, result: TrainingResult, found: Predictions) -> Record:
    """Write the best network and what it says of validation; return their paths and hashes for the record."""
    folder = fitting.folder if fitting.mine() else fitting.folder / f"twin-{os.getpid()}"
    model, table = folder / "model.pt", folder / "prediction.csv"
    save_model(
        model,
        result.weights,
        study=fitting.study,
        parameters=task.parameters,
        dimensions=task.dimensions,
        metadata={**fitting.metadata, "objective": result.objective, "best_step": result.best_step},
    )
    write_text(table, task.table(found))
    files = {"model": model, "prediction": table}
    return {name: {"path": path.as_posix(), "sha256": sha256_file(path)} for name, path in files.items()}


def has_its_files(record: Mapping[str, Any]) -> bool:
    """Whether the files that the record of a complete training names are there, as they were written."""
    if record["state"] != "complete":
        return True
    files = [record["model"], record["prediction"]]
    return all(Path(file["path"]).is_file() and sha256_file(Path(file["path"])) == file["sha256"] for file in files)
