"""Preparation: all channels of a case on one grid, normalised inside one mask, each resampled once.

The grid has the axes of the patient (LPS, identity direction) and the study's spacing, and holds the mask and a margin.
A flat image keeps its own axes and its slice; it may be resized to a matrix instead of a spacing. Points of the grid
lie in the reference channel's scanner space. An optional channel that a case lacks is 0 everywhere, and the channel
beside it that says where it was measured is 0 as well: no intensity is made up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry, Triple, Volume
from hakken.imaging.body_regions import label_regions
from hakken.imaging.checks import pixel_digest
from hakken.imaging.convert import from_image, to_image
from hakken.imaging.doubts import brain_doubt
from hakken.imaging.lesions import Labels, draw_lesions, keep_each, lesions_of_mask, minimum_size, placed, with_minimum
from hakken.imaging.local_contrast import local_contrast
from hakken.imaging.lung import lung_doubt
from hakken.imaging.masks import find_mask, without_rim
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.imaging.region_labels import RegionLabels, moved_labels
from hakken.imaging.registration import resample
from hakken.imaging.scales import in_units, shares_of
from hakken.study import Channel, Preparation, Study, presence_of
from hakken.study.images import less_than_a_pixel

LIMITS = {"zscore": (-8.0, 8.0), "median": (-1.0, 8.0), "percentile": (-1.0, 4.0), "window": (0.0, 1.0)}
PERCENTILES = (1.0, 99.0)
COARSER = 1.5


@dataclass(frozen=True)
class Prepared:
    """A prepared case in memory: its record, image float32 (c, z, y, x), and mask, labels and regions (z, y, x).

    ``body``: uint8 (z, y, x) regions of the body, where the study names them.
    """

    case: PreparedCase
    image: NDArray[np.float32]
    mask: NDArray[np.bool_]
    labels: Labels | None
    regions: RegionLabels | None = None
    body: NDArray[np.uint8] | None = None


def prepare_case(
    channels: Mapping[str, Volume],
    transforms: Mapping[str, sitk.Transform],
    truth: Volume | Sequence[Lesion] | None,
    study: Study,
    *,
    case_id: str,
    patient: str = "",
    label: str | None = None,
    region: NDArray[np.bool_] | None = None,
    classes: Mapping[int, str] | None = None,
    regions: RegionLabels | None = None,
    scalars: Mapping[str, float] = {},
) -> Prepared:
    """Prepare one case.

    ``channels`` holds every channel of the study on its own grid, but for optional ones that the case lacks;
    ``transforms`` maps reference points to points of each other channel (none: the identity). ``truth``: a lesion mask
    on the reference grid, or lesions (none: an empty sequence), or None where nobody has looked; ``label`` is the class
    of the case, where it has one. ``classes`` are those of the lesions of a mask by their numbers, ``regions`` labels
    on the reference grid, ``scalars`` what the case has of each scalar of the study. Raises HakkenError for an empty
    mask, a constant channel and a lesion mask on another grid.
    """
    reference = channels[study.reference]
    found, doubt = _native_mask(channels, transforms, study, region)
    native = without_rim(found, reference.spacing, study.preparation.rim_mm)
    grid = common_grid(reference.geometry, native, study.preparation)
    mask = resample(Volume.on(reference.geometry, native.astype(np.uint8)), grid, sitk.Transform(), nearest=True)
    inside = np.asarray(mask.array > 0)
    image, records = _image(channels, transforms, study, grid, inside)
    for name, value in scalars.items():
        image[study.layers.index(name)] = np.float32(study.scalars[name].normalised(value)) * inside
    labels, lesions = _truth(truth, reference.geometry, grid, study)
    if classes is not None:
        lesions = tuple(replace(lesion, lesion_class=classes.get(lesion.lesion) or None) for lesion in lesions)
    outside = () if labels is None else _outside(labels, lesions, inside)
    case = PreparedCase(
        case_id=case_id,
        patient=patient,
        channels=study.layers,
        geometry=grid,
        source_geometry=reference.geometry,
        normalisation=records,
        pixel_digest=pixel_digest(reference),
        has_truth=labels is not None,
        lesions=lesions,
        label=label,
        outside=outside,
        optional={name: name in channels for name in study.optional},
        scalars=dict(scalars),
        doubt=doubt,
        has_regions=regions is not None,
    )
    moved = None if regions is None else moved_labels(regions, reference.geometry, grid)
    body = _body_regions(image, records, inside, study, grid)
    return Prepared(case, image, inside, labels, moved, body)


def _body_regions(
    image: NDArray[np.float32],
    records: Mapping[str, Mapping[str, Any]],
    inside: NDArray[np.bool_],
    study: Study,
    grid: Geometry,
) -> NDArray[np.uint8] | None:
    """Return the regions of the body (z, y, x), where the study names them."""
    if study.body_regions is None:
        return None
    channel = study.body_regions.channel
    hounsfield = in_units(image[study.layers.index(channel)], records[channel])
    return label_regions(hounsfield, inside, grid.spacing)


def _native_mask(
    channels: Mapping[str, Volume],
    transforms: Mapping[str, sitk.Transform],
    study: Study,
    region: NDArray[np.bool_] | None,
) -> tuple[NDArray[np.bool_], str]:
    """Return the mask (z, y, x) on the reference's grid, that of the case or found on the channel named for it, and
    what is doubtful about it.
    """
    if region is not None:
        return region, _doubt(region, channels[study.reference], study, study.reference)
    name = study.preparation.mask_channel or study.reference
    found = find_mask(channels[name], study.preparation.mask, study.channels[name].modality)
    doubt = _doubt(found, channels[name], study, name)
    if name == study.reference:
        return found, doubt
    own = Volume.on(channels[name].geometry, found.astype(np.uint8))
    moved = resample(own, channels[study.reference].geometry, transforms.get(name, sitk.Transform()), nearest=True)
    if not moved.array.any():
        raise HakkenError(f"the {study.preparation.mask} mask of channel {name} lies outside {study.reference}")
    return np.asarray(moved.array > 0), doubt


def _doubt(mask: NDArray[np.bool_], volume: Volume, study: Study, channel: str) -> str:
    """Return what is doubtful about a mask (z, y, x) of ``volume``; a phantom's head or chest may be small."""
    if study.of_phantom:
        return ""
    if study.preparation.mask == "lung":
        return lung_doubt(mask, volume, "ct" if study.channels[channel].modality == "ct" else "mr")
    return brain_doubt(mask, volume.geometry) if study.preparation.mask == "brain" else ""


