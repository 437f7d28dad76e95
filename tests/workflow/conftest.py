"""A project of its own for each workflow test, and the smallest study run to its end once for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from socket_watch import Watch, new_watch
from workflow_project import Project, new_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh project whose configuration is the smoke study."""
    return new_project(tmp_path / "project")


@pytest.fixture(scope="session")
def sockets(tmp_path_factory: pytest.TempPathFactory) -> Watch:
    """What the run of `finished` asked of the network."""
    return new_watch(tmp_path_factory.mktemp("sockets"))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, sockets: Watch) -> tuple[Project, str]:
    """The smoke study run to its end, and what the terminal showed. Tests must not change it."""
    project = new_project(tmp_path_factory.mktemp("finished"))
    run = project.snakemake(variables=sockets.environment, umask=0o077)
    assert run.returncode == 0, run.stdout[-6000:]
    return project, run.stdout
