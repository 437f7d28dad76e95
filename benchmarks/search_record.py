"""Record real trainings of a study at random points of its search space, for `search_replay.py`.

    python benchmarks/search_record.py config/studies/brain_metastasis.yaml tiny \\
        --results results/brain_metastasis/tiny --output benchmarks/recorded/brain_metastasis.json --count 50

What is recorded of a training are its parameters, and at each rung and at the end the step, the validation objective so
far and the seconds since its first step: CPU seconds, those of the whole training shared out by its clock, so that
other work on the machine does not count. A training that fails by its own parameters is recorded without a curve. The
first one is the untuned default; the others are drawn at random. ``--wide`` names parameters that are drawn from the
range that the study searches at its scale `paper`, where the scale has narrowed it; ``--fixed`` sets parameters that
are not drawn, such as a smaller network where trainings have to be cheap.

The cases are those that a run of the study has prepared below ``--results`` (`prepared/`, and `patches/train` where the
method takes patches); they are only read. Each finished training is in the file at once, and the same command goes on
where it was stopped, with ``--seconds`` before it would begin a training that may take longer than these in all. What
has been recorded at other settings is not mixed with it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, write_json
from hakken.core.seeds import derive_seed
from hakken.runs.ask import complete, propose_trial
from hakken.runs.attempt import rung_steps
from hakken.runs.fit import Fitting, Record, fit
from hakken.runs.overrides import overridden
from hakken.runs.required import needs_of
from hakken.runs.warm_start import own_point, space_keys
from hakken.search import Space
from hakken.search.rungs import Rungs, objectives_at
from hakken.search.settings import Settings
from hakken.search.trial import Value
from hakken.study import Study
from hakken.study.reading import load_study
from hakken.training.failures import failure_reason

ROLE = "recorded"
PAPER = "paper"


def begun(
    study: Study, rungs: Rungs, wide: Mapping[str, Any], fixed: Mapping[str, Value] | None = None
) -> dict[str, Any]:
    """Return what a file says before any training.

    ``wide`` are parameters in place of those that the study searches, ``fixed`` those that stand in it and are not.
    """
    space = {name: one for name, one in {**space_keys(study), **wide}.items() if name not in (fixed or {})}
    return {
        "study": study.name,
        "scale": study.scale,
        "objective": study.objective,
        "steps": study.training.steps,
        "rungs": [str(share) for share in rungs.shares],
        "start_seconds": 0.0,
        **({"fixed": dict(fixed)} if fixed else {}),
        "space": space,
        "trainings": [],
    }


def widened(path: Path, scale: str, names: Sequence[str]) -> dict[str, Any]:
    """Return the parameters ``names`` as the study searches them at its scale `paper`.

    Raises HakkenError for one that it does not search there.
    """
    known = space_keys(load_study(path, PAPER))
    for name in names:
        if name not in known:
            raise HakkenError(f"--wide {name}: the study does not search it at the scale `{PAPER}`; leave it out")
    return {name: known[name] for name in names if scale != PAPER}


def assigned(text: str) -> tuple[str, Value]:
    """Return the name and the value of `name=value`."""
    name, _, value = text.partition("=")
    return name, json.loads(value)


def drawn(study: Study, space: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return the parameters of a training: those of the study for the first, where they are a point of the space."""
    defaults = study.parameters.model_dump(mode="json")
    if number == 0 and (own := own_point(Space.from_mapping(space), defaults, say=progress)) is not None:
        return dict(own)
    seed = derive_seed(study.seed, ROLE)
    return propose_trial(Settings(dict(space), seed, "random", defaults=defaults, method=str(study.method)), (), number)


