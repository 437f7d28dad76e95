"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


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
