"""One training of a study: a study with its parameters in; a model, what it says of validation, and a record out."""

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

from hakken import plugins
from hakken.core.console import log
from hakken.core.files import sha256_file
from hakken.core.seeds import derive_seed
from hakken.imaging.cases import Case
from hakken.outcomes import words_of
from hakken.runs.cases import NO_CASE, read_cases_of
from hakken.runs.course import Course, numbers_of
from hakken.runs.learner import learner_of
from hakken.runs.model_file import save_model
from hakken.runs.predictions import MANIFEST, by_outcome, part_of, write_predictions
from hakken.runs.watched import watched_of
from hakken.search.ledger import Ledger
from hakken.study import Study
from hakken.training.device import choose_layout, peak_memory_mb
from hakken.training.layout import arrange
from hakken.training.loop import CurvePoint, Interrupted, TrainingResult, Weights
from hakken.training.method import Data, Fitted, Method
from hakken.training.players import Model, Networks
from hakken.training.reporter import Reporter
from hakken.training.stopping import Deadline, StopRequest, stop_requests
from hakken.training.stopping_rule import median_rule
from hakken.training.synchronised_norm import synchronised
from hakken.training.team import ALONE, Team

Record = dict[str, Any]
MEDIAN_RULE = "median rule"
MODEL, PREDICTIONS = "model.pt", "predictions"


@dataclass(frozen=True, eq=False)
class Fitting:
    """What is trained, on which data and with which seed, and where its files go; nothing but plain values and paths.

    ``study`` has the trial's parameters. ``train`` and ``validation`` are where the cases stand; with ``held_out`` the
    cases of these ids are predicted and the others of ``train`` are learnt from. ``patches`` is the folder of patches,
    None where the method takes none. ``others`` is the ledger of the trainings that this one may be stopped early for,
    None where it may not. ``label`` names it in the log, ``identity`` is a digest of all that its result depends on,
    ``metadata`` goes into the model's file. Each mini-batch goes through the network in so many ``parts``. Past
    ``deadline`` it has to have saved itself.
    """

    study: Study
    seed: int
    patches: Path | None
    train: tuple[Path, ...]
    validation: tuple[Path, ...]
    folder: Path
    label: str
    identity: str
    metadata: Mapping[str, Any]
    held_out: tuple[str, ...] = ()
    others: Path | None = None
    deadline: Deadline | None = None
    parts: int = 1

    @cached_property
    def data(self) -> Data:
        """What is learnt from."""
        every = read_cases_of(self.study, self.train)
        cases = [case for case in every if case.case_id not in self.held_out]
        return Data(tuple(cases), self.patches)  # type: ignore[arg-type]

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """The cases that are predicted and measured."""
        if self.held_out:
            return tuple(case for case in read_cases_of(self.study, self.train) if case.case_id in self.held_out)
        return (NO_CASE,) if self.study.cohort.kind == "none" else tuple(read_cases_of(self.study, self.validation))


def fit(
    fitting: Fitting,
    device: torch.device,
    *,
    mine: Callable[[], bool] = lambda: True,
    team: Team = ALONE,
) -> Record:
    """Train one model, write its files, and return what a record says of them; in all processes of a ``team``.

    ``mine`` tells whether the folder is this training's to write in. A training that is worse than the median of the
    ``others`` is `pruned` and leaves no files. Raises what a training raises, `InvalidArchitecture` among it.
    """
    learner = learner_of(fitting.study)
    if isinstance(learner, Fitted):
        return _fit_at_once(fitting, learner, mine) if team.first else {}
    return _fit_step_by_step(fitting, learner, device, mine, team)


def _fit_at_once(fitting: Fitting, learner: Fitted, mine: Callable[[], bool]) -> Record:
    """Fit a method without gradients."""
    start = time.monotonic()
    model = learner.fit(fitting.data, fitting.seed)
    validation = _Validation(learner, fitting)
    objective = validation(model)
    seconds = round(time.monotonic() - start, 3)
    log(f"{fitting.label}: {seconds:.1f} s, of them {validation.seconds:.1f} s measured the objective")
    result = TrainingResult(objective, 0, {}, (), seconds, "steps", "", measuring=validation.seconds)
    outcome = _outcome(result) | {"validation_share": _share(validation.seconds, seconds)}
    memory = {"parameter_count": 0, "peak_memory_mb": round(peak_memory_mb(torch.device("cpu")), 1)}
    files = _write_files(fitting, {}, model.values, validation.found, record=outcome, mine=mine)
    return memory | outcome | files


