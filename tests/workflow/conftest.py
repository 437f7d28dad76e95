"""A project of its own for each workflow test, and the smallest study run to its end once for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow_project import Project, new_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh project whose configuration is the smoke study."""
    return new_project(tmp_path / "project")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """The smoke study run to its end, and what the terminal showed. Tests must not change it."""
    project = new_project(tmp_path_factory.mktemp("finished"))
    run = project.snakemake()
    assert run.returncode == 0, run.stdout[-6000:]
    return project, run.stdout
