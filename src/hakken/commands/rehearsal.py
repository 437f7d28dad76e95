"""A study's stages tried on this host, each for a moment, so that a plan can say what they will cost.

A process of its own takes a few cases and mini-batches through the very code of the stages, in a folder that is removed
afterwards, and says what each has taken as it goes. It is ended when its time is up: what it has not said by then is
not known. It draws or reads cases of training and validation alone, never one of the test set.
"""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hakken.cohort.case import CaseTable
    from hakken.report.cost import StageCost
    from hakken.runs.plan import Plan
    from hakken.study import Study

START, WITH_TORCH, STEP, OBJECTIVE, PREDICT = "start", "start with torch", "step", "objective", "prediction"
BY_CASE = ("phantom", "check", "register", "prepare", "patches")
LIGHT = (
    *("phantom_table", "separate", "select", "sweep_table", "optimism", "freeze", "unseal"),
    *("measure", "figure", "summary", "report"),
)
"""Stages of which little more than their start is to be paid in most studies."""

PROPOSALS = 3
"""Random points of the search space whose steps are timed, beside the study's own parameters."""

STEPS = 3
CASES = 2
FOR_STEPS, FOR_CASES = 0.35, 0.6
"""Shares of the time after which no further step is timed, and no further case is drawn."""

Spent = tuple[float, float]
"""Seconds of CPU and on the clock."""


@dataclass
class Rehearsal:
    """What was timed, by name: seconds of CPU and on the clock of a start, a case, or a step; and what failed."""

    spent: dict[str, Spent] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    ended: bool = False
    on_gpu: bool = False

    def gpu_seconds(self, plan: Plan) -> float | None:
        """Return the GPU-seconds of a training, None where it was not timed on one."""
        spent = _of_stage(plan, "trial", 1, self) if self.on_gpu else None
        return None if spent is None else spent[1]

    def note(self, line: str) -> None:
        """Take what the process says in a line; one that is cut off is passed over."""
        try:
            said = json.loads(line)
        except ValueError:
            return
        if "failed" in said:
            self.failed[said["what"]] = said["failed"]
        elif "spent" in said:
            self.spent[said["what"]] = (float(said["spent"][0]), float(said["spent"][1]))
        self.ended = self.ended or bool(said.get("ended"))
        self.on_gpu = self.on_gpu or bool(said.get("gpu"))


def rehearse(plan: Plan, threads: int, seconds: float) -> Rehearsal:
    """Time the stages of a study here for at most so many ``seconds``; ``threads`` are those of a training."""
    found = Rehearsal()
    given = json.dumps({"study": plan.study.model_dump(mode="json"), "threads": threads, "seconds": seconds})
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryDirectory(prefix="hakken-plan-") as folder:
        command = [sys.executable, "-m", "hakken.commands.rehearsal", folder]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env=environment,
        )
        assert process.stdin is not None and process.stdout is not None
        ending = threading.Timer(seconds, process.kill)
        ending.start()
        try:
            process.stdin.write(given)
            process.stdin.close()
            for line in process.stdout:
                found.note(line)
        finally:
            ending.cancel()
            process.kill()
            process.wait()
    return found


def costs_of(plan: Plan, jobs: Mapping[str, int], found: Rehearsal) -> tuple[StageCost, ...]:
    """Return what a job of each stage costs by what was timed; stages of which nothing is known are left out."""
    from hakken.report.cost import StageCost

    costs = []
    for stage, count in jobs.items():
        spent = _of_stage(plan, stage, count, found)
        if spent is not None:
            costs.append(StageCost(stage, (spent[1],), (spent[0],), 0.0))
    return tuple(costs)


def _of_stage(plan: Plan, stage: str, jobs: int, found: Rehearsal) -> Spent | None:
    """Return the seconds of CPU and on the clock of a job of a stage, None where they are not known."""
    from hakken.runs.table import SHARED

    start = found.spent.get(START)
    if stage in BY_CASE:
        cases = _cases(plan, stage)
        return _sum(start, _times(found.spent.get(stage), cases / jobs))
    if stage == "trial":
        steps = _times(found.spent.get(STEP), plan.study.training.steps)
        objective = _times(found.spent.get(OBJECTIVE), _measured(plan))
        return _sum(found.spent.get(WITH_TORCH), _sum(steps, objective))
    if stage == SHARED:
        return found.spent.get(WITH_TORCH)
    if stage == "average":
        each = plan.study.search.ensemble * _cases(plan, "validation")
        return _sum(found.spent.get(WITH_TORCH), _times(found.spent.get(OBJECTIVE), each))
    if stage == "predict":
        each = (_cases(plan, "validation") + _cases(plan, "test")) / 2
        return _sum(found.spent.get(WITH_TORCH), _times(found.spent.get(PREDICT), each))
    return start if stage in LIGHT else None


