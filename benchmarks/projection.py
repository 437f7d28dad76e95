"""How much faster do projections of a whole volume come from its lines than from its cubes, and are they the same?

    python benchmarks/projection.py --output projection.json

For cubes of 12, 16 and 24 voxels and lattices of 1, 2 and 4 voxels, on one volume of one channel: points a second
from the volume to the network's input, nine projections a point, for all points of the lattice, and the naive way,
which cuts the cubes of a random sample of the points (cutting counts) and projects them in batches of 64. Then the
same with the network: the score map of the whole lattice, and cutting, projecting and classifying the sample. The best
of `--rounds` counts for each. The differences are the largest over the sample, of the projections and of the scores.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from hakken.inference.dense import MIB, ScoreMap
from hakken.methods.projection_classifier.network import ProjectionClassifier, project
from hakken.methods.projection_classifier.score_map import Cubes, projected, projection_score_map
from hakken.networks.structure import Structure
from hakken.training.device import choose_device

BATCH = 64
SAMPLE = 1024


@dataclass(frozen=True)
class Row:
    """Rates are points a second; ratios are those of the fast to the naive way."""

    edge: int
    stride: int
    points: int
    input_rate: float
    naive_input_rate: float
    input_ratio: float
    score_rate: float
    naive_score_rate: float
    score_ratio: float
    input_difference: float
    score_difference: float


def network_of(edge: int, device: torch.device) -> ProjectionClassifier:
    torch.manual_seed(0)
    return ProjectionClassifier(1, Structure(patch_size=edge)).to(device).eval()


def naive(image: torch.Tensor, edge: int, voxels: np.ndarray) -> Iterator[torch.Tensor]:
    """Yield the projections of the cubes around voxels (n, 3), batch by batch."""
    padded = torch.nn.functional.pad(image, [edge] * 6)
    for start in range(0, len(voxels), BATCH):
        places = voxels[start : start + BATCH] - edge // 2 + edge
        yield project(torch.stack([padded[:, z : z + edge, y : y + edge, x : x + edge] for z, y, x in places]))


def classified(network: ProjectionClassifier, images: Iterator[torch.Tensor]) -> np.ndarray:
    """Return the scores of projections, batch by batch, in the layers as they were trained."""
    logits = torch.cat([network.classifier(batch[:, :, None]).flatten(1) for batch in images])
    return (1 - torch.softmax(logits, 1)[:, 0]).cpu().numpy()


def seconds(works: list[Callable[[], object]], rounds: int, device: torch.device) -> list[float]:
    """Return the best time of each; a round measures each once, so that a busy moment does not fall on one alone."""
    best = [float("inf")] * len(works)
    for _ in range(rounds):
        for number, work in enumerate(works):
            start = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize()
            best[number] = min(best[number], time.perf_counter() - start)
    return best


@torch.inference_mode()
def measure(edge: int, stride: int, options: argparse.Namespace, device: torch.device) -> Row:
    network = network_of(edge, device)
    image = torch.randn(1, *options.shape, generator=torch.Generator().manual_seed(1)).to(device)

    def scored() -> ScoreMap:
        return projection_score_map(network, image, stride_voxel=stride, memory_mb=options.memory_mb)

    found = scored()
    inside = np.ones(found.array.shape, bool)
    cubes = Cubes(edge, stride, 1)

    def inputs(inside: np.ndarray) -> Iterator[torch.Tensor]:
        limit = options.memory_mb * MIB
        return (images for _, images in projected(image, cubes, found.origin, inside, limit=limit, device=device))

    chosen = np.zeros(found.array.size, bool)
    chosen[np.random.default_rng(2).permutation(found.array.size)[:SAMPLE]] = True
    chosen = chosen.reshape(found.array.shape)
    places = np.argwhere(chosen)
    voxels = found.to_voxel(places).astype(int)
    count, sample = found.array.size, len(places)
    works: list[Callable[[], object]] = [
        lambda: sum(len(batch) for batch in inputs(inside)),
        lambda: list(naive(image, edge, voxels)),
        scored,
        lambda: classified(network, naive(image, edge, voxels)),
    ]
    measured = seconds(works, options.rounds, device)
    rates = [number / taken for number, taken in zip((count, sample, count, sample), measured, strict=True)]
    slow = torch.cat(list(naive(image, edge, voxels)))
    # The blocks come in an order of their own; every pass names its points.
    fast = torch.empty_like(slow)
    order = np.full(chosen.shape, -1)
    order[chosen] = np.arange(sample)
    limit = options.memory_mb * MIB
    for points, images in projected(image, cubes, found.origin, chosen, limit=limit, device=device):
        fast[order[tuple(points.T)]] = images
    scores = classified(network, naive(image, edge, voxels))
    return Row(
        edge,
        stride,
        count,
        *(rates[0], rates[1], rates[0] / rates[1]),
        *(rates[2], rates[3], rates[2] / rates[3]),
        float((fast - slow).abs().max()),
        float(np.abs(scores - found.array[chosen]).max()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--shape", type=int, nargs=3, default=(40, 48, 44), help="volume, z y x (default: 40 48 44)")
    parser.add_argument("--edges", type=int, nargs="+", default=(12, 16, 24), help="cubes, voxels (default: 12 16 24)")
    parser.add_argument("--strides", type=int, nargs="+", default=(1, 2, 4), help="lattices, voxels (default: 1 2 4)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-mb", type=float, default=1024)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = choose_device()
    print("          volume to input, points/s     volume to score, points/s     largest difference")
    print("edge  stride  points     lines    cubes  ratio     lines    cubes  ratio    input    score")
    rows = []
    for edge in options.edges:
        for stride in options.strides:
            row = measure(edge, stride, options, device)
            rows.append(row)
            print(
                f"{edge:4d}  {stride:6d}  {row.points:6d}  {row.input_rate:8.0f} {row.naive_input_rate:8.0f}  "
                f"{row.input_ratio:5.1f}  {row.score_rate:8.0f} {row.naive_score_rate:8.0f}  {row.score_ratio:5.1f}  "
                f"{row.input_difference:.1e}  {row.score_difference:.1e}",
                flush=True,
            )
    if options.output:
        machine = {"machine": platform.machine(), "device": device.type, "threads": options.threads}
        content = {"torch": torch.__version__, **machine, "shape": options.shape, "rows": [asdict(row) for row in rows]}
        options.output.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
