"""Regions and classes of lesions through the stages: drawn, checked, registered, prepared, sealed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.cohort.phantom import table_of
from hakken.cohort.table import write_table
from hakken.core.files import read_json
from hakken.core.tables import read_table
from hakken.imaging.files import read_volume, write_volume
from hakken.imaging.prepared import load_prepared
from hakken.seal.sketch import sketch_of_cases
from hakken.stages.check import check
from hakken.stages.measure import _sealed
from hakken.stages.phantom import phantom
from hakken.stages.prepare import prepare
from hakken.stages.register import register
from hakken.study import Study
from hakken.study.reading import load_study

STUDIES = Path(__file__).resolve().parents[2] / "workflow" / "studies"
CASE = "P0001"


@pytest.fixture(scope="module")
def study() -> Study:
    return load_study(STUDIES / "smoke_regions.yaml", "tiny")


@pytest.fixture
def drawn(study: Study, tmp_path: Path) -> Path:
    """Draw one case; the path of its table."""
    table = table_of(study, tmp_path / "cohort", 100)
    (case,) = table.select([CASE])
    assert case.lesion_mask is not None
    phantom(study=study, cases=[CASE], output=case.lesion_mask.parent.parent)
    write_table(tmp_path / "cases.csv", table, study)
    return tmp_path / "cases.csv"


def through(study: Study, table: Path, folder: Path) -> None:
    ends: list[tuple[Callable[..., Any], dict[str, Any]]] = [
        (check, {"output": folder / "checked.json"}),
        (register, {"checked": folder / "checked.json", "output": folder / "registered"}),
        (
            prepare,
            {
                "checked": folder / "checked.json",
                "registered": folder / "registered",
                "output": folder / "prepared",
            },
        ),
    ]
    for stage, given in ends:
        stage(study=study, table=table, cases=[CASE], **given)


def test_a_drawn_case_goes_through_all_stages(study: Study, drawn: Path, tmp_path: Path) -> None:
    through(study, drawn, tmp_path)
    folder = tmp_path / "cohort/train-000" / CASE
    rows = read_table(folder / "lesions.csv")
    assert rows.cells["class"][0] in study.cohort.classes
    files = read_json(tmp_path / "checked.json")["cases"][CASE]["files"]
    assert {Path(name).name for name in files} >= {"lesions.nii.gz", "lesions.csv", "regions.nii.gz"}
    case = load_prepared(tmp_path / "prepared", CASE)
    assert [lesion.lesion_class for lesion in case.lesions] == rows.cells["class"]
    image = read_volume(folder / "regions.nii.gz")
    volumes = [np.count_nonzero(image.array == 2) * image.geometry.voxel_mm3, (case.regions() == 2).sum() * 64.0]
    assert volumes[0] == pytest.approx(volumes[1], rel=0.05), "the liver is as large as it was drawn"
    assert set(np.unique(case.regions())) == {0, 1, 2}
    centre = tuple(np.rint(case.geometry.to_voxel(case.lesions[0].centre)[0]).astype(int))
    assert case.regions()[centre] == 2, "a lesion belongs to the organ that it lies in"


@pytest.mark.parametrize("name", ["regions.nii.gz", "lesions.csv"])
def test_a_file_that_changes_after_the_check_stops(
    study: Study, drawn: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check(study=study, table=drawn, cases=[CASE], output=tmp_path / "checked.json")
    path = tmp_path / "cohort/train-000" / CASE / name
    if name.endswith(".csv"):
        path.write_text(path.read_text() + "\n")
    else:
        volume = read_volume(path)
        volume.array[0, 0, 0] = 2
        write_volume(path, volume)
    with pytest.raises(SystemExit):
        register(
            study=study, table=drawn, cases=[CASE], checked=tmp_path / "checked.json", output=tmp_path / "registered"
        )
    assert f"{name}: has changed since the case was checked" in capsys.readouterr().err


def test_other_regions_are_another_truth_when_it_is_measured(study: Study, drawn: Path, tmp_path: Path) -> None:
    through(study, drawn, tmp_path)
    case = load_prepared(tmp_path / "prepared", CASE)
    first = sketch_of_cases(_sealed([case], {}))
    assert sketch_of_cases(_sealed([case], {})) == first
    np.save(case.path("regions.npy"), np.where(case.regions() == 2, 1, case.regions()).astype(np.uint8))
    assert sketch_of_cases(_sealed([case], {})) != first
