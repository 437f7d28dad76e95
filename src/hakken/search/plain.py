"""Values as JSON knows them, and in what two of them differ."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """Return ``value`` as JSON knows it: numpy scalars and paths become plain, NaN and infinity None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def differences(old: Any, new: Any, name: str = "") -> list[str]:
    """Name the keys in which two nested mappings differ, with both values: `search.slots` (8, now 4)."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = sorted({*old, *new})
        below = [differences(old.get(key), new.get(key), f"{name}.{key}" if name else key) for key in keys]
        return [change for changes in below for change in changes]
    return [] if old == new else [f"`{name}` ({_brief(old)}, now {_brief(new)})"]


def _brief(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
