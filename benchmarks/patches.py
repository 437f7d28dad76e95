"""How fast do patches become training batches? hakken's shards, TorchIO's queue and MONAI's cached random crops.

    pip install -e '.[benchmark]'
    python benchmarks/patches.py --output patches.json

All read the same synthetic volumes in one process run and give float32 batches of the same shape, in two kinds of
work: `crops` alone, and `augmented` (flips, rotation and scaling about the centre with linear interpolation from a
wider crop, gamma, noise; MONAI and hakken also gain and shift). Each library is set up for speed: volumes in memory,
lesion voxels found beforehand where it can, no copy of the cache, as many threads as `--threads` says. TorchIO
augments either whole volumes, which is its usual way and shares one change among all patches of a volume, or each
patch. hakken cuts its patches beforehand; what that costs is reported apart. One round measures each contender once,
in turn, over at least 512 patches and two seconds, and starts and ends at the same phase of a queue; the ratio to
hakken is the median over the rounds of the ratios within a round. On a busy machine one thread is faster than two.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from numpy.typing import NDArray
from scipy import ndimage

from hakken.patches.augment import Augmentation, Frame, limits
from hakken.patches.loader import PatchLoader
from hakken.patches.sampling import sample_centres
from hakken.patches.shards import CutCase, Layout, PatchStore, write_shards
from hakken.study import Patches

CHANNELS = 2
PATCH = 32
MARGIN = 6
WIDE = PATCH + 2 * MARGIN
BATCH = 32
PER_VOLUME = 64  # patches that a queue takes from a volume it has loaded
QUEUE = 256
MEASURED = 2 * QUEUE  # patches, again until LEAST_SECONDS have passed; whole fills of a queue
LEAST_SECONDS = 2.0
MOST = 30_000  # what an epoch of the queue holds
SPACING = (1.0, 1.0, 1.0)
GEOMETRY = Augmentation(1.0, elastic_voxel=0.0)
FULL = Augmentation(1.0)
PACKAGES = ("torch", "numpy", "torchio", "monai", "SimpleITK")

Batches = Iterator[torch.Tensor]


@dataclass(frozen=True)
class Case:
    """One synthetic volume: ``image`` (c, z, y, x) float32, ``labels`` and ``mask`` (z, y, x)."""

    image: NDArray[np.float32]
    labels: NDArray[np.int16]
    mask: NDArray[np.uint8]


@dataclass(frozen=True)
class Contender:
    """A way to batches: ``start`` returns an endless iterator of tensors (b, c, p, p, p)."""

    work: str
    name: str
    start: Callable[[], Batches]


@dataclass(frozen=True)
class Result:
    """Patches a second of each round, their median, and how many times as fast as this hakken is."""

    work: str
    name: str
    rounds: tuple[float, ...]
    patches_per_second: float
    hakken_is_faster_by: float


def make_case(seed: int, shape: tuple[int, int, int], lesions: int = 20) -> Case:
    """Return a volume of smooth tissue and noise within an ellipsoid, with bright balls as lesions."""
    rng = np.random.default_rng(seed)
    axes = [np.linspace(-1, 1, size, dtype=np.float32) for size in shape]
    mask = (axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2) < 0.9
    coarse = rng.standard_normal((CHANNELS, *[size // 8 for size in shape]))
    image = np.stack([ndimage.zoom(one, np.divide(shape, one.shape), order=1) for one in coarse]).astype(np.float32)
    image += rng.standard_normal(image.shape, dtype=np.float32) * 0.3
    labels = np.zeros(shape, np.int16)
    grid = np.indices((15, 15, 15)) - 7
    for label in range(1, lesions + 1):
        centre = (np.asarray(shape) * rng.uniform(0.3, 0.7, 3)).astype(int)
        box = tuple(slice(index - 7, index + 8) for index in centre)
        labels[box][(grid**2).sum(axis=0) <= rng.uniform(1.5, 7) ** 2] = label
    image[0][labels > 0] += 2
    return Case(image * mask, labels * mask, mask.astype(np.uint8))


def cut(cases: list[Case], folder: Path) -> PatchStore:
    """Cut as many positives as negatives into shards."""
    settings = Patches(size_voxel=PATCH, margin_voxel=MARGIN, positives_per_lesion=4)
    layout = Layout(PATCH, MARGIN, ("A", "B"), SPACING, "benchmark")

    def cases_with_centres() -> Iterator[CutCase]:
        for number, case in enumerate(cases):
            centres = sample_centres(
                case.labels, case.mask, case.image[0], spacing=SPACING, settings=settings, seed=number
            )
            yield CutCase(str(number), case.image.astype(np.float16), centres, centres.voxels.astype(float))

    write_shards(folder, cases_with_centres(), layout, shard_mb=256)
    return PatchStore.open(folder)


def hakken_batches(store: PatchStore, augmentation: Augmentation, prefetch: bool) -> Batches:
    loader = PatchLoader(
        store,
        batch_size=BATCH,
        patch_size=PATCH,
        negative_ratio=1.0,
        hard_fraction=0.5,
        augmentation=augmentation,
        seed=1,
    )
    with closing(loader.iterate(workers=int(prefetch))) as batches:  # type: ignore[type-var]
        for batch in batches:
            yield batch.images


def torchio_batches(cases: list[Case], workers: int, sampler: str, augmented: str | None) -> Batches:
    """Yield from TorchIO's queue; ``augmented`` is None, `volumes` or `patches`."""
    import torchio

    edge = WIDE if augmented == "patches" else PATCH
    samplers = {
        "uniform": lambda: torchio.UniformSampler(edge),
        "label": lambda: torchio.LabelSampler(edge, "label", {0: 1, 1: 1}),
    }
    change = torchio.Compose(
        [
            torchio.RandomFlip(axes=(0, 1, 2), flip_probability=0.5),
            torchio.RandomAffine(scales=0.15, degrees=_degrees(GEOMETRY), isotropic=True),
            torchio.RandomGamma(log_gamma=GEOMETRY.gamma, include=["image"]),
            torchio.RandomNoise(std=(0, GEOMETRY.noise), include=["image"]),
        ]
    )
    subjects = [
        torchio.Subject(
            image=torchio.ScalarImage(tensor=torch.from_numpy(case.image)),
            label=torchio.LabelMap(tensor=torch.from_numpy((case.labels > 0).astype(np.uint8))[None]),
        )
        for case in cases
    ]
    rounds = 64  # one long epoch, so that no queue runs dry
    dataset = torchio.SubjectsDataset(subjects * rounds, transform=change if augmented == "volumes" else None)
    queue = torchio.Queue(dataset, QUEUE, PER_VOLUME, samplers[sampler](), num_workers=workers)
    patch_change = torchio.Compose([change, torchio.CropOrPad(PATCH)]) if augmented == "patches" else None
    collate = partial(_collate_subjects, change=patch_change)
    yield from torch.utils.data.DataLoader(queue, batch_size=BATCH, num_workers=0, collate_fn=collate)


