from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry, Volume
from hakken.imaging.lesions import measure_lesions
from hakken.imaging.preparation import common_grid, prepare_case
from hakken.imaging.prepared import Lesion
from hakken.study import Channel, Preparation, Study

TILT = (0.8, -0.36, 0.48, 0.6, 0.48, -0.64, 0.0, 0.8, 0.6)


def blob(geometry: Any, centre_mm: Any, radius_mm: Any = 12.0) -> Any:
    """A volume with a ball of intensities around 100 in air."""
    points = geometry.to_world(np.indices(geometry.shape_zyx).reshape(3, -1).T)
    distance = np.linalg.norm(points - centre_mm, axis=1).reshape(geometry.shape_zyx)
    texture = 100 + points[:, 0].reshape(geometry.shape_zyx)
    return Volume.on(geometry, np.where(distance < radius_mm, texture, 0).astype(np.float32))


@pytest.fixture
def oblique() -> Any:
    geometry = Geometry((20, 34, 40), (0.9, 1.1, 2.5), (-40.0, 25.0, 60.0), TILT)
    return blob(geometry, geometry.centre)


def test_lesions_return_to_where_the_scanner_saw_them(oblique: Any, make_study: Callable[..., Study]) -> None:
    """Oblique axes, anisotropic voxels: the centre of the labels on the new grid is the centre on the scanner's."""
    lesion = blob(oblique.geometry, np.add(oblique.geometry.centre, (3, -2, 4)), 4).array > 0
    study = make_study(channels={"A": {"modality": "mr"}}, preparation={"spacing_mm": [1, 1, 1], "mask": "nonzero"})
    prepared = prepare_case(
        {"A": oblique}, {}, Volume.on(oblique.geometry, lesion.astype(np.uint8)), study, case_id="a", patient="p"
    )
    grid = prepared.case.geometry
    assert grid.direction == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert grid.spacing == (1, 1, 1)
    native = prepared.case.lesions[0]
    assert native.size == pytest.approx(np.count_nonzero(lesion) * 0.9 * 1.1 * 2.5)
    drawn = measure_lesions(prepared.labels, grid)[0]
    assert drawn.centre == pytest.approx(native.centre, abs=0.3)
    assert drawn.size == pytest.approx(native.size, rel=0.1)
    assert prepared.case.source_geometry == oblique.geometry


def test_the_mask_may_come_from_another_channel_on_its_own_finer_grid(make_study: Callable[..., Study]) -> None:
    coarse, fine = Geometry((10, 10, 10), (4.0,) * 3), Geometry((30, 30, 30), (2.0,) * 3, (-10.0, -10.0, -10.0))
    centre = (18.0, 18.0, 18.0)
    hot = blob(coarse, centre, 6)
    channels = {"A": hot, "B": blob(fine, centre, 14)}
    own = make_study(preparation={"spacing_mm": [4] * 3, "mask": "nonzero", "margin_mm": 0})
    other = make_study(preparation={"spacing_mm": [4] * 3, "mask": "nonzero", "margin_mm": 0, "mask_channel": "B"})
    small = prepare_case(channels, {}, None, own, case_id="a")
    large = prepare_case(channels, {}, None, other, case_id="a")
    assert small.mask.sum() == np.count_nonzero(hot.array)
    middles = coarse.to_world(np.argwhere(np.ones(coarse.shape_zyx)))
    # A coarse voxel takes the nearest fine one, at most 1.8 mm away.
    within = [(np.linalg.norm(middles - centre, axis=1) < radius).sum() for radius in (12.2, 15.8)]
    assert within[0] <= large.mask.sum() <= within[1]
    far = {"A": hot, "B": blob(Geometry((9, 9, 9), (2.0,) * 3, (200.0, 0.0, 0.0)), (208.0, 8.0, 8.0), 6)}
    with pytest.raises(HakkenError, match="the nonzero mask of channel B lies outside A"):
        prepare_case(far, {}, None, other, case_id="a")


