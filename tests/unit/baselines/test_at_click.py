"""Baselines of lesions that are clicked on: a sphere, Otsu's threshold, a region that grows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hakken.baselines import otsu_at_click, region_growing, sphere_at_click
from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.lesions import measure_lesions
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes.masks import mask_of
from hakken.study import Study
from hakken.study.reading import parse_study

from ..miniature import content_of, save_case, without

GRID = Geometry((24, 24, 24))


def study(jitter: float = 0.0) -> Study:
    changes = {"method": "clicked_lesion", "inference": {"jitter": jitter}}
    return parse_study(content_of(without("patches", "parameters", "search"), **changes))


def cube(folder: Path, name: str, edge: int, values: tuple[float, float] = (0.0, 1.0)) -> PreparedCase:
    """A cube in the middle, or an empty case; ``values`` of what is around and of the cube, nearly without noise."""
    labels = np.zeros(GRID.shape_zyx, np.int16)
    low = 12 - edge // 2
    labels[low : low + edge, low : low + edge, low : low + edge] = 1
    around, inside = values
    image = np.where(labels > 0, inside, around) + np.random.default_rng(0).normal(0, 0.02, GRID.shape_zyx)
    return save_case(
        folder, name, np.stack([image, image]), geometry=GRID, labels=labels, lesions=measure_lesions(labels, GRID)
    )


def dice(found: np.ndarray, case: PreparedCase) -> float:
    truth, mask = case.labels() == 1, mask_of(found, case.geometry.shape_zyx)
    return float(2 * (truth & mask).sum() / (truth.sum() + mask.sum()))


def test_a_sphere_as_large_as_the_lesions_of_training_are_on_average(tmp_path: Path) -> None:
    """The ball of a cube's volume is (6 / pi)^(1/3) = 1.24 times as wide as the cube, whatever its edge."""
    training = [cube(tmp_path, "t0", 4), cube(tmp_path, "t1", 8)]
    values = sphere_at_click.fit([], study(), training)
    assert values["share"] == pytest.approx((6 / np.pi) ** (1 / 3))
    case = cube(tmp_path, "x", 9)
    found = sphere_at_click.predict(values, case, study())["lesion_masks"]
    assert list(found) == [1]
    assert mask_of(found[1], GRID.shape_zyx).sum() == pytest.approx(9**3, rel=0.05)
    assert sphere_at_click.words(values, study()) == "a ball about the click, 1.24 times as wide as the lesion is long"


def test_without_a_lesion_there_is_no_sphere(tmp_path: Path) -> None:
    with pytest.raises(HakkenError) as stopped:
        sphere_at_click.fit([], study(), [cube(tmp_path, "t", 0)])
    assert str(stopped.value) == ("baseline `sphere_at_click`: none of the 1 training cases has a lesion; leave it out")


@pytest.mark.parametrize("values", [(0.0, 1.0), (1.0, 0.0)])
@pytest.mark.parametrize("module", [otsu_at_click, region_growing])
def test_what_stands_off_is_found_bright_or_dark(module: object, values: tuple[float, float], tmp_path: Path) -> None:
    case = cube(tmp_path, "v", 6, values)
    chosen = module.fit([case], study(jitter=0.1))  # type: ignore[attr-defined]
    assert chosen["dice"] > 0.93
    other = cube(tmp_path, "x", 8, values)
    found = module.predict(chosen, other, study(jitter=0.1))["lesion_masks"]  # type: ignore[attr-defined]
    assert dice(found[1], other) > 0.93
    assert module.words(chosen, study())  # type: ignore[attr-defined]


def test_a_region_does_not_grow_beyond_the_size_that_was_given(tmp_path: Path) -> None:
    """Where nothing stands off it would fill the whole image."""
    case = cube(tmp_path, "x", 6, (0.0, 0.0))
    values = {"edge": 2.0, "channel": "A", "share": 0.5}
    found = region_growing.predict(values, case, study())["lesion_masks"][1]
    places = np.argwhere(mask_of(found, GRID.shape_zyx))
    assert np.linalg.norm(places - 11.5, axis=1).max() <= 0.75 * 6