def _measured(plan: Plan) -> float:
    """Return how many cases a training predicts: those that it is watched on at each measurement, at last all."""
    training, every = plan.study.training, _cases(plan, "validation")
    watched = min(training.validate_cases or every, every)
    return -(-training.steps // training.validate_every) * watched + (every if watched < every else 0)


def _cases(plan: Plan, what: str) -> float:
    """Return how many cases a stage goes through in all its jobs, or a part has."""
    if plan.cohort is None:
        return 1
    sizes = {part: sum(map(len, batches.values())) for part, batches in plan.cohort.batches.items()}
    total = sum(sizes.values())
    if (whose := plan.whose(what)) is not None:
        return sum(map(len, whose)) / len(whose) if what in ("validation", "test") else total
    if what == "patches":
        return sizes.get("train", total)
    return sizes.get(what, 0) if what in ("validation", "test") else total


def _times(spent: Spent | None, number: float) -> Spent | None:
    return None if spent is None else (spent[0] * number, spent[1] * number)


def _sum(one: Spent | None, other: Spent | None) -> Spent | None:
    return None if one is None or other is None else (one[0] + other[0], one[1] + other[1])


# ---- in the process of its own -------------------------------------------------------------------------------------


def _cpu() -> float:
    parts = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in parts)


def _say(**content: Any) -> None:
    print(json.dumps(content), flush=True)


@contextmanager
def _timed(what: str, number: int = 1) -> Iterator[None]:
    """Say what the block takes, divided by the ``number`` of its cases or steps."""
    cpu, clock = _cpu(), time.perf_counter()
    yield
    _say(what=what, spent=[(_cpu() - cpu) / number, (time.perf_counter() - clock) / number])


def _try(what: str, action: Callable[[], Any]) -> Any:
    """Return what an action gives; None, and why, where it cannot be done: a plan may know less, it never fails."""
    try:
        return action()
    except Exception as error:  # whatever a plug-in does, the plan goes on without it
        _say(what=what, failed=f"{type(error).__name__}: {error}"[:200])
        return None


def main() -> None:
    """Rehearse the study that comes in on standard input in the folder that is named."""
    from hakken.study import Study

    given = json.load(sys.stdin)
    study, folder, began = Study.model_validate(given["study"]), Path(sys.argv[1]), time.perf_counter()
    for_steps, for_cases = (began + share * float(given["seconds"]) for share in (FOR_STEPS, FOR_CASES))
    import hakken.stages.check

    _say(what=START, spent=[_cpu(), time.perf_counter() - began])
    import torch

    import hakken.runs.fit  # noqa: F401 - what a training loads

    torch.set_num_threads(int(given["threads"]))
    _say(what=WITH_TORCH, spent=[_cpu(), time.perf_counter() - began])
    from hakken.runs.required import needs_of

    early = needs_of(study).patches or study.cohort.kind == "none"
    if early:
        _try(STEP, lambda: _time_steps(study, folder, (), for_steps))
    cases = _try("cases", lambda: _time_cases(study, folder, for_cases)) or []
    if not early:
        _try(STEP, lambda: _time_steps(study, folder, cases, math.inf))
    if cases:
        _try(PREDICT, lambda: _time_predictions(study, cases))
    _say(ended=True)


def _time_steps(study: Study, folder: Path, cases: Sequence[Any], until: float) -> None:
    """Say how long a step takes, the mean over the study's own parameters and some points of its search space.

    It is said again whenever more is known, so that something is known ``until`` the clock stops it.
    """
    from hakken.runs.layout_pool import Stepper, made_up_patches
    from hakken.runs.required import needs_of
    from hakken.training.device import choose_device, choose_layout

    if needs_of(study).patches:
        made_up_patches(study, folder / "made_up")
    device = choose_device()
    _say(gpu=device.type == "cuda")
    layout = choose_layout(study.training.precision, device)
    means: list[Spent] = []
    for chosen in _proposals(study):
        stepper = Stepper(chosen, layout, folder / "made_up", cases=cases, device=device)
        taken: list[Spent] = []
        for number in range(STEPS + 1):
            cpu, clock = _cpu(), time.perf_counter()
            stepper.step()
            # the first one plans and allocates, and does not count once there is another
            taken = [*(taken if number > 1 else []), (_cpu() - cpu, time.perf_counter() - clock)]
            _say(what=STEP, spent=_mean([*means, _mean(taken)]))
            if time.perf_counter() > until:
                return
        means.append(_mean(taken))