def _collate_subjects(subjects: list[Any], change: Any) -> torch.Tensor:
    """Return the images of subjects as one tensor; labels are not asked of anyone."""
    for subject in subjects if change else []:
        subject.remove_image("label")
    return torch.stack([(change(subject) if change else subject)["image"].data for subject in subjects])


def monai_batches(cases: list[Case], workers: int, augmented: bool) -> Batches:
    """Yield cached random crops of MONAI, 8 from each of 4 volumes."""
    from monai import transforms
    from monai.data import CacheDataset, list_data_collate

    edge = WIDE if augmented else PATCH
    steps: list[Any] = [
        transforms.EnsureTyped(["image", "label"], track_meta=False),
        transforms.FgBgToIndicesd("label"),
        transforms.RandCropByPosNegLabeld(
            "image",
            "label",
            edge,
            num_samples=8,
            fg_indices_key="label_fg_indices",
            bg_indices_key="label_bg_indices",
        ),
        transforms.SelectItemsd("image"),
    ]
    if augmented:
        steps += [transforms.RandFlipd("image", prob=0.5, spatial_axis=axis) for axis in range(3)]
        steps += [
            transforms.RandAffined(
                "image",
                spatial_size=(PATCH,) * 3,
                prob=1.0,
                rotate_range=(np.radians(_degrees(GEOMETRY)),) * 3,
                scale_range=(0.15,) * 3,
                padding_mode="zeros",
                cache_grid=True,
            ),
            transforms.RandAdjustContrastd("image", prob=1.0, gamma=(0.8, 1.25)),
            transforms.RandScaleIntensityd("image", factors=GEOMETRY.gain, prob=1.0),
            transforms.RandShiftIntensityd("image", offsets=GEOMETRY.shift, prob=1.0),
            transforms.RandGaussianNoised("image", prob=1.0, std=GEOMETRY.noise),
        ]
    data = [{"image": case.image, "label": (case.labels > 0)[None]} for case in cases]
    dataset = CacheDataset(data, transforms.Compose(steps), copy_cache=False, progress=False)
    sampler = torch.utils.data.RandomSampler(dataset, replacement=True, num_samples=4096)
    for batch in torch.utils.data.DataLoader(
        dataset, batch_size=BATCH // 8, sampler=sampler, num_workers=workers, collate_fn=list_data_collate
    ):
        yield batch["image"]


def _degrees(augmentation: Augmentation) -> float:
    """Return the rotation that fits the margin, the same for all."""
    return float(np.degrees(limits(augmentation, Frame(PATCH, WIDE, SPACING)).rotation))


