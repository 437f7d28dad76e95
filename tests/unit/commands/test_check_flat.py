"""`hakken check` on cohorts of pictures, as people bring them: exact words for what is wrong or odd."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image

from hakken.cli import main

ROWS, COLUMNS = 96, 128
IN_PIXELS = "lengths are in pixels (px): a picture has no size in mm unless the study says so (`cohort.pixel_mm`)"
Mask = NDArray[np.uint8]


def disc(y: float, x: float, diameter: float, white: int = 255) -> Mask:
    rows, columns = np.indices((ROWS, COLUMNS))
    return (white * (np.hypot(rows - y, columns - x) <= diameter / 2)).astype(np.uint8)


@pytest.fixture
def cohort(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes three pictures with these truths and their case table."""

    def write(*truths: Mask | str, column: str = "lesion_mask", ending: str = "png") -> Path:
        random = np.random.default_rng(0)
        lines = [f"case_id,patient,split,X,{column}"]
        for number, (truth, part) in enumerate(zip(truths, ("train", "validation", "test"), strict=True)):
            pixels = random.integers(20, 230, (ROWS, COLUMNS)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"c{number}.png", dpi=(300, 300))
            cell = truth if column == "label" else f"t{number}.{'csv' if isinstance(truth, str) else ending}"
            if isinstance(truth, str) and column != "label":
                (tmp_path / str(cell)).write_text(truth)
            elif not isinstance(truth, str):
                Image.fromarray(truth).save(tmp_path / str(cell))
            lines.append(f"c{number},p{number},{part},c{number}.png,{cell}")
        path = tmp_path / "cases.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def study_file(project: Path, **changes: object) -> None:
    content: dict[str, object] = {
        "name": "mine",
        "seed": 1,
        "method": "patch_classifier",
        "cohort": {"table": "cases.csv"},
        "channels": {"X": {"modality": "xray"}},
        "registration": {"method": "none"},
        "preparation": {"mask": "none"},
        "patches": {"axes": 2},
    }
    (project / "config" / "studies" / "mine.yaml").write_text(yaml.safe_dump(content | changes))


def problems(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    assert main(["check", str(path), *options]) == 2
    lines = capsys.readouterr().err.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("hakken check: "))
    return [line.strip() for line in lines[start + 1 :]]


def test_pictures_without_a_size_are_measured_in_pixels(
    cohort: Callable[..., Path], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = cohort(disc(40, 60, 30), disc(40, 60, 31), disc(40, 60, 32))
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{path}: 3 cases (1 train, 1 validation, 1 test), channels X: no problem found",
        IN_PIXELS,
    ]
    study_file(project, cohort={"table": "cases.csv", "pixel_mm": 0.14})
    assert main(["check", str(path), "--study", "mine"]) == 0
    assert IN_PIXELS not in capsys.readouterr().out