def _fit_step_by_step(
    fitting: Fitting, learner: Method, device: torch.device, mine: Callable[[], bool], team: Team
) -> Record:
    """Train a method by gradients."""
    training = fitting.study.training
    torch.manual_seed(derive_seed(fitting.seed, "weights"))
    networks = _placed(learner.networks(), fitting, device, team)
    layout = team.told(lambda: choose_layout(training.precision, device))  # hosts may differ, one training must not
    for network in networks.values():
        arrange(network, layout.channels_last)
    count = count_weights(networks)
    log(f"{fitting.label}: {count} weights, {_where(device, team)}, {layout.precision}")
    validation = _Validation(learner, fitting, team)
    if validation.partial:
        log(f"{fitting.label}: watched on {len(validation.cases)} of {len(fitting.cases)} validation cases")
    with stop_requests(fitting.deadline) as stop, _saying_why(stop):
        course = Course(
            learner=learner,
            training=training,
            folder=fitting.folder,
            identity=fitting.identity,
            seed=fitting.seed,
            parts=fitting.parts,
            device=device,
            layout=layout,
            mine=mine,
            team=team,
            stop=stop,
        )
        players = learner.players(networks, fitting.data, fitting.seed, device)
        result = course.train(
            networks,
            players,
            validation,
            report=Reporter(fitting.label, training.steps, words_of(fitting.study)) if team.first else lambda run: None,
            hopeless=lambda curve: _hopeless(fitting.others, curve),
        )
        done = course.finish(networks, players, result, fitting.data)
    further = learner.calibrate(done.model.eval(), fitting.cases) if done.whole else {}  # type: ignore[arg-type]
    model = Model(done.model.networks, {**done.model.values, **further})
    found, result = validation.of_the_best(model, done.result, changed=bool(further))
    log(f"{fitting.label}: {result.seconds:.1f} s of training; {_said_of(result)}")
    memory = {"peak_memory_mb": round(peak_memory_mb(device), 1)}
    numbers = {"precision": layout.precision, "channels_last": layout.channels_last}
    record: Record = {"parameter_count": count} | numbers | memory | _outcome(result) | _shares(result)
    record |= validation.watched | done.told | numbers_of(further)
    if result.stopped == "pruned" or not team.first:
        return record
    return record | _write_files(fitting, result.weights, model.values, found, record=record, mine=mine)


def _share(part: float, seconds: float) -> float:
    return round(part / seconds, 4) if seconds > 0 else 0.0


def _shares(result: TrainingResult) -> Record:
    """Return which shares of its time a training waited for mini-batches, measured the objective, and was reviewed."""
    waited, measuring = _share(result.waited, result.seconds), _share(result.measuring, result.seconds)
    reviewing = sum(one.seconds for one in result.reviews.values())
    shares = {"waited_share": waited, "validation_share": measuring}
    return shares | ({"review_share": _share(reviewing, result.seconds)} if result.reviews else {})


def _said_of(result: TrainingResult) -> str:
    shares = _shares(result)
    return f"{shares['waited_share']:.1%} waited for data, {shares['validation_share']:.1%} measured the objective"


def count_weights(networks: Networks) -> int:
    """Return how many numbers training learns."""
    weights = {weight for network in networks.values() for weight in network.parameters() if weight.requires_grad}
    return sum(weight.numel() for weight in weights)


def _placed(networks: Mapping[str, Any], fitting: Fitting, device: torch.device, team: Team) -> Networks:
    """Return the networks on their device, their batch normalisation over all processes where the study says so."""
    joined = fitting.study.training.synchronised_norm and team.size > 1
    return {name: (synchronised(one) if joined else one).to(device) for name, one in networks.items()}


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


def _where(device: torch.device, team: Team) -> str:
    threads = f"{device.type}, {torch.get_num_threads()} threads"
    return threads if team.size == 1 else f"{threads}, process {team.rank + 1} of {team.size}"