@given(
    st.tuples(*[st.floats(-180, 180)] * 3),
    st.tuples(*[st.floats(0.5, 4)] * 3),
    st.tuples(*[st.floats(-300, 300)] * 3),
    st.tuples(*[st.floats(0.5, 4)] * 3),
    st.floats(0, 9),
)
@settings(max_examples=40, deadline=None)
def test_the_grid_holds_the_mask_and_its_margin(
    angles: Any, spacing: Any, origin: Any, wanted: Any, margin: Any
) -> None:
    direction = tuple(Rotation.from_euler("xyz", angles, degrees=True).as_matrix().ravel())
    geometry = Geometry((6, 7, 8), spacing, origin, direction)
    mask = np.zeros(geometry.shape_zyx, bool)
    mask[1:4, 2:5, 3:7] = True
    grid = common_grid(geometry, mask, Preparation(spacing_mm=wanted, margin_mm=margin))
    inside = geometry.to_world(np.argwhere(mask))
    low, high = grid.to_world([[0, 0, 0], np.array(grid.shape_zyx) - 1])
    assert (inside.min(axis=0) - margin >= low - 1e-4).all()
    assert (inside.max(axis=0) + margin <= high + 1e-4).all()
    assert (inside.min(axis=0) - margin < low + wanted + 1e-4).all()
    assert grid.to_voxel(grid.to_world([[1, 2, 3]])) == pytest.approx(np.array([[1, 2, 3]]))


def test_an_upright_image_of_the_wanted_spacing_is_not_interpolated(make_study: Callable[..., Study]) -> None:
    geometry = Geometry((12, 12, 12), (2.0, 2.0, 2.0), (11.0, 7.5, -3.0), (1, 0, 0, 0, -1, 0, 0, 0, 1))
    array = np.zeros(geometry.shape_zyx, np.float32)
    array[3:9, 3:9, 3:9] = np.random.default_rng(0).uniform(1, 1000, (6, 6, 6))
    study = make_study(channels={"A": {"modality": "mr", "normalise": "window", "range": [0, 1000]}})
    prepared = prepare_case({"A": Volume.on(geometry, array)}, {}, None, study, case_id="a")
    assert prepared.image[0][prepared.mask].reshape(6, 6, 6) == pytest.approx(array[3:9, 8:2:-1, 3:9] / 1000)
    assert prepared.mask.shape == (10, 10, 10)  # 6 voxels and 4 mm on each side


def test_each_channel_comes_through_its_own_transform_from_its_own_grid(make_study: Callable[..., Study]) -> None:
    reference = blob(Geometry((24, 24, 24), (1.5, 1.5, 1.5)), (17, 17, 17))
    true = sitk.Euler3DTransform((17.0, 17.0, 17.0), 0.2, -0.1, 0.15, (4.0, -3.0, 2.0))
    own = Geometry((20, 40, 40), (1.0, 1.1, 2.0), (-4.0, -6.0, -5.0))
    points = own.to_world(np.indices(own.shape_zyx).reshape(3, -1).T)
    back = true.GetInverse()
    seen = np.array([back.TransformPoint(point) for point in points.tolist()])
    values = np.exp(-(np.linalg.norm(seen - (20, 15, 18), axis=1) ** 2) / 50).reshape(own.shape_zyx)
    study = make_study(preparation={"spacing_mm": [1, 1, 1], "mask": "nonzero"})
    channels = {"A": reference, "B": Volume.on(own, values)}
    prepared = prepare_case(channels, {"B": true}, None, study, case_id="a")
    brightest = np.unravel_index(prepared.image[1].argmax(), prepared.mask.shape)
    assert prepared.case.geometry.to_world([brightest])[0] == pytest.approx((20, 15, 18), abs=1)


def test_zscore_percentile_and_window_are_what_they_say_and_recorded(
    make_study: Callable[..., Study], oblique: Any
) -> None:
    low = 95 + oblique.geometry.centre[0]
    high = low + 10
    channels = {
        "A": {"modality": "mr"},
        "B": {"modality": "mr", "normalise": "percentile", "range": [10, 90]},
        "C": {"modality": "ct", "normalise": "window", "range": [low, high]},
    }
    prepared = prepare_case(dict.fromkeys("ABC", oblique), {}, None, make_study(channels=channels), case_id="a")
    first, second, third = (channel[prepared.mask].astype(float) for channel in prepared.image)
    assert first.mean() == pytest.approx(0, abs=1e-4)
    assert first.std() == pytest.approx(1, abs=1e-4)
    assert np.percentile(second, (10, 90)) == pytest.approx((0, 1), abs=1e-4)
    assert (third.min(), third.max()) == (0, 1)
    assert not prepared.image[:, ~prepared.mask].any()
    records = prepared.case.normalisation
    assert records["C"] == {"method": "window", "zero": low, "one": high, "limits": [0, 1]}
    restored = first * (records["A"]["one"] - records["A"]["zero"]) + records["A"]["zero"]
    assert np.clip((restored - low) / 10, 0, 1) == pytest.approx(third, abs=1e-3)


