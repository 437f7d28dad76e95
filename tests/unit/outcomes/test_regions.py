"""Regions: Dice and distances worked by hand, what is empty counted apart, and what cannot be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.files import read_volume
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes import Part, regions
from hakken.runs.predictions import part_of
from hakken.study.reading import parse_study

from ..miniature import content_of, save_case

SHAPE = (4, 10, 10)
GRID = Geometry(SHAPE, (1.0, 2.0, 3.0))  # a voxel of 6 mm³


def box(number: int, columns: slice, into: Any = None) -> Any:
    labels = np.zeros(SHAPE, np.uint8) if into is None else into
    labels[1:3, 2:6, columns] = number
    return labels


TRUTH = {"a": box(2, slice(2, 6), box(1, slice(0, 2))), "b": box(1, slice(0, 5)), "c": box(2, slice(1, 3))}
"""a has both regions, b the first alone, c the second alone."""


@pytest.fixture
def part(tmp_path: Path) -> Part:
    content = content_of(
        method="dense",
        cohort={"table": "cases.csv", "regions": ["trunk", "liver"]},
        parameters={"regions": True},
        outcomes={"candidates": {}, "regions": {}},
        evaluation={"bootstrap": 100},
    )
    known = {key: value for key, value in content.items() if key not in ("parameters", "patches")}
    study = parse_study(known | {"parameters": {"regions": True}, "search": {"space": {}}})
    return part_of(study, "regions", [prepared(tmp_path, name, labels) for name, labels in TRUTH.items()])


def prepared(folder: Path, name: str, labels: Any) -> PreparedCase:
    return save_case(folder, name, np.zeros((2, *SHAPE)), geometry=GRID, labels=np.zeros(SHAPE), regions=labels)


def found(**changes: Any) -> dict[str, Any]:
    return {**TRUTH, **changes}


def cells(part: Part, said: dict[str, Any]) -> dict[str, str]:
    return {row.name: row.cell.split(" [")[0] for row in regions.measure(said, part).rows}


def test_what_is_the_truth_has_a_dice_of_one(part: Part) -> None:
    measured = regions.measure(found(), part)
    assert [row.value for row in measured.rows] == [1.0, 1.0, 0.0, 1.0, 0.0]
    assert measured.rows[0] == measured.objective
    assert regions.objective(found(), part) == 1.0
    assert measured.details["regions"]["trunk"]["empty"] == {"both": 1, "truth": 0, "prediction": 0}
    assert measured.details["regions"]["trunk"]["dice"]["cases"] == 2
    assert measured.warnings == (
        "region trunk: in 1 case it is neither there nor found: no Dice and no distance",
        "region liver: in 1 case it is neither there nor found: no Dice and no distance",
    )


def test_dice_by_hand(part: Part) -> None:
    """In a 3 of the 4 columns of the liver are found; in b a liver that is none, in c none of the liver."""
    less, more = box(2, slice(2, 5), box(1, slice(0, 2))), box(2, slice(6, 8), box(1, slice(0, 5)))
    said = found(a=less, b=more, c=0 * TRUTH["c"])
    told = cells(part, said)
    assert told["Dice, trunk"] == "1.000"
    assert told["Dice, liver"] == f"{(6 / 7 + 0 + 0) / 3:.3f}"
    assert told["mean Dice of the regions"] == f"{(1 + 1 + 6 / 7 + 0 + 0) / 5:.3f}"
    assert told["HD95 in mm, liver"] == "1.0"  # of a alone: the last column, 1 mm
    empty = regions.measure(said, part).details["regions"]["liver"]["empty"]
    assert empty == {"both": 0, "truth": 1, "prediction": 1}


def test_every_region_of_every_case_has_a_row_with_volumes_and_diameters(part: Part) -> None:
    table = regions.measure(found(a=box(2, slice(2, 5))), part).tables["cases"]
    rows = {(row[0], row[2]): dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert len(table.rows) == 3 * 2
    liver = rows["a", "liver"]
    assert (liver["truth_ml"], liver["prediction_ml"]) == pytest.approx((32 * 6 / 1000, 24 * 6 / 1000))
    assert liver["truth_diameter_mm"] == pytest.approx(np.sqrt(8**2 + 3**2 + 3**2))  # 2 x 4 x 4 voxels: along y
    trunk = rows["a", "trunk"]
    assert (trunk["dice"], trunk["prediction_diameter_mm"], trunk["hd95_mm"]) == (0.0, None, None)
    assert rows["c", "trunk"]["dice"] is None


def test_a_cohort_without_a_region_has_no_objective(part: Part) -> None:
    nothing = {name: np.zeros(SHAPE, np.uint8) for name in TRUTH}
    c = [case for case in part.images if case.case_id == "c"]
    study = part.study.model_copy(update={"cohort": part.study.cohort.model_copy(update={"regions": ("trunk",)})})
    alone = replace(part, cases=c, study=study)
    with pytest.raises(HakkenError, match="no validation case has a region, so there is no Dice to maximise"):
        regions.objective(nothing, alone)
    assert regions.measure(nothing, alone).objective.value is None  # type: ignore[union-attr]


def test_a_file_that_is_missing_or_of_another_shape_is_named(part: Part, tmp_path: Path) -> None:
    regions.write(tmp_path / "said", found(), part)
    (tmp_path / "said/regions/b.npy").unlink()
    with pytest.raises(HakkenError, match=r"b\.npy: cannot be read"):
        regions.read(tmp_path / "said", part)
    np.save(tmp_path / "said/regions/b.npy", np.zeros((1, 2, 3), np.uint8))
    with pytest.raises(HakkenError, match=r"b\.npy: holds \(1, 2, 3\), the case \(4, 10, 10\)"):
        regions.read(tmp_path / "said", part)


def test_a_new_case_gets_an_image_on_its_reference_and_the_sizes_in_words(part: Part, tmp_path: Path) -> None:
    case = replace(part.images[0], source_geometry=Geometry((4, 10, 20), (0.5, 2.0, 3.0), (-0.25, 0.0, 0.0)))
    lines = list(regions.save_one(tmp_path / "organs.nii.gz", TRUTH["a"], case, None))
    image = read_volume(tmp_path / "organs.nii.gz")
    assert np.array_equal(image.array, np.repeat(TRUTH["a"], 2, axis=2))
    assert lines[0].endswith("organs.nii.gz: regions of a, 96 voxels of 800; grid of the reference")
    assert lines[1:] == [
        "region 1: 0.096 ml, largest diameter 8.602 mm",
        "region 2: 0.192 ml, largest diameter 9.055 mm",
    ]
