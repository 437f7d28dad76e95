"""A contact sheet of patches: rows of easy negatives, hard negatives and positives, by their middle slice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.files import replacing
from hakken.patches.sampling import Kind
from hakken.patches.shards import PatchStore

Picture = NDArray[np.uint8]

COLUMNS = 12
ROWS_OF_A_KIND = 2
TILE = 96  # pixels
FRAME = 3
GAP = 6
GROUP_GAP = 18
BACKGROUND = (24, 26, 30)
FRAMES = {Kind.EASY: (70, 74, 82), Kind.HARD: (230, 159, 0), Kind.POSITIVE: (214, 66, 176)}


def write_preview(store: PatchStore, channel: int, path: Path) -> None:
    """Write the contact sheet of a store's ``channel`` as PNG; frames: easy grey, hard amber, positive magenta."""
    image = sitk.GetImageFromArray(compose_preview(store, channel), isVector=True)
    with replacing(path) as temporary:
        sitk.WriteImage(image, str(temporary), useCompression=True)


def compose_preview(store: PatchStore, channel: int) -> Picture:
    """Return the contact sheet as RGB (rows, columns, 3); patches are spread evenly over the cases, margins cut off."""
    slices = {kind: _middle_slices(store, kind, channel) for kind in Kind}
    pixels = np.concatenate([tile.ravel() for tiles in slices.values() for tile in tiles] or [np.zeros(1, np.float32)])
    low, high = np.percentile(pixels, [1, 99.7])
    groups = [_group(slices[kind], kind, float(low), float(high)) for kind in Kind]
    spacer = np.full((GROUP_GAP, groups[0].shape[1], 3), BACKGROUND, np.uint8)
    rows = [piece for group in groups for piece in (spacer, group)] + [spacer]
    sheet = np.concatenate(rows)
    side = np.full((sheet.shape[0], GROUP_GAP, 3), BACKGROUND, np.uint8)
    return np.concatenate([side, sheet, side], axis=1)


def _middle_slices(store: PatchStore, kind: Kind, channel: int) -> list[NDArray[np.float32]]:
    """Return up to a sheet's fill of patches of one kind, each as the slice (y, x) through its centre voxel."""
    known = store.of_kind(kind)
    chosen = known[np.linspace(0, len(known) - 1, min(len(known), COLUMNS * ROWS_OF_A_KIND)).astype(int)]
    size = store.layout.size_voxel
    patches = store.read(chosen, size)[:, channel].astype(np.float32)
    return list(patches if store.layout.axes == 2 else patches[:, size // 2])


def _group(tiles: list[NDArray[np.float32]], kind: Kind, low: float, high: float) -> Picture:
    """Return the rows of one kind."""
    pitch = TILE + 2 * FRAME + GAP
    group = np.full((ROWS_OF_A_KIND * pitch - GAP, COLUMNS * pitch - GAP, 3), BACKGROUND, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = (pitch * index for index in divmod(number, COLUMNS))
        group[top : top + TILE + 2 * FRAME, left : left + TILE + 2 * FRAME] = FRAMES[kind]
        grey = _enlarge((tile - low) / max(high - low, 1e-6))
        group[top + FRAME : top + FRAME + TILE, left + FRAME : left + FRAME + TILE] = grey[..., None]
    return group


def _enlarge(tile: NDArray[Any]) -> Picture:
    """Return a tile (y, x) of values 0..1 as TILE x TILE grey pixels, linearly interpolated."""
    positions = [np.linspace(-0.5, size - 0.5, 2 * TILE + 1)[1::2] for size in tile.shape]
    grid = np.meshgrid(*positions, indexing="ij")
    large: NDArray[Any] = ndimage.map_coordinates(tile, grid, order=1, mode="nearest")
    return np.asarray(np.rint(np.clip(large, 0, 1) * 255), np.uint8)
