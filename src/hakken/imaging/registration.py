"""Registration: bring one channel onto the reference channel.

A transform maps points of the fixed (reference) space to points of the moving space, x, y, z in mm, LPS: what
SimpleITK's resampling asks for. Rigid, then affine, then B-spline, each starting where the last one ended, each from
coarse to fine; a step that makes the metric worse is not taken. One thread and a seed: the same images give the same
transform, bit for bit.

Start: the best of header, centres of the grids and centres of mass, by the metric itself. Rigid: regular-step gradient
descent. Affine: conjugate gradients on coarse levels, since shears are determined a hundred times worse than shifts
and plain descent stops early or leaps away, then regular steps. B-spline: L-BFGS-B. Parameters are scaled by the
physical shift that they cause.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import ArrayLike, NDArray

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry, Points, Volume
from hakken.imaging.convert import from_image, grid_image, to_image
from hakken.study import Registration

MINIMUM_SAMPLES = 20_000
MAXIMUM_SAMPLES = 100_000
BENDING_SAMPLES = 20_000  # a B-spline's derivative is dear
SMALLEST_AXIS = 12
HISTOGRAM_BINS = 32
NO_OVERLAP = 1e300


@dataclass(frozen=True)
class RegistrationResult:
    """How the moving channel lies on the fixed one; the metric is better when it is lower."""

    transform: sitk.Transform
    metric_before: float
    metric_after: float
    iterations: int
    seconds: float


@dataclass(frozen=True)
class _Level:
    """Both images at one resolution."""

    fixed: sitk.Image
    moving: sitk.Image
    mask: sitk.Image | None
    step_mm: float


@dataclass(frozen=True)
class _Judged:
    """A transform and its metric on the finest level."""

    transform: sitk.Transform
    metric: float


def register(
    fixed: Volume, moving: Volume, settings: Registration, seed: int, mask: NDArray[np.bool_] | None = None
) -> RegistrationResult:
    """Register ``moving`` to ``fixed``; similarity is measured inside ``mask`` (z, y, x on the fixed grid) if given.

    ``metric_before`` is that of the headers as they are, infinite where they hardly overlap. Raises HakkenError for
    one-slice images and where no start makes the images overlap.
    """
    started = time.perf_counter()
    if settings.method == "none":
        return RegistrationResult(sitk.Transform(3, sitk.sitkIdentity), 0.0, 0.0, 0, 0.0)
    if fixed.is_flat or moving.is_flat:
        raise HakkenError("registration: one-slice images cannot be registered in 3-D; set registration.method: none")
    try:
        with one_thread():
            levels = _pyramid(fixed, moving, mask, settings)
            before = _judged(levels[-1], sitk.Transform(3, sitk.sitkIdentity), settings, seed)
            found, iterations = _solve(levels, settings, seed)
    except RuntimeError as error:
        raise HakkenError(f"registration: the images cannot be aligned ({_last_line(error)})") from None
    return RegistrationResult(found.transform, before.metric, found.metric, iterations, time.perf_counter() - started)


def resample(
    moving: Volume, grid: Geometry, transform: sitk.Transform, nearest: bool = False, outside: float = 0.0
) -> Volume:
    """Return ``moving`` on ``grid`` through ``transform``: linear (float32), or nearest neighbour in its own type."""
    how = sitk.sitkNearestNeighbor if nearest else sitk.sitkLinear
    image = to_image(moving) if nearest else sitk.Cast(to_image(moving), sitk.sitkFloat32)
    return from_image(sitk.Resample(image, grid_image(grid), transform, how, outside), grid.unit)


def transform_points(transform: sitk.Transform, points_xyz: ArrayLike) -> Points:
    """Return points (n, 3) x, y, z in mm mapped by ``transform``."""
    points = np.asarray(points_xyz, float).reshape(-1, 3)
    return np.array([transform.TransformPoint(point) for point in points.tolist()]).reshape(-1, 3)


def target_registration_error(
    found: sitk.Transform, true: sitk.Transform, points_xyz: ArrayLike
) -> NDArray[np.float64]:
    """Return for points (n, 3) of the fixed space how far apart in mm both transforms put them, (n,)."""
    difference = transform_points(found, points_xyz) - transform_points(true, points_xyz)
    return np.asarray(np.linalg.norm(difference, axis=1))


def _solve(levels: list[_Level], settings: Registration, seed: int) -> tuple[_Judged, int]:
    """Rigid on all levels, then as the study asks: affine, and B-spline, on the two finest levels."""
    start = _start(levels[0], settings, seed)
    rigid = sitk.Euler3DTransform(start)
    iterations = sum(_step_down(level, rigid, settings, seed) for level in levels)
    best = _better(_judged(levels[-1], start, settings, seed), _judged(levels[-1], rigid, settings, seed))
    if settings.method == "rigid":
        return best, iterations
    affine = _as_affine(sitk.Euler3DTransform(best.transform))
    iterations += sum(_slide_down(level, affine, settings, seed) for level in levels[:-1])
    iterations += _step_down(levels[-1], affine, settings, seed, 0.5)
    best = _better(best, _judged(levels[-1], affine, settings, seed))
    if settings.method == "affine":
        return best, iterations
    bent, more = _bend(levels[-2:], best.transform, settings, seed)
    return _better(best, _judged(levels[-1], bent, settings, seed)), iterations + more


def _judged(level: _Level, transform: sitk.Transform, settings: Registration, seed: int) -> _Judged:
    return _Judged(transform, _value(_method(level, settings, seed), level, transform))


def _better(before: _Judged, after: _Judged) -> _Judged:
    return after if after.metric <= before.metric else before


def _as_affine(rigid: sitk.Euler3DTransform) -> sitk.AffineTransform:
    affine = sitk.AffineTransform(3)
    affine.SetCenter(rigid.GetCenter())
    affine.SetMatrix(rigid.GetMatrix())
    affine.SetTranslation(rigid.GetTranslation())
    return affine


def _start(level: _Level, settings: Registration, seed: int) -> sitk.Euler3DTransform:
    """The best of three starts by the metric: as the headers say, centres of the grids, centres of mass."""
    method = _method(level, settings, seed)
    starts = [_centred(level, sitk.CenteredTransformInitializerFilter.MOMENTS) for _ in range(2)]
    starts.append(_centred(level, sitk.CenteredTransformInitializerFilter.GEOMETRY))
    starts[0].SetTranslation((0.0, 0.0, 0.0))
    return min(starts, key=lambda start: _value(method, level, start))


def _centred(level: _Level, mode: int) -> sitk.Euler3DTransform:
    start = sitk.CenteredTransformInitializer(level.fixed, level.moving, sitk.Euler3DTransform(), mode)
    return sitk.Euler3DTransform(start)


def _step_down(
    level: _Level, transform: sitk.Transform, settings: Registration, seed: int, first_step: float = 1.0
) -> int:
    """Improve ``transform`` in place by regular steps, the first of ``first_step`` voxels; return the iterations."""
    method = _method(level, settings, seed)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=first_step * level.step_mm,
        minStep=0.003 * level.step_mm,
        numberOfIterations=settings.iterations,
        relaxationFactor=0.7,
        gradientMagnitudeTolerance=1e-8,
    )
    return _execute(method, level, transform)


def _slide_down(level: _Level, transform: sitk.Transform, settings: Registration, seed: int) -> int:
    """Improve ``transform`` in place by conjugate gradients with a line search; return the iterations."""
    method = _method(level, settings, seed, MINIMUM_SAMPLES)
    method.SetOptimizerAsConjugateGradientLineSearch(
        learningRate=1.0,
        numberOfIterations=settings.iterations,
        convergenceMinimumValue=1e-6,
        convergenceWindowSize=6,
        lineSearchLowerLimit=0,
        lineSearchUpperLimit=5,
        lineSearchEpsilon=0.1,
        lineSearchMaximumIterations=8,
        maximumStepSizeInPhysicalUnits=level.step_mm,
    )
    return _execute(method, level, transform)


def _execute(method: sitk.ImageRegistrationMethod, level: _Level, transform: sitk.Transform) -> int:
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(transform, inPlace=True)
    method.Execute(level.fixed, level.moving)
    return int(method.GetOptimizerIteration())


def _bend(
    levels: list[_Level], affine: sitk.Transform, settings: Registration, seed: int
) -> tuple[sitk.Transform, int]:
    bending = sitk.BSplineTransformInitializer(levels[-1].fixed, [settings.mesh] * 3)
    iterations = 0
    for level in levels:
        method = _method(level, settings, seed, BENDING_SAMPLES)
        method.SetMovingInitialTransform(affine)
        method.SetOptimizerAsLBFGSB(
            gradientConvergenceTolerance=1e-6,
            numberOfIterations=settings.iterations,
            maximumNumberOfFunctionEvaluations=settings.iterations,
        )
        method.SetInitialTransform(bending, inPlace=True)
        method.Execute(level.fixed, level.moving)
        iterations += method.GetOptimizerIteration()
    return sitk.CompositeTransform([affine, bending]), iterations


def _method(
    level: _Level, settings: Registration, seed: int, most: int = MAXIMUM_SAMPLES
) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    if settings.metric == "mutual_information":
        method.SetMetricAsMattesMutualInformation(HISTOGRAM_BINS)
    elif settings.metric == "correlation":
        method.SetMetricAsCorrelation()
    else:
        method.SetMetricAsMeanSquares()
    voxels = level.fixed.GetNumberOfPixels()
    samples = min(max(settings.sampling * voxels, MINIMUM_SAMPLES), most)
    if samples < voxels:
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentage(samples / voxels, seed % (2**31) + 1)
    if level.mask is not None:
        method.SetMetricFixedMask(level.mask)
    method.SetMetricUseFixedImageGradientFilter(False)
    method.SetMetricUseMovingImageGradientFilter(False)
    method.SetInterpolator(sitk.sitkLinear)
    return method


def _value(method: sitk.ImageRegistrationMethod, level: _Level, transform: sitk.Transform) -> float:
    """The metric of ``transform``, infinite where the images hardly overlap."""
    method.SetInitialTransform(transform)
    try:
        value = float(method.MetricEvaluate(level.fixed, level.moving))
    except RuntimeError:
        return math.inf
    return value if value < NO_OVERLAP else math.inf


def _pyramid(fixed: Volume, moving: Volume, mask: NDArray[np.bool_] | None, settings: Registration) -> list[_Level]:
    images = [sitk.Cast(to_image(volume), sitk.sitkFloat32) for volume in (fixed, moving)]
    region = None if mask is None else to_image(Volume.on(fixed.geometry, mask))
    return [_level(images[0], images[1], region, shrink) for shrink in settings.shrink]


def _level(fixed: sitk.Image, moving: sitk.Image, mask: sitk.Image | None, shrink: int) -> _Level:
    edge = shrink * min(fixed.GetSpacing())
    coarse = _coarser(fixed, edge)
    region = None if mask is None else sitk.Resample(mask, coarse, sitk.Transform(), sitk.sitkNearestNeighbor)
    return _Level(coarse, _coarser(moving, edge), region, edge)


def _coarser(image: sitk.Image, edge_mm: float) -> sitk.Image:
    """Return the image with voxels of about ``edge_mm``, smoothed before; short axes keep their voxels."""
    sizes, spacings = image.GetSize(), image.GetSpacing()
    factors = [
        max(1, min(round(edge_mm / spacing), size // SMALLEST_AXIS))
        for size, spacing in zip(sizes, spacings, strict=True)
    ]
    if max(factors) == 1:
        return image
    coarse: sitk.Image = sitk.BinShrink(image, factors)
    return coarse


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums over several threads depend on their number; one makes the result the same everywhere."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def _last_line(error: RuntimeError) -> str:
    return str(error).strip().splitlines()[-1].strip()
