"""Where a user says that the lesions of a new case are, on the command line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hakken.core.errors import HakkenError

if TYPE_CHECKING:
    from hakken.cohort.items import Item
    from hakken.imaging.prepared import PreparedCase
    from hakken.study import Study

Clicks = tuple[tuple[float, float, float, float], ...]
"""Each x, y, z (LPS) and the lesion's longest extent, in mm."""


def given_clicks(texts: Sequence[str], study: Study) -> Clicks:
    """Return the clicks from texts `X,Y,Z,SIZE`.

    Raises HakkenError where one is no click, where the model takes none, and where it needs one and is given none.
    """
    from hakken.runs.required import needs_of

    if not needs_of(study).clicks:
        if texts:
            raise HakkenError(f"--click={texts[0]}: the model of study {study.name} takes no clicks; leave it out")
        return ()
    if not texts:
        raise HakkenError(
            f"the model of study {study.name} segments what is clicked on; give --click=X,Y,Z,SIZE in mm for each "
            "lesion"
        )
    return tuple(_click(text) for text in texts)


def _click(text: str) -> tuple[float, float, float, float]:
    """Return a click, see `given_clicks`.

    >>> _click("12.5,-30,4,18")
    (12.5, -30.0, 4.0, 18.0)
    """
    try:
        x, y, z, size = (float(part) for part in text.split(","))
    except ValueError:
        x = y = z = size = 0.0
    if not (0 < size < math.inf and all(map(math.isfinite, (x, y, z)))):
        raise HakkenError(f"--click={text}: is not four numbers X,Y,Z,SIZE in mm, the last above 0; correct it")
    return x, y, z, size


def clicked(case: Item | PreparedCase, clicks: Clicks) -> Item | PreparedCase:
    """Return a case with the clicks on it; raises HakkenError for one that lies outside of the image."""
    from hakken.imaging.cases import image

    if not clicks:
        return case
    own = image(case)
    for x, y, z, size in clicks:
        place = own.geometry.to_voxel([(x, y, z)])[0]
        if not all(-0.5 <= at <= count - 0.5 for at, count in zip(place, own.geometry.shape_zyx, strict=True)):
            raise HakkenError(
                f"--click={x:g},{y:g},{z:g},{size:g}: lies outside of the image, which is {own.geometry}; coordinates "
                "are x, y, z in mm, LPS (x to the patient's left, y to the back, z to the head)"
            )
    return replace(own, clicks=clicks)