def recorded(study: Study, rungs: Rungs, parameters: Mapping[str, Any], number: int, results: Path) -> dict[str, Any]:
    """Train at a point, beside the prepared cases in ``results``, and return what is recorded of it."""
    chosen = complete(parameters, study.parameters.model_dump(mode="json"), str(study.method))
    steps = rung_steps(study.training, rungs)
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        fitting = Fitting(
            study=study.model_copy(update={"parameters": chosen}),
            seed=derive_seed(study.seed, ROLE, number),
            patches=results / "patches" / "train" if needs_of(study).patches else None,
            train=tuple(sorted((results / "prepared").glob("train-*"))),
            validation=tuple(sorted((results / "prepared").glob("validation-*"))),
            folder=Path(folder),
            label=f"training {number}",
            identity="",
            metadata={},
            rungs=steps,
        )
        try:
            record = fit(fitting, torch.device("cpu"))
        except Exception as error:
            reason = failure_reason(error)
            if reason is None:
                raise
            return {"parameters": dict(parameters), "failed": reason}
    curve = _curve(record, (*steps, study.training.steps), study.training.keep, time.process_time() - started)
    return {"parameters": dict(parameters), "curve": curve}


def _curve(record: Record, steps: Sequence[int], keep: str, spent: float) -> list[list[float]]:
    """Return step, objective so far and CPU seconds at each of ``steps``; one that ended before has come to the end."""
    points = [(point["step"], point["objective"]) for point in record["curve"]]
    found = objectives_at(points, steps, keep=keep)
    clock = dict(zip((step for step, _ in points), record["clock"], strict=True))
    at = [max((clock[step] for step, _ in points if step <= until), default=0.0) for until in steps]
    share = spent / record["seconds"]
    rows = zip(steps[:-1], found[:-1], at[:-1], strict=True)
    curve = [[step, _rounded(value), round(seconds * share, 2)] for step, value, seconds in rows if value is not None]
    return [*curve, [steps[-1], _rounded(record["objective"]), round(spent, 2)]]


def _rounded(value: float) -> float:
    return round(value, 6)


def record_all(
    study: Study, content: dict[str, Any], rungs: Rungs, results: Path, output: Path, *, count: int, seconds: float
) -> None:
    """Record up to ``count`` trainings into ``output``, for so many ``seconds`` of this process."""
    if output.is_file():
        content = _same(read_json(output), content, output)
    longest = 0.0
    for number in range(len(content["trainings"]), count):
        started = time.monotonic()
        if started - BEGAN + longest > seconds:
            break
        content["start_seconds"] = content["start_seconds"] or round(time.process_time(), 2)
        one = recorded(study, rungs, drawn(study, content["space"], number), number, results)
        content["trainings"].append(one)
        write_json(output, content)
        longest = max(longest, time.monotonic() - started)
        progress(f"training {number}: {one.get('curve', one.get('failed'))}")


def _same(found: dict[str, Any], wanted: Mapping[str, Any], output: Path) -> dict[str, Any]:
    """Return what a file holds; raises HakkenError where it was recorded at other settings."""
    for key, value in wanted.items():
        if key not in ("trainings", "start_seconds") and found.get(key) != value:
            raise HakkenError(f"{output}: was recorded with other `{key}`; name another file, or delete this one")
    return found


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("study", type=Path, help="file of the study")
    line.add_argument("scale")
    line.add_argument("--results", type=Path, required=True, help="where a run of it has prepared the cases")
    line.add_argument("--output", type=Path, required=True, metavar="JSON")
    line.add_argument("--count", type=int, default=50, metavar="N", help="trainings in all")
    line.add_argument("--rungs", nargs="+", default=["1/9", "1/3"], metavar="SHARE")
    line.add_argument("--wide", nargs="+", default=[], metavar="PARAMETER")
    line.add_argument("--fixed", nargs="+", default=[], type=assigned, metavar="PARAMETER=VALUE")
    line.add_argument("--seconds", type=float, default=math.inf, help="of this call, on the clock")
    return line


BEGAN = time.monotonic()


def main() -> None:
    """Record trainings."""
    options = parser().parse_args()
    torch.set_num_threads(1)
    fixed, rungs = dict(options.fixed), Rungs.of(options.rungs)
    own = load_study(options.study, options.scale)
    study = overridden(own, {f"parameters.{name}": value for name, value in fixed.items()}, ROLE)
    content = begun(study, rungs, widened(options.study, options.scale, options.wide), fixed)
    record_all(study, content, rungs, options.results, options.output, count=options.count, seconds=options.seconds)


if __name__ == "__main__":
    main()