def contenders(cases: list[Case], store: PatchStore) -> list[Contender]:
    """Return all contenders; the first of each work is the one that the others are compared with."""
    plain = Augmentation(0.0)
    found = [
        Contender("crops", "hakken", partial(hakken_batches, store, plain, False)),
        Contender("crops", "hakken, prefetch thread", partial(hakken_batches, store, plain, True)),
        Contender("augmented", "hakken", partial(hakken_batches, store, GEOMETRY, False)),
        Contender("augmented", "hakken, prefetch thread", partial(hakken_batches, store, GEOMETRY, True)),
        Contender("augmented", "hakken, with elastic deformation", partial(hakken_batches, store, FULL, False)),
    ]
    for workers in (0, 2):
        tail = f"{workers} workers"
        for sampler in ("uniform", "label"):
            name = f"TorchIO queue, {sampler} sampler, {tail}"
            found.append(Contender("crops", name, partial(torchio_batches, cases, workers, sampler, None)))
        for scope in ("volumes", "patches"):
            name = f"TorchIO queue, augmented {scope}, {tail}"
            found.append(Contender("augmented", name, partial(torchio_batches, cases, workers, "uniform", scope)))
        for work in ("crops", "augmented"):
            start = partial(monai_batches, cases, workers, work == "augmented")
            found.append(Contender(work, f"MONAI cached crops, {tail}", start))
    return found


def measure(contender: Contender) -> float:
    """Return patches a second; the first batch, which starts workers and fills queues, is outside the clock."""
    batches = contender.start()
    try:
        first = next(batches)
        expected = (BATCH, CHANNELS, PATCH, PATCH, PATCH)
        if tuple(first.shape) != expected or first.dtype != torch.float32:
            sys.exit(f"{contender.name}: gives {first.dtype} {tuple(first.shape)} instead of float32 {expected}")
        start, patches, seconds = time.perf_counter(), 0, 0.0
        while seconds < LEAST_SECONDS and patches < MOST:
            for _ in range(MEASURED // BATCH):
                next(batches)
            patches, seconds = patches + MEASURED, time.perf_counter() - start
        return patches / seconds
    finally:
        batches.close()  # type: ignore[attr-defined]


def compare(entries: list[Contender], rounds: int) -> list[Result]:
    """Measure all contenders in turn, round after round."""
    speeds: dict[Contender, list[float]] = {entry: [] for entry in entries}
    for number in range(rounds):
        for entry in entries:
            speeds[entry].append(measure(entry))
            print(f"round {number + 1}: {entry.work}, {entry.name}: {speeds[entry][-1]:.0f}", file=sys.stderr)
    ours = {entry.work: speeds[entry] for entry in entries if entry.name == "hakken"}
    return [
        Result(
            entry.work,
            entry.name,
            tuple(round(speed, 1) for speed in found),
            round(median(found), 1),
            round(median(best / speed for best, speed in zip(ours[entry.work], found, strict=True)), 2),
        )
        for entry, found in speeds.items()
    ]


def machine(threads: int) -> dict[str, Any]:
    """Return what the numbers were measured with."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def table(results: list[Result]) -> str:
    """Return the results as a Markdown table."""
    lines = ["| work | contender | patches/s | hakken is faster by |", "| --- | --- | ---: | ---: |"]
    ordered = sorted(results, key=lambda result: (result.work != "crops", -result.patches_per_second))
    for result in ordered:
        ratio = "" if result.name == "hakken" else f"{result.hakken_is_faster_by:.1f}"
        lines.append(f"| {result.work} | {result.name} | {result.patches_per_second:,.0f} | {ratio} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--volumes", type=int, default=8)
    parser.add_argument("--shape", type=int, nargs=3, default=(128, 160, 160), metavar=("Z", "Y", "X"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="contenders whose name contains this, beside hakken")
    parser.add_argument("--output", type=Path, help="JSON file; a CSV file of the same name is written beside it")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(options.threads)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(options.threads)
    cases = [make_case(seed, tuple(options.shape)) for seed in range(options.volumes)]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        store = cut(cases, Path(folder))
        cutting = len(store) / (time.perf_counter() - start)
        entries = [entry for entry in contenders(cases, store) if entry.name == "hakken" or options.only in entry.name]
        results = compare(entries, options.rounds)
    print(f"{options.volumes} volumes of {CHANNELS} x {options.shape}, patches {PATCH}^3, batches of {BATCH}")
    print(f"cutting {len(store)} patches into shards beforehand: {cutting:.0f} patches/s\n\n{table(results)}")
    if options.output:
        rows = [asdict(result) for result in results]
        content = {"machine": machine(options.threads), "cut_patches_per_second": round(cutting), "results": rows}
        options.output.write_text(json.dumps(content, indent=2) + "\n")
        with options.output.with_suffix(".csv").open("w", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["work", "name", "patches_per_second", "hakken_is_faster_by"])
            writer.writerows([[r.work, r.name, r.patches_per_second, r.hakken_is_faster_by] for r in results])


if __name__ == "__main__":
    main()
