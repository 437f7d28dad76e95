"""How much faster is a dense score map than evaluating its patches one batch after another, and is it the same?

    python benchmarks/dense.py --output dense.json

For networks with 0, 1 and 2 poolings and lattices of 1, 2 and 4 voxels, on one volume: seconds of the whole map, and
seconds of a random sample of its patches in batches of 64 (cut beforehand), scaled to all points of the map. The best
of `--rounds` counts for both. The largest difference of the scores is over the sample.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from hakken.inference.dense import ScoreMap, score_map
from hakken.networks.patch_cnn import PatchClassifier
from hakken.networks.structure import Structure
from hakken.training.device import choose_device

BATCH = 64
SAMPLE = 1024


@dataclass(frozen=True)
class Row:
    poolings: int
    stride: int
    points: int
    dense_seconds: float
    patch_seconds: float
    ratio: float
    difference: float


def network_of(poolings: int, device: torch.device) -> PatchClassifier:
    torch.manual_seed(0)
    structure = Structure(patch_size=20, convolutions=3, poolings=poolings, base_features=8)
    return PatchClassifier(2, structure=structure).to(device).eval()


def cut(network: PatchClassifier, image: torch.Tensor, points: ScoreMap, chosen: np.ndarray) -> torch.Tensor:
    """Return the patches (n, c, p, p, p) of chosen points."""
    edge = network.patch_shape[0]
    padded = torch.nn.functional.pad(image, [edge] * 6)
    places = points.to_voxel(np.argwhere(np.ones(points.array.shape))[chosen]).astype(int) - edge // 2 + edge
    return torch.stack([padded[:, z : z + edge, y : y + edge, x : x + edge] for z, y, x in places])


def one_by_one(network: PatchClassifier, patches: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        logits = torch.cat([network(batch).flatten(1) for batch in patches.split(BATCH)])
    return (1 - torch.softmax(logits, 1)[:, 0]).cpu().numpy()


def seconds(work: Callable[[], object], rounds: int, device: torch.device) -> float:
    best = float("inf")
    for _ in range(rounds + 1):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best


def measure(poolings: int, stride: int, options: argparse.Namespace, device: torch.device) -> Row:
    network = network_of(poolings, device)
    image = torch.randn(2, *options.shape, generator=torch.Generator().manual_seed(1)).to(device)

    def dense() -> ScoreMap:
        return score_map(network, image, stride_voxel=stride, memory_mb=options.memory_mb)

    found = dense()
    chosen = np.random.default_rng(2).permutation(found.array.size)[:SAMPLE]
    patches = cut(network, image, found, chosen)
    fast = seconds(dense, options.rounds, device)
    slow = seconds(lambda: one_by_one(network, patches), options.rounds, device) * found.array.size / len(chosen)
    difference = np.abs(one_by_one(network, patches) - found.array.ravel()[chosen]).max()
    return Row(poolings, stride, found.array.size, fast, slow, slow / fast, float(difference))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--shape", type=int, nargs=3, default=(60, 90, 75), help="volume, z y x (default: 60 90 75)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory-mb", type=float, default=1024)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = choose_device()
    print("poolings  stride  points  dense s  patches s  ratio  difference")
    rows = []
    for poolings in (0, 1, 2):
        for stride in (1, 2, 4):
            row = measure(poolings, stride, options, device)
            rows.append(row)
            print(
                f"{poolings:8d}  {stride:6d}  {row.points:6d}  {row.dense_seconds:7.3f}  {row.patch_seconds:9.1f}  "
                f"{row.ratio:5.0f}  {row.difference:.1e}",
                flush=True,
            )
    if options.output:
        machine = {"machine": platform.machine(), "device": device.type, "threads": options.threads}
        content = {"torch": torch.__version__, **machine, "shape": options.shape, "rows": [asdict(row) for row in rows]}
        options.output.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
