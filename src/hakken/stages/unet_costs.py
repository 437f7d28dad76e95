"""Stage `unet_costs`: what each size of each frozen U-Net costs on one image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from hakken.core.console import log, progress
from hakken.core.errors import HakkenError
from hakken.core.tables import Cell, write_table
from hakken.imaging.prepared import prepared_cases
from hakken.methods.unet.cost import multiply_adds, peak_bytes
from hakken.methods.unet.latency import latency_seconds
from hakken.methods.unet.learn import Learner
from hakken.networks.unet import UNet, sub_network
from hakken.runs.model_file import Trained, load_model
from hakken.stages import stage
from hakken.training.device import choose_device
from hakken.training.patch_player import NETWORK

COSTS = ("model", "levels", "features", "parameters", "multiply_adds", "peak_bytes", "latency_ms", "device", "shape")
REPEATS = 20


@stage
def unet_costs(*, models: list[Path], cases: list[Path], output: Path, threads: int = 1) -> None:
    """Write parameters, multiply-adds, peak memory and latency of each size of each of the ``models`` as CSV.

    The image is as large as the first of the ``cases``. Sizes are measured as networks of their own, as `hakken export`
    writes them; baselines, which have no network, and averages of several are passed over.
    """
    torch.set_num_threads(threads)
    case = next(case for folder in cases for case in prepared_cases(folder))
    rows: list[tuple[Cell, ...]] = []
    for path in models:
        trained = load_model(path, choose_device())
        if trained.learner is not None and not trained.members:
            rows += _costs(path.stem, trained, case.geometry.shape_zyx)
            log(f"{path.stem}: measured")
    write_table(output, COSTS, rows)
    progress(f"{len(rows)} sizes of networks")


def _costs(name: str, trained: Trained, extent: tuple[int, int, int]) -> Iterator[tuple[Cell, ...]]:
    """Yield a row for each size of one network; a flat one is given one slice."""
    learner, network = trained.learner, trained.model.networks.get(NETWORK)
    if not isinstance(learner, Learner) or not isinstance(network, UNet):
        raise HakkenError(f"model {name}: is no U-Net and has no sizes")
    shape = (1, network.channels, *extent[3 - network.dimensions :])
    device = trained.model.device
    for size in learner.sizes:
        small = sub_network(network, size.levels, size.features)
        yield (
            *(name, size.levels, size.features, small.parameter_count),
            *(multiply_adds(small, shape), peak_bytes(small, shape)),
            *(1000 * latency_seconds(small, shape, REPEATS), device.type, "x".join(map(str, shape[2:]))),
        )
