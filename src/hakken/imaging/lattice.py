"""The same voxels stored in another order: axes exchanged or reversed, every centre where it was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hakken.core.volume import Geometry, Volume, triple

Axes = NDArray[np.int_]

TOLERANCE = 0.01  # of the smallest spacing


def onto_lattice(volume: Volume, reference: Geometry) -> Volume | None:
    """Return ``volume`` with its voxels in the order of ``reference``; None where the lattices differ.

    Nothing is interpolated: axes are exchanged and reversed, as for a mask of a DICOM series that was stored from the
    other end. Lattices are the same where no corner differs by more than a hundredth of the smallest spacing.

    >>> import numpy as np
    >>> stored = Volume(np.array([[[1, 2, 3]]]), origin=(2.0, 0.0, 0.0), direction=(-1, 0, 0, 0, -1, 0, 0, 0, 1))
    >>> found = onto_lattice(stored, Geometry((1, 1, 3)))
    >>> found.array.tolist() if found else None
    [[[3, 2, 1]]]
    """
    steps = np.linalg.solve(reference.matrix, volume.geometry.matrix)  # of each own axis, in voxels of the reference
    order = np.abs(steps).argmax(axis=1)
    if sorted(order.tolist()) != [0, 1, 2]:
        return None
    signs = np.sign(steps[np.arange(3), order]).astype(int)
    array = np.transpose(volume.array, [2 - order[axis] for axis in (2, 1, 0)])
    array = array[tuple(slice(None, None, signs[axis]) for axis in (2, 1, 0))]
    if array.shape != reference.shape_zyx or not _same_corners(volume, reference, order, signs):
        return None
    return Volume.on(reference, np.ascontiguousarray(array))


def _same_corners(volume: Volume, reference: Geometry, order: Axes, signs: Axes) -> bool:
    """Whether the corner voxels lie where those of the reference do once the axes are in its order."""
    own = volume.geometry
    matrix = own.matrix[:, order] * signs
    last = np.asarray(own.shape_zyx[::-1], float)[order] - 1
    spacing = triple([own.spacing[axis] for axis in order.tolist()])
    origin = triple(np.asarray(own.origin) - matrix @ np.where(signs < 0, last, 0))
    direction = tuple((matrix / spacing).ravel().tolist())
    turned = Geometry(reference.shape_zyx, spacing, origin, direction)
    return turned.matches(reference, TOLERANCE * min(reference.spacing))
