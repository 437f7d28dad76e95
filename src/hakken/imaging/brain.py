"""The brain inside a skull: a template laid on the head, then the brain's own surface near the template's.

The template is found by mutual information, so contrast does not matter: from a grid of starts, rigid, then affine,
ever closer to the brain. Within a few millimetres of its surface the image decides: two floods, from inside and from
outside, meet in the gap between brain and bone. The template is fitted to what was found and the floods run again.
One thread and one seed: the same image gives the same mask, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry, Volume, triple
from hakken.imaging.brain_surface import brain_near
from hakken.imaging.convert import from_image, grid_image, to_image
from hakken.imaging.doubts import REMEDY
from hakken.imaging.pieces import Mask, filled, largest, signed_distance
from hakken.imaging.registration import one_thread, resample
from hakken.imaging.template import Template, brain_template

Floats = NDArray[np.float32]

WORKING_MM = 2.0
SEARCH_MM = 4.0
SEED = 7
BINS = 32
SAMPLES, CLOSER_SAMPLES, FITTED_SAMPLES = 20_000, 30_000, 40_000
STEP_MM, LAST_STEP_MM, RELAXATION, ITERATIONS = 3.0, 0.05, 0.8, 100
FITTED_STEP_MM = 1.0
FAR_MM = 99.0  # from the brain, where the template ends
SHADE_MM, DARKEST = (
    30.0,
    0.1,
)  # how slowly brightness changes over a head, and the darkest place as a share of the brightest
SLAB_MM = 140.0  # from the top of the head: without the neck
SCALP_MM = 12.0  # from the top of the head to the brain
SHIFTS_MM = (-60.0, -40.0, -20.0, 0.0, 20.0, 40.0)
PITCHES = (-20.0, 0.0, 20.0)  # degrees
TURNS = (0.0, 180.0)  # degrees: some files have front and back exchanged
DOUBT = 0.1  # by so much the metric must be better for a head that lies otherwise than its header says
STARTS = 3
ADULT_MM = 150.0  # the root of the largest axial area of a head
SMALL, SMALLEST = 0.88, 0.5  # heads of such a size are tried as small ones too
NEAR_MM = (40.0, 30.0, 20.0, 16.0, 12.0)  # of the brain's surface: what the metric looks at, ever less
FITTED_MM = 12.0
AROUND_MM = 30.0
FITS = 2
CT_HEAD_HU = -300.0
CT_RANGE_HU = (0.0, 90.0)
CT_BLOOD_HU = 100.0  # blood is less dense: what is denser at the mask's border is partly bone
LARGEST_ML = 3000.0
AGREEMENT, CERTAIN = 0.75, 0.9  # Dice of what was found and the template: at least, and enough to look no further


@dataclass(frozen=True)
class _Scene:
    """A head on a coarse upright grid: its image, where it was scanned, its middle, the height of its top, its size.

    ``size`` is the root of its largest axial area, as a share of an adult's.
    """

    image: sitk.Image
    scanned: sitk.Image
    middle: NDArray[np.float64]
    top: float
    size: float


@dataclass(frozen=True)
class _Found:
    """A brain on a coarse grid and its Dice with the template."""

    brain: Volume
    agreement: float


@dataclass(frozen=True)
class _Start:
    """A rigid transform from the head to a template that was shrunk by ``scale``, an affine transform."""

    rigid: sitk.Euler3DTransform
    scale: sitk.AffineTransform


def find_brain(volume: Volume, modality: Literal["mr", "ct"]) -> Mask:
    """Return the brain (z, y, x) of a head with its skull; on CT, in HU, all that the skull encloses.

    Raises HakkenError where the template cannot be laid on the image or what was found does not look like a brain.
    """
    with one_thread():
        found = _best(volume, modality)
    drawn = redrawn(found.brain, volume.geometry)
    return filled(drawn & (np.nan_to_num(volume.array) <= CT_BLOOD_HU)) if modality == "ct" else drawn


def _best(volume: Volume, modality: str) -> _Found:
    """Return the first brain that agrees well with its template, or the one that agrees best."""
    template, coarse = brain_template(), coarser(volume)
    scene = _scene(coarse, modality)
    best: _Found | None = None
    for start in _starts(scene, template):
        try:
            found = _found(coarse, modality, template, _closer(scene, template, start))
        except RuntimeError:  # it led out of the image
            continue
        if best is None or found.agreement > best.agreement:
            best = found
        if best.agreement > CERTAIN:
            break
    if best is None:
        raise HakkenError(f"the brain was not found, no template fits; {REMEDY}")
    _check(best)
    return best


def _found(coarse: Volume, modality: str, template: Template, laid: sitk.AffineTransform) -> _Found:
    """Return the brain near the template, which is fitted to it and looked at again."""
    near = _around(coarse, template, laid)
    for _ in range(FITS):
        brain = brain_near(near, _surface(template, near, laid), modality, fitting=True)
        laid = _fitted(near, brain, template, laid)
    surface = _surface(template, near, laid)
    brain = brain_near(near, surface, modality)
    return _Found(Volume.on(near.geometry, brain), _agreement(brain, surface > 0))


def _around(coarse: Volume, template: Template, laid: sitk.Transform) -> Volume:
    """Return the part of the volume that lies near the template."""
    places = np.argwhere(_surface(template, coarse, laid) > -AROUND_MM)[:, ::-1]
    if len(places) == 0:
        raise RuntimeError("the template lies outside of the image")
    low, high = places.min(axis=0), places.max(axis=0)
    return from_image(sitk.RegionOfInterest(to_image(coarse), (high - low + 1).tolist(), low.tolist()))


def coarser(volume: Volume) -> Volume:
    """Return the volume (float32) in voxels of about 2 mm; short axes keep their voxels."""
    factors = [
        max(1, min(round(WORKING_MM / spacing), size // 8))
        for spacing, size in zip(volume.spacing, volume.array.shape[::-1], strict=True)
    ]
    clean = Volume.on(volume.geometry, np.nan_to_num(volume.array).astype(np.float32))
    return from_image(sitk.BinShrink(to_image(clean), factors))


def redrawn(mask: Volume, grid: Geometry) -> Mask:
    """Return a coarse mask on a finer grid, its edges smooth."""
    smooth = Volume.on(mask.geometry, mask.array.astype(np.float32))
    return np.asarray(resample(smooth, grid, sitk.Transform()).array > 0.5)


def _scene(coarse: Volume, modality: str) -> _Scene:
    image, scanned = _upright(coarse)
    values, inside = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(scanned) > 0
    threshold = CT_HEAD_HU if modality == "ct" else 0.6 * _otsu(values[inside])
    head = largest(ndimage.binary_opening((values > threshold) & inside))
    if not head.any():
        raise HakkenError(f"the brain mask is empty: no head in the image; {REMEDY}")
    low, high = CT_RANGE_HU if modality == "ct" else (float(values.min()), float(np.percentile(values[head], 99)))
    places = np.argwhere(head)
    places = places[places[:, 0] > places[:, 0].max() - SLAB_MM / SEARCH_MM]
    world = from_image(image).to_world(places)
    size = float(np.sqrt(head.sum(axis=(1, 2)).max())) * SEARCH_MM / ADULT_MM
    clipped = sitk.Clamp(image, sitk.sitkFloat32, low, high)
    return _Scene(
        clipped if modality == "ct" else _even(clipped, head),
        scanned,
        world.mean(axis=0),
        float(world[:, 2].max()),
        size,
    )


def _even(image: sitk.Image, head: Mask) -> sitk.Image:
    """Return the image without its slow changes of brightness over the head (z, y, x)."""
    values = sitk.GetArrayFromImage(image)
    sigma = SHADE_MM / SEARCH_MM
    shade = ndimage.gaussian_filter(np.where(head, values, 0), sigma)
    shade /= np.maximum(ndimage.gaussian_filter(head.astype(np.float32), sigma), 1e-3)
    even = np.where(shade > 0, values / np.maximum(shade, DARKEST * shade.max()), 0)
    return to_image(Volume.on(from_image(image).geometry, even.astype(np.float32)))


def _upright(volume: Volume) -> tuple[sitk.Image, sitk.Image]:
    """Return the volume on an upright grid of `SEARCH_MM`, and where there is something on it."""
    corners = volume.geometry.corners()
    low, high = corners.min(axis=0), corners.max(axis=0)
    x, y, z = (np.ceil((high - low) / SEARCH_MM).astype(int) + 1).tolist()
    grid = Geometry((z, y, x), (SEARCH_MM,) * 3, triple(low))
    values = resample(volume, grid, sitk.Transform(), outside=np.nan).array
    scanned = np.isfinite(values)
    image = to_image(Volume.on(grid, np.nan_to_num(values)))
    return image, to_image(Volume.on(grid, scanned.astype(np.uint8)))


def _closer(scene: _Scene, template: Template, start: sitk.AffineTransform) -> sitk.AffineTransform:
    """Return ``start`` improved, looking ever closer at the brain."""
    affine = sitk.AffineTransform(start)
    for near in NEAR_MM:
        surface = sitk.Resample(template.surface, scene.image, affine, sitk.sitkLinear, -FAR_MM)
        method = _method(scene.image, sitk.And(surface > -near, scene.scanned > 0), CLOSER_SAMPLES)
        _step(method, STEP_MM)
        method.SetInitialTransform(affine, inPlace=True)
        method.Execute(scene.image, template.appearance)
    return affine


def _starts(scene: _Scene, template: Template) -> list[sitk.AffineTransform]:
    """Return where the best starts lead to by regular steps, the best by the metric first."""
    method = _method(scene.image, scene.scanned, SAMPLES)
    stepped = [_composed(_stepped(scene, template, start)) for start in _guesses(scene, template)]
    return sorted(stepped, key=lambda affine: _value(method, affine, scene, template))


def _guesses(scene: _Scene, template: Template) -> list[_Start]:
    """Return the best guesses by the metric: up and down along the head, nodding, turned about, for a small head small.

    A small cross-section may also be the top of a large head, so both sizes are tried.
    """
    judged = []
    method = _method(scene.image, scene.scanned, SAMPLES)
    sizes = (1.0,) if scene.size > SMALL else (1.0, max(scene.size, SMALLEST))
    for number, (size, turn, shift, pitch) in enumerate(product(sizes, TURNS, SHIFTS_MM, PITCHES)):
        rigid = sitk.Euler3DTransform()
        height = scene.top - size * (SCALP_MM + template.top - template.centre[2] - shift)
        rigid.SetCenter((*scene.middle[:2].tolist(), height))
        rigid.SetTranslation((np.asarray(template.centre) - rigid.GetCenter()).tolist())
        rigid.SetRotation(float(np.deg2rad(pitch)), 0.0, float(np.deg2rad(turn)))
        start = _Start(rigid, _scaled(template, size))
        value = _value(method, _composed(start), scene, template)
        judged.append((value if turn == 0 else value * (1 - DOUBT), number, start))
    return [start for _, _, start in sorted(judged, key=lambda one: one[:2])[:STARTS]]


def _scaled(template: Template, size: float) -> sitk.AffineTransform:
    """Return the transform from points of a template of ``size`` to those of the template as it is."""
    scale = sitk.AffineTransform(3)
    scale.SetCenter(template.centre)
    scale.Scale(1 / size)
    return scale


def _stepped(scene: _Scene, template: Template, start: _Start) -> _Start:
    """Return where regular steps lead from a start."""
    found = _Start(sitk.Euler3DTransform(start.rigid), start.scale)
    method = _method(scene.image, scene.scanned, SAMPLES)
    method.SetMovingInitialTransform(start.scale)
    method.SetInitialTransform(found.rigid, inPlace=True)
    _step(method, SEARCH_MM)
    try:
        method.Execute(scene.image, template.appearance)
    except RuntimeError:  # it led out of the image
        return start
    return found


def _composed(start: _Start) -> sitk.AffineTransform:
    """Return both transforms of a start as one."""
    rigid, scale = start.rigid, start.scale
    affine = sitk.AffineTransform(3)
    affine.SetCenter(rigid.GetCenter())
    turned = np.reshape(scale.GetMatrix(), (3, 3)) @ np.reshape(rigid.GetMatrix(), (3, 3))
    affine.SetMatrix(turned.ravel().tolist())
    middle = np.asarray(scale.TransformPoint(rigid.TransformPoint(rigid.GetCenter())))
    affine.SetTranslation((middle - rigid.GetCenter()).tolist())
    return affine


def _value(method: sitk.ImageRegistrationMethod, transform: sitk.Transform, scene: _Scene, template: Template) -> float:
    """Return the metric of a transform, lower is better; infinite where hardly anything overlaps."""
    method.SetInitialTransform(transform)
    try:
        return float(method.MetricEvaluate(scene.image, template.appearance))
    except RuntimeError:
        return float("inf")


def _method(fixed: sitk.Image, mask: sitk.Image, samples: float) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    voxels = fixed.GetNumberOfPixels()
    if samples < voxels:
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentage(samples / voxels, SEED)
    method.SetMetricFixedMask(mask)
    method.SetMetricUseFixedImageGradientFilter(False)
    method.SetMetricUseMovingImageGradientFilter(False)
    method.SetInterpolator(sitk.sitkLinear)
    return method


def _step(method: sitk.ImageRegistrationMethod, first_mm: float) -> None:
    """Let ``method`` go by regular steps, its parameters scaled by the physical shift that they cause."""
    method.SetOptimizerAsRegularStepGradientDescent(first_mm, LAST_STEP_MM, ITERATIONS, RELAXATION, 1e-8)
    method.SetOptimizerScalesFromPhysicalShift()


def _surface(template: Template, volume: Volume, laid: sitk.Transform) -> Floats:
    """Return the signed distance in mm (z, y, x) to the template's surface on the grid of ``volume``."""
    image = sitk.Resample(template.surface, grid_image(volume.geometry), laid, sitk.sitkLinear, -FAR_MM)
    return np.asarray(sitk.GetArrayFromImage(image), np.float32)


