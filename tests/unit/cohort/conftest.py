"""Studies and tables that the tests of this room share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hakken.study import Study

SETTINGS: dict[str, Any] = {
    "name": "demo",
    "seed": 1,
    "cohort": {"table": "cases.csv"},
    "channels": {"T1": {"modality": "mr"}, "T2": {"modality": "mr"}},
    "reference": "T1",
}


@pytest.fixture(scope="session")
def study() -> Study:
    """A study with a case table, channels T1 and T2, truth in lesion masks."""
    return Study.model_validate(SETTINGS)


@pytest.fixture(scope="session")
def phantom_study() -> Study:
    """A study with a small coarse phantom."""
    phantom = {
        "generator": "brain_metastasis",
        "cases": {"train": 12, "validation": 6, "test": 6},
        "shape_mm": [110, 130, 100],
        "spacing_mm": 2.0,
    }
    channels = {"T1POST": {"modality": "mr"}, "T1": {"modality": "mr"}}
    cohort = {"phantom": phantom}
    return Study.model_validate(SETTINGS | {"cohort": cohort, "channels": channels, "reference": "T1POST"})


@pytest.fixture
def table_file(tmp_path: Path) -> Callable[..., Path]:
    """Write lines as a case table beside the image files a.nii to f.nii."""

    def write(*lines: str) -> Path:
        for name in "abcdef":
            (tmp_path / f"{name}.nii").touch()
        path = tmp_path / "cases.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write
