"""Scalars of a case: cells of the table, what DICOM headers say, and channels of one value in a prepared case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.cohort.case import Case
from hakken.cohort.table import read_table
from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry, Volume
from hakken.imaging.preparation import prepare_case
from hakken.imaging.prepared import save_prepared
from hakken.imaging.scalar_values import check_scalars, header_value, read_scalars, scalars_of
from hakken.study import Study

from .test_suv import PET, PIXELS, SCANNED, START, WHEN, tracer

SCALARS: dict[str, Any] = {
    "weight": {"range": [50, 90], "limits": [20, 300], "unit": "kg", "header": "weight"},
    "minutes": {"range": [50, 90], "limits": [20, 240], "unit": "min", "header": "minutes"},
    "age": {"range": [40, 80], "limits": [0, 120], "header": "age"},
    "sex": {"words": {"F": 0, "M": 1}, "header": "sex"},
    "arms": {"words": {"down": 0, "up": 1}},
}
CHANNELS = {"CT": {"modality": "ct"}, "PET": {"modality": "pet"}}


@pytest.fixture
def study(make_study: Callable[..., Study]) -> Study:
    return make_study(channels=CHANNELS, reference="CT", scalars=SCALARS)


@pytest.fixture
def series(write_dicom: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a PET series of one file; ``tags`` replace or (None) remove attributes."""

    def write(**tags: Any) -> Path:
        facts = {"PatientSex": "F", "PatientAge": "063Y", "RadiopharmaceuticalInformationSequence": tracer()}
        write_dicom(tmp_path / "pet" / "a.dcm", PIXELS, **(PET | WHEN | SCANNED | facts | tags))
        return tmp_path / "pet"

    (tmp_path / "pet").mkdir()
    return write


def test_cells_come_first(study: Study, series: Callable[..., Path]) -> None:
    cells = {"weight": "81", "minutes": "65", "age": "50", "sex": "M", "arms": "up"}
    assert scalars_of(cells, {"PET": series()}, study) == {"weight": 81, "minutes": 65, "age": 50, "sex": 1, "arms": 1}


def test_empty_cells_are_told_by_the_header_of_pet(study: Study, series: Callable[..., Path]) -> None:
    """Injected at 10:00:00, scanned at 11:49:46.2: a half-life of fluorine-18 later."""
    found = scalars_of({"arms": "down"}, {"PET": series()}, study)
    assert found == pytest.approx({"weight": 70, "minutes": 6586.2 / 60, "age": 63, "sex": 0, "arms": 0}, rel=1e-4)


@pytest.mark.parametrize(
    ("written", "years"), [("063Y", 63), ("018M", 1.5), ("026W", 26 * 7 / 365.25), ("010D", 10 / 365.25)]
)
def test_ages_are_written_in_days_weeks_months_or_years(
    written: str, years: float, series: Callable[..., Path]
) -> None:
    assert float(header_value(series(PatientAge=written), "age")) == pytest.approx(years, rel=1e-4)


def test_minutes_do_not_depend_on_the_time_that_decay_is_corrected_to(series: Callable[..., Path]) -> None:
    assert float(header_value(series(DecayCorrection="ADMIN"), "minutes")) == pytest.approx(109.77, abs=0.01)


@pytest.mark.parametrize(
    ("tags", "what", "message"),
    [
        ({"PatientWeight": None}, "weight", r"PatientWeight \(0010,1030\) is missing, and so is the cell; fill in"),
        ({"PatientAge": "63"}, "age", r"PatientAge \(0010,1010\) is no age such as 063Y; fill in the cell"),
        ({"PatientSex": ""}, "sex", r"PatientSex \(0010,0040\) is missing, and so is the cell; fill in the cell"),
        (
            {"RadiopharmaceuticalInformationSequence": tracer(RadiopharmaceuticalStartTime=None)},
            "minutes",
            r"RadiopharmaceuticalStartTime \(0018,1072\) is missing",
        ),
        (
            {"RadiopharmaceuticalInformationSequence": tracer(RadionuclideHalfLife=None)},
            "minutes",
            r"RadionuclideHalfLife \(0018,1075\) is missing or 0",
        ),
    ],
)
def test_headers_that_do_not_tell(tags: dict[str, Any], what: str, message: str, series: Callable[..., Path]) -> None:
    assert START["RadionuclideHalfLife"]
    with pytest.raises(HakkenError, match=message):
        header_value(series(**tags), what)


