"""Pairs of masks as a user has them: read, checked, measured, written, drawn."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.cli import main
from hakken.commands.overlap import differences
from hakken.core.volume import Geometry, Volume
from hakken.evaluation.bootstrap import draw
from hakken.imaging.files import write_picture, write_volume

SPACING = (1.0, 1.0, 3.0)
HEADING = "case_id,truth,prediction"


def pixels(*boxes: tuple[slice, slice, slice], value: int = 1) -> Any:
    array = np.zeros((8, 12, 12), np.uint8)
    for box in boxes:
        array[box] = value
    return array


CUBE = (slice(1, 3), slice(3, 5), slice(3, 5))
MOVED = (slice(2, 4), slice(3, 5), slice(3, 5))
MISSED, MADE_UP = (slice(6, 7), slice(10, 11), slice(10, 11)), (slice(0, 1), slice(0, 1), slice(11, 12))


@pytest.fixture
def pairs(tmp_path: Path) -> Callable[..., Path]:
    """Write masks by name and a table of the given rows; return the table's path."""
    arrays = {
        "t": pixels(CUBE, MISSED),
        "p": pixels(MOVED, MADE_UP),
        "none": pixels(),
        "two": pixels(CUBE) + pixels(MISSED, value=2),
    }
    (tmp_path / "masks").mkdir()
    for name, array in arrays.items():
        write_volume(tmp_path / "masks" / f"{name}.nii.gz", Volume(array, SPACING))

    def write(*rows: str, heading: str = HEADING) -> Path:
        lines = [",".join(f"masks/{c}.nii.gz" if c in arrays else c for c in row.split(",")) for row in rows]
        path = tmp_path / "pairs.csv"
        path.write_text("\n".join([heading, *lines]) + "\n")
        return path

    return write


def failed(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["overlap", "--pairs", str(path), *options]) == 2
    return capsys.readouterr().err.splitlines()[-1].replace(str(path.parent), "here")


