from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from hakken.cohort.phantom import phantom_cases
from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry, Volume
from hakken.imaging.files import read_volume
from hakken.imaging.masks import find_mask
from hakken.imaging.registration import register, resample, target_registration_error, transform_points
from hakken.phantoms.brain_metastasis.draw import draw_case
from hakken.study import Registration
from hakken.study.reading import load_study

from .conftest import Head

ROOT = Path(__file__).resolve().parents[3]

QUICK = {"shrink": (4, 2, 1), "iterations": 60}


def turned(degrees: float, shift_mm: float, centre: Any = (0.0, 0.0, 0.0), stretch: Any = None) -> sitk.Transform:
    """A transform that turns about an oblique axis through ``centre``, stretches and shifts."""
    turn = sitk.VersorTransform([2 / 3, 1 / 3, 2 / 3], float(np.deg2rad(degrees)))
    matrix = np.reshape(turn.GetMatrix(), (3, 3)) @ (np.eye(3) if stretch is None else np.asarray(stretch))
    transform = sitk.AffineTransform(3)
    transform.SetCenter(centre)
    transform.SetMatrix(matrix.ravel().tolist())
    transform.SetTranslation((np.array([0.6, -0.64, 0.48]) * shift_mm).tolist())
    return transform


def displaced(moving: Any, true: Any, padding: Any = 6) -> Any:
    """The moving image as a scanner would see it had the head been moved: ``true`` maps fixed to moved points."""
    grid = moving.geometry
    z, y, x = (size + 2 * padding for size in grid.shape_zyx)
    origin = tuple(grid.to_world([[-padding] * 3])[0].tolist())
    return resample(moving, Geometry((z, y, x), grid.spacing, origin, grid.direction), true.GetInverse())


def brain_points(head: Head, step: Any = 37) -> Any:
    return head.fixed.to_world(np.argwhere(head.brain)[::step])


@pytest.mark.parametrize(
    ("method", "metric"),
    [
        ("rigid", "mutual_information"),
        ("affine", "mutual_information"),
        ("rigid", "correlation"),
        ("rigid", "mean_squares"),
    ],
)
def test_a_known_displacement_is_recovered_to_half_a_voxel(head: Head, method: str, metric: str) -> None:
    stretch = np.array([[1.06, 0.03, 0], [0, 0.95, 0.02], [0, 0, 1.04]]) if method == "affine" else None
    true = turned(12, 14, stretch=stretch)
    other = head.moving if metric == "mutual_information" else head.fixed
    result = register(head.fixed, displaced(other, true), Registration(method=method, metric=metric, **QUICK), seed=1)
    errors = target_registration_error(result.transform, true, brain_points(head))
    assert errors.max() < 1.5  # mm; voxels are 3 mm
    assert result.metric_after < result.metric_before
    assert result.iterations > 0


def test_same_seed_same_transform_to_the_last_bit(head: Head) -> None:
    moved = displaced(head.moving, turned(5, 6))
    settings = Registration(**QUICK)
    first, again, other = (register(head.fixed, moved, settings, seed).transform for seed in (1, 1, 2))
    assert first.GetParameters() == again.GetParameters()
    assert first.GetParameters() != other.GetParameters()


def test_a_bent_image_is_straightened(head: Head) -> None:
    bent = sitk.BSplineTransformInitializer(sitk.Image([10, 10, 10], sitk.sitkUInt8), [1, 1, 1])
    grid = head.fixed.geometry
    bent.SetTransformDomainOrigin(grid.origin)
    bent.SetTransformDomainPhysicalDimensions([size * 3.0 for size in grid.shape_zyx[::-1]])
    parameters = np.random.default_rng(3).normal(0, 6, len(bent.GetParameters()))
    bent.SetParameters(parameters.tolist())
    fixed = resample(head.fixed, grid, bent)
    settings = Registration(method="bspline", mesh=2, shrink=(4, 2), iterations=15)
    result = register(fixed, head.moving, settings, seed=1)
    points = fixed.to_world(np.argwhere(resample(Volume.on(grid, head.brain), grid, bent).array > 0.5)[::37])
    before = target_registration_error(sitk.Transform(), bent, points)
    after = target_registration_error(result.transform, bent, points)
    assert after.mean() < 0.4 * before.mean()
    assert after.mean() < 1.5


