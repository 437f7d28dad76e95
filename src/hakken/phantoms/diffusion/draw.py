"""Draw one volume of the phantom: signals as a scanner measures them, and what they were made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.core.seeds import derive_seed
from hakken.imaging.diffusion import ranges_of, rician, signals
from hakken.phantoms import PhantomCase, options_of
from hakken.phantoms.diffusion import Options
from hakken.study import Study

SCALE = 1000.0
"""The signal at b = 0 without noise, in the unit of the scanner."""


@dataclass(frozen=True)
class Volume:
    """The files of a volume: `signals` (b, signals (n, k), snr (n,)) and `truth` (each quantity (n,), snr)."""

    arrays: Mapping[str, Mapping[str, NDArray[Any]]]
    truth: Mapping[str, Any]

    def files(self, study: Study) -> Mapping[str, Mapping[str, NDArray[Any]]]:
        """Return the arrays of each file."""
        return self.arrays


def draw_case(case: PhantomCase, study: Study) -> Volume:
    """Return one volume."""
    options = options_of(study, Options)
    random = np.random.default_rng(derive_seed(study.seed, "diffusion", case.index))
    ranges = ranges_of(options.ranges, options.signal)
    of_region = {name: random.uniform(low, high, options.regions) for name, (low, high) in ranges.items()}
    each = len(options.snr) * options.voxels
    values = {name: np.repeat(value, each) for name, value in of_region.items()}
    snr = np.tile(np.repeat(np.asarray(options.snr, float), options.voxels), options.regions)
    b = np.asarray(options.b_values, float)
    clean = signals(options.signal, b, list(values.values()))
    measured = (SCALE * rician(clean, 1 / snr, random)).astype(np.float32)
    return Volume(
        {"signals": {"b": b, "signals": measured, "snr": snr}, "truth": values | {"snr": snr}},
        {"regions": options.regions, "voxels": len(snr), "signal": options.signal},
    )