def common_grid(reference: Geometry, mask: NDArray[np.bool_], settings: Preparation) -> Geometry:
    """Return the grid around a mask (z, y, x) on ``reference``, with the margin, at the spacing of the study.

    Its points lie on the lattice through the reference's first voxel, so equal grids are not interpolated. With a
    `matrix` it has so many columns and rows whatever the size of the image. Raises HakkenError for a matrix of volumes.
    """
    flat = reference.is_flat
    if settings.matrix is not None:
        return _matrix_grid(reference, mask, settings.matrix, settings.keep_aspect)
    spacing = (*settings.spacing_mm[:2], reference.spacing[2]) if flat else settings.spacing_mm
    axes = np.reshape(reference.direction, (3, 3)) if flat else np.eye(3)
    edge = mask & ~_eroded(mask)
    along = (reference.to_world(np.argwhere(edge)) - reference.origin) @ axes
    margin = np.array([settings.margin_mm, settings.margin_mm, 0 if flat else settings.margin_mm])
    first = np.floor((along.min(axis=0) - margin) / spacing + 1e-6)
    last = np.ceil((along.max(axis=0) + margin) / spacing - 1e-6)
    x, y, z = (int(count) for count in (last - first + 1))
    origin = np.asarray(reference.origin) + axes @ (first * spacing)
    return Geometry((z, y, x), spacing, _triple(origin), tuple(axes.ravel().tolist()), reference.unit)


