"""The examination of a machine, sound and broken."""

from __future__ import annotations

import os
import shutil
import sys
import types
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hakken.cli import main
from hakken.commands import doctor
from hakken.commands.doctor import PACKAGES, Finding, examine


class Usage(NamedTuple):
    """What shutil.disk_usage returns."""

    total: float
    used: float
    free: float


def fake_torch(gpus: tuple[str, ...] = ()) -> types.ModuleType:
    """A torch that sees these GPUs; the real one takes seconds to load."""
    torch: Any = types.ModuleType("torch")
    torch.__version__ = "2.13.0+cpu"
    torch.cuda = types.SimpleNamespace(
        is_available=lambda: bool(gpus), device_count=lambda: len(gpus), get_device_name=lambda index: gpus[index]
    )
    return torch  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def sound(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without GPU and scheduler, with a roomy disk."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", fake_torch())
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100 * 2**30, 0, 50 * 2**30))


def found(folder: Path = Path()) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine(folder)}


def test_a_sound_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert shown.endswith("everything is there\n")
    assert "MISS" not in shown
    for what in ("Python", *PACKAGES, "cores", "memory", "GPU", "scheduler", "results", "scratch"):
        assert f"ok    {what}" in shown
    assert f"ok    torch              {metadata.version('torch')}\n" in shown
    assert f"cores              {len(os.sched_getaffinity(0))}\n" in shown
    assert "GPU                none; trainings run on the CPU" in shown
    assert "scheduler          none; studies run on this machine" in shown
    assert "writable, 50 GB free" in shown


def test_missing_packages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    version = metadata.version

    def lost(name: str) -> str:
        if name in ("nibabel", "scikit-optimize"):
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", lost)
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    remedy = f"\n{'':26}run `make setup`, and use .venv/bin/hakken\n"
    assert f"MISS  nibabel            not installed{remedy}" in shown
    assert f"MISS  scikit-optimize    not installed{remedy}" in shown
    assert shown.endswith("2 missing\n")


def test_torch_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    gpu = found()["GPU"]
    assert not gpu.fine
    assert gpu.found.startswith("torch cannot be loaded (")
    assert gpu.remedy == "run `make setup`"


def test_gpus_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", fake_torch(("GPU 1", "GPU 2")))
    assert found()["GPU"] == Finding("GPU", "GPU 1, GPU 2")


def test_a_driver_without_a_build_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/nvidia-smi" if name == "nvidia-smi" else None)
    gpu = found()["GPU"]
    assert not gpu.fine
    assert gpu.found == "a driver, but torch 2.13.0+cpu cannot use it"
    assert "make setup" in gpu.remedy


@pytest.mark.parametrize(
    ("command", "name", "remedy"),
    [
        ("sbatch", "Slurm (/bin/sbatch)", "run studies with `snakemake --profile profiles/cluster`"),
        ("pjsub", "Fujitsu PJM (/bin/pjsub)", "run studies with `snakemake --profile profiles/pjm`"),
        ("qsub", "PBS (/bin/qsub)", "run studies with `snakemake --profile profiles/pbs`"),
    ],
)
def test_schedulers(command: str, name: str, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda wanted: f"/bin/{command}" if wanted == command else None)
    assert found()["scheduler"] == Finding("scheduler", name, True, remedy)


def test_a_disk_that_is_nearly_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, 0, 1.2 * 2**30))
    assert found()["results"] == Finding("results", ".: 1.2 GB free", False, "free at least 5 GB")


def test_results_are_examined_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    assert found(tmp_path)["results"].found == f"{tmp_path / 'results'}: writable, 50 GB free"


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "results").symlink_to(tmp_path / "gone")
    results = found(tmp_path)["results"]
    assert results == Finding(
        "results",
        f"{tmp_path / 'results'}: a link to {tmp_path / 'gone'}, which is not there",
        False,
        "make that folder",
    )


def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    scratch = found()["scratch"]
    assert not scratch.fine
    assert scratch.found.endswith(": cannot be written (Read-only file system)")
    assert scratch.remedy == "make it a link to your own disk"
