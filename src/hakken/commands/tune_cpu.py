"""`hakken tune-cpu`: which layout of processes and threads trains fastest on this host."""

from __future__ import annotations

import argparse
import os
import platform
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hakken.commands.configured import add_study_options, chosen_studies
from hakken.commands.parser import add_command
from hakken.core.errors import HakkenError

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers
    from hakken.study import Study
    from hakken.training.layout_search import Tuned

MINUTES = 3.0


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "tune-cpu",
        "time trainings on this host's CPU by processes, threads, order of memory and precision, and keep the fastest",
        "hakken tune-cpu --study brain_metastasis --scale paper --minutes 5",
        run,
    )
    add_study_options(parser)
    parser.add_argument(
        "--minutes", type=_minutes, default=MINUTES, metavar="M", help=f"how long to measure (default: {MINUTES:g})"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE.json",
        help="where the layout is kept (default: in your configuration folder, by the name of this host)",
    )
    parser.add_argument("--show", action="store_true", help="show the layout that is kept, and measure nothing")


def run(options: argparse.Namespace) -> None:
    """Measure, print a table and keep the best layout; or show the one that is kept.

    Raises HakkenError, and keeps nothing, where other work disturbed the measurement.
    """
    from hakken.training.layout import layout_path, read_layout, write_layout

    path = options.output or layout_path()
    if options.show:
        layout = read_layout(path)
        print(f"{path}: {layout}" if layout else f"{path}: no such file; `hakken tune-cpu` makes it")
        return
    study = _study(options)
    tuned = _measure(study, options.minutes)
    print(*_table(tuned, study), sep="\n")
    if tuned.disturbed:
        raise HakkenError(
            "the rounds of the default differ widely, so other work runs on this host; nothing is kept: measure again "
            "when it is quiet"
        )
    write_layout(path, tuned.best, _details(tuned, study))
    print(f"kept in {path}")


def _minutes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 24 * 60:
        raise argparse.ArgumentTypeError(f"{text} is no number of minutes above 0 and up to 1440")
    return value


def _study(options: argparse.Namespace) -> Study:
    studies = chosen_studies(options)
    if len(studies) > 1:
        names = ", ".join(study.name for study in studies)
        raise HakkenError(f"config/config.yaml names several studies ({names}); choose one with --study")
    return studies[0]


def _measure(study: Study, minutes: float) -> Tuned:
    from hakken.core.console import progress
    from hakken.runs.layout_pool import Pool
    from hakken.training.layout import has_bfloat16
    from hakken.training.layout_search import candidates, search

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    able = has_bfloat16()
    layouts = candidates(cores, able)
    progress(f"{cores} cores, {'with' if able else 'without'} instructions for bfloat16; {len(layouts)} layouts")
    with Pool(study, max(layout.processes for layout in layouts)) as pool:
        return search(layouts, pool.seconds, _samples(study), minutes * 60)


def _samples(study: Study) -> int:
    """Return the samples of a mini-batch; 1 where the method has no such parameter."""
    return int(getattr(study.parameters, "batch_size", 1))


def _table(tuned: Tuned, study: Study) -> list[str]:
    """Return what is shown: a line a layout, what was looked at twice first, and what is chosen."""
    lines = [
        f"{study.name} at scale {study.scale}: {study.method}, {_samples(study)} samples a step and process",
        f"{'processes x threads':<21}{'memory':<16}{'precision':<11}"
        f"{'samples/s':>10}  {'lowest-highest':<17}{'rounds':>6}{'relative':>10}",
    ]
    for timing in tuned.latest:
        layout = timing.layout
        mark = "  default" if layout == tuned.default else ""
        mark += "  <- chosen" if layout == tuned.best and not tuned.disturbed else ""
        order = "channels last" if layout.channels_last else "channels first"
        spread = f"{min(timing.rates):.1f}-{max(timing.rates):.1f}"
        lines.append(
            f"{f'{layout.processes} x {layout.threads}':<21}{order:<16}{layout.precision:<11}{timing.median:>10.1f}  "
            f"{spread:<17}{len(timing.rates):>6}{tuned.relative(timing):>10.2f}{mark}"
        )
    if tuned.best == tuned.default and not tuned.disturbed:
        lines.append("no layout was faster than the default beyond the spread of the rounds; the default is kept")
    return lines


def _details(tuned: Tuned, study: Study) -> dict[str, Any]:
    """Return how the layout was found, for people to read."""
    import torch

    from hakken.training.layout import cpu_name

    return {
        "host": socket.gethostname(),
        "cpu": cpu_name() or platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "study": study.name,
        "scale": study.scale,
        "method": study.method,
        "parameters": study.parameters.model_dump(mode="json"),
        "samples_per_second": [
            {
                "layout": str(timing.layout),
                "rounds": [round(rate, 3) for rate in timing.rates],
                "relative": round(tuned.relative(timing), 4),
            }
            for timing in tuned.latest
        ],
    }
