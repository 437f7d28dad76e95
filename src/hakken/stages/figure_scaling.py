"""Stage `figure_scaling`: how fast and how well one training goes with several numbers of processes."""

from __future__ import annotations

from pathlib import Path

from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.plots.publish import publish
from hakken.plots.scaling import ScalingInput, draw_scaling
from hakken.plots.style import Origin
from hakken.report.figure import cost, provenance, read_trials
from hakken.report.scaling import read_scaling, write_scaling
from hakken.report.seal import read_openings
from hakken.stages import stage
from hakken.study import Study
from hakken.training.scaling import Scaled, efficiency, speed


@stage
def figure_scaling(
    *, study: Study, trials: list[Path], table: Path, openings: Path, code: str, scaling: Path, output: list[Path]
) -> None:
    """Write the table ``scaling`` of the ``trials``, in the order of `scaling.processes`, and draw the figure from it.

    Raises HakkenError where the study has no section `scaling` or one of the trainings failed.
    """
    if study.scaling is None:
        raise HakkenError(f"study `{study.name}` has no section `scaling`; give it one")
    opened = len(read_openings(openings))
    write_scaling(scaling, dict(zip(study.scaling.processes, trials, strict=True)))
    found = read_scaling(scaling)
    given = ScalingInput(
        trainings=found,
        published=study.scaling.published,
        citation=study.published.citation if study.published else "",
        objective=f"Validation objective\n({study.objective_in_full})",
        notes=notes(study, found),
        origin=Origin(study.title or study.name, study.scale, study.data, opened),
    )
    records = read_trials(trials)
    facts = provenance(
        study,
        figure="scaling",
        inputs=[*trials, table],
        code=code,
        openings=opened,
        trials={record.sweep: [record.number] for record in records},
        spent=cost(records),
    )
    publish(draw_scaling(given), output, facts)
    first = found[0]
    progress(", ".join(f"{one.processes}: {speed(one, first):.2f} x, {efficiency(one, first):.0%}" for one in found))


def notes(study: Study, found: tuple[Scaled, ...]) -> tuple[str, ...]:
    """Return what a reader must know: what was fixed, where it ran, and what is not as it was asked for."""
    first = found[0]
    lines = [
        f"Fixed work: {first.patches:,} patches, and {len(first.seconds)} measurements on validation within the time."
        f" Each process takes mini-batches of {study.parameters.batch_size}; the learning rate grows with their number"
        f" after a warm-up over {study.training.warm_up:.0%} of the steps."
    ]
    hosts = sorted({one.host for one in found})
    lines.append(
        f"Measured on {', '.join(hosts)} ({first.device}); once each, so differences of a few per cent are chance."
    )
    for one in found:
        if one.ran != one.processes:
            lines.append(
                f"{one.processes} processes were asked for and {one.ran} ran: there are no more GPUs or threads."
            )
        if one.jobs > 1:
            lines.append(f"The training with {one.processes} processes took {one.jobs} jobs; waiting is not counted.")
    return tuple(lines)