def _matrix_grid(reference: Geometry, mask: NDArray[np.bool_], matrix: tuple[int, int], keep_aspect: bool) -> Geometry:
    """Return a grid of ``matrix`` columns and rows over the box around a mask, in its middle where pixels stay square.

    Square are the pixels of the grid, in the unit of the image: an image of oblong pixels comes out undistorted.
    """
    if not reference.is_flat:
        raise HakkenError("preparation.matrix: resizes flat images, and this is a volume; use `spacing_mm`")
    columns, rows = matrix
    axes, own = np.reshape(reference.direction, (3, 3)), np.asarray(reference.spacing)
    along = (reference.to_world(np.argwhere(mask)) - reference.origin) @ axes
    low, high = along.min(axis=0) - own / 2, along.max(axis=0) + own / 2
    across, down = (high - low)[:2] / (columns, rows)
    if keep_aspect:
        across = down = max(across, down)
    spacing = (float(across), float(down), float(own[2]))
    first = (low + high) / 2 - np.array([across * (columns - 1), down * (rows - 1), 0]) / 2
    origin = np.asarray(reference.origin) + axes @ first
    return Geometry((1, rows, columns), spacing, _triple(origin), tuple(axes.ravel().tolist()), reference.unit)


def normalise(values: NDArray[np.float32], inside: NDArray[np.bool_], channel: Channel) -> tuple[float, float]:
    """Return the intensities that become 0 and 1, from the finite ``values`` where ``inside``.

    ``zscore``: mean and mean + SD; ``median``: 0 and the median; ``percentile``: two percentiles; ``window``: the
    study's own two intensities. Raises HakkenError where no voxel is inside, or their median is no divisor.
    """
    if channel.normalise == "window":
        low, high = channel.range or (0.0, 1.0)
        return low, high
    chosen = values[inside & np.isfinite(values)].astype(np.float64)
    if chosen.size == 0:
        raise HakkenError("no voxel of this channel lies inside the mask; look at its geometry and registration")
    if channel.normalise == "zscore":
        return float(chosen.mean()), float(chosen.mean() + chosen.std())
    if channel.normalise == "median":
        return 0.0, _divisor(chosen)
    low, high = np.percentile(chosen, channel.range or PERCENTILES).tolist()
    return low, high


def _divisor(chosen: NDArray[np.float64]) -> float:
    """Return the median of values; 0 where all are alike. Raises HakkenError where it is not above 0."""
    median = float(np.median(chosen))
    if median <= 0:
        raise HakkenError(
            f"`normalise: median` divides by the median inside the mask, and that is {median:g}; use `zscore`, or look "
            "at the mask"
        )
    return median if chosen.max() > chosen.min() else 0.0


