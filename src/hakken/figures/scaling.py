"""Figure `scaling`: how fast and how well one training goes with several numbers of processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hakken.core.errors import HakkenError
from hakken.figures import Drawing, Files, Table, cells
from hakken.figures._courses import numbers_of, sweeps_of
from hakken.outcomes import words_of
from hakken.plots.scaling import ScalingInput, draw_scaling
from hakken.report.figure import cost
from hakken.runs.table import run_named
from hakken.runs.trials import read_trial
from hakken.study import Study
from hakken.training.scaling import Scaled, efficiency, speed

INPUTS = {"trials": "trials/scaling"}
CAPTION = (
    "The same training with several numbers of processes: validation objective over time, and speed against the number "
    "of processes beside the published one."
)
COLUMNS = (
    *("processes", "ran", "nodes", "threads", "device", "host", "jobs", "patches"),
    *("step", "seconds", "objective"),
)

Record = Mapping[str, Any]


def draw(study: Study, files: Files) -> Drawing:
    """Draw the trainings, the fewest processes first."""
    if study.scaling is None:
        raise HakkenError(f"study `{study.name}` has no section `scaling`; give it one")
    paths = files.all("trials")
    pairs = [(_scaled(study, record), record) for record in (read_trial(path, archived=True) for path in paths)]
    pairs.sort(key=lambda pair: pair[0].processes)
    found = [one for one, _ in pairs]
    given = ScalingInput(
        trainings=tuple(found),
        published=study.scaling.published,
        citation=study.published.citation if study.published else "",
        objective=f"Validation objective\n({words_of(study)})",
        notes=tuple(_notes(study, found)),
        origin=files.origin,
    )
    rows = [row for pair in pairs for row in _rows(*pair)]
    first = found[0]
    words = ", ".join(f"{one.processes}: {speed(one, first):.2f} x, {efficiency(one, first):.0%}" for one in found)
    sweeps = sweeps_of(paths)
    spent = cost([record for sweep in sweeps.values() for record in sweep])
    return Drawing(draw_scaling(given), Table(COLUMNS, cells(rows)), words, numbers_of(sweeps), spent)


def _scaled(study: Study, record: Record) -> Scaled:
    """Return one training; raises HakkenError naming one that failed."""
    name = str(record["sweep"])
    if record["state"] != "complete":
        why = record.get("detail") or "see its log"
        raise HakkenError(f"the training `{name}` failed, {record['reason']}: {why}")
    steps, batch = record["curve"][-1]["step"], record["all_parameters"].get("batch_size", 1)
    return Scaled(
        processes=run_named(study, name).study(study).training.minibatches,
        ran=record["processes"],
        nodes=record["nodes"],
        threads=record["threads"],
        device=record["device"],
        host=record["host"],
        jobs=len(record["jobs"]),
        patches=steps * batch,
        seconds=tuple(record["clock"]),
        objectives=tuple(point["objective"] for point in record["curve"]),
    )


def _rows(one: Scaled, record: Record) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each measurement of a training."""
    same = (one.processes, one.ran, one.nodes, one.threads, one.device, one.host, one.jobs, one.patches)
    for point, seconds in zip(record["curve"], one.seconds, strict=True):
        yield *same, point["step"], seconds, point["objective"]


def _notes(study: Study, found: Sequence[Scaled]) -> Iterator[str]:
    """Yield what a reader must know: what was fixed, where it ran, and what is not as it was asked for."""
    first = found[0]
    measured = f"{len(first.seconds)} measurements on validation within the time"
    fixed = f"Fixed work: {first.patches:,} patches, and {measured}."
    batch = getattr(study.parameters, "batch_size", None)
    if batch is not None:
        fixed += (
            f" Each process takes mini-batches of {batch}; the learning rate grows with their number after a warm-up "
            f"over {100 * study.training.warm_up:.0f} % of the steps."
        )
    yield fixed
    hosts = ", ".join(sorted({one.host for one in found}))
    yield f"Measured on {hosts} ({first.device}); once each, so differences of a few per cent are chance."
    for one in found:
        if one.ran != one.processes:
            yield f"{one.processes} processes were asked for and {one.ran} ran: there are no more GPUs or threads."
        if one.jobs > 1:
            yield f"The training with {one.processes} processes took {one.jobs} jobs; waiting is not counted."
