"""What is found in a new case as an image that lies on its reference channel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.imaging.prepared import PreparedCase


def write_on_reference(path: Path, labels: NDArray[Any], case: PreparedCase) -> NDArray[np.uint8]:
    """Write labels (z, y, x) of a prepared case on the grid of its reference channel, by nearest neighbour.

    Return them as they were written.
    """
    import SimpleITK as sitk

    from hakken.core.volume import Volume
    from hakken.imaging.files import write_volume
    from hakken.imaging.registration import resample

    prepared = Volume.on(case.geometry, labels.astype(np.uint8))
    whole = resample(prepared, case.source_geometry, sitk.Transform(), nearest=True).array.astype(np.uint8)
    write_volume(path, Volume.on(case.source_geometry, whole))
    return np.asarray(whole)