def _fitted(coarse: Volume, brain: Mask, template: Template, laid: sitk.AffineTransform) -> sitk.AffineTransform:
    """Return the transform that brings the template's surface onto that of ``brain``, starting from ``laid``."""
    own = np.clip(signed_distance(brain, coarse.spacing[::-1]), -FITTED_MM, FITTED_MM)
    fixed = to_image(Volume.on(coarse.geometry, own))
    near = to_image(Volume.on(coarse.geometry, (np.abs(own) < FITTED_MM - 1).astype(np.uint8)))
    method = _method(fixed, near, FITTED_SAMPLES)
    method.SetMetricAsMeanSquares()
    _step(method, FITTED_STEP_MM)
    fitted = sitk.AffineTransform(laid)
    method.SetInitialTransform(fitted, inPlace=True)
    method.Execute(fixed, sitk.Clamp(template.surface, sitk.sitkFloat32, -FITTED_MM, FITTED_MM))
    return fitted


def _agreement(one: Mask, other: Mask) -> float:
    """Return the Dice of two masks, 0 where both are empty."""
    both = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return 2 * int(np.count_nonzero(one & other)) / max(both, 1)


def _check(found: _Found) -> None:
    """Raise HakkenError where brain and template disagree or the brain is too large to be one."""
    millilitres = int(np.count_nonzero(found.brain.array)) * found.brain.geometry.voxel_mm3 / 1000
    if found.agreement < AGREEMENT or millilitres > LARGEST_ML:
        raise HakkenError(
            f"the brain was not found: {millilitres:,.0f} ml that agree with a template to {found.agreement:.0%}; "
            f"{REMEDY}"
        )


def _otsu(values: Floats) -> float:
    """Otsu's threshold with the brightest 1 % cut off, so that vessels and fat do not carry it away."""
    low, high = np.percentile(values, (0.1, 99))
    otsu = sitk.OtsuThresholdImageFilter()
    otsu.Execute(sitk.GetImageFromArray(np.clip(values, low, high).reshape(1, 1, -1)))
    return float(otsu.GetThreshold())