def test_a_mask_keeps_the_rest_out_of_sight(head: Head) -> None:
    """Half of the picture is replaced by something that pulls elsewhere; the mask leaves it out."""
    true = turned(6, 5)
    moved = displaced(head.moving, true)
    fixed = head.fixed.array.copy()
    fixed[:, :, :20] = np.roll(fixed, 7, axis=1)[:, :, :20]
    mask = np.zeros(fixed.shape, bool)
    mask[:, :, 22:] = True
    spoilt = Volume.on(head.fixed.geometry, fixed)
    result = register(spoilt, moved, Registration(**QUICK), seed=1, mask=mask)
    assert target_registration_error(result.transform, true, brain_points(head)).max() < 3


def test_headers_far_apart_do_not_matter(head: Head) -> None:
    true = turned(8, 5)
    moved = displaced(head.moving, true)
    away = Volume(moved.array, moved.spacing, (900.0, -700.0, 400.0), moved.direction)
    shift = np.subtract(away.origin, moved.origin)
    result = register(head.fixed, away, Registration(**QUICK), seed=1)
    points = brain_points(head)
    assert (
        np.linalg.norm(
            transform_points(result.transform, points) - transform_points(true, points) - shift, axis=1
        ).max()
        < 1
    )
    assert np.isinf(result.metric_before)


def test_none_leaves_the_image_where_it_is(head: Head) -> None:
    result = register(head.fixed, head.moving, Registration(method="none"), seed=1)
    assert result.transform.TransformPoint((1.0, 2.0, 3.0)) == (1.0, 2.0, 3.0)
    assert result.iterations == 0


def test_one_slice_cannot_be_registered(head: Head) -> None:
    flat = Volume(head.fixed.array[:1])
    with pytest.raises(
        HakkenError, match=r"one-slice images cannot be registered in 3-D; set registration.method: none"
    ):
        register(flat, flat, Registration(), seed=1)


def test_target_registration_error_is_a_distance() -> None:
    shift = sitk.TranslationTransform(3, (3.0, 0.0, 4.0))
    assert target_registration_error(shift, sitk.Transform(), [[0, 0, 0], [9, 9, 9]]).tolist() == [5, 5]


def test_resampling_looks_up_fixed_points_in_the_moving_image() -> None:
    array = np.zeros((1, 1, 5), np.int16)
    array[0, 0, 3] = 10
    shift = sitk.TranslationTransform(3, (2.0, 0.0, 0.0))
    moving, grid = Volume(array), Geometry((1, 1, 5))
    assert resample(moving, grid, shift, outside=-1).array.ravel().tolist() == [0, 10, 0, -1, -1]
    half = Geometry((1, 1, 2), origin=(0.5, 0, 0))
    assert resample(moving, half, shift).array.ravel().tolist() == [5, 5]
    assert resample(moving, grid, shift, nearest=True).array.dtype == np.int16


def test_a_displaced_flair_returns_to_its_place_within_one_voxel(shared_data: Path) -> None:
    """Real images of 1 mm: contrast-enhanced T1 and a FLAIR displaced by 15 mm and 15 degrees, affinely stretched."""
    folder = shared_data / "open_ms" / "patient26"
    fixed, flair = (read_volume(folder / f"{name}.nii.gz") for name in ("T1POST", "FLAIR"))
    true = turned(15, 15, fixed.geometry.centre, np.array([[1.08, 0.04, 0], [0, 0.93, 0.03], [0, 0, 1.05]]))
    result = register(fixed, displaced(flair, true, 20), Registration(method="affine", shrink=(4, 2)), seed=1)
    points = fixed.to_world(np.argwhere(fixed.array != 0)[::997])
    assert target_registration_error(result.transform, true, points).max() < 1


@pytest.mark.parametrize("scanner", ["A", "B", "C"])
def test_phantom_cases_of_each_scanner_are_registered_within_one_voxel(scanner: str) -> None:
    study = load_study(ROOT / "config" / "studies" / "brain_metastasis.yaml", "tiny")
    for case in [one for one in phantom_cases(study) if one.scanner == scanner][:2]:
        drawing = draw_case(case, study)
        matrix = np.asarray(drawing.truth["displacement"]["matrix"])
        true = sitk.AffineTransform(3)
        true.SetMatrix(matrix[:3, :3].ravel().tolist())
        true.SetTranslation(matrix[:3, 3].tolist())
        result = register(drawing.enhanced, drawing.plain, study.registration, seed=case.index)
        points = drawing.enhanced.to_world(np.argwhere(find_mask(drawing.enhanced, "brain"))[::97])
        errors = target_registration_error(result.transform, true, points)
        assert errors.max() < min(drawing.enhanced.spacing), case.case_id
