"""`hakken doctor`: is this machine fit, and if not, what is missing and how to get it."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.commands.parser import add_command

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers

PACKAGES = ("torch", "snakemake", "SimpleITK", "nibabel", "numpy", "scipy", "scikit-optimize", "matplotlib")
SCHEDULERS = {"sbatch": ("Slurm", "cluster"), "pjsub": ("Fujitsu PJM", "pjm"), "qsub": ("PBS", "pbs")}
NEEDED_GB = 5


@dataclass(frozen=True)
class Finding:
    """One line of the examination; ``remedy`` says how to mend what is not ``fine``."""

    what: str
    found: str
    fine: bool = True
    remedy: str = ""


def add(commands: Subparsers) -> None:
    """Add the command."""
    add_command(
        commands, "doctor", "examine this machine: versions, cores, GPU, scheduler, scratch", "hakken doctor", run
    )


def run(options: argparse.Namespace) -> int:
    """Print all findings; 1 when something is missing."""
    findings = list(examine(Path.cwd()))
    for finding in findings:
        print(f"{'ok  ' if finding.fine else 'MISS'}  {finding.what:<18} {finding.found}")
        if finding.remedy:
            print(f"{'':26}{finding.remedy}")
    missing = sum(not finding.fine for finding in findings)
    print("everything is there" if not missing else f"{missing} missing")
    return 1 if missing else 0


def examine(folder: Path) -> Iterator[Finding]:
    """Yield what was found on this machine, for work in ``folder``."""
    version = platform.python_version()
    yield Finding("Python", version, sys.version_info >= (3, 11), "" if sys.version_info >= (3, 11) else "install 3.11")
    yield from map(_package, PACKAGES)
    yield Finding("cores", str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()))
    yield Finding("memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB")
    yield _gpu()
    yield _scheduler()
    results = folder / "results"
    yield _writable("results", results if results.exists() or results.is_symlink() else folder)
    yield _writable("scratch", Path(tempfile.gettempdir()))


def _package(name: str) -> Finding:
    from importlib import metadata

    try:
        return Finding(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, "not installed", False, "run `make setup`, and use .venv/bin/hakken")


def _gpu() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a library that torch loads is missing
        return Finding("GPU", f"torch cannot be loaded ({error})", False, "run `make setup`")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return Finding("GPU", ", ".join(names))
    if shutil.which("nvidia-smi"):
        remedy = "this torch has no CUDA; let pip find a CUDA build of the pinned version and run `make setup` again"
        return Finding("GPU", f"a driver, but torch {torch.__version__} cannot use it", False, remedy)
    return Finding("GPU", "none; trainings run on the CPU: `tiny` studies, or the cluster for more")


def _scheduler() -> Finding:
    for command, (name, profile) in SCHEDULERS.items():
        if path := shutil.which(command):
            remedy = f"run studies with `snakemake --profile profiles/{profile}`"
            return Finding("scheduler", f"{name} ({path})", remedy=remedy)
    return Finding("scheduler", "none; studies run on this machine")


def _writable(what: str, folder: Path) -> Finding:
    if folder.is_symlink() and not folder.exists():
        return Finding(what, f"{folder}: a link to {folder.readlink()}, which is not there", False, "make that folder")
    free = shutil.disk_usage(folder).free / 2**30
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding(
            what, f"{folder}: cannot be written ({error.strerror})", False, "make it a link to your own disk"
        )
    if free < NEEDED_GB:
        return Finding(what, f"{folder}: {free:.1f} GB free", False, f"free at least {NEEDED_GB} GB")
    return Finding(what, f"{folder}: writable, {free:.0f} GB free")
