"""How do the threads that make mini-batches scale, and how long does a step of 100 ms wait for them?

    python benchmarks/loader.py --workers 2 --output loader.json

Augmented patches from a store of noise, and augmented windows of dense networks cut from prepared cases of noise, on
the CPU. Each round makes the same mini-batches in this thread alone and then ahead, with 1 and more workers, in turn;
the speed is the median over the rounds of the ratios within a round. On cores that others use, the ratio says little.
Then a step is stood in for by a pause of 100 ms: which share of the time does it wait for its mini-batch?
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from threading import Barrier, Thread, get_native_id
from typing import Any

import numpy as np
import torch

from hakken.core.volume import Geometry
from hakken.imaging.prepared import Lesion, PreparedCase, save_prepared
from hakken.patches.augment import Augmentation
from hakken.patches.loader import PatchLoader
from hakken.patches.sampling import Centres
from hakken.patches.shards import CutCase, Layout, PatchStore, write_shards
from hakken.training.windows import Drawing, WindowSource, label_targets

STEP = 0.1
SPACING = (1.0, 1.0, 1.0)
LAYOUT = Layout(32, 6, ("A", "B"), SPACING, "benchmark")
SHAPE = (128, 160, 128)
CASES = 4
WINDOWS = Augmentation(1.0, rotation_degrees=30, scale=0.45, gain=0.3, shift=0.3, gamma=0.3, noise=0.15, warped=0.5)


@dataclass(frozen=True)
class Row:
    source: str
    samples_per_second: float
    speed: dict[int, float]
    on_free_cores: dict[int, float]
    waits: dict[int, float]


def patches(folder: Path, size: int, batch: int) -> PatchLoader:
    """Return a loader of patches of an edge, 2,000 of them stored."""
    if not folder.is_dir():
        random = np.random.default_rng(1)
        image = random.standard_normal((2, *SHAPE), np.float32).astype(np.float16)
        voxels = np.stack([random.integers(0, extent, 2000) for extent in SHAPE], 1).astype(np.int32)
        kinds = (np.arange(2000) % 3).astype(np.int8)
        case = CutCase("a", image, Centres(voxels, kinds, kinds.astype(np.int32)), voxels.astype(float))
        write_shards(folder, [case], LAYOUT, shard_mb=256)
    common: dict[str, Any] = {"negative_ratio": 1.0, "hard_fraction": 0.5, "augmentation": 1.0, "seed": 1}
    return PatchLoader(PatchStore.open(folder), batch_size=batch, patch_size=size, **common)


def windows(folder: Path, size: int, batch: int) -> WindowSource:
    """Return windows of an edge, drawn from prepared cases of two channels."""
    grid, cases = Geometry(SHAPE), []
    for number in range(CASES):
        image = np.random.default_rng(number).standard_normal((2, *SHAPE), np.float32).astype(np.float16)
        labels = np.zeros(SHAPE, np.int16)
        labels[60:66, 70:76, 60:66] = 1
        lesion = Lesion(1, 63, 73, 63, 7.4, 216)
        case = PreparedCase(f"v{number}", f"p{number}", ("A", "B"), grid, grid, {}, str(number), True, (lesion,))
        cases.append(save_prepared(folder, case, image, np.ones(SHAPE), labels))
    return WindowSource(cases, label_targets, Drawing(size, 3, batch), spacing=SPACING, augmentation=WINDOWS, seed=1)


def seconds(source: PatchLoader | WindowSource, workers: int, batches: int) -> float:
    """Return the seconds for so many mini-batches; the first ones, which start the threads, are outside the clock."""
    with closing(source.iterate(0, workers=workers)) as made:  # type: ignore[type-var]
        for _ in islice(made, 4):
            pass
        start = time.perf_counter()
        for _ in islice(made, batches):
            pass
        return time.perf_counter() - start


@dataclass
class Account:
    """Seconds of a thread on the clock, of those on a core, and of those in which it waited for one."""

    clock: float = 0.0
    ran: float = 0.0
    queued: float = 0.0


def on_free_cores(source: PatchLoader | WindowSource, workers: int, batches: int) -> float:
    """Return how many times as fast as one so many threads are if each has a core; 0 where nobody knows."""
    if not Path("/proc/self/schedstat").is_file():
        return 0.0
    alone, together = accounts(source, 1, batches), accounts(source, workers, batches)
    costs = [sum(one.ran for one in found) / len(found) for found in (alone, together)]
    busy = sum(one.ran for one in together) / sum(one.clock - one.queued for one in together)
    return workers * busy * costs[0] / costs[1]


def accounts(source: PatchLoader | WindowSource, workers: int, batches: int) -> list[Account]:
    """Let threads make so many mini-batches each, all at the same time."""
    begin, found = Barrier(workers), [Account() for _ in range(workers)]

    def make(place: int) -> None:
        torch.get_num_threads()
        torch.set_num_threads(1)
        source.batch(place)
        begin.wait()
        clock, (ran, queued) = time.perf_counter(), scheduled()
        for number in range(1, batches + 1):
            source.batch(place + workers * number)
        after = scheduled()
        found[place] = Account(time.perf_counter() - clock, after[0] - ran, after[1] - queued)

    threads = [Thread(target=make, args=(place,)) for place in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def scheduled() -> tuple[float, float]:
    """Return the seconds that this thread ran and waited for a core."""
    ran, queued, _ = Path(f"/proc/self/task/{get_native_id()}/schedstat").read_text().split()
    return int(ran) / 1e9, int(queued) / 1e9


def waiting(source: PatchLoader | WindowSource, workers: int, steps: int) -> float:
    """Return the share of its time that a training with steps of `STEP` waits for mini-batches."""
    waited = 0.0
    with closing(source.iterate(0, workers=workers)) as made:  # type: ignore[type-var]
        next(made)
        start = time.perf_counter()
        for _ in range(steps):
            time.sleep(STEP)
            asked = time.perf_counter()
            next(made)
            waited += time.perf_counter() - asked
        return waited / (time.perf_counter() - start)


def measure(name: str, source: PatchLoader | WindowSource, batch: int, options: argparse.Namespace) -> Row:
    source.batch(0)
    began = time.perf_counter()
    source.batch(1)
    batches = max(8, int(options.seconds / (time.perf_counter() - began)))
    alone, ratios = [], {workers: [] for workers in range(1, options.workers + 1)}  # type: ignore[var-annotated]
    for _ in range(options.rounds):
        alone.append(seconds(source, 0, batches))
        for workers, found in ratios.items():
            found.append(alone[-1] / seconds(source, workers, batches))
    speed = {workers: round(median(found), 2) for workers, found in ratios.items()}
    free = {workers: round(on_free_cores(source, workers, batches), 2) for workers in ratios}
    waits = {workers: round(waiting(source, workers, options.steps), 3) for workers in (0, *ratios)}
    return Row(name, round(batches * batch / median(alone), 1), speed, free, waits)


def rows(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    for size, batch in ((20, 32), (32, 32)):
        source = patches(folder / "patches", size, batch)
        yield measure(f"patches of {size}, {batch} at once", source, batch, options)
    for size, batch in ((32, 8), (48, 4), (64, 2)):
        yield measure(f"windows of {size}, {batch} at once", windows(folder, size, batch), batch, options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--folder", type=Path, help="where the data are written (default: the system's own)")
    parser.add_argument("--workers", type=int, default=2, help="the most threads")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="for one measurement in one thread")
    parser.add_argument("--steps", type=int, default=20, help="stood-in steps of 100 ms")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("source                     samples/s in a thread; times as fast; the same on free cores; waits, by workers")
    found = []
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        for row in rows(Path(place), options):
            found.append(row)
            speed = ", ".join(f"{workers}: {value:.2f}" for workers, value in row.speed.items())
            free = ", ".join(f"{workers}: {value:.2f}" for workers, value in row.on_free_cores.items())
            waits = ", ".join(f"{workers}: {value:.1%}" for workers, value in row.waits.items())
            print(f"{row.source:27}  {row.samples_per_second:7.0f};  {speed};  {free};  {waits}", flush=True)
    if options.output:
        machine = {"machine": platform.machine(), "cores": os.cpu_count(), "load": os.getloadavg()}
        content = {"torch": torch.__version__, **machine, "rows": [asdict(row) for row in found]}
        options.output.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