def test_intensities_are_divided_by_their_median_inside_the_mask(make_study: Callable[..., Study]) -> None:
    array = np.arange(1, 28, dtype=np.float32).reshape(3, 3, 3) * 10  # 10 to 270, 140 in the middle
    study = make_study(
        channels={"A": {"modality": "mr", "normalise": "median"}}, preparation={"spacing_mm": [1, 1, 1], "mask": "none"}
    )
    prepared = prepare_case({"A": Volume(array)}, {}, None, study, case_id="a")
    assert prepared.image[0][prepared.mask] == pytest.approx(np.sort(array.ravel()) / 140)
    assert prepared.case.normalisation["A"] == {"method": "median", "zero": 0.0, "one": 140.0, "limits": [-1, 8]}
    with pytest.raises(HakkenError, match=r"A: `normalise: median` divides by .* -140; use `zscore`, or look at"):
        prepare_case({"A": Volume(-array)}, {}, None, study, case_id="a")
    with pytest.raises(HakkenError, match="channel A: all voxels inside the mask are alike"):
        prepare_case({"A": Volume(np.full((3, 3, 3), 7.0))}, {}, None, study, case_id="a")


def test_a_part_that_a_channel_did_not_see_is_zero(make_study: Callable[..., Study]) -> None:
    reference = blob(Geometry((24, 24, 24)), (12, 12, 12), 9)
    half = Volume(reference.array[:12] + np.float32(1), (1.0, 1.0, 1.0))
    prepared = prepare_case(
        {"A": reference, "B": half}, {}, None, make_study(preparation={"spacing_mm": [1, 1, 1], "mask": "nonzero"}),
        case_id="a",
    )  # fmt: skip
    height = prepared.case.geometry.to_world(np.indices(prepared.mask.shape).reshape(3, -1).T)[:, 2]
    unseen = (height > 11.6).reshape(prepared.mask.shape) & prepared.mask
    assert unseen.any()
    assert not prepared.image[1][unseen].any()
    assert np.isfinite(prepared.image).all()


def test_a_lesion_smaller_than_the_new_voxels_keeps_one(make_study: Callable[..., Study]) -> None:
    geometry = Geometry((32, 32, 32))
    lesion = np.zeros(geometry.shape_zyx, np.int16)
    lesion[15, 15, 15] = 1
    study = make_study(preparation={"spacing_mm": [4, 4, 4], "mask": "nonzero"}, channels={"A": {"modality": "mr"}})
    prepared = prepare_case({"A": blob(geometry, (16, 16, 16))}, {}, Volume(lesion), study, case_id="a")
    assert np.count_nonzero(prepared.labels == 1) == 1


def test_noise_is_averaged_where_voxels_become_coarser(make_study: Callable[..., Study]) -> None:
    noise = np.random.default_rng(0).normal(100, 10, (40, 40, 40)).astype(np.float32)
    study = make_study(preparation={"spacing_mm": [4, 4, 4], "mask": "none"}, channels={"A": {"modality": "mr"}})
    record = prepare_case({"A": Volume(noise)}, {}, None, study, case_id="a").case.normalisation["A"]
    assert record["one"] - record["zero"] < 3  # sampling without smoothing would keep an SD of 10


@pytest.mark.parametrize("to", [{"spacing_mm": [8.0, 8.0, 1.0]}, {"matrix": [32, 32]}])
def test_a_small_lesion_keeps_its_light_when_an_image_is_made_smaller(
    make_study: Callable[..., Study], to: dict[str, Any]
) -> None:
    """By area, and not by picking pixels, of which most would miss it: 3 x 3 pixels of an image eight times as fine."""
    study = make_study(
        preparation={"mask": "none"} | to,
        channels={"A": {"modality": "xray", "normalise": "window", "range": [0, 1]}},
        registration={"method": "none"},
    )
    light = []
    for row, column in [(100, 100), (103, 101), (105, 107), (130, 98)]:
        image = np.zeros((1, 256, 256), np.float32)
        image[0, row : row + 3, column : column + 3] = 1
        prepared = prepare_case({"A": Volume(image)}, {}, None, study, case_id="a")
        light.append(prepared.image.sum() * 64)
    assert light == pytest.approx([9] * 4, rel=0.2)


