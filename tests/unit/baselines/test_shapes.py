"""Baselines of masks that know where lesions lie on average, or how large they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hakken.baselines import mean_shape, sphere_of_mean_size
from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.prepared import PreparedCase, save_prepared
from hakken.study import Study

from ..methods.helpers import study as study_of
from .helpers import case_of


def study() -> Study:
    return study_of(method="unet", patches={"size_voxel": 16}, channels={"red": {"modality": "endoscopy"}})


def square(folder: Path, name: str, at: tuple[int, int], edge: int, side: int = 32) -> PreparedCase:
    top, left = at
    labels = np.zeros((1, side, side), np.int16)
    labels[0, top : top + edge, left : left + edge] = 1
    return case_of(folder, name, labels[None].astype(float), labels)


def test_the_mean_of_the_training_masks_at_the_level_that_is_best(tmp_path: Path) -> None:
    """Three of four masks hold the inner square, one more the frame around it: Dice is highest for the inner one."""
    training = [square(tmp_path, f"t{number}", (10, 10), 8) for number in range(3)]
    training.append(square(tmp_path, "t3", (6, 6), 16))
    values = mean_shape.fit([square(tmp_path, "v", (10, 10), 8)], study(), training)
    shares = np.array(values["shares"])
    assert shares.shape == (1, 32, 32)
    assert (shares[0, 12, 12], shares[0, 7, 7], shares[0, 0, 0]) == (1.0, 0.25, 0.0)
    assert values["dice"] == 1.0
    assert 0.25 < values["level"] < 1
    (mask,) = mean_shape.predict(values, square(tmp_path, "x", (0, 0), 2), study())["masks"].values()
    assert mask.sum() == 64
    assert mask[0, 10:18, 10:18].all()


def test_the_map_is_stretched_over_images_of_another_size(tmp_path: Path) -> None:
    training = [square(tmp_path, f"t{number}", (8, 8), 16) for number in range(2)]
    values = mean_shape.fit([square(tmp_path, "v", (16, 16), 32, side=64)], study(), training)
    (mask,) = mean_shape.predict(values, square(tmp_path, "x", (16, 16), 32, side=64), study())["masks"].values()
    assert mask.shape == (1, 64, 64)
    assert values["dice"] > 0.99
    assert mean_shape.words(values, study()).startswith("where at least ")


def test_without_a_lesion_to_learn_from_there_is_neither(tmp_path: Path) -> None:
    empty = [square(tmp_path, "t", (0, 0), 0)]
    for module, name in ((mean_shape, "mean_shape"), (sphere_of_mean_size, "sphere_of_mean_size")):
        with pytest.raises(HakkenError) as stopped:
            module.fit([square(tmp_path, "v", (1, 1), 4)], study(), empty)  # type: ignore[attr-defined]
        assert str(stopped.value) == (
            f"baseline `{name}`: none of the 1 training cases has a lesion; leave the baseline out"
        )


def test_a_disc_of_the_mean_area_at_the_brightest_place(tmp_path: Path) -> None:
    """Training areas of 36 and 64: the disc has 50, thus a radius of 3.99, and 49 pixels about a pixel's middle."""
    training = [square(tmp_path, "t0", (3, 3), 6), square(tmp_path, "t1", (9, 9), 8)]
    values = sphere_of_mean_size.fit([square(tmp_path, "v", (12, 12), 7)], study(), training)
    assert values["radius"] == pytest.approx(np.sqrt(50 / np.pi))
    assert (values["channel"], values["dark"]) == ("red", False)
    (mask,) = sphere_of_mean_size.predict(values, square(tmp_path, "x", (4, 20), 7), study())["masks"].values()
    assert np.argwhere(mask).mean(0) == pytest.approx([0, 7, 23])  # the middle of the bright square
    assert mask.sum() == 45  # whole pixels whose middles lie within 3.99 of that of the brightest
    assert "brightest on red" in sphere_of_mean_size.words(values, study())


def test_a_sphere_is_one_in_mm_whatever_the_voxels(tmp_path: Path) -> None:
    grid = Geometry((21, 21, 21), (1.0, 1.0, 3.0))
    image = np.zeros((1, *grid.shape_zyx))
    image[0, 10, 10, 10] = 1
    case = PreparedCase("a", "a", ("red",), grid, grid, {}, "a", has_truth=True)
    case = save_prepared(tmp_path, case, image, np.ones(grid.shape_zyx), np.zeros(grid.shape_zyx, np.int16))
    rule = {"radius": 6.0, "channel": "red", "dark": False, "smoothing": 1.0}
    places = np.argwhere(sphere_of_mean_size.ball(rule, case)) - 10
    assert np.abs(places).max(0).tolist() == [2, 6, 6]
    assert sphere_of_mean_size.radius_of(4 / 3 * np.pi * 8, case) == pytest.approx(2)