def _mean(spent: Sequence[Spent]) -> Spent:
    return sum(cpu for cpu, _ in spent) / len(spent), sum(clock for _, clock in spent) / len(spent)


def _proposals(study: Study) -> Iterator[Study]:
    """Yield the study with its own parameters and with random ones of its search, of those that can be trained."""
    from hakken.runs.ask import complete
    from hakken.runs.learner import require
    from hakken.runs.warm_start import space_keys
    from hakken.search import Space
    from hakken.search.samplers import random_point

    yield study
    if not study.search.space:
        return
    for number in range(PROPOSALS):
        point = random_point(Space.from_mapping(space_keys(study)), number, study.seed)
        parameters = complete(point, study.parameters.model_dump(mode="json"), str(study.method))
        try:
            require(str(study.method), parameters)
        except Exception:
            continue
        yield study.model_copy(update={"parameters": parameters})


def _time_cases(study: Study, folder: Path, until: float) -> list[Any]:
    """Say what each stage takes for a case, and return some that are ready to be learnt from.

    Of a phantom another case is drawn only ``until`` then.
    """
    from hakken.cohort.split import assign_parts, phantom_table
    from hakken.cohort.table import read_table, write_table
    from hakken.runs.cases import read_cases
    from hakken.stages.check import check
    from hakken.stages.phantom import phantom
    from hakken.stages.prepare import prepare
    from hakken.stages.register import register

    if study.cohort.kind == "none":
        return []
    if study.of_phantom:
        table, cohort = folder / "cohort" / "cases.csv", phantom_table(study, folder / "cohort", 1_000_000)
        write_table(table, cohort, study)
        part, names = _some(cohort)
        chosen: list[str] = []
        for name in names:
            if chosen and time.perf_counter() > until:
                break
            with _timed("phantom"):
                phantom(study=study, cases=[name], output=folder / "cohort" / f"{part}-000")
            chosen.append(name)
    else:
        table = Path(study.cohort.table or "")
        chosen = _some(assign_parts(read_table(table, study), study))[1]
    with _timed("check", len(chosen)):
        check(study=study, table=table, cases=chosen, output=folder / "checked.json")
    if study.cohort.kind == "items":
        return list(read_cases([folder / "checked.json"]))
    with _timed("register", len(chosen)):
        checked = folder / "checked.json"
        register(study=study, table=table, cases=chosen, checked=checked, output=folder / "registered")
    with _timed("prepare", len(chosen)):
        into = folder / "prepared"
        prepare(study=study, table=table, cases=chosen, checked=checked, registered=folder / "registered", output=into)
    _try("patches", lambda: _time_patches(study, folder, len(chosen)))
    return list(read_cases([folder / "prepared"]))


def _some(cohort: CaseTable) -> tuple[str, list[str]]:
    """Return a few cases that are no test cases, the first ones of training or of the first fold, and their part."""
    part = next(case.split for case in cohort.cases if case.split != "test")
    return str(part), [case.case_id for case in cohort.cases if case.split == part][:CASES]


def _time_patches(study: Study, folder: Path, cases: int) -> None:
    from hakken.runs.required import needs_of
    from hakken.stages.patches import patches

    if needs_of(study).patches:
        with _timed("patches", cases):
            patches(study=study, prepared=[folder / "prepared"], output=folder / "train")


def _time_predictions(study: Study, cases: Sequence[Any]) -> None:
    """Say how long untrained networks take to say of a case what is maximised, and all."""
    from hakken.runs.learner import learner_of
    from hakken.training.device import choose_device
    from hakken.training.method import Method

    learner, device = learner_of(study), choose_device()
    if not isinstance(learner, Method):
        return
    model = learner.export({name: one.to(device) for name, one in learner.networks().items()}).eval()
    for what, wanted in ((OBJECTIVE, (study.objective,)), (PREDICT, tuple(study.outcomes))):
        with _timed(what, len(cases)):
            for case in cases:
                learner.predict(model, case, wanted)


if __name__ == "__main__":
    main()
