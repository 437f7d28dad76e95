"""Where the voxels of a NIfTI image lie: qform and sform of its header, questioned and made LPS and mm.

Programs differ in which of the two they read, so both must say the same. The sform counts wherever its code is above 0.
"""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from nibabel.nifti1 import Nifti1Header
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry, triple
from hakken.imaging.limits import require_origin, require_spacing

Affine = NDArray[np.float64]
UNITS = {1: ("metres", 1000.0), 3: ("microns", 1e-3)}
"""Codes of `xyzt_units` other than mm, and mm in one of them."""
ALIKE = 0.1
"""So much of a voxel may qform and sform lie apart."""
SAME_SIZE = 0.01
"""So much may the voxel sizes differ that a header states twice."""
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def grid_of(path: Path, raw: Nifti1Header, sizes: tuple[int, int, int]) -> tuple[Geometry, list[str], bool]:
    """Return the grid in LPS and mm, remarks, and whether the header says where it lies.

    Raises HakkenError for a grid that cannot be, or is stated twice.
    """
    spacing = np.array([float(value) for value in raw["pixdim"][1:4]])
    spacing[[size == 1 and not value > 0 for size, value in zip(sizes, spacing, strict=True)]] = 1.0  # no neighbours
    unit, scale = UNITS.get(int(raw["xyzt_units"]) & 7, ("mm", 1.0))
    require_spacing(path, (spacing * scale).tolist(), sizes, unit)
    remarks = [] if unit == "mm" else [f"its header has lengths in {unit}, which were made mm"]
    affine = _affine(path, raw, spacing, sizes)
    if affine is None:
        remarks.append("its header does not say where its voxels lie (qform and sform codes 0): sides are not known")
    matrix = LPS @ affine if affine is not None else np.diag([*spacing, 1.0])
    direction = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    require_origin(path, (matrix[:3, 3] * scale).tolist())
    grid = Geometry(
        (sizes[2], sizes[1], sizes[0]),
        triple(spacing * scale),
        triple(matrix[:3, 3] * scale),
        tuple(direction.ravel().tolist()),
    )
    return grid, remarks, affine is not None


def _affine(path: Path, raw: Nifti1Header, spacing: NDArray[np.float64], sizes: tuple[int, int, int]) -> Affine | None:
    """Return the affine from voxels to mm in RAS, None where there is none; HakkenError where two disagree."""
    sform = raw.get_sform() if int(raw["sform_code"]) > 0 else None
    qform = _qform(raw, spacing) if int(raw["qform_code"]) > 0 else None
    for name, affine in (("sform", sform), ("qform", qform)):
        if affine is not None:
            _check_affine(path, name, affine, spacing, sizes)
    if sform is not None and qform is not None:
        apart = _furthest(sform, qform, sizes)
        if apart > ALIKE * min(spacing):
            raise HakkenError(
                f"{path}: sform and qform of its header lie up to {apart:.3g} mm apart, and programs differ in which "
                "of the two they read; set both to the right one (`fslorient -copysform2qform`, `set_qform` of nibabel)"
            )
    return sform if sform is not None else qform


def _qform(raw: Nifti1Header, spacing: NDArray[np.float64]) -> Affine:
    """Return the affine of the quaternion, with ``spacing`` for the voxels' size."""
    flip = -1.0 if float(raw["pixdim"][0]) < 0 else 1.0
    affine = np.eye(4)
    affine[:3, :3] = nibabel.quaternions.quat2mat(raw.get_qform_quaternion()) * spacing * [1, 1, flip]
    affine[:3, 3] = [float(raw[f"qoffset_{axis}"]) for axis in "xyz"]
    return affine


def _check_affine(
    path: Path, name: str, affine: Affine, spacing: NDArray[np.float64], sizes: tuple[int, int, int]
) -> None:
    """Raise HakkenError for an affine that is none, that is sheared, or whose voxels have another size."""
    if not np.isfinite(affine).all() or (lengths := np.linalg.norm(affine[:3, :3], axis=0)).min() <= 0:
        raise HakkenError(f"{path}: the {name} of its header is no affine (0, NaN or infinite); correct the header")
    axes = affine[:3, :3] / lengths
    if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-3):
        raise HakkenError(
            f"{path}: the axes of this image are not orthogonal; resample it onto an orthogonal grid first"
        )
    wide = np.array(sizes) > 1
    if (np.abs(lengths - spacing)[wide] > SAME_SIZE * spacing[wide]).any():
        said = [" x ".join(f"{value:.4g}" for value in values) + " mm" for values in (spacing, lengths)]
        raise HakkenError(
            f"{path}: voxels of {said[0]} by pixdim, of {said[1]} by the {name}, and programs differ in which of the "
            "two they read; correct the header"
        )


def _furthest(one: Affine, other: Affine, sizes: tuple[int, int, int]) -> float:
    """Return how far apart (mm) two affines put the corners of a grid, at most."""
    corners = np.array([(x, y, z, 1) for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * [*(np.array(sizes) - 1), 1]
    return float(np.linalg.norm((corners @ (one - other).T)[:, :3], axis=1).max())
