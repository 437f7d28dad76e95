"""One training of a study: hyper-parameters in; a network, what it says of validation, and a record of it out."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hakken.console import log
from hakken.files import sha256_file, write_text
from hakken.imaging.prepared import PreparedCase, prepared_cases
from hakken.inference.model import save_model
from hakken.networks.build import count_weights
from hakken.patches.loader import Batch, PatchLoader
from hakken.patches.shards import PatchStore
from hakken.search.ledger import Ledger
from hakken.seeds import derive_seed
from hakken.study import Hyperparameters, Study
from hakken.tasks.choose import Predictions, Task, task_of
from hakken.training.checkpoint import Checkpoints
from hakken.training.device import choose_layout, peak_memory_mb
from hakken.training.layout import Layout, arrange, arrange_images
from hakken.training.loop import CurvePoint, Interrupted, TrainingResult, train
from hakken.training.reporter import Reporter
from hakken.training.stopping import Deadline, StopRequest, stop_requests
from hakken.training.stopping_rule import median_rule
from hakken.training.synchronised_norm import synchronised
from hakken.training.team import ALONE, Team

Record = dict[str, Any]
MEDIAN_RULE = "median rule"


@dataclass(frozen=True, eq=False)
class Fitting:
    """What is trained, on which data and with which seed, and where its files go; nothing but plain values and paths.

    ``prepared`` are the folders of the validation cases, ``others`` is the ledger of the trainings that this one may be
    stopped early for, None where it may not. ``label`` names it in the log, ``identity`` is a digest of all
    that its result depends on, ``metadata`` goes into the model's file. Each mini-batch goes through the network in so
    many ``parts``. Past ``deadline`` it has to have saved itself.
    """

    study: Study
    parameters: Hyperparameters
    seed: int
    patches: Path
    prepared: tuple[Path, ...]
    folder: Path
    label: str
    identity: str
    metadata: Mapping[str, Any]
    others: Path | None = None
    deadline: Deadline | None = None
    parts: int = 1

    @cached_property
    def cases(self) -> tuple[PreparedCase, ...]:
        """The prepared validation cases."""
        return tuple(case for folder in self.prepared for case in prepared_cases(folder))


def fit(
    fitting: Fitting,
    device: torch.device,
    *,
    mine: Callable[[], bool] = lambda: True,
    team: Team = ALONE,
) -> Record:
    """Train one network, write its files, and return what a record says of them; in all processes of a ``team``.

    ``mine`` tells whether the folder is this training's to write in. A training that is worse than the median of the
    ``others`` is `pruned` and leaves no files. Raises what a training raises, `InvalidArchitecture` among it.
    """
    store = PatchStore.open(fitting.patches, verify=True)
    training = fitting.study.training
    task = task_of(fitting.study, store.layout.axes, fitting.parameters, fitting.cases)
    torch.manual_seed(derive_seed(fitting.seed, "weights"))
    network = task.network()
    network = (synchronised(network) if training.synchronised_norm and team.size > 1 else network).to(device)
    layout = team.told(lambda: choose_layout(training.precision, device))  # hosts may differ, one training must not
    arrange(network, layout.channels_last)
    log(f"{fitting.label}: {count_weights(network)} weights, {_where(device, team)}, {layout.precision}")
    validation = _Validation(task, fitting.cases, team)
    with stop_requests(fitting.deadline) as stop, _saying_why(stop):
        result = train(
            network,
            _loader(store, fitting, task, device),
            lambda network, batch: task.loss(network, _arranged(batch, layout)),
            validation,
            parameters=fitting.parameters,
            training=training,
            seed=fitting.seed,
            precision=layout.dtype,
            checkpoints=Checkpoints(fitting.folder, fitting.identity, training.checkpoint_seconds, mine=mine),
            stop=stop,
            report=Reporter(fitting.label, training.steps, fitting.study.objective) if team.first else lambda run: None,
            hopeless=lambda curve: _hopeless(fitting.others, curve),
            team=team,
            parts=fitting.parts,
        )
    measuring = f"of them {validation.seconds:.1f} s measured the objective"
    log(f"{fitting.label}: {result.seconds:.1f} s of training, {measuring}")
    memory = {"peak_memory_mb": round(peak_memory_mb(device), 1)}
    numbers = {"precision": layout.precision, "channels_last": layout.channels_last}
    record = {"parameter_count": count_weights(network)} | numbers | memory | _outcome(result)
    if result.stopped == "pruned":
        return record
    network.load_state_dict(result.weights)
    since = sum(point.step > result.best_step for point in result.curve)
    found = validation.found if validation.since == since else validation.predictions(network.eval())
    return record | (_write_files(fitting, task, result, found, mine) if team.first else {})


@contextmanager
def _saying_why(stop: StopRequest) -> Iterator[None]:
    """Add to an interruption what asked for it."""
    try:
        yield
    except Interrupted as interruption:
        raise Interrupted(f"{interruption}: {stop.received or 'another process was asked to'}") from None


def _hopeless(ledger: Path | None, curve: Sequence[CurvePoint]) -> str:
    """Return why a training is not worth going on with, beside the complete ones of the ``ledger``; '' where it is."""
    if ledger is None:
        return ""
    records = [entry.result for entry in Ledger(ledger).entries() if entry.result is not None]
    finished = [record["curve"] for record in records if record["state"] == "complete"]
    others = [[(point["step"], point["objective"]) for point in other] for other in finished]
    return median_rule([(point.step, point.objective) for point in curve], others)


def _arranged(batch: Batch, layout: Layout) -> Batch:
    """Return a batch whose images lie in memory as the weights of the network do."""
    return replace(batch, images=arrange_images(batch.images, layout.channels_last))


def _where(device: torch.device, team: Team) -> str:
    threads = f"{device.type}, {torch.get_num_threads()} threads"
    return threads if team.size == 1 else f"{threads}, process {team.rank + 1} of {team.size}"


@dataclass
class _Validation:
    """Measures a network as the task does, and keeps what the best one says for the trial's table.

    Each process predicts its share of the cases; the first one measures. ``since`` counts the measurements after the
    best; a resumed training may have had its best before them all.
    """

    task: Task
    cases: Sequence[PreparedCase]
    team: Team
    best: float = -math.inf
    since: int = -1
    seconds: float = 0.0
    found: Predictions = field(default_factory=dict)

    def __call__(self, network: nn.Module) -> float:
        start = time.monotonic()
        found = self.predictions(network)
        objective = self.team.told(lambda: self.task.objective(found))
        self.since += 1
        if objective > self.best:
            self.best, self.found, self.since = objective, found, 0
        self.seconds += time.monotonic() - start
        return objective

    def predictions(self, network: nn.Module) -> Predictions:
        """Return, in the first process, what a network in evaluation mode says of each case, by case id."""
        mine = self.cases[self.team.rank :: self.team.size]
        return self.team.united({case.case_id: self.task.predict(network, case) for case in mine})


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
        "curve": [{"step": point.step, "loss": point.loss, "objective": point.objective} for point in result.curve],
        "clock": [point.seconds for point in result.curve],
    }


def _write_files(
    fitting: Fitting, task: Task, result: TrainingResult, found: Predictions, mine: Callable[[], bool]
) -> Record:
    """Write the best network and what it says of validation; return their paths and hashes for the record."""
    folder = fitting.folder if mine() else fitting.folder / f"twin-{os.getpid()}"
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
