"""Figures of cases: which are shown, in which order, and what their tables hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.figures import anomalies, expectations, overlays, registration, segmentations
from hakken.figures._pictures import blacked, thresholds_of, voxel_at, window_of
from hakken.imaging.prepared import Lesion
from hakken.inference.candidates import Candidates
from hakken.outcomes import Measured
from hakken.runs.cases import read_cases
from hakken.seal.freeze import write_sealed
from hakken.study import Study

from ..miniature import save_case, study, without
from .made import files, handed, measured, predicted, record

GRID = Geometry((24, 40, 36), (1.5, 1.5, 1.5), (-20.0, -30.0, 5.0))
Places = dict[tuple[int, int, int], float]
LESIONS: dict[str, Places] = {"a": {(10, 10, 10): 8.0, (12, 30, 25): 4.0}, "b": {(5, 20, 20): 12.0}, "c": {}}


def marks(*given: tuple[tuple[int, int, int], float]) -> Candidates:
    voxel = np.array([place for place, _ in given], float).reshape(-1, 3)
    xyz = GRID.to_world(voxel) if given else np.zeros((0, 3))
    return Candidates(xyz, np.array([score for _, score in given], float), np.ones(len(given)), voxel)


MARKS = {
    "a": marks(((10, 10, 10), 0.9), ((20, 5, 5), 0.7)),
    "b": marks(((5, 21, 20), 0.6)),
    "c": marks(((5, 5, 5), 0.5), ((20, 35, 30), 0.2)),
}


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    rng, shape = np.random.default_rng(0), GRID.shape_zyx
    for name, places in LESIONS.items():
        labels = np.zeros(shape, np.int16)
        found = []
        for number, (place, diameter) in enumerate(places.items(), start=1):
            labels[place] = number
            found.append(Lesion(number, *GRID.to_world([place])[0].tolist(), diameter, 100.0))
        image = rng.normal(0, 1, (2, *shape))
        save_case(tmp_path / "cases", name, image, geometry=GRID, labels=labels, lesions=found)
    return tmp_path / "cases"


def detection() -> Study:
    return study(evaluation={"bootstrap": 100, "strata": []})


def test_overlays_show_false_missed_and_found_at_the_operating_point(
    tmp_path: Path, cases: Path, monkeypatch: Any
) -> None:
    chosen = detection()
    said = predicted(tmp_path / "said", chosen, {"candidates": MARKS}, read_cases([cases]))
    folder = measured(tmp_path / "selected", chosen, said, [cases])
    drawn, drawing = handed(
        monkeypatch, overlays, "draw_overlays", chosen, files(test=folder, predictions=said, cases=cases)
    )
    # The threshold is 0.2: all candidates count. False ones by score, missed ones by size, found ones by score.
    rows = [dict(zip(drawing.table.columns, row, strict=True)) for row in drawing.table.rows]
    assert [(row["kind"], row["case_id"], row["score"], row["diameter_mm"]) for row in rows] == [
        ("false", "a", 0.7, None),
        ("false", "c", 0.5, None),
        ("false", "c", 0.2, None),
        ("missed", "a", None, 4.0),
        ("found", "b", 0.6, 12.0),
        ("found", "a", 0.9, 8.0),
    ]
    assert drawn.totals == {"found": 2, "missed": 1, "false": 3}
    assert drawing.words == "2 found, 1 missed, 3 false"
    assert [tile.kind for tile in drawn.tiles] == [row["kind"] for row in rows]
    # 50 mm around the finding: 17 voxels of 1.5 mm to each side.
    assert {tile.image.shape for tile in drawn.tiles} == {(35, 35)}
    assert drawn.tiles[0].caption == ("a", "score 0.70")
    assert drawn.tiles[3].caption == ("a", "4.0 mm, no candidate")
    assert drawn.tiles[5].caption == ("a", "score 0.90, 8.0 mm")
    middle = 17.5 * 1.5
    assert [(mark.kind, mark.x, mark.y) for mark in drawn.tiles[5].marks] == [("found", middle, middle)]


def test_overlays_of_a_higher_threshold_show_fewer(tmp_path: Path, cases: Path, monkeypatch: Any) -> None:
    chosen = detection()
    said = predicted(tmp_path / "said", chosen, {"candidates": MARKS}, read_cases([cases]))
    freeze = tmp_path / "freeze.json"
    write_sealed(freeze, {"models": {"selected": {"points": {"candidates": {"threshold": 0.65}}}}})
    folder = measured(tmp_path / "selected", chosen, said, [cases], points=freeze)
    drawn, drawing = handed(
        monkeypatch, overlays, "draw_overlays", chosen, files(test=folder, predictions=said, cases=cases)
    )
    assert drawn.totals == {"found": 1, "missed": 2, "false": 1}
    missed = [row for row in drawing.table.rows if row[0] == "missed"]
    assert [(row[1], row[5], row[6]) for row in missed] == [("b", 0.6, 12.0), ("a", None, 4.0)]


def heads() -> Study:
    return study(
        without("parameters", "search"),
        method="autoencoder",
        parameters={"patch_size": 8},
        evaluation={"bootstrap": 100, "strata": []},
    )


def of_heads(tmp_path: Path, cases: Path) -> dict[str, Any]:
    """Scores of which b is missed: its one candidate lies below the threshold of the Youden index."""
    chosen = heads()
    maps = {}
    for name, found in MARKS.items():
        scores = np.zeros(GRID.shape_zyx, np.float32)
        for (z, y, x), score in zip(found.voxel.astype(int).tolist(), found.score.tolist(), strict=True):
            scores[z, y, x] = score
        maps[name] = scores
    scored = {"a": 0.9, "b": 0.4, "c": 0.5}
    found = {"case_scores": scored, "candidates": MARKS, "score_maps": maps}
    said = predicted(tmp_path / "said", chosen, found, read_cases([cases]))
    return {"predictions": said, "test": measured(tmp_path / "selected", chosen, said, [cases]), "cases": cases}


def test_anomalies_show_the_most_abnormal_cases_of_both_kinds(tmp_path: Path, cases: Path, monkeypatch: Any) -> None:
    made = of_heads(tmp_path, cases)
    given = files(**made, record=record(tmp_path / "r.json", all_parameters={"patch_size": 8}))
    drawn, drawing = handed(monkeypatch, anomalies, "draw_anomalies", heads(), given)
    rows = [dict(zip(drawing.table.columns, row, strict=True)) for row in drawing.table.rows]
    assert [(row["case_id"], row["abnormal"], row["score"], row["called"]) for row in rows] == [
        *(("a", 1, 0.9, 1), ("b", 1, 0.4, 0), ("c", 0, 0.5, 0)),
    ]
    place = GRID.to_world([(10, 10, 10)])[0].tolist()
    assert [rows[0][axis] for axis in "xyz"] == pytest.approx(place)
    assert drawing.words == "3 cases, 1 of them called wrongly"
    assert drawn.totals == (2, 1)
    assert [case.caption[1] for case in drawn.cases] == [
        "score 0.9, called abnormal",
        "score 0.4, called normal, wrongly",
        "score 0.5, called normal",
    ]
    # 8 voxels of 1.5 mm around voxel y 10, x 10.
    assert drawn.cases[0].patch == pytest.approx((6 * 1.5, 6 * 1.5, 12, 12))
    assert drawn.reading[1] == "Called abnormal from a score of 0.9, chosen on validation by the Youden index."


def test_without_a_patch_there_is_no_frame(tmp_path: Path, cases: Path, monkeypatch: Any) -> None:
    drawn, _ = handed(monkeypatch, anomalies, "draw_anomalies", heads(), files(**of_heads(tmp_path, cases)))
    assert {case.patch for case in drawn.cases} == {None}
    assert "cyan" not in drawn.reading[0]


def uptake(**more: Any) -> Study:
    return study(
        without("parameters", "search", "patches", "channels"),
        method="expectation",
        channels={
            "A": {"modality": "ct"},
            "B": {"modality": "pet", "target": True, "normalise": "window", "range": [0, 20]},
        },
        patches={"axes": 2, "size_voxel": 16},
        evaluation={"bootstrap": 100, "strata": []},
        **more,
    )


def test_expectations_show_lesions_from_the_best_found_to_the_missed(
    tmp_path: Path, cases: Path, monkeypatch: Any
) -> None:
    chosen = uptake()
    expected = {name: np.stack([np.full(GRID.shape_zyx, 0.25), np.ones(GRID.shape_zyx)]) for name in LESIONS}
    found = {"candidates": MARKS, "expectations": expected}
    said = predicted(tmp_path / "said", chosen, found, read_cases([cases]))
    folder = measured(tmp_path / "selected", chosen, said, [cases])
    drawn, drawing = handed(
        monkeypatch, expectations, "draw_expectations", chosen, files(test=folder, predictions=said, cases=cases)
    )
    rows = [dict(zip(drawing.table.columns, row, strict=True)) for row in drawing.table.rows]
    assert [(row["case_id"], row["lesion"], row["score"], row["found"]) for row in rows] == [
        *(("a", 1, 0.9, 1), ("b", 1, 0.6, 1), ("a", 2, None, 0)),
    ]
    assert drawing.words == "3 lesions"
    assert drawn.titles == ("A", "B", "Predicted mean of B", "Standard deviation", "z")
    first = drawn.rows[0]
    assert first.caption == "a: z 0.9, found"
    assert drawn.rows[2].caption == "a: no hit, missed"
    # In units of the target, whose window is 20 wide.
    assert (float(first.mean[0, 0]), float(first.sigma[0, 0])) == (5.0, 20.0)
    case = next(case for case in read_cases([cases]) if case.case_id == "a")
    target = np.asarray(case.image()[1][10], np.float32)  # type: ignore[union-attr]
    np.testing.assert_allclose(first.z, target - 0.25, atol=1e-5)
    assert first.candidates == ((10.5 * 1.5, 10.5 * 1.5),)
    assert drawn.threshold == chosen.inference.threshold  # type: ignore[attr-defined]


def test_expectations_show_the_excess_where_a_tolerance_is_scored(
    tmp_path: Path, cases: Path, monkeypatch: Any
) -> None:
    chosen = uptake(inference={"tolerance": 0.75})
    expected = {name: np.stack([np.full(GRID.shape_zyx, 0.25), np.ones(GRID.shape_zyx)]) for name in LESIONS}
    said = predicted(tmp_path / "said", chosen, {"candidates": MARKS, "expectations": expected}, read_cases([cases]))
    folder = measured(tmp_path / "selected", chosen, said, [cases])
    given = files(test=folder, predictions=said, cases=cases)
    drawn, _ = handed(monkeypatch, expectations, "draw_expectations", chosen, given)
    assert drawn.titles[-1] == "Excess"
    assert drawn.rows[0].caption == "a: excess 0.9, found"
    case = next(case for case in read_cases([cases]) if case.case_id == "a")
    target = np.asarray(case.image()[1][10], np.float32)  # type: ignore[union-attr]
    np.testing.assert_allclose(drawn.rows[0].z, (target - 0.25) / 1.25, atol=1e-5)


def polyps() -> Study:
    return study(
        without("parameters", "search", "patches", "channels"),
        method="unet",
        channels={name: {"modality": "endoscopy"} for name in ("red", "green", "blue")},
        patches={"size_voxel": 16},
        evaluation={"bootstrap": 100, "strata": []},
    )


def test_segmentations_show_cases_from_the_worst_to_the_best(tmp_path: Path, monkeypatch: Any) -> None:
    shape, found = (2, 6, 8), {}
    truth = np.zeros(shape, bool)
    truth[1, 2:4, 2:6] = True
    large = {"worst": np.roll(truth, 3, axis=2), "best": truth, "none": truth & False}
    for name, mask in large.items():
        labels = np.zeros(shape, np.int16) if name == "none" else truth.astype(np.int16)
        lesions = [Lesion(1, 0, 0, 0, 5, 65)] if labels.any() else []
        image = np.random.default_rng(0).random((3, *shape))
        save_case(
            tmp_path / "cases", name, image, geometry=Geometry(shape), channels=("red", "green", "blue"),
            labels=labels, lesions=lesions,
        )  # fmt: skip
        found[name] = {"5 levels": mask, "3 levels": mask & False}
    chosen, places = polyps(), [tmp_path / "cases"]
    said = predicted(tmp_path / "said", chosen, {"masks": found}, read_cases(places))
    folder = measured(tmp_path / "selected", chosen, said, places)
    drawn, drawing = handed(
        monkeypatch, segmentations, "draw_segmentations", chosen, files(test=folder, predictions=said, cases=places)
    )
    # A mask of eight voxels that is moved by three shares two of them: 2 * 2 / 16.
    assert [outline.caption for outline in drawn.cases] == [
        "worst  Dice 0.25 (0.00)",
        "best  Dice 1.00 (0.00)",
        "none  no lesion, none found",
    ]
    assert drawn.names == ("found, 5 levels", "found, 3 levels")
    assert drawn.reading == "3 of 3 test cases, at even steps of the rank by Dice at 5 levels, worst first."
    assert np.array_equal(drawn.cases[1].truth, truth[1]), "the slice that holds most"
    assert drawn.cases[0].picture.shape == (6, 8, 3)
    assert drawing.table.rows[:2] == (("worst", "5 levels", 0.25), ("worst", "3 levels", 0.0))
    assert drawing.words == "3 of 3 test cases"


def registered(folder: Path, count: int) -> Path:
    """Pictures and records of so many registrations."""
    folder.mkdir()
    picture = np.tile(np.arange(240, dtype=np.uint8)[:, None], (36, 1, 3))
    for number in range(count):
        sitk.WriteImage(sitk.GetImageFromArray(picture, isVector=True), str(folder / f"c{number}.B.png"))
        said = {"metric_before": -0.2, "metric_after": -0.5 - number, "seconds": 1.0}
        (folder / f"c{number}.json").write_text(
            json.dumps({"case_id": f"c{number}", "reference": "A", "channels": {"B": said}})
        )
    return folder


def test_registrations_are_spread_over_the_cohort_and_the_table_holds_them_all(
    tmp_path: Path, monkeypatch: Any
) -> None:
    given = files(registered=registered(tmp_path / "registered", 6))
    drawn, drawing = handed(monkeypatch, registration, "draw_registration", study(), given)
    assert [(pair.case_id, pair.channel) for pair in drawn.pairs] == [(f"c{n}", "B") for n in (0, 2, 3, 5)]
    assert drawing.table.rows[3] == ("c3", "B", -0.2, -3.5, 1.0)
    assert len(drawing.table.rows) == 6
    assert drawing.words == "4 of 6 registrations, rigid"
    assert (drawn.reference, drawn.metric) == ("A", "mutual information")


def test_a_study_of_one_channel_has_a_figure_that_says_so(tmp_path: Path, monkeypatch: Any) -> None:
    given = files(registered=registered(tmp_path / "registered", 0))
    drawn, drawing = handed(monkeypatch, registration, "draw_registration", study(), given)
    assert (drawn.pairs, drawn.reading) == ((), "A is the only channel: nothing to register.")
    assert drawing.table.rows == ()


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = registered(tmp_path / "registered", 1)
    (folder / "c0.B.png").write_text("no picture")
    with pytest.raises(HakkenError) as caught:
        registration.draw(study(), files(registered=folder))
    assert str(caught.value) == f"{folder}/c0.B.png: no readable picture; delete its folder and register again"


def test_what_pictures_share() -> None:
    picture, mask = np.arange(1000.0).reshape(10, 10, 10), np.ones((10, 10, 10))
    assert window_of(picture, mask) == pytest.approx(tuple(np.percentile(np.arange(1000), (1, 99.5))))
    assert window_of(picture, mask * 0) == (0.0, 1.0)
    assert window_of(np.ones((2, 2, 2)), np.ones((2, 2, 2))) == (1, 2)
    grey = blacked(np.array([[-2.0, 0.0], [1.0, 0.0]]), np.array([[1, 0], [1, 1]]), (-1.5, 2.0))
    assert grey.tolist() == [[-2.0, -1.5], [1.0, 0.0]], "0 is the mean grey, and outside of the mask it is black"
    assert voxel_at(GRID, GRID.to_world(np.array([[3, 4, 5]]))[0]) == (3, 4, 5)
    assert voxel_at(GRID, GRID.to_world(np.array([[-3, 4, 500]]))[0]) == (0, 4, 35)


@pytest.mark.parametrize(
    ("point", "expected"),
    [(None, None), ({"threshold": None}, None), ({"threshold": 0.5}, 0.5)],
)
def test_the_threshold_of_a_measurement(point: Any, expected: float | None) -> None:
    assert thresholds_of(Measured(None, (), point=point), ["a"]) == expected


def test_the_thresholds_of_a_measurement_of_folds() -> None:
    point = {"threshold": None, "thresholds": {"a": 0.5, "b": 0.25}}
    found = thresholds_of(Measured(None, (), point=point), ["b", "a"])
    assert np.asarray(found).tolist() == [0.25, 0.5]
