"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A new random example must not reject work that has nothing to do with it: `make test` tries the same examples each
# time, `make test-long` new ones (`--hypothesis-profile=random`).
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.register_profile("random", max_examples=500, deadline=None)
settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parents[1]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Examples in docstrings are run for the package alone; of the tests, only files of tests are collected."""
    return True if collection_path.suffix == ".py" and not collection_path.name.startswith("test_") else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long tests come first, so that several workers end at the same time."""
    items.sort(key=lambda item: "workflow" not in item.path.parts)


@pytest.fixture(scope="session", autouse=True)
def own_configuration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees what its user has configured: the layout of this host, profiles of the workflow engine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images, beside the checkout; tests that need it skip where it is missing."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of real images (../shared/data) is not on this machine")
    return folder


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of reference numbers, beside the checkout; tests that need it skip where it is missing."""
    folder = ROOT.parent / "shared" / "reference"
    if not folder.is_dir():
        pytest.skip("the folder of reference numbers (../shared/reference) is not on this machine")
    return folder