def test_one_slice_keeps_its_plane(make_study: Callable[..., Study]) -> None:
    geometry = Geometry((1, 30, 40), (0.5, 0.5, 5.0), (1.0, 2.0, 3.0), TILT)
    array = np.zeros(geometry.shape_zyx, np.float32)
    array[0, 8:20, 10:30] = np.arange(20)[None] + 50
    mask = np.zeros(geometry.shape_zyx, np.uint8)
    mask[0, 12:15, 15:19] = 1
    study = make_study(
        channels={"A": {"modality": "xray"}}, cohort={"table": "c.csv", "labels": "binary"},
        preparation={"spacing_mm": [1, 1, 1], "mask": "nonzero", "margin_mm": 2},
    )  # fmt: skip
    prepared = prepare_case({"A": Volume.on(geometry, array)}, {}, Volume.on(geometry, mask), study, case_id="a")
    grid = prepared.case.geometry
    assert (grid.shape_zyx[0], grid.spacing) == (1, (1, 1, 5))
    assert grid.direction == pytest.approx(TILT)
    assert prepared.image[0][prepared.mask].std() == pytest.approx(1, abs=1e-3)
    assert measure_lesions(prepared.labels, grid)[0].centre == pytest.approx(prepared.case.lesions[0].centre, abs=0.5)


def test_truth_may_be_a_table_none_or_unknown(make_study: Callable[..., Study], oblique: Any) -> None:
    study = make_study(
        channels={"A": {"modality": "mr"}},
        cohort={"table": "c.csv", "truth": "lesion_table", "minimum_lesion_mm3": 20},
    )
    x, y, z = oblique.geometry.centre
    table = [Lesion(1, x, y, z, 6, 113.1), Lesion(2, x + 5, y, z, 2, 4.19)]
    prepared = prepare_case({"A": oblique}, {}, table, study, case_id="a")
    assert [one.kind for one in prepared.case.lesions] == ["included", "excluded"]
    assert set(np.unique(prepared.labels).tolist()) == {0, 1, 2}
    free = prepare_case({"A": oblique}, {}, [], study, case_id="a")
    assert free.case.has_truth
    assert not free.labels.any()
    unknown = prepare_case({"A": oblique}, {}, None, study, case_id="a")
    assert unknown.labels is None
    assert not unknown.case.has_truth


def test_a_constant_channel_and_a_mask_elsewhere_are_errors(make_study: Callable[..., Study], oblique: Any) -> None:
    study = make_study(channels={"A": {"modality": "mr"}})
    flat = Volume(np.full((5, 5, 5), 7.0))
    with pytest.raises(HakkenError, match="channel A: all voxels inside the mask are alike; look at the image"):
        prepare_case({"A": flat}, {}, None, study, case_id="a")
    with pytest.raises(HakkenError, match=r"lesion mask on another grid: mask 5x5x5 voxels .*; reference 40x34x20"):
        prepare_case({"A": oblique}, {}, flat, study, case_id="a")
    away = Volume(np.random.default_rng(0).normal(size=(5, 5, 5)), origin=(900.0, 0.0, 0.0))
    with pytest.raises(HakkenError, match="channel B: no voxel of this channel lies inside the mask"):
        prepare_case({"A": oblique, "B": away}, {}, None, make_study(), case_id="a")


def test_bright_outliers_are_limited(make_study: Callable[..., Study]) -> None:
    array = np.random.default_rng(0).normal(100, 1, (12, 12, 12))
    array[6, 6, 6] = 1e6
    study = make_study(channels={"A": {"modality": "mr"}}, preparation={"spacing_mm": [1, 1, 1], "mask": "none"})
    assert prepare_case({"A": Volume(array)}, {}, None, study, case_id="a").image.max() == 8
    assert Channel(modality="mr").normalise == "zscore"


def flat_study(make_study: Any, **preparation: Any) -> Any:
    return make_study(
        channels={"A": {"modality": "xray"}},
        registration={"method": "none"},
        preparation={"mask": "none"} | preparation,
        cohort={"table": "c.csv", "labels": "binary"},
    )


