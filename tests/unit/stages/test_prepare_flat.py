"""Pictures with masks, circles and boxes, from files to prepared cases: areas, discs, pixels."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hakken.core.files import read_json
from hakken.imaging.prepared import load_prepared
from hakken.stages.check import check
from hakken.stages.prepare import prepare
from hakken.stages.register import register
from hakken.study import Study
from hakken.study.reading import parse_study

Y, X = np.indices((288, 384))


def make_study(**changes: Any) -> Study:
    return parse_study(
        {
            "name": "pictures",
            "seed": 1,
            "method": "patch_classifier",
            "cohort": {"table": "cases.csv"},
            "channels": {"X": {"modality": "endoscopy", "colour": "red"}},
            "registration": {"method": "none"},
            "preparation": {"spacing_mm": [2, 2, 1], "mask": "none", "margin_mm": 0},
            "patches": {"axes": 2},
        }
        | changes
    )


def run(folder: Path, study: Study, truth: str, cells: list[str]) -> Any:
    """Run the stages on a picture for each truth; return the prepared cases and what the check wrote."""
    rows = []
    for number, cell in enumerate(cells):
        random = np.random.default_rng(number).integers(20, 230, (288, 384, 3)).astype(np.uint8)
        Image.fromarray(random).save(folder / f"c{number}.tif", dpi=(72, 72))
        rows.append(f"c{number},p{number},c{number}.tif,{cell}")
    table = folder / "cases.csv"
    table.write_text("\n".join([f"case_id,patient,X,{truth}", *rows]) + "\n")
    given: dict[str, Any] = {"study": study, "table": table, "cases": [f"c{number}" for number in range(len(cells))]}
    check(**given, output=folder / "checked.json", log=folder / "check.log")
    given["checked"] = folder / "checked.json"
    register(**given, output=folder / "registered", log=folder / "register.log")
    prepare(**given, registered=folder / "registered", output=folder / "prepared", log=folder / "prepare.log")
    return [load_prepared(folder / "prepared", name) for name in given["cases"]], read_json(folder / "checked.json")


def test_a_disc_of_180_pixels_is_180_wide(tmp_path: Path) -> None:
    disc = np.hypot(Y - 140, X - 190) <= 90
    Image.fromarray((disc * 255).astype(np.uint8)).save(tmp_path / "m.png", dpi=(300, 300))
    ((case, none), checked) = run(tmp_path, make_study(), "lesion_mask", ["m.png", "none"])
    (lesion,) = case.lesions
    assert (lesion.size, lesion.centre) == (np.count_nonzero(disc), (190, 140, 0))
    assert lesion.diameter == 2 * math.sqrt(lesion.size / math.pi) == pytest.approx(180, abs=0.2)
    assert (case.geometry.unit, case.geometry.size_unit, case.geometry.spacing) == ("px", "px²", (2, 2, 1))
    assert np.count_nonzero(case.labels()) * case.geometry.voxel_size == pytest.approx(lesion.size, rel=0.02)
    assert [one["truth"] == "none" for one in checked["cases"].values()] == [False, True]
    assert none.lesions == ()
    assert "c0: 193x145 pixels, lesions: 1" in (tmp_path / "prepare.log").read_text()


def test_sizes_in_mm_scale_with_the_pixel(tmp_path: Path) -> None:
    Image.fromarray(((np.hypot(Y - 140, X - 190) <= 90) * 255).astype(np.uint8)).save(tmp_path / "m.png")
    study = make_study(cohort={"table": "cases.csv", "pixel_mm": 0.1, "minimum_lesion_mm2": 300})
    ((case,), _) = run(tmp_path, study, "lesion_mask", ["m.png"])
    (lesion,) = case.lesions
    assert lesion.diameter == pytest.approx(18, abs=0.02)
    assert (lesion.kind, case.geometry.size_unit) == ("excluded", "mm²")  # 254 mm²


def test_grey_rims_are_cut_at_the_threshold_and_that_is_logged(tmp_path: Path) -> None:
    grey = np.clip(255 * (60 - np.hypot(Y - 140, X - 190)) / 10, 0, 255).astype(np.uint8)
    Image.fromarray(grey).save(tmp_path / "m.png")
    study = make_study(cohort={"table": "cases.csv", "labels": "binary", "mask_threshold": 128})
    ((case,), _) = run(tmp_path, study, "lesion_mask", ["m.png"])
    assert [lesion.size for lesion in case.lesions] == [np.count_nonzero(grey >= 128)]
    said = "lesion masks: values from 128 on are lesion (`cohort.mask_threshold`)"
    assert said in (tmp_path / "prepare.log").read_text()


def test_circles_and_boxes_are_drawn(tmp_path: Path) -> None:
    (tmp_path / "l0.csv").write_text("x,y,diameter\n190,140,180\n")
    (tmp_path / "l1.csv").write_text("x1,y1,x2,y2\n100,60,140,100\n")
    study = make_study(cohort={"table": "cases.csv", "truth": "lesion_table"})
    ((circle, box), _) = run(tmp_path, study, "lesion_table", ["l0.csv", "l1.csv"])
    assert (circle.lesions[0].diameter, circle.lesions[0].size) == (180, math.pi * 8100)
    assert np.count_nonzero(circle.labels()) * 4 == pytest.approx(math.pi * 8100, rel=0.02)
    assert (box.lesions[0].size, box.lesions[0].extent) == (1600, (40, 40))
    rows, columns = np.nonzero(box.labels()[0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (30, 49, 50, 69)  # pixels 60, 62 .. 98


def test_questions_are_kept(tmp_path: Path) -> None:
    mask = (np.hypot(Y - 140, X - 190) <= 60).astype(np.uint8)
    mask[::71, ::71] = 1
    Image.fromarray(mask).save(tmp_path / "m.png")
    (_, checked) = run(
        tmp_path, make_study(cohort={"table": "cases.csv", "labels": "binary"}), "lesion_mask", ["m.png"]
    )
    (line,) = checked["questions"]
    assert line.startswith("row 2, column lesion_mask: ")
    assert "are single pixels; remove them, or leave them out by a least size (`cohort.minimum_lesion_px2`)" in line
