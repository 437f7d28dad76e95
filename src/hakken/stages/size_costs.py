"""Stage `size_costs`: what each size of each frozen network costs on one image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from hakken.console import log, progress
from hakken.errors import HakkenError
from hakken.imaging.prepared import prepared_cases
from hakken.inference.cost import multiply_adds, peak_bytes
from hakken.inference.latency import latency_seconds
from hakken.inference.model import Detector, load_model
from hakken.networks.unet import UNet, sizes_of, sub_network
from hakken.report.tables import Cell, write_rows
from hakken.stages import stage
from hakken.training.device import choose_device

COSTS = ("model", "levels", "features", "parameters", "multiply_adds", "peak_bytes", "latency_ms", "device", "shape")
REPEATS = 20


@stage
def size_costs(*, models: list[Path], prepared: list[Path], output: Path, threads: int = 1) -> None:
    """Write parameters, multiply-adds, peak memory and latency of each size of each of the ``models`` as CSV.

    The image is as large as the first case in ``prepared``. Sizes are measured as networks of their own, as `hakken
    export` writes them. Raises HakkenError for a network that has no sizes.
    """
    torch.set_num_threads(threads)
    case = next(case for folder in prepared for case in prepared_cases(folder))
    rows: list[tuple[Cell, ...]] = []
    for path in models:
        detector = load_model(path, choose_device())
        rows += _costs(path.stem, detector, case.geometry.shape_zyx)
        log(f"{path.stem}: measured")
    write_rows(output, COSTS, rows)
    progress(f"{len(rows)} sizes of {len(models)} networks")


def _costs(name: str, detector: Detector, extent: tuple[int, int, int]) -> Iterator[tuple[Cell, ...]]:
    """Yield a row for each size of one network; a flat one is given one slice."""
    network = detector.network
    if not isinstance(network, UNet):
        raise HakkenError(f"model {name}: is no `unet` and has no sizes")
    shape = (1, network.channels, *extent[3 - network.dimensions :])
    device = next(network.parameters()).device
    for size in sizes_of(detector.study.training.sizes, detector.parameters):
        small = sub_network(network, size.levels, size.features)
        yield (
            *(name, size.levels, size.features, small.parameter_count),
            *(multiply_adds(small, shape), peak_bytes(small, shape)),
            *(1000 * latency_seconds(small, shape, REPEATS), device.type, "x".join(map(str, shape[2:]))),
        )
