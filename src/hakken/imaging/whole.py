"""Images that have a class as a whole, and no lesions that are told apart."""

from __future__ import annotations

from hakken.core.errors import HakkenError
from hakken.imaging.lesions import equivalent_diameter
from hakken.imaging.prepared import Lesion, PreparedCase

NORMAL = "none"
"""The class of a case without a label."""


def whole_image(case: PreparedCase) -> Lesion:
    """Return a flat image as the one thing that is classified: a lesion as large as the image, in its middle.

    Its class is the label of the case, `none` without one. Raises HakkenError for a volume.
    """
    z, y, x = case.geometry.shape_zyx
    if z > 1:
        raise HakkenError(
            f"case {case.case_id}: is a volume, and a class by `label` is told from flat images; give the lesions that "
            "are to be classified (`cohort.truth: lesion_table`)"
        )
    across, down, deep = case.geometry.to_world([[0, y // 2, x // 2]])[0].tolist()
    size = y * x * case.geometry.voxel_size
    diameter = equivalent_diameter(size, flat=True)
    return Lesion(1, across, down, deep, diameter, size, lesion_class=case.label or NORMAL)
