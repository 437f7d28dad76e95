"""A project folder to run commands in, and small images."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hakken.core.volume import Volume
from hakken.imaging.files import write_volume

ROOT = Path(__file__).resolve().parents[3]
HEADING = "case_id,patient,split,T1,T2,lesion_mask"
ROWS = (
    "a,p1,train,a_T1.nii.gz,a_T2.nii.gz,a_mask.nii.gz",
    "b,p2,validation,b_T1.nii.gz,b_T2.nii.gz,b_mask.nii.gz",
    "c,p3,test,c_T1.nii.gz,c_T2.nii.gz,c_mask.nii.gz",
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the package's studies."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "config", folder / "config")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Write the images of three cases and a table of the given rows; return the table's path."""

    def write(*rows: str, heading: str = HEADING) -> Path:
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        rng = np.random.default_rng(0)
        for place, case in enumerate("abc"):
            for channel in ("T1", "T2"):
                pixels = rng.normal(100, 10, (6, 7, 8)).astype(np.float32)
                write_volume(folder / f"{case}_{channel}.nii.gz", Volume(pixels))
            mask = np.zeros((6, 7, 8), np.uint8)
            mask[2:4, 2:4, 3 + place : 5 + place] = 1
            write_volume(folder / f"{case}_mask.nii.gz", Volume(mask))
        path = folder / "cases.csv"
        path.write_text("\n".join([heading, *(rows or ROWS)]) + "\n")
        return path

    return write