def _image(
    channels: Mapping[str, Volume],
    transforms: Mapping[str, sitk.Transform],
    study: Study,
    grid: Geometry,
    inside: NDArray[np.bool_],
) -> tuple[NDArray[np.float32], dict[str, dict[str, Any]]]:
    """Return the layers of a case (c, z, y, x) in the order of the study, and how each channel was normalised."""
    image = np.zeros((len(study.layers), *grid.shape_zyx), np.float32)
    records: dict[str, dict[str, Any]] = {}
    for index, (name, channel) in enumerate(study.channels.items()):
        if channel.optional and name not in channels:
            continue
        transform = transforms.get(name, sitk.Transform())
        values = resample(_smoothed(channels[name], grid), grid, transform, outside=math.nan).array
        try:
            zero, one = normalise(values, inside, channel)
        except HakkenError as error:
            raise HakkenError(f"channel {name}: {error}") from None
        if not one - zero > 1e-6 * max(abs(zero), abs(one)):
            raise HakkenError(f"channel {name}: all voxels inside the mask are alike; look at the image and the mask")
        low, high = LIMITS[channel.normalise]
        scaled = np.clip(shares_of(values, zero, one, channel.scale), low, high)
        measured = inside & np.isfinite(values)
        image[index] = np.where(measured, scaled, 0)
        if channel.optional:
            image[study.layers.index(presence_of(name))] = measured
        records[name] = {"method": channel.normalise, "zero": zero, "one": one, "limits": [low, high]}
        records[name] |= {} if channel.scale == "linear" else {"scale": channel.scale}
        if channel.local_mm is not None:
            sigma = _voxels(channel.local_mm, grid)
            if any(0 < size < 1 for size in sigma[1:]):
                raise HakkenError(f"channels.{name}.local_mm: {less_than_a_pixel(max(grid.spacing[:2]))}")
            image[index] = np.clip(local_contrast(image[index], measured, sigma), *LIMITS["zscore"])
            records[name] = {"method": "local", "local_mm": channel.local_mm}
    return image, records


def _voxels(length: float, grid: Geometry) -> tuple[float, ...]:
    """Return a length in the unit of a grid as voxels along z, y, x; none across a flat image's one slice."""
    return tuple(
        0.0 if count == 1 else length / size for count, size in zip(grid.shape_zyx, grid.spacing[::-1], strict=True)
    )


def _truth(
    truth: Volume | Sequence[Lesion] | None, reference: Geometry, grid: Geometry, study: Study
) -> tuple[Labels | None, tuple[Lesion, ...]]:
    if truth is None:
        return None, ()
    if not isinstance(truth, Volume):
        lesions = with_minimum(truth, minimum_size(study.cohort, reference))
        return draw_lesions(lesions, grid), lesions
    truth = placed(truth, reference)
    if not truth.matches(reference, tolerance_mm=0.01 * min(reference.spacing)):
        raise HakkenError(f"lesion mask on another grid: mask {truth.geometry}; reference {reference}; resample it")
    labels, lesions = lesions_of_mask(truth, study.cohort)
    drawn = resample(Volume.on(reference, labels), grid, sitk.Transform(), nearest=True).array.astype(np.int16)
    return keep_each(drawn, lesions, grid), lesions


def _outside(labels: Labels, lesions: Sequence[Lesion], inside: NDArray[np.bool_]) -> tuple[int, ...]:
    """Return the numbers of the lesions of which no voxel lies ``inside`` the mask (z, y, x)."""
    met = set(np.unique(labels[inside]).tolist())
    return tuple(lesion.lesion for lesion in lesions if lesion.lesion not in met)


def _smoothed(volume: Volume, grid: Geometry) -> Volume:
    """Blur along axes that become much coarser, so that noise between the sampled points is not folded in."""
    own = np.abs(np.reshape(volume.direction, (3, 3)))
    wanted = np.abs(np.reshape(grid.direction, (3, 3))) @ np.asarray(grid.spacing)
    ratio = (own.T @ wanted) / np.asarray(volume.spacing)
    sigma = np.where(ratio >= COARSER, 0.5 * np.sqrt(np.maximum(ratio**2 - 1, 0)), 0) * volume.spacing
    image = sitk.Cast(to_image(volume), sitk.sitkFloat32)
    if not sigma.any():
        return from_image(image)
    return from_image(sitk.DiscreteGaussian(image, (sigma**2 + 1e-9).tolist(), 32, 0.01, True))


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask without voxels that have a neighbour outside along any axis; the image's border counts as outside."""
    padded = np.pad(mask, 1)
    result = mask.copy()
    for axis in range(3):
        for step in (-1, 1):
            result &= np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1]
    return result


def _triple(values: NDArray[np.float64]) -> Triple:
    x, y, z = values.tolist()
    return (x, y, z)
