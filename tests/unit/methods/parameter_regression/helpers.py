"""A miniature study of diffusion signals, and cases with files of signals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hakken.cohort.items import Item
from hakken.core.files import sha256_file
from hakken.study import Study
from hakken.study.reading import parse_study

B_VALUES = (0, 500, 1000, 1500, 2000)
RANGES = {"D": (0.001, 0.002), "K": (0.5, 1.5)}
DKI: dict[str, Any] = {"signal": "dki", "b_values": B_VALUES, "ranges": RANGES}


def study(**parameters: Any) -> Study:
    """A study of kurtosis at five b values; ``parameters`` replace keys."""
    content = {
        "name": "signals",
        "seed": 1,
        "method": "parameter_regression",
        "cohort": {"kind": "items", "files": ["signals"], "table": "cases.csv"},
        "outcomes": {"numbers": {"quantities": ["D"]}},
        "parameters": DKI | parameters,
    }
    return parse_study(content)


def case_of(path: Path, **arrays: Any) -> Item:
    """A case whose file of signals holds these arrays."""
    np.savez(path, **{name: np.asarray(values) for name, values in arrays.items()})
    return Item("c1", "p1", files={"signals": path}, sha256={"signals": sha256_file(path)})
