"""A finished study and its results."""

from __future__ import annotations

from pathlib import Path

import pytest

from hakken.study import Study

from .finished import finish, finished_study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A study of two searched parameters."""
    return finished_study(tmp_path / "openings")


@pytest.fixture
def results(study: Study, tmp_path: Path) -> Path:
    """A results folder with everything that the report reads."""
    return finish(study, tmp_path / "results" / "example" / "tiny")
