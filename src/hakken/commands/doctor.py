"""`hakken doctor`: is this machine fit, and if not, what is missing and how to get it."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.commands.configured import add_study_options, chosen_studies
from hakken.commands.parser import add_command
from hakken.commands.profile import find_profile
from hakken.core.errors import HakkenError
from hakken.core.host import memory_bytes

if TYPE_CHECKING:
    from hakken.cluster.queues import Queue
    from hakken.cluster.requests import Request
    from hakken.cluster.site import Site
    from hakken.commands.parser import Subparsers

PACKAGES = ("torch", "snakemake", "SimpleITK", "nibabel", "numpy", "scipy", "scikit-optimize", "matplotlib")
SCHEDULERS = {"sbatch": ("Slurm", "cluster"), "pjsub": ("Fujitsu PJM", "pjm"), "qsub": ("PBS", "pbs")}
NEEDED_GB = 5
WIDTH = 18  # of the column of what was examined, where nothing is longer


@dataclass(frozen=True)
class Finding:
    """One line of the examination; ``remedy`` says how to mend what is not ``fine``."""

    what: str
    found: str
    fine: bool = True
    remedy: str = ""


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "doctor",
        "examine this machine: versions, cores, GPU, scheduler and its queues, scratch; with --profile also whether "
        "all jobs of the studies fit the queues that they go to",
        "hakken doctor --profile cluster --study brain_metastasis --scale paper",
        run,
    )
    parser.add_argument(
        "--profile", metavar="NAME", help="also compare jobs and queues with this profile, by name or path"
    )
    add_study_options(parser)


def run(options: argparse.Namespace) -> int:
    """Print all findings; 1 when something is missing."""
    findings = [*examine(Path.cwd()), *(examine_jobs(options) if options.profile else ())]
    width = max(WIDTH, *(len(finding.what) for finding in findings))
    for finding in findings:
        print(f"{'ok  ' if finding.fine else 'MISS'}  {finding.what:<{width}} {finding.found}")
        for line in finding.remedy.splitlines():
            print(f"{'':{width + 8}}{line}")
    missing = sum(not finding.fine for finding in findings)
    print("everything is there" if not missing else f"{missing} missing")
    return 1 if missing else 0


def examine(folder: Path) -> Iterator[Finding]:
    """Yield what was found on this machine, for work in ``folder``."""
    version = platform.python_version()
    yield Finding("Python", version, sys.version_info >= (3, 11), "" if sys.version_info >= (3, 11) else "install 3.11")
    yield from map(_package, PACKAGES)
    yield Finding("cores", str(_cores()))
    yield Finding("memory", f"{memory_bytes() / 2**30:.0f} GB")
    yield _gpu()
    yield from _scheduler()
    results = folder / "results"
    yield _writable("results", results if results.exists() or results.is_symlink() else folder)
    yield _writable("scratch", Path(tempfile.gettempdir()))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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


def _scheduler() -> Iterator[Finding]:
    """Yield which scheduler there is, and what its queues allow."""
    for command, (name, profile) in SCHEDULERS.items():
        if path := shutil.which(command):
            kind = name.rpartition(" ")[2]
            remedy = f"run studies with `snakemake --profile profiles/{profile}`"
            yield Finding("scheduler", f"{name} ({path})", remedy=remedy)
            yield from _queues(kind)
            return
    yield Finding("scheduler", "none; studies run on this machine")


def _queues(scheduler: str) -> Iterator[Finding]:
    from hakken.cluster.queues import describe, read_queues

    try:
        queues = read_queues(scheduler)
    except HakkenError as error:
        yield Finding("queues", f"not known: {error}")
        return
    if scheduler != "PJM":  # whose answer is not read as a table
        yield from (Finding(f"queue {queue.name}", describe(queue)) for queue in queues)


def examine_jobs(options: argparse.Namespace) -> Iterator[Finding]:
    """Yield of every stage of the chosen studies what a job asks for, and what is wrong with it in its queue."""
    from hakken.cluster.queues import read_queues
    from hakken.cluster.requests import ask
    from hakken.cluster.site import read_site

    site = read_site(find_profile(options.profile))
    yield Finding("profile", str(site.path))
    if site.scheduler is None:
        yield Finding("jobs", f"{site.path} is for no scheduler that hakken knows (Slurm, PBS, PJM): not compared")
        return
    try:
        queues = read_queues(site.scheduler)
    except HakkenError as error:
        yield Finding("jobs", "cannot be compared with the queues", False, str(error))
        return
    most = 0
    for study in chosen_studies(options):
        for request in ask(options.profile, study.name, study.scale):
            most = max(most, request.threads)
            yield _job(study.name, request, site, queues)
    yield from _bounded(most)
    if site.scheduler == "PJM":
        yield Finding("limits", "of PJM are not read: compare the lines above with `pjstat --rsc -x`")


def _bounded(threads: int) -> Iterator[Finding]:
    """Yield a word of warning where a run that is started here gives jobs fewer processors than they ask for."""
    cores = _cores()
    if threads > cores:
        found = f"jobs ask for up to {threads}; Snakemake gives none more than the {cores} cores of this machine"
        yield Finding("processors", found, remedy=f"start runs with --cores {threads}, wherever their jobs run")


def _job(study: str, request: Request, site: Site, queues: Sequence[Queue]) -> Finding:
    from hakken.cluster.fit import describe_request, misfits

    wrong = misfits(request, site, queues)
    what = f"{study}: {request.stage}"
    return Finding(what, f"{site.queue(request)}: {describe_request(request)}", not wrong, "\n".join(wrong))


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