@dataclass
class _Validation:
    """Measures a model by the study's objective, and keeps what the best one says for the trial's folder.

    Each process predicts its share of the cases; the first one measures. ``cases`` are those that a training is watched
    by. ``since`` counts the measurements after the best; a resumed training may have had its best before them all.
    """

    learner: Method | Fitted
    fitting: Fitting
    team: Team = ALONE
    best: float = -math.inf
    since: int = -1
    seconds: float = 0.0
    found: dict[str, Any] = field(default_factory=dict)
    watched: Record = field(default_factory=dict)

    def __post_init__(self) -> None:
        study = self.fitting.study
        self.outcome = study.objective
        self.module = plugins.load("outcomes", self.outcome)
        every = self.fitting.cases
        self.cases = watched_of(study, every) if isinstance(self.learner, Method) else every
        self.partial = len(self.cases) < len(self.fitting.cases)
        self.last = study.training.keep == "last"

    def __call__(self, model: Model) -> float:
        start = time.monotonic()
        found = self._predictions(model, self.cases)
        objective = self._objective(found, self.cases)
        self.since += 1
        if self.last or objective > self.best:
            self.best, self.found, self.since = objective, found, 0
        self.seconds += time.monotonic() - start
        return objective

    def of_the_best(
        self, model: Model, result: TrainingResult, changed: bool = False
    ) -> tuple[dict[str, Any], TrainingResult]:
        """Return what the kept ``model`` says of all cases, and the ``result`` with the objective on all of them.

        The model may have ``changed`` since it was measured last.

        A pruned training is measured on all, too, since the search compares it with others.
        """
        since = sum(point.step > result.best_step for point in result.curve)
        if not (self.partial or changed) and (self.since == since or result.stopped == "pruned"):
            return self.found, result
        start = time.monotonic()
        found = self._predictions(model, self.fitting.cases)
        objective = result.objective
        if self.partial or changed:
            self.watched = {"watched_cases": len(self.cases), "watched_objective": objective} if self.partial else {}
            objective = self._objective(found, self.fitting.cases)
        more = time.monotonic() - start
        seconds, measuring = result.seconds + more, result.measuring + more
        return found, replace(result, objective=objective, seconds=seconds, measuring=measuring)

    def _objective(self, found: dict[str, Any], cases: Sequence[Case]) -> float:
        part = part_of(self.fitting.study, self.outcome, cases)
        objective: float = self.team.told(lambda: self.module.objective(by_outcome(found, self.outcome), part))
        return objective

    def _predictions(self, model: Model, cases: Sequence[Case]) -> dict[str, Any]:
        """Return, in the first process, what a model in evaluation mode says of each case, by case id and outcome."""
        mine = cases[self.team.rank :: self.team.size]
        wanted = (self.outcome,)
        found = {case.case_id: {self.outcome: self.learner.predict(model, case, wanted)[self.outcome]} for case in mine}
        return self.team.united(found)


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
        "curve": [_point(point) for point in result.curve],
        "clock": [point.seconds for point in result.curve],
    }


def _point(point: CurvePoint) -> dict[str, Any]:
    losses = {"losses": dict(point.losses)} if point.losses else {}
    return {"step": point.step, "loss": point.loss, "objective": point.objective} | losses


def _write_files(
    fitting: Fitting,
    weights: Weights,
    values: Mapping[str, Any],
    found: Mapping[str, Any],
    *,
    record: Record,
    mine: Callable[[], bool],
) -> Record:
    """Write the kept model and what it says of the measured cases; return their paths and hashes for the record."""
    folder = fitting.folder if mine() else fitting.folder / f"twin-{os.getpid()}"
    model, predictions = folder / MODEL, folder / PREDICTIONS
    metadata = {**fitting.metadata, "objective": record["objective"], "best_step": record["best_step"]}
    save_model(model, weights, values, study=fitting.study, metadata=metadata)
    digest = write_predictions(predictions, found, fitting.study, fitting.cases, (fitting.study.objective,))
    return {
        "model": {"path": model.as_posix(), "sha256": sha256_file(model)},
        "predictions": {"path": predictions.as_posix(), "sha256": digest},
    }


def has_its_files(record: Mapping[str, Any]) -> bool:
    """Whether the files that the record of a complete training names are there, as they were written."""
    if record["state"] != "complete":
        return True
    model, manifest = Path(record["model"]["path"]), Path(record["predictions"]["path"]) / MANIFEST
    files = [(model, record["model"]["sha256"]), (manifest, record["predictions"]["sha256"])]
    return all(path.is_file() and sha256_file(path) == digest for path, digest in files)