def test_an_image_without_a_header_names_the_cell(study: Study, tmp_path: Path) -> None:
    image = tmp_path / "pet.nii.gz"
    image.write_bytes(b"no DICOM")
    values, wrong = read_scalars({"arms": "up", "weight": "5"}, {"PET": image}, study)
    assert values == {"arms": 1}
    assert str(wrong["weight"]).startswith("5 kg lies outside of 20 to 300 kg")
    assert str(wrong["age"]) == f"the cell is empty and {image} has no DICOM header that could tell; fill in the cell"


def test_every_scalar_of_a_case_that_cannot_be_used_is_a_problem_of_its_row(study: Study, tmp_path: Path) -> None:
    case = Case("a", "p", None, {"PET": tmp_path / "pet.nii.gz"}, columns={"arms": "sideways", "weight": "x"}, row=7)
    problems = check_scalars(case, study)
    assert [(one.case_id, one.column, one.row) for one in problems] == [
        ("a", name, 7) for name in ("weight", "minutes", "age", "sex", "arms")
    ]


def test_a_table_names_all_rows_before_any_image_is_read(study: Study, tmp_path: Path) -> None:
    rows = [
        "case_id,patient,CT,PET,lesion_mask,weight,minutes,age,sex,arms",
        "a,p1,ct,pet,none,70,60,50,F,up",
        "b,p2,ct,pet,none,,60,50,F,",
        "c,p3,ct,pet,none,seventy,60,500,F,up",
        "d,p4,ct,pet,none,70,60,50,F,sideways",
    ]
    table = tmp_path / "cases.csv"
    table.write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(HakkenError) as error:
        read_table(table, study, files_exist=False)
    said = str(error.value)
    assert "row 3" in said
    assert "weight" not in said.partition("row 4")[0].partition("row 3")[2], "which the header of PET may tell"
    assert "`seventy` is no number; write a number in kg" in said
    assert "500 lies outside of 0 to 120" in said
    assert "`sideways` is none of down, up" in said
    assert all(f"row {number}" in said for number in (3, 4, 5))


def test_a_column_that_no_header_replaces_must_be_there(study: Study, tmp_path: Path) -> None:
    table = tmp_path / "cases.csv"
    table.write_text("case_id,patient,CT,PET,lesion_mask\na,p1,ct,pet,none\n", encoding="utf-8")
    with pytest.raises(HakkenError, match=r"scalars.arms names `arms`, which is no column of the table"):
        read_table(table, study, files_exist=False)


def test_a_scalar_is_a_channel_of_one_value_in_the_mask(make_study: Callable[..., Study], tmp_path: Path) -> None:
    grid = Geometry((6, 8, 8), (2.0, 2.0, 2.0))
    body = np.zeros(grid.shape_zyx, np.float32)
    body[1:5, 2:6, 2:6] = np.arange(64).reshape(4, 4, 4) + 1
    study = make_study(
        channels={"A": {"modality": "mr"}},
        preparation={"spacing_mm": [2] * 3, "mask": "nonzero"},
        scalars={"weight": {"range": [50, 90], "limits": [20, 300]}},
    )
    prepared = prepare_case({"A": Volume.on(grid, body)}, {}, (), study, case_id="a", scalars={"weight": 60.0})
    assert prepared.case.channels == ("A", "weight")
    assert np.unique(prepared.image[1][prepared.mask]).tolist() == [0.25]
    assert not prepared.image[1][~prepared.mask].any()
    kept = save_prepared(tmp_path, prepared.case, prepared.image, prepared.mask, prepared.labels)
    assert kept.scalars == {"weight": 60.0}
    assert kept.complete == ("A",), "no baseline takes it for an image"


def test_a_logarithmic_channel_comes_back_in_its_units(make_study: Callable[..., Study], tmp_path: Path) -> None:
    grid = Geometry((4, 4, 4), (2.0, 2.0, 2.0))
    values = np.linspace(0.5, 60, 64, dtype=np.float32).reshape(4, 4, 4)
    channel = {"modality": "pet", "normalise": "window", "range": [0, 40], "scale": "log"}
    study = make_study(channels={"A": channel}, preparation={"spacing_mm": [2] * 3, "mask": "none", "margin_mm": 0})
    prepared = prepare_case({"A": Volume.on(grid, values)}, {}, (), study, case_id="a")
    assert prepared.image[0] == pytest.approx(np.minimum(np.log1p(values) / np.log1p(40), 1), abs=1e-5)
    kept = save_prepared(tmp_path, prepared.case, prepared.image, prepared.mask, prepared.labels)
    assert kept.intensities()[0] == pytest.approx(np.minimum(values, 40), rel=5e-3), "but for 16 bits"