def test_cases_are_measured_written_and_summed_up(
    pairs: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = pairs("a,t,p,x", "b,t,t,x", "c,none,none,y", "d,t,none,z", heading=f"{HEADING},patient")
    output, table = tmp_path / "new" / "out.json", tmp_path / "rows.csv"
    assert main(["overlap", "--pairs", str(path), "--output", str(output), "--table", str(table)]) == 0
    shown = capsys.readouterr()
    result = json.loads(output.read_text())
    dice = [case["dice"] for case in result["cases"]]
    assert dice == [pytest.approx(4 / 9), 1, None, 0]
    assert result["cases"][0]["hd95_mm"] == pytest.approx(np.sqrt(153))  # worked in docs/reference/overlap.md
    assert result["cases"][2]["reasons"]["dice"] == "both masks are empty"
    found = result["structures"]["any"]
    assert (found["cases"], found["both_empty"]) == (4, 1)
    summary = found["summary"]["dice"]
    assert (summary["cases"], summary["nulls"]) == (3, 1)
    assert (summary["mean"]["value"], summary["median"]["value"]) == (pytest.approx(13 / 27), pytest.approx(4 / 9))
    assert summary["sd"] == pytest.approx(np.std([4 / 9, 1, 0], ddof=1))
    assert summary["mean"]["low"] == 0 and summary["mean"]["high"] == pytest.approx(13 / 18)
    assert summary["skipped"] == (draw(3, 1000, 0)[:, [0, 2]].sum(axis=1) == 0).sum() > 0  # patient y alone
    pooled = found["pooled_over_lesions"]
    assert (pooled["lesion_sensitivity"]["count"], pooled["lesion_sensitivity"]["total"]) == (3, 6)
    assert (pooled["lesion_precision"]["count"], pooled["lesion_precision"]["total"]) == (3, 4)
    # Volumes: predicted less true 0, 0, 0, -27 mm3.
    assert found["volume_agreement_ml"]["mean"]["value"] == pytest.approx(-0.027 / 4)
    assert result["bootstrap"] == {"unit": "patient", "patients": 3, "resamples": 1000, "seed": 0}
    rule = "lesions are 26-connected pieces and match with one voxel in common"
    assert result["lesions"] == {"connectivity": 26, "minimum_iou": None, "rule": rule}
    assert result["warnings"][2:] == [
        "label any: dice, jaccard null in 1 of 4 cases: both masks are empty in 1",
        "label any: relative_volume_error, lesion_sensitivity null in 1 of 4 cases: the truth is empty in 1",
        "label any: hd95_mm, mean_surface_distance_mm null in 2 of 4 cases: both masks are empty in 1, "
        "the prediction is empty in 1",
        "label any: lesion_precision null in 2 of 4 cases: the prediction is empty in 2",
        "label any: hd95_mm (median), mean_surface_distance_mm (mean), mean_surface_distance_mm (median), "
        "lesion_precision (mean) and lesion_precision (median): the interval has no width, which does not mean that "
        "the value is certain",
        f"label any: {summary['skipped']} resamples held no case with a Dice and were skipped for it",
        "row 3: truth and prediction are the same file, which agrees with itself whatever it holds",
        "row 4: truth and prediction are the same file, which agrees with itself whatever it holds",
        "row 5: the prediction is the same file as in row 4",
    ]
    rows = list(csv.DictReader(table.open()))
    assert [row["case_id"] for row in rows] == ["a", "b", "c", "d"]
    assert [row["dice"] for row in rows] == ["0.4444444444444444", "1.0", "", "0.0"]
    assert [row["patient"] for row in rows] == ["x", "x", "y", "z"]
    assert rows[3]["why"] == "the prediction is empty"
    assert shown.out.splitlines()[0] == f"{path}: every value above 0, cases 4, patients 3; {rule}"
    assert "Dice                            3     1   0.481 [0.000, 0.722]          0.444    0.501" in shown.out
    assert "[overlap] case 1/4 a: Dice 0.444" in shown.err
    assert "[overlap] case 3/4 c: Dice null" in shown.err


def test_the_same_seed_gives_the_same_file_and_another_seed_another_interval(
    pairs: Callable[..., Path], tmp_path: Path
) -> None:
    path = pairs(*(f"c{number},t,{'p' if number % 3 else 't'}" for number in range(12)))
    files = [tmp_path / f"{number}.json" for number in range(3)]
    for file, seed in zip(files, ("4", "4", "5"), strict=True):
        options = ["--seed", seed, "--bootstrap", "50", "--output", str(file)]
        assert main(["overlap", "--pairs", str(path), *options]) == 0
    one, same, other = (file.read_text() for file in files)
    assert one == same
    assert one.replace('"seed": 4', '"seed": 5') != other


def test_structures_are_measured_by_their_labels(pairs: Callable[..., Path], tmp_path: Path) -> None:
    path = pairs("a,two,t")
    output = tmp_path / "out.json"
    assert main(["overlap", "--pairs", str(path), "--labels", "1, 2", "--output", str(output)]) == 0
    cases = json.loads(output.read_text())["cases"]
    # Label 1: 8 voxels of truth, 9 of prediction, 8 in common. Label 2: one voxel of truth, none of prediction.
    assert [(case["label"], case["dice"]) for case in cases] == [("1", pytest.approx(16 / 17)), ("2", 0)]
    assert main(["overlap", "--pairs", str(path), "--label", "2", "--output", str(output)]) == 0
    assert [case["dice"] for case in json.loads(output.read_text())["cases"]] == [0]
    assert main(["overlap", "--pairs", str(path), "--output", str(output)]) == 0
    assert [case["dice"] for case in json.loads(output.read_text())["cases"]] == [1]


def test_the_rule_for_lesions_is_chosen_and_said(pairs: Callable[..., Path], tmp_path: Path) -> None:
    output = tmp_path / "out.json"
    options = ["--overlap", "0.5", "--connectivity", "6", "--output", str(output)]
    assert main(["overlap", "--pairs", str(pairs("a,t,p")), *options]) == 0
    result = json.loads(output.read_text())
    assert result["lesions"]["rule"] == "lesions are 6-connected pieces and match with IoU of at least 0.5"
    assert result["cases"][0]["found_lesions"] == 0  # the cubes share 4 of 12 voxels


def test_pictures_are_one_slice(tmp_path: Path) -> None:
    for name, columns in (("t", 4), ("p", 6)):
        picture = np.zeros((9, 9, 3), np.uint8)
        picture[2:5, 2 : 2 + columns] = 255
        write_picture(tmp_path / f"{name}.png", picture)
    (tmp_path / "pairs.csv").write_text(f"{HEADING}\na,t.png,p.png\n")
    output = tmp_path / "out.json"
    assert main(["overlap", "--pairs", str(tmp_path / "pairs.csv"), "--output", str(output)]) == 0
    [case] = json.loads(output.read_text())["cases"]
    assert case["dice"] == pytest.approx(2 * 12 / 30)
    assert case["hd95_mm"] == 2  # the last column of 3 pixels is 2 pixels away, 3 of 12 on the surface


@pytest.mark.parametrize("kind", ["pdf", "svg", "png"])
def test_a_figure_is_drawn(kind: str, pairs: Callable[..., Path], tmp_path: Path) -> None:
    figure = tmp_path / f"f.{kind}"
    path = pairs("a,two,two", "b,two,t", "c,none,none", "d,two,none")
    assert main(["overlap", "--pairs", str(path), "--labels", "1,2", "--figure", str(figure)]) == 0
    start = {"pdf": b"%PDF", "svg": b"<?xml", "png": b"\x89PNG"}[kind]
    assert figure.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ((), (), "here/pairs.csv: the table has a heading but no case; add a row for each case"),
        (
            ("a,t,p", "b,t,p", "a,t,t"),
            (),
            "here/pairs.csv, row 4, column case_id: case `a` stands already in row 2; keep one",
        ),
        (("a,t,",), (), "here/pairs.csv, row 2, column prediction: is empty"),
        (
            ("a,t,p", "b,t,q.nii.gz"),
            (),
            "here/pairs.csv, row 3, column prediction: here/q.nii.gz: no such file; correct the path in the table",
        ),
        (("a,t,p",), ("--label", "7"), "here/pairs.csv: label 7 occurs in no mask; the masks hold 1"),
        (("a,none,none",), ("--label", "7"), "here/pairs.csv: label 7 occurs in no mask; all masks are empty"),
        (("a,t,p",), ("--labels", "1,x"), "labels `1,x`: give different whole numbers above 0, as 1 or 1,2,3"),
        (("a,t,p",), ("--labels", "1,1"), "labels `1,1`: give different whole numbers above 0, as 1 or 1,2,3"),
        (("a,t,p",), ("--label", "0"), "labels `0`: give different whole numbers above 0, as 1 or 1,2,3"),
        (("a,t,p",), ("--overlap", "1.5"), "overlap 1.5: use an intersection over union above 0 and up to 1"),
        (("a,t,p",), ("--figure", "f.eps"), "f.eps: figures are written as pdf, svg, png, not as `eps`"),
    ],
)
def test_what_cannot_be_measured_is_named(
    rows: tuple[str, ...],
    options: tuple[str, ...],
    message: str,
    pairs: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert failed(pairs(*rows), capsys, *options) == f"hakken overlap: {message}"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0.25, 0.5), "0.25, 0.5"),
        ((-1.0,), "-1"),
        ((np.nan, 1.0), "nan"),
        ((0.1, 0.2, 0.3, 0.4, 0.5, 0.6), "0.1, 0.2, 0.3, 0.4, 0.5, …"),
    ],
)
def test_a_map_of_probabilities_is_no_mask(
    values: tuple[float, ...],
    shown: str,
    pairs: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    array = np.zeros((8, 12, 12), np.float32)
    array[0, 0, : len(values)] = values
    write_volume(tmp_path / "map.mha", Volume(array, SPACING))
    assert failed(pairs("a,t,map.mha"), capsys) == (
        f"hakken overlap: here/pairs.csv, row 2, column prediction: here/map.mha holds {shown}; "
        "a mask holds whole numbers from 0, so choose a threshold and write labels"
    )


@pytest.mark.parametrize(
    ("volume", "differing"),
    [
        (Volume(pixels()[:7], SPACING), "shape"),
        (Volume(pixels(), (1.0, 1.0, 3.5)), "spacing"),
        (Volume(pixels(), SPACING, (0.0, 0.5, 0.0)), "origin"),
        (Volume(pixels(), SPACING, direction=(-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0)), "direction"),
        (Volume(pixels(), (1.0, 2.0, 3.0), (0.0, 9.0, 0.0)), "spacing, origin"),
    ],
)
def test_another_grid_is_named_with_its_row(
    volume: Volume,
    differing: str,
    pairs: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_volume(tmp_path / "other.mha", volume)
    said = failed(pairs("a,t,t", "b,t,other.mha"), capsys)
    assert said == (
        "hakken overlap: here/pairs.csv, row 3, column prediction: another grid than the truth's "
        f"({differing}): {volume.geometry}; truth: {Volume(pixels(), SPACING).geometry}; "
        "resample it onto the truth's grid by nearest neighbour"
    )


@pytest.mark.parametrize(
    ("shape", "turned"),
    [
        ((1, 4, 4), (1.0, 0, 0, 0, 1.0, 0, 0, 0, -1.0)),  # the slice axis of a 2-D image, which moves no voxel
        ((4, 4, 2000), (np.cos(5e-4), -np.sin(5e-4), 0, np.sin(5e-4), np.cos(5e-4), 0, 0, 0, 1)),  # 1 mm at the far end
    ],
)
def test_a_turned_grid_is_another(shape: tuple[int, int, int], turned: tuple[float, ...]) -> None:
    assert differences(Geometry(shape), Geometry(shape, direction=turned), 0.01) == ["direction"]
    assert differences(Geometry(shape), Geometry(shape), 0.01) == []


def test_without_resamples_there_are_no_intervals(pairs: Callable[..., Path], tmp_path: Path) -> None:
    output = tmp_path / "out.json"
    options = ["--bootstrap", "0", "--output", str(output)]
    assert main(["overlap", "--pairs", str(pairs("a,t,p", "b,t,t")), *options]) == 0
    result = json.loads(output.read_text())
    entry = result["structures"]["any"]["summary"]["dice"]
    assert entry["mean"] == {"value": pytest.approx(13 / 18), "low": None, "high": None}
    assert (result["command"], result["inputs"]["pairs"]["path"]) == ("overlap", str(tmp_path / "pairs.csv"))


def test_a_grid_within_the_tolerance_of_the_house_is_the_same(pairs: Callable[..., Path], tmp_path: Path) -> None:
    write_volume(tmp_path / "near.mha", Volume(pixels(CUBE), (1.0, 1.0, 3.0001), (0.005, 0.0, 0.0)))
    assert main(["overlap", "--pairs", str(pairs("a,t,near.mha"))]) == 0


def test_flat_masks_say_what_their_volumes_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    for name, width in (("truth", 10), ("prediction", 12)):
        mask = np.zeros((20, 30), np.uint8)
        mask[4:8, 4 : 4 + width] = 255
        Image.fromarray(mask).save(tmp_path / f"{name}.png")
    (tmp_path / "pairs.csv").write_text("case_id,truth,prediction\na,truth.png,prediction.png\n")
    assert main(["overlap", "--pairs", str(tmp_path / "pairs.csv"), "--output", str(tmp_path / "o.json")]) == 0
    found = json.loads((tmp_path / "o.json").read_text())
    assert found["cases"][0]["truth_ml"] == pytest.approx(0.04)
    assert "flat masks: a volume in ml is an area in px² times 1 px of thickness, by 1000" in found["warnings"]
    assert "pictures have no size in mm: lengths that are called mm are in pixels (px)" in found["warnings"]
    capsys.readouterr()


def test_values_near_whole_numbers_are_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mask = np.zeros((4, 5, 6), np.float32)
    mask[1, 1:3, 1:4] = 0.9999999
    write_volume(tmp_path / "a.nii.gz", Volume(mask))
    write_volume(tmp_path / "b.nii.gz", Volume(np.rint(mask).astype(np.uint8)))
    (tmp_path / "pairs.csv").write_text("case_id,truth,prediction\na,a.nii.gz,b.nii.gz\n")
    assert (
        main(["overlap", "--pairs", str(tmp_path / "pairs.csv"), "--label", "1", "--output", str(tmp_path / "o")]) == 0
    )
    assert json.loads((tmp_path / "o").read_text())["cases"][0]["dice"] == 1.0
    capsys.readouterr()


def test_files_that_may_be_mistakes_are_named(pairs: Callable[..., Path], tmp_path: Path) -> None:
    """A file that is compared with itself agrees whatever it holds; patients may be one in two spellings."""
    (tmp_path / "link.nii.gz").symlink_to("masks/t.nii.gz")
    path = pairs("a,t,link.nii.gz,P-007", "b,t,p,p7", "c,two,p,q", heading=f"{HEADING},patient")
    output = tmp_path / "out.json"
    assert main(["overlap", "--pairs", str(path), "--output", str(output)]) == 0
    warnings = json.loads(output.read_text())["warnings"]
    assert warnings[-3:] == [
        "row 2: truth and prediction are the same file, which agrees with itself whatever it holds",
        "row 4: the prediction is the same file as in row 3",
        "patients `P-007` and `p7` differ in spelling alone; they count as different ones",
    ]
