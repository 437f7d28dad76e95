"""Which detector finds lesions best for the CPU-seconds that its training takes?

    pip install -c constraints.txt -e '.[benchmark]' && pip install --no-deps -r benchmarks/detection.txt
    python benchmarks/detection.py --data FOLDER --work FOLDER --output detection.md

Five detectors on the same prepared images, one thread each:

- `brightness`: the peaks of a smoothed channel, chosen on validation; nothing is learnt.
- `patches`: hakken's patch classifier at the untuned default of its study.
- `dense`: hakken's dense network at the untuned defaults of its method.
- `monai`: MONAI's U-Net on the windows that `dense` learns from (`detection_monai.py`).
- `nnunet`: nnU-Net v2, its own planner, preprocessor, trainer and predictor (`detection_nnunet.py`).

All but the first get the same budget of CPU-seconds: user and system time of the process and its children, from the
first step to the last, with loading, augmentation and validation; without imports, without the few steps that tell how
many the budget holds, and without the cutting of patches and the planning and preprocessing of nnU-Net. Maps of
probabilities are read by hakken's component tree with the settings of `dense`; brightness and the patch classifier give
candidates themselves. All are measured by hakken's evaluation: partial AUC of the FROC with a bootstrap interval,
sensitivities, strata of size, and `dense` less each other one on the same resamples. A set with one test patient is
resampled over lesions and false positives within this patient, which says nothing about others.

Every training and every map is kept in the work folder, so a run that was stopped goes on where it was. A set whose
images are not there, and a detector whose packages are not there, is left out with a line that says so.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from detection_run import AT_OWN_COST, DETECTORS, Run
from detection_sets import Images, Rotation, all_sets, prepared
from detection_table import COLUMNS, Worth, markdown, means_of, rows_of, seeds_of

from hakken.core.errors import HakkenError

NEEDS = {"monai": "monai", "nnunet": "nnunetv2"}


def _runs(options: argparse.Namespace) -> Iterator[Run]:
    """Yield every run that was asked for and is possible, set by set."""
    for name in options.sets:
        images = all_sets()[name]
        try:
            rotations = prepared(images, options.data, options.work)
        except HakkenError as error:
            _say(f"{name}: left out: {error}")
            continue
        for rotation in rotations:
            if options.rotations is None or rotation.name in options.rotations:
                yield from _of_rotation(rotation, images, options)


def _of_rotation(rotation: Rotation, images: Images, options: argparse.Namespace) -> Iterator[Run]:
    for method in options.methods:
        if method in NEEDS and find_spec(NEEDS[method]) is None:
            _say(f"{method}: left out: {NEEDS[method]} is not installed")
        elif method != "patches" or images.classifier is not None:
            for seed in options.seeds[:1] if method in AT_OWN_COST else options.seeds:
                yield Run(rotation, method, options.budget or images.budget, options.work, seed)


def _go(run: Run, options: argparse.Namespace) -> None:
    """Train and use a detector, each in a process of its own, unless it is done."""
    for step, done in (("train", run.trained), ("predict", run.predicted)):
        if done.exists():
            continue
        _say(f"{run.rotation.images.name} {run.rotation.name} {run.method} {run.seed}: {step}")
        chosen = ["--sets", run.rotation.images.name, "--rotations", run.rotation.name, "--methods", run.method]
        chosen += ["--budget", f"{run.budget:g}", "--seeds", str(run.seed), "--step", step]
        places = ["--data", str(options.data), "--work", str(options.work)]
        subprocess.run([sys.executable, __file__, *places, *chosen], check=True, stdout=sys.stderr)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def versions() -> str:
    """Return the versions of what was compared.

    >>> versions().split()[0]
    'torch'
    """
    found = []
    for package in ("torch", "monai", "nnunetv2"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    return ", ".join(found)


def _options() -> argparse.Namespace:
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = list(all_sets())
    line.add_argument("--data", type=Path, default=Path("../shared/data"), help="the folder of the data sets")
    line.add_argument("--work", type=Path, default=Path("results/detection_benchmark"), help="what is kept")
    line.add_argument("--sets", nargs="+", choices=known, default=known)
    line.add_argument("--rotations", nargs="+", help="of a set that has several, such as 07/26/19")
    line.add_argument("--methods", nargs="+", choices=list(DETECTORS), default=list(DETECTORS))
    line.add_argument("--budget", type=float, help="CPU-seconds of a training; else that of each set")
    line.add_argument("--seeds", type=int, nargs="+", default=[0], help="one training of each detector for each")
    line.add_argument("--only-table", action="store_true", help="of what is done; train nothing")
    line.add_argument("--output", type=Path, help="Markdown file, and a CSV file beside it; else it is printed")
    line.add_argument("--step", choices=("train", "predict"), help=argparse.SUPPRESS)
    return line.parse_args()


def main() -> None:
    """Run what is not done yet, then print or write the table."""
    options = _options()
    torch.set_num_threads(1)
    runs = list(_runs(options))
    if options.step:
        for run in runs:
            {"train": run.train, "predict": run.predict}[options.step]()
        return
    if not options.only_table:
        for run in runs:
            _go(run, options)
    worth = [Worth.of(run) for run in runs if run.predicted.exists()]
    rows = rows_of(worth)
    text = "\n".join([markdown(rows), "", *means_of(worth), *seeds_of(worth), "", versions()])
    if not options.output:
        print(text)
        return
    options.output.write_text(text + "\n", encoding="utf-8")
    with options.output.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