def test_a_least_size_is_an_area(
    cohort: Callable[..., Path], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = cohort(disc(40, 60, 30), disc(40, 60, 31), disc(40, 60, 32))
    study_file(project, cohort={"table": "cases.csv", "minimum_lesion_mm3": 4})
    assert problems(path, capsys, "--study", "mine")[0] == (
        "row 2, column lesion_mask: cohort.minimum_lesion_mm3: these are flat images whose sizes are in px²; use "
        "`minimum_lesion_px2`"
    )
    study_file(project, cohort={"table": "cases.csv", "minimum_lesion_mm3": 4, "minimum_lesion_px2": 4})
    assert main(["check", str(path), "--study", "mine"]) == 2
    assert "give one of minimum_lesion_mm3 and minimum_lesion_px2: the cases are volumes or flat" in (
        capsys.readouterr().err
    )
    study_file(project, cohort={"table": "cases.csv", "minimum_lesion_px2": 4})
    assert main(["check", str(path), "--study", "mine"]) == 0


def test_masks_with_grey_rims(cohort: Callable[..., Path], project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, columns = np.indices((ROWS, COLUMNS))
    grey = np.clip(255 * (16 - np.hypot(rows - 40, columns - 60)) / 4, 0, 255).astype(np.uint8)
    path = cohort(grey, disc(40, 60, 31), disc(40, 60, 32))
    (line,) = problems(path, capsys)
    assert line.startswith("row 2, column lesion_mask: ")
    assert "that mostly touch one another, as the grey levels of a smoothed edge do; write 0 and n" in line
    assert line.endswith(
        "or give the study `cohort: {labels: binary, mask_threshold: 128}`, or accept it: `cohort.accept: [grey_rims]`"
    )
    study_file(project, cohort={"table": "cases.csv", "labels": "binary"})
    (line,) = problems(path, capsys, "--study", "mine")
    assert ": levels of grey, as smoothing and lossy pictures leave them at an edge; write 0 and 1 (or 0 and n" in line
    study_file(project, cohort={"table": "cases.csv", "labels": "binary", "mask_threshold": 128})
    assert main(["check", str(path), "--study", "mine"]) == 0
    said = "lesion masks: values from 128 on are lesion (`cohort.mask_threshold`)"
    assert said in capsys.readouterr().out.splitlines()


def test_masks_kept_as_jpeg(cohort: Callable[..., Path], project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = cohort(*(disc(40, 60, width) for width in (30, 31, 32)), ending="jpg")
    assert all("levels of grey" in line or "mostly touch" in line for line in problems(path, capsys))
    study_file(project, cohort={"table": "cases.csv", "labels": "binary", "mask_threshold": 128})
    assert main(["check", str(path), "--study", "mine"]) == 0


def test_a_threshold_is_for_binary_masks(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study_file(project, cohort={"table": "cases.csv", "mask_threshold": 128})
    assert main(["check", "cases.csv", "--study", "mine"]) == 2
    assert (
        "cohort.mask_threshold: has an effect only where `labels` is `binary`; it is `instances`"
        in capsys.readouterr().err
    )


def test_questions_are_printed_and_stop_nothing(
    cohort: Callable[..., Path], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    specks = disc(40, 60, 30)
    specks[5, 5] = specks[5, 60] = specks[90, 100] = 255
    path = cohort(specks, disc(40, 60, 31), disc(48, 64, 90))
    cohort_of = {"table": "cases.csv", "labels": "binary"}
    study_file(project, cohort=cohort_of)
    assert main(["check", str(path), "--study", "mine"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{path}: 2 questions",
        "  row 2, column lesion_mask: 3 of 4 lesions are single pixels; remove them, or leave them out by a least size "
        "(`cohort.minimum_lesion_px2`), or accept it: `cohort.accept: [specks]`",
        "  row 4, column lesion_mask: lesion 1 fills 52% of the image (89.99 px across); look whether the mask is that "
        "of the lesions, or accept it: `cohort.accept: [large_lesions]`",
        f"{path}: 3 cases (1 train, 1 validation, 1 test), channels X: no problem found",
        IN_PIXELS,
    ]
    study_file(project, cohort=cohort_of | {"accept": ["specks", "large_lesions"]})
    assert main(["check", str(path), "--study", "mine"]) == 0
    assert " question" not in capsys.readouterr().out
    study_file(project, cohort=cohort_of | {"minimum_lesion_px2": 2, "accept": ["large_lesions"]})
    assert main(["check", str(path), "--study", "mine"]) == 0
    assert " question" not in capsys.readouterr().out
    study_file(project, cohort=cohort_of | {"accept": ["spekcs"]})
    assert main(["check", str(path), "--study", "mine"]) == 2
    assert "cohort.accept.0: input should be 'burnt_in', " in capsys.readouterr().err


def test_inverted_masks_stop(cohort: Callable[..., Path], project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = cohort(*(255 - disc(40, 60, width) for width in (30, 31, 32)))
    assert problems(path, capsys)[0] == (
        "row 2, column lesion_mask: 94% of the image is lesion, its corners too: black and white may have changed "
        "places; write 0 for background and 1 for lesion, or accept it: `cohort.accept: [inverted]`"
    )


def test_circles_and_boxes(cohort: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    boxes = "x1,y1,x2,y2\n10,10,30,40\n"
    path = cohort("x,y,diameter_px\n60,40,30\n", boxes, "x,y,width,height\n10,10,20,30\n", column="lesion_table")
    assert main(["check", str(path)]) == 0
    path = cohort("x,y,diameter_px\n60,140,30\n", boxes, "x,y,z,diameter_mm\n1,2,3,4\n", column="lesion_table")
    folder = path.parent
    assert problems(path, capsys) == [
        f"row 2, column lesion_table: {folder}/t0.csv: lesion 1 lies outside the image, at 60, 140, 0 px; give x, y in "
        "pixels from 0",
        f"row 4, column lesion_table: {folder}/t2.csv: column diameter_mm: how large a pixel of this picture is in mm "
        "is not known; give the study `cohort.pixel_mm`, or x, y, diameter_px",
    ]


def test_labels_alone(cohort: Callable[..., Path], project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = cohort("none", "pneumonia", "none", column="label")
    assert main(["check", str(path)]) == 0
    study_file(
        project,
        method="imagenet_classifier",
        cohort={"table": "cases.csv", "truth": "label", "classes": ["none", "effusion"]},
        channels={name: {"modality": "xray", "colour": name} for name in ("red", "green", "blue")},
        preparation={"mask": "none", "matrix": [64, 64]},
    )
    text = path.read_text().replace(",X,", ",red,green,blue,")
    for number in range(3):
        text = text.replace(f",c{number}.png,", f",c{number}.png,c{number}.png,c{number}.png,")
    path.write_text(text)
    assert (
        "row 3, column label: `pneumonia` is no class of the study; use one of none, effusion (`cohort.classes`)"
        in (problems(path, capsys, "--study", "mine"))
    )


def test_colours_by_their_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    for number in range(3):
        Image.fromarray(random.integers(0, 255, (32, 40, 3)).astype(np.uint8)).save(tmp_path / f"{number}.png")
    rows = [f"c{n},p{n},{part},{n}.png,{n}.png,{n}.png,none" for n, part in enumerate(("train", "validation", "test"))]
    path = tmp_path / "cases.csv"
    path.write_text("\n".join(["case_id,patient,split,red,green,blue,label", *rows]) + "\n")
    assert main(["check", str(path)]) == 0
    assert "channels red, green, blue: no problem found" in capsys.readouterr().out
