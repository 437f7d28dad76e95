"""Stage `glow_memory`: what a step of training costs a flow of several depths, by each way back, flat and solid."""

from __future__ import annotations

from pathlib import Path

import torch

from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.tables import Cell, write_table
from hakken.methods.glow.learn import Learner
from hakken.methods.glow.memory import Step, measured
from hakken.runs.model_file import load_model
from hakken.stages import stage
from hakken.training.device import choose_device

COLUMNS = ("axes", "depth", "backward", "shape", "kept_bytes", "peak_bytes", "seconds", "device")
DEPTHS = (4, 8, 16)
BATCH = 2
REPEATS = 3


@stage
def glow_memory(*, models: list[Path], output: Path, threads: int = 1) -> None:
    """Write bytes kept for the backward pass and time of a step, as CSV, by the parameters of the first flow.

    Raises HakkenError where none of the ``models`` is one.
    """
    torch.set_num_threads(threads)
    learners = [load_model(path).learner for path in models]
    flows = [learner for learner in learners if isinstance(learner, Learner)]
    if not flows:
        raise HakkenError("none of the frozen models is a flow; leave out the figure `flow_memory`")
    device = choose_device()
    channels = len(flows[0].facts.inputs)
    steps = [*measured(flows[0].parameters, channels, DEPTHS, batch=BATCH, repeats=REPEATS, device=device)]
    write_table(output, COLUMNS, [_row(step, device) for step in steps])
    progress(f"{len(steps)} ways through a flow and back")


def _row(step: Step, device: torch.device) -> tuple[Cell, ...]:
    shape = "x".join(map(str, step.shape))
    return (
        *(step.axes, step.depth, step.backward, shape, step.kept_bytes, step.peak_bytes),
        *(round(step.seconds, 6), device.type),
    )
