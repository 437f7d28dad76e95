"""Figures of what was measured: FROC, strata, ROC, confusion, calibration; tables and words by hand."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.volume import Geometry
from hakken.figures import calibration, confusion, froc, roc, strata
from hakken.figures._models import names_of_variants
from hakken.imaging.cases import image
from hakken.imaging.prepared import Lesion, save_prepared
from hakken.inference.candidates import Candidates
from hakken.plots.froc import draw_froc
from hakken.runs.cases import read_cases
from hakken.runs.measurement import read_measurement
from hakken.seal.freeze import write_sealed
from hakken.study import Study

from ..miniature import save_case, study, without
from .made import files, handed, measured, predicted, record

GRID = Geometry((24, 40, 36), (1.5, 1.5, 1.5), (-20.0, -30.0, 5.0))
PUBLISHED = {"citation": "A, 2017", "system": "a network", "result": "70 % at 8.4."}


def marks(*given: tuple[tuple[int, int, int], float]) -> Candidates:
    voxel = np.array([place for place, _ in given], float).reshape(-1, 3)
    xyz = GRID.to_world(voxel) if given else np.zeros((0, 3))
    score = np.array([score for _, score in given], float)
    return Candidates(xyz, score, np.ones(len(given)), voxel, np.zeros(len(given), np.int64))


def detection(**more: Any) -> Study:
    return study(evaluation={"bootstrap": 100}, **more)


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """Three cases with two lesions, one and none, of three patients; scanners one, one and two."""
    lesions = {
        "a": [((10, 10, 10), 8.0), ((12, 30, 25), 4.0)],
        "b": [((5, 20, 20), 12.0)],
        "c": [],
    }
    shape = GRID.shape_zyx
    for name, places in lesions.items():
        found = [
            Lesion(number, *GRID.to_world([place])[0].tolist(), diameter, 100.0)
            for number, (place, diameter) in enumerate(places, start=1)
        ]
        save_case(
            tmp_path / "cases", name, np.zeros((2, *shape)), geometry=GRID, labels=np.zeros(shape), lesions=found,
        )  # fmt: skip
    rows = [f"{name},{name},x,x,none,{'two' if name == 'c' else 'one'}\n" for name in lesions]
    (tmp_path / "cases.csv").write_text("case_id,patient,A,B,lesion_mask,scanner\n" + "".join(rows))
    return tmp_path / "cases"


GOOD = {
    "a": marks(((10, 10, 10), 0.9), ((20, 5, 5), 0.7)),
    "b": marks(((5, 21, 20), 0.6)),
    "c": marks(((5, 5, 5), 0.5), ((20, 35, 30), 0.2)),
}
WORSE = GOOD | {"b": marks()}


def of_models(tmp_path: Path, cases: Path, chosen: Study, table: Path | None = None) -> dict[str, Path]:
    """The selected model on both parts at the threshold 0.55, and a worse default."""
    freeze = tmp_path / "freeze.json"
    point = {"points": {"candidates": {"threshold": 0.55}}}
    write_sealed(freeze, {"models": {"selected": point, "default": point}})
    known, found = read_cases([cases]), {}
    for part, model, said in (("validation", "selected", GOOD), ("test", "selected", GOOD), ("test", "default", WORSE)):
        folder = predicted(tmp_path / "said" / part / model, chosen, {"candidates": said}, known)
        points = freeze if part == "test" else None
        found[f"{part} {model}"] = measured(
            tmp_path / part / model, chosen, folder, [cases], part, points=points, table=table
        )
    return found


def test_froc_draws_both_parts_and_what_stands_beside(tmp_path: Path, cases: Path, monkeypatch: Any) -> None:
    chosen = detection(published=PUBLISHED)
    made = of_models(tmp_path, cases, chosen)
    given = files(
        test=made["test selected"],
        validation=made["validation selected"],
        default=made["test default"],
        baselines=(),
        record=record(tmp_path / "selected.json"),
    )
    drawn, drawing = handed(monkeypatch, froc, "draw_froc", chosen, given)
    assert [(curve.role, curve.label) for curve in drawn.curves] == [
        *(("test", "Test"), ("validation", "Validation"), ("default", "Test, untuned")),
    ]
    test, validation, default = drawn.curves
    assert (test.point, default.point) == (pytest.approx((1 / 3, 2 / 3)), None)
    assert validation.point == pytest.approx((1, 2 / 3))
    assert [cells[0] for cells in drawn.table] == [
        "Sensitivity at", "1 FP/case", "3 FP/case", "8.4 FP/case", "Partial AUC to 10", "Average precision",
    ]  # fmt: skip
    assert drawn.table[1][1].startswith("0.67\n[")
    assert drawing.words.startswith("Operating point, chosen on validation for 8.4 FP/case: on test 0.67 [")
    assert drawing.words.endswith(" FP/case (circle).")
    assert drawn.notes[0] == "Test: 3 lesions in 3 cases of 3 patients; hit rule distance."
    assert drawn.notes[1] == (
        "Bands, brackets: 95 %, patients resampled 100 times; Wilson's for the sensitivity at the operating point. "
        "Dotted: beyond the last candidate."
    )
    # The default finds a lesion less from 1/3 FP per case on: 29/30 * 1/3 of the area up to 10.
    assert drawn.notes[2].startswith("Partial AUC of the selected model less that of: default 0.32 [")
    assert drawn.notes[2].endswith("] (paired by resample).")
    assert drawn.notes[3] == "Published: 70 % at 8.4."
    assert (drawing.trials, drawing.cost) == ([7], {"gpu_seconds": 1.5})
    rows = [dict(zip(drawing.table.columns, row, strict=True)) for row in drawing.table.rows]
    of_test = [(row["fp_per_case"], row["sensitivity"]) for row in rows if row["role"] == "test"]
    assert of_test == [pytest.approx(point) for point in
                       ((0, 0), (0, 1 / 3), (1 / 3, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 2 / 3), (1, 2 / 3))]  # fmt: skip


def test_froc_draws_variants_with_bands_and_numbers_of_their_own(tmp_path: Path, cases: Path, monkeypatch: Any) -> None:
    factors = {"network": {"narrow": {"parameters.base_features": 4}, "wide_and_deep_and_slow": {}}}
    chosen = detection(variants={"of_network": {"part": "test", "factors": factors}})
    made = of_models(tmp_path, cases, chosen)
    (tmp_path / "other").mkdir()
    folders = {name: tmp_path / "other" / f"of_network-{name}" for name in factors["network"]}
    for folder in folders.values():
        shutil.copytree(made["test default"], folder)
    given = files(
        test=made["test selected"],
        validation=made["validation selected"],
        variants=list(folders.values()),
        variants_on_validation=[folders["narrow"]],
        record=record(tmp_path / "selected.json"),
    )
    drawn, drawing = handed(monkeypatch, froc, "draw_froc", chosen, given)
    assert [(curve.role, curve.label) for curve in drawn.curves[2:]] == [
        ("variant", "Narrow"), ("variant", "Wide and deep and slow"),
    ]  # fmt: skip
    heading, narrow, wide = drawn.table[-3:]
    assert heading == ("Partial AUC to 10 of", "", "")
    assert (narrow[0], narrow[1]) == ("Narrow", narrow[2])
    assert narrow[1].startswith("0.33\n[")
    assert wide == ("Wide and deep and\nslow", narrow[1])  # nothing was measured of it on validation
    assert "narrow 0.32 [" in drawn.notes[2]
    assert "; wide and deep and slow 0.32 [" in drawn.notes[2]
    roles = {row[:2] for row in drawing.table.rows}
    assert {("variant", "Narrow"), ("variant", "Wide and deep and slow")} < roles
    figure = draw_froc(drawn)
    bands = [band.get_facecolor()[0][:3].tolist() for band in figure.axes[0].collections]  # type: ignore[index]
    assert len(bands) == 4
    assert len({tuple(band) for band in bands}) == 4


def test_variants_of_two_sets_that_are_called_alike_are_told_apart() -> None:
    depth = {"factors": {"depth": {"one": {}, "two": {"parameters.convolutions": 2}}}}
    width = {"factors": {"width": {"one": {}}}}
    assert names_of_variants(study(variants={"by_depth": depth, "by_width": width})) == {
        "by_depth-one": "by depth, one", "by_depth-two": "two", "by_width-one": "by width, one",
    }  # fmt: skip


def test_lesions_out_of_reach_are_a_ceiling(tmp_path: Path, cases: Path, monkeypatch: Any) -> None:
    chosen, folder = detection(), tmp_path / "beyond"
    for case in read_cases([cases]):
        outside = (2,) if case.case_id == "a" else ()
        shown = replace(image(case), outside=outside)
        save_prepared(folder, shown, shown.image(), shown.mask(), shown.labels())
    made = of_models(tmp_path, folder, chosen)
    given = files(test=made["test selected"], validation=made["validation selected"])
    drawn, _ = handed(monkeypatch, froc, "draw_froc", chosen, given)
    assert drawn.ceiling == pytest.approx(2 / 3)
    assert drawn.notes[2:4] == (
        "At most 0.667 of the lesions of test can be found (dash-dotted line): 1 of 3 lie outside of the mask.",
        "At most 0.667 of the lesions of validation can be found: 1 of 3 lie outside of the mask.",
    )
    warning = "at most 0.667 of the lesions can be found: 1 of 3 lesions lies outside of the mask (lesion 2 of a)"
    measured_of_test = read_measurement(made["test selected"]).outcomes["candidates"]
    assert warning in measured_of_test.warnings
    assert measured_of_test.details["outside"] == {"lesions": 3, "missed": [["a", 2]], "ceiling": pytest.approx(2 / 3)}
    assert len(draw_froc(drawn).axes[0].lines) > len(drawn.curves)


def test_what_a_publication_reports_of_patients_is_not_to_be_compared_with_a_phantom(
    tmp_path: Path, cases: Path, monkeypatch: Any
) -> None:
    phantom = {"generator": "brain_metastasis", "cases": {"train": 1, "validation": 1, "test": 1}}
    chosen = detection(published=PUBLISHED, cohort={"table": None, "phantom": phantom})
    made = of_models(tmp_path, cases, chosen)
    given = files(test=made["test selected"], validation=made["validation selected"])
    drawn, _ = handed(monkeypatch, froc, "draw_froc", chosen, given)
    assert drawn.notes[-1] == "Published: 70 % at 8.4 (patients; must not be compared with a phantom)."


def test_without_an_operating_point_that_is_said(tmp_path: Path, cases: Path, monkeypatch: Any) -> None:
    chosen = detection()
    nothing = predicted(tmp_path / "said", chosen, {"candidates": dict.fromkeys("abc", marks())}, read_cases([cases]))
    folder = measured(tmp_path / "selected", chosen, nothing, [cases])
    given = files(test=folder, validation=folder)
    drawn, drawing = handed(monkeypatch, froc, "draw_froc", chosen, given)
    assert drawing.words == "No operating point: there is no lesion or no candidate."
    assert all(curve.point is None for curve in drawn.curves)
    heading = handed(monkeypatch, strata, "draw_strata", chosen, files(test=folder))[0].heading
    assert heading == "Test: no operating point"


def test_strata_by_diameter_and_scanner(tmp_path: Path, cases: Path, monkeypatch: Any) -> None:
    chosen = detection()
    folder = of_models(tmp_path, cases, chosen, tmp_path / "cases.csv")["test selected"]
    drawn, drawing = handed(monkeypatch, strata, "draw_strata", chosen, files(test=folder))
    rows = [dict(zip(drawing.table.columns, row, strict=True)) for row in drawing.table.rows]
    assert [(row["group"], row["stratum"], row["lesions"], row["found"], row["sensitivity"]) for row in rows] == [
        ("all", "all lesions", 3, 2, pytest.approx(2 / 3)),
        ("diameter", "below 5 mm", 1, 0, 0),
        ("diameter", "5 to 10 mm", 1, 1, 1),
        ("diameter", "10 mm and more", 1, 1, 1),
        ("scanner", "one", 3, 2, pytest.approx(2 / 3)),
        ("scanner", "two", 0, 0, None),
    ]
    assert drawn.heading == "Test, selected model, threshold 0.55 chosen on validation for 8.4 FP/case"
    assert drawing.words == "6 strata"


def heads(**more: Any) -> Study:
    return study(
        without("parameters", "search"),
        method="autoencoder",
        parameters={"patch_size": 8},
        outcomes={"case_scores": {}},
        evaluation={"bootstrap": 100, "strata": []},
        **more,
    )


def test_roc_draws_both_parts_and_says_what_the_point_gives(tmp_path: Path, cases: Path, monkeypatch: Any) -> None:
    """Scores 0.9 and 0.4 of abnormal cases, 0.5 of the normal one: AUC 1/2."""
    chosen = heads()
    said = predicted(tmp_path / "said", chosen, {"case_scores": {"a": 0.9, "b": 0.4, "c": 0.5}}, read_cases([cases]))
    folder = measured(tmp_path / "selected", chosen, said, [cases])
    given = files(test=folder, validation=folder, record=record(tmp_path / "selected.json"))
    drawn, drawing = handed(monkeypatch, roc, "draw_case_roc", chosen, given)
    assert [(curve.role, curve.label, curve.point) for curve in drawn.curves] == [
        ("test", "Test: AUC 0.50", (0.0, 0.5)),
        ("validation", "Validation: AUC 0.50", (0.0, 0.5)),
    ]
    assert [cells[0] for cells in drawn.table] == ["", "AUC", "Sensitivity", "Specificity", "PPV", "NPV", "MCC"]
    assert drawing.words == (
        "Operating point, chosen on validation by the Youden index: on test 1 of 2 abnormal cases are called abnormal "
        "and 1 of 1 normal cases normal (circle)."
    )
    assert drawn.notes == (
        "Cases: test 2 abnormal and 1 normal; validation 2 abnormal and 1 normal.",
        "Brackets: 95 %, AUC by DeLong, MCC by bootstrap, the others by Wilson. Bands: patients resampled 100 times.",
    )
    corners = [row[2:4] for row in drawing.table.rows if row[0] == "test" and row[4] is None]
    assert corners == [(0.0, 0.0), (0.0, 0.5), (1.0, 0.5), (1.0, 1.0)]


def test_a_model_that_says_nothing_of_the_outcome_is_left_out(tmp_path: Path, cases: Path, monkeypatch: Any) -> None:
    chosen = heads()
    scores = {"a": 0.9, "b": 0.4, "c": 0.5}
    folder = measured(
        tmp_path / "selected", chosen, predicted(tmp_path / "s", chosen, {"case_scores": scores}, read_cases([cases])),
        [cases],
    )  # fmt: skip
    other = of_models(tmp_path / "other", cases, detection())["test default"]
    given = files(test=folder, validation=folder, baselines=[other])
    drawn, _ = handed(monkeypatch, roc, "draw_case_roc", chosen, given)
    assert len(drawn.curves) == 2


def nodules() -> Study:
    return study(
        without("parameters", "search", "patches", "channels", "training"),
        method="mean_classifier",
        channels={"A": {"modality": "ct"}, "B": {"modality": "ct"}},
        cohort={"truth": "lesion_table", "classes": ["one", "two"]},
        evaluation={"bootstrap": 100, "strata": []},
    )


def test_confusion_matrices_say_what_is_taken_for_what(tmp_path: Path, monkeypatch: Any) -> None:
    shape, found = GRID.shape_zyx, {}
    for name, truth, called in (("a", "one", 0), ("b", "one", 1), ("c", "two", 1)):
        lesion = Lesion(1, 0, 0, 0, 5, 65, "included", truth)
        save_case(
            tmp_path / "cases", name, np.zeros((2, *shape)), geometry=GRID, labels=np.zeros(shape), lesions=[lesion]
        )
        found[name] = np.eye(2)[[called]] * 0.8 + 0.1
    chosen = nodules()
    said = predicted(tmp_path / "said", chosen, {"classes": found}, read_cases([tmp_path / "cases"]))
    folder = measured(tmp_path / "selected", chosen, said, [tmp_path / "cases"])
    parameters = {"network": "alexnet", "weights": {"alexnet": {}}}
    given = files(test=folder, validation=folder, record=record(tmp_path / "r.json", all_parameters=parameters))
    panels, note, _, drawing = handed(monkeypatch, confusion, "draw_matrices", chosen, given)
    assert [panel.title for panel in panels] == [f"{part}: 3 lesions of 3 patients" for part in ("Validation", "Test")]
    assert panels[1].matrix.tolist() == [[1, 1], [0, 1]]
    assert panels[1].words[0].startswith("balanced accuracy 0.75 [")
    assert panels[1].words[0].endswith("], guessing 0.50")
    assert panels[1].words[1].endswith("], most frequent class 0.67")
    assert note == "mean classifier, alexnet, pretrained"
    assert drawing.table.rows[4:] == (
        *(("test", "one", "one", 1), ("test", "one", "two", 1)),
        *(("test", "two", "one", 0), ("test", "two", "two", 1)),
    )


def test_calibration_says_which_goals_are_met(tmp_path: Path, monkeypatch: Any) -> None:
    """Voxels with z of -1, 0 and 1 in equal numbers: mean 0, SD sqrt(2/3)."""
    shape = (1, 2, 3)
    target = np.array([-1.0, 0, 1, -1, 0, 1]).reshape(shape)
    chosen = study(
        without("parameters", "search", "patches", "channels"),
        method="expectation",
        channels={"A": {"modality": "ct"}, "B": {"modality": "pet", "target": True}},
        patches={"axes": 2, "size_voxel": 16},
        outcomes={"expectations": {}},
        evaluation={"bootstrap": 100, "strata": []},
    )
    for name in "ab":
        image = np.stack([np.zeros(shape), target])
        save_case(tmp_path / "cases", name, image, geometry=Geometry(shape), labels=np.zeros(shape))
    expected = {name: np.stack([np.zeros(shape), np.ones(shape)]) for name in "ab"}
    said = predicted(tmp_path / "said", chosen, {"expectations": expected}, read_cases([tmp_path / "cases"]))
    folder = measured(tmp_path / "selected", chosen, said, [tmp_path / "cases"])
    drawn, drawing = handed(monkeypatch, calibration, "draw_calibration", chosen, files(test=folder, validation=folder))
    assert drawing.words == (
        "Test, 2 cases of 2 patients: mean 0.000 [0.000, 0.000] (met), SD 0.816 [0.816, 0.816] (missed); "
        "z >= 3: 0.00 % (normal 0.13 %)."
    )
    assert drawn.lines[-1].startswith(
        "Cases without lesions, all voxels of the mask; brackets: 95 %, patients resampled."
    )
    assert drawn.threshold == chosen.inference.threshold  # type: ignore[attr-defined]
    rows = [row for row in drawing.table.rows if row[:2] == ("Test", "voxels")]
    assert [(round(row[2], 3), row[3]) for row in rows] == [(-0.975, 4), (0.025, 4), (1.025, 4)]
    assert [row[2:] for row in drawing.table.rows if row[:2] == ("Test", "case")] == [
        (0.0, pytest.approx(np.sqrt(2 / 3)))
    ] * 2
