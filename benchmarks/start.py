"""How long does a training take to begin with a store of patches and prepared validation cases of some GB?

    python benchmarks/start.py --output start.json

A store and a few prepared cases of noise are written into a temporary folder as the workflow writes them. Then comes
what each trial does with them before its first mini-batch: comparing the files with what was written, the digest of all
data that its result belongs to, mapping the shards and reading their index. Once as in most starts, where nothing has
touched the files; once after their times have changed, as in a copied folder: every byte is read. CPU seconds and
seconds on the clock are those of this process; the best of the rounds counts. From two sizes follow the seconds per GB
and per 100,000 patches.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from hakken.core.volume import Geometry
from hakken.imaging.prepared import PreparedCase, prepared_cases, save_prepared
from hakken.patches.sampling import Centres, Kind
from hakken.patches.shards import CutCase, Layout, PatchStore, write_shards
from hakken.runs.generation import generation_of
from hakken.runs.whole import require_as_written

LAYOUT = Layout(32, 3, ("A", "B"), (1.0, 1.0, 1.0), "benchmark")
SHAPE = (160, 192, 160)
PER_CASE = 500


@dataclass(frozen=True)
class Row:
    gigabytes: float
    files: int
    patches: int
    cases: int
    untouched_seconds: float
    untouched_cpu: float
    touched_seconds: float
    touched_cpu: float


def cut_cases(patches: int) -> Iterator[CutCase]:
    random = np.random.default_rng(1)
    image = random.standard_normal((2, *SHAPE), np.float32).astype(np.float16)
    for number in range(-(-patches // PER_CASE)):
        voxels = np.stack([random.integers(0, size, PER_CASE) for size in SHAPE], 1).astype(np.int32)
        kinds = np.full(PER_CASE, Kind.POSITIVE, np.int8)
        yield CutCase(f"c{number:04d}", image, Centres(voxels, kinds, kinds.astype(np.int32)), voxels.astype(float))


def write(folder: Path, patches: int, cases: int) -> None:
    write_shards(folder / "patches", cut_cases(patches), LAYOUT, shard_mb=512)
    grid = Geometry(SHAPE)
    for number in range(cases):
        image = np.random.default_rng(number).standard_normal((2, *SHAPE), np.float32).astype(np.float16)
        case = PreparedCase(f"v{number:02d}", f"p{number:02d}", ("A", "B"), grid, grid, {}, f"{number}", True)
        save_prepared(folder / f"validation-{number // 8:03d}", case, image, np.ones(SHAPE), np.zeros(SHAPE))


def start(folder: Path) -> None:
    """Do what a trial does before its first mini-batch."""
    cases = [case for place in sorted(folder.glob("validation-*")) for case in prepared_cases(place)]
    require_as_written(cases)
    generation_of(folder / "patches", cases, "code")
    PatchStore.open(folder / "patches", verify="touched")


def touch(folder: Path) -> None:
    for path in folder.rglob("*.npy"):
        path.touch()


def timed(folder: Path, rounds: int, before: Callable[[Path], None]) -> tuple[float, float]:
    """Return the fewest seconds on the clock, and of the processor, of several starts."""
    found = []
    for _ in range(rounds):
        before(folder)
        wall, cpu = time.perf_counter(), time.process_time()
        start(folder)
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(wall for wall, _ in found), min(cpu for _, cpu in found)


def measure(gigabytes: float, options: argparse.Namespace) -> Row:
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        folder = Path(place)
        patches = max(PER_CASE, int(gigabytes * 1e9 / LAYOUT.patch_bytes) // PER_CASE * PER_CASE)
        write(folder, patches, options.cases)
        untouched = timed(folder, options.rounds, lambda folder: None)
        touched = timed(folder, options.rounds, touch)
        files = list(folder.rglob("*.npy"))
        size = sum(path.stat().st_size for path in files) / 1e9
    return Row(round(size, 3), len(files), patches, options.cases, *untouched, *touched)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--folder", type=Path, help="where the data are written (default: the system's own)")
    parser.add_argument("--gigabytes", type=float, nargs=2, default=(1.0, 3.0), help="two sizes of the store")
    parser.add_argument("--cases", type=int, default=16, help="prepared validation cases")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows = [measure(size, options) for size in options.gigabytes]
    print("     GB  files  patches   untouched s (CPU)     touched s (CPU)")
    for row in rows:
        untouched = f"{row.untouched_seconds:9.3f} ({row.untouched_cpu:.3f})"
        touched = f"{row.touched_seconds:9.2f} ({row.touched_cpu:.2f})"
        print(f"{row.gigabytes:7.2f}  {row.files:5d}  {row.patches:7d}   {untouched:>17}   {touched:>17}")
    small, large = rows
    more_gb, more_patches = large.gigabytes - small.gigabytes, (large.patches - small.patches) / 1e5
    law = {
        "untouched_cpu_per_100000_patches": (large.untouched_cpu - small.untouched_cpu) / more_patches,
        "touched_cpu_per_gb": (large.touched_cpu - small.touched_cpu - large.untouched_cpu + small.untouched_cpu)
        / more_gb,
    }
    print(", ".join(f"{name}: {value:.2f}" for name, value in law.items()))
    if options.output:
        content = {"machine": platform.machine(), "python": platform.python_version()}
        content |= {"rows": [asdict(row) for row in rows], "law": law}
        options.output.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
