"""What unit tests share: the plug-ins of another package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hakken import plugins

TOYS = Path(__file__).resolve().parents[1] / "contracts" / "toys"


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The smallest systems of each kind, as a package from outside brings them; the folder that holds it."""
    monkeypatch.syspath_prepend(str(TOYS))
    plugins._modules.cache_clear()
    yield TOYS
    plugins._modules.cache_clear()
