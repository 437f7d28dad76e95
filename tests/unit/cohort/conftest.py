"""Studies and tables that the tests of cohorts share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hakken.study import Study

from .studies import SETTINGS, study_of_heads


@pytest.fixture(scope="session")
def study() -> Study:
    """A study with a case table, channels T1 and T2, truth in lesion masks."""
    return Study.model_validate(SETTINGS)


@pytest.fixture(scope="session")
def phantom_study() -> Study:
    """A study with a small coarse phantom."""
    return study_of_heads()


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