@pytest.mark.parametrize(("rows", "columns"), [(100, 200), (333, 150), (224, 224)])
def test_images_of_many_sizes_are_resized_to_a_matrix(make_study: Any, rows: int, columns: int) -> None:
    image = np.random.default_rng(0).normal(size=(1, rows, columns))
    mask = np.zeros((1, rows, columns), np.uint8)
    mask[0, 10:40, 20:80] = 1
    prepared = prepare_case(
        {"A": Volume(image, unit="px")},
        {},
        Volume(mask, unit="px"),
        flat_study(make_study, matrix=[112, 56]),
        case_id="a",
    )
    grid, step = prepared.case.geometry, max(columns / 112, rows / 56)
    assert (prepared.image.shape, grid.unit) == ((1, 1, 56, 112), "px")
    assert grid.spacing == pytest.approx((step, step, 1))
    assert grid.centre == pytest.approx(((columns - 1) / 2, (rows - 1) / 2, 0))
    border = ~prepared.mask[0]
    assert np.count_nonzero(border.all(axis=1)) == pytest.approx(56 - rows / step, abs=1)
    assert np.count_nonzero(border.all(axis=0)) == pytest.approx(112 - columns / step, abs=1)
    (lesion,) = prepared.case.lesions  # measured in the original image, and drawn where it is there
    assert (lesion.size, lesion.centre) == (1800, (49.5, 24.5, 0.0))
    assert np.count_nonzero(prepared.labels) * grid.voxel_size == pytest.approx(1800, rel=0.15)
    assert grid.to_world(np.argwhere(prepared.labels)).mean(axis=0) == pytest.approx(lesion.centre, abs=step)


def test_a_matrix_may_be_filled(make_study: Any) -> None:
    image = Volume(np.random.default_rng(0).normal(size=(1, 100, 200)), (0.5, 0.5, 2.0))
    prepared = prepare_case(
        {"A": image}, {}, (), flat_study(make_study, matrix=[64, 64], keep_aspect=False), case_id="a"
    )
    assert prepared.mask.all()
    assert prepared.case.geometry.spacing == pytest.approx((100 / 64, 50 / 64, 2))


def test_a_matrix_of_equal_size_changes_no_pixel(make_study: Any) -> None:
    image = np.random.default_rng(0).normal(size=(1, 64, 64))
    study = flat_study(make_study, matrix=[64, 64])
    prepared = prepare_case({"A": Volume(image, unit="px")}, {}, (), study, case_id="a")
    assert prepared.image[0] == pytest.approx((image - image.mean()) / image.std(), abs=1e-4)


def test_a_volume_has_no_matrix(make_study: Any) -> None:
    image = Volume(np.random.default_rng(0).normal(size=(4, 20, 20)))
    with pytest.raises(HakkenError, match=r"preparation.matrix: resizes flat images, and this is a volume; use"):
        prepare_case({"A": image}, {}, (), flat_study(make_study, matrix=[64, 64]), case_id="a")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"matrix": [64, 64], "spacing_mm": [2, 2, 2]},
            "`spacing_mm` has no effect with `matrix`; give one of the two",
        ),
        ({"matrix": [64, 64], "margin_mm": 9}, "`margin_mm` has no effect with `matrix`; give one of the two"),
        ({"keep_aspect": False}, "`keep_aspect` has an effect with `matrix` alone; give it, or leave this key out"),
    ],
)
def test_a_matrix_stands_instead_of_a_spacing(make_study: Any, keys: Any, message: str) -> None:
    with pytest.raises(HakkenError) as error:
        flat_study(make_study, **keys)
    assert message in str(error.value)


def test_lesions_outside_of_the_mask_are_written_down(make_study: Any) -> None:
    image = np.zeros((1, 60, 80))
    image[0, :, :40] = 100 + np.random.default_rng(0).normal(size=(60, 40))
    mask = np.zeros((1, 60, 80), np.uint8)
    mask[0, 5:10, 5:10] = mask[0, 30:34, 35:45] = mask[0, 50:55, 60:65] = 1  # within, across the border, beyond
    study = flat_study(make_study, mask="nonzero")
    prepared = prepare_case({"A": Volume(image, unit="px")}, {}, Volume(mask, unit="px"), study, case_id="a")
    assert [lesion.lesion for lesion in prepared.case.lesions] == [1, 2, 3]
    assert prepared.case.outside == (3,)
