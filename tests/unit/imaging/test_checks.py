from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hakken.core.volume import Volume
from hakken.imaging.checks import check_case, examine_case, pixel_digest
from hakken.imaging.files import read_volume, write_volume
from hakken.imaging.fingerprint import content_digest
from hakken.study import Study


@dataclass(frozen=True)
class Row:
    channels: dict[str, Path]
    case_id: str = "P1"
    lesion_mask: Path | None = None
    lesion_table: Path | None = None
    label: str | None = None
    regions: Path | None = None
    row: int | None = 4
    columns: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def good(tmp_path: Path) -> Any:
    """A case of two channels and a mask, each on its own small grid."""
    array = np.random.default_rng(0).normal(size=(6, 7, 8)).astype(np.float32)
    write_volume(tmp_path / "a.nii.gz", Volume(array, (1.0, 1.0, 2.0)))
    write_volume(tmp_path / "b.nii.gz", Volume(array[:4], (1.5, 1.0, 2.0), (1.0, 0.0, 0.0)))
    write_volume(tmp_path / "m.nii.gz", Volume((array > 1).astype(np.uint8), (1.0, 1.0, 2.0)))
    return Row({"A": tmp_path / "a.nii.gz", "B": tmp_path / "b.nii.gz"}, lesion_mask=tmp_path / "m.nii.gz")


def only(problems: Any) -> Any:
    assert len(problems) == 1, problems
    return str(problems[0])


def test_a_good_case_has_no_problems_and_a_digest(good: Any, make_study: Callable[..., Study]) -> None:
    found = examine_case(good, make_study())
    assert found.problems == ()
    assert found.images == {name: content_digest(read_volume(path)) for name, path in good.channels.items()}
    assert check_case(Row(good.channels), make_study()) == []


def test_missing_and_cut_off_files(good: Any, make_study: Callable[..., Study]) -> None:
    content = good.channels["B"].read_bytes()
    good.channels["B"].write_bytes(content[:-20])
    assert only(check_case(good, make_study())) == (
        f"row 4, column B: {good.channels['B']}: cut off or damaged while copying; copy the file anew from its source"
    )
    good.channels["A"].unlink()
    good.channels["B"].write_bytes(content)
    found = examine_case(good, make_study())
    assert found.images == {}
    assert only(found.problems) == (
        f"row 4, column A: {good.channels['A']}: no such file; correct the path in the case table"
    )
    assert only(check_case(Row({"B": good.channels["B"]}), make_study())) == (
        "row 4, column A: no image; fill in its path"
    )


def test_nan_and_infinite_pixels_are_counted(good: Any, make_study: Callable[..., Study]) -> None:
    array = read_volume(good.channels["B"]).array.copy()
    array[0, 0, 0], array[1, 1, 1] = np.nan, np.inf
    write_volume(good.channels["B"], Volume(array))
    assert only(check_case(good, make_study())) == (
        "row 4, column B: 2 of 224 pixels are NaN or infinite; replace them or export the image again"
    )


def test_flat_beside_deep_and_images_apart(good: Any, make_study: Callable[..., Study]) -> None:
    array = np.arange(4 * 7 * 8, dtype=np.float32).reshape(4, 7, 8)
    write_volume(good.channels["B"], Volume(array[:1]))
    assert "column B: is one slice, but the reference channel A is a volume; give images of one kind" in only(
        check_case(good, make_study())
    )
    write_volume(good.channels["B"], Volume(array, origin=(500.0, 0.0, 0.0)))
    assert only(check_case(good, make_study())) == (
        "row 4, column B: does not overlap the reference channel A: 8x7x4 voxels of 1 1 1 mm, origin 500 0 0, "
        "direction 1 0 0 0 1 0 0 0 1; A: 8x7x6 voxels of 1 1 2 mm, origin 0 0 0, direction 1 0 0 0 1 0 0 0 1; "
        "correct origin and direction in its header"
    )


def test_a_header_with_an_impossible_spacing(good: Any, make_study: Callable[..., Study]) -> None:
    (good.channels["B"].parent / "b.mhd").write_text(
        "ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\nElementSpacing = 0 1 1\nElementType = MET_UCHAR\n"
        "ElementDataFile = b.raw\n"
    )
    (good.channels["B"].parent / "b.raw").write_bytes(b"12345678")
    channels = good.channels | {"B": good.channels["B"].parent / "b.mhd"}
    assert "row 4, column B: " in only(check_case(Row(channels), make_study()))


def test_a_mask_on_another_grid_shows_both(good: Any, make_study: Callable[..., Study]) -> None:
    write_volume(good.lesion_mask, Volume(np.zeros((6, 7, 8), np.uint8), (1.0, 1.0, 2.0), (0.5, 0.0, 0.0)))
    message = only(check_case(good, make_study()))
    assert message.startswith(
        "row 4, column lesion_mask: lies on another grid than the reference channel A: mask 8x7x6"
    )
    assert "origin 0.5 0 0" in message
    assert "A 8x7x6 voxels of 1 1 2 mm, origin 0 0 0" in message
    assert message.endswith(
        "; it has as many voxels along each axis, so its header may have been lost: if it was drawn on this image, "
        "give it the image's header (origin, spacing, directions); else resample it by nearest neighbour"
    )
    write_volume(good.lesion_mask, Volume(np.zeros((8, 7, 6), np.uint8)))
    assert only(check_case(good, make_study())).endswith(
        "; its axes stand in another order or it was turned: save it as the image is stored"
    )
    write_volume(good.lesion_mask, Volume(np.zeros((3, 7, 8), np.uint8), (1.0, 1.0, 4.0)))
    assert only(check_case(good, make_study())).endswith(
        "; resample the mask onto the reference channel by nearest neighbour"
    )


@pytest.mark.parametrize(
    ("labels", "values", "message"),
    [
        ("binary", [0, 1, 2], "label values that the study does not know: 2 (`cohort.labels: binary` knows 0 and 1)"),
        ("instances", [0, -1, 1.5], "label values that the study does not know: -1, 1.5 (0 is background, n = 1, 2,"),
        ("instances", [0, 1, np.nan], "label values that the study does not know: NaN or infinity ("),
        ("binary", [0, 3, 4, 5, 6, 7, 8], "does not know: 3, 4, 5, 6, 7 ("),
    ],
)
def test_unknown_label_values_are_named(
    good: Any, make_study: Callable[..., Study], labels: Any, values: Any, message: str
) -> None:
    array = np.zeros((6, 7, 8), np.float32)
    array.flat[: len(values)] = values
    write_volume(good.lesion_mask, Volume(array, (1.0, 1.0, 2.0)))
    found = check_case(good, make_study(cohort={"table": "c.csv", "labels": labels}))
    assert message in only(found)


def test_lesion_tables_are_read_and_their_points_looked_up(
    good: Any, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    study = make_study(cohort={"table": "c.csv", "truth": "lesion_table"})
    table = tmp_path / "lesions.csv"
    case = Row(good.channels, lesion_table=table)
    table.write_text("lesion,x,y,z,diameter_mm\n1,1,2,3,4\n2,1,2,-90,4\n")
    assert only(check_case(case, study)) == (
        f"row 4, column lesion_table: {table}: lesion 2 lies outside the image, at 1, 2, -90 mm; "
        "give x, y, z in mm in the LPS convention"
    )
    table.write_text("lesion,x,y,z,diameter_mm\n1,1,2,x,4\n")
    assert "row 4, column lesion_table: " in only(check_case(case, study))
    assert check_case(Row(good.channels), study) == []


def test_every_problem_is_found_at_once(good: Any, make_study: Callable[..., Study]) -> None:
    for path in (good.channels["B"], good.lesion_mask):
        path.write_text("nothing")
    assert [one.column for one in check_case(good, make_study())] == ["B", "lesion_mask"]


def test_equal_pixels_have_one_digest_whatever_the_file(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 900, (3, 4, 5)).astype(np.int16)
    write_volume(tmp_path / "a.nii.gz", Volume(array))
    write_volume(tmp_path / "b.mha", Volume(array.astype(np.float64), (2.0, 2.0, 2.0)))
    first, second = (pixel_digest(read_volume(tmp_path / name)) for name in ("a.nii.gz", "b.mha"))
    assert first == second
    changed = array.copy()
    changed[0, 0, 0] += 1
    assert pixel_digest(Volume(changed)) != first
    assert pixel_digest(Volume(array.reshape(3, 5, 4))) != first


def test_labels_are_compared_with_the_classes_of_the_study(good: Any, make_study: Callable[..., Study]) -> None:
    study = make_study(cohort={"table": "c.csv", "truth": "label", "classes": ["none", "pneumonia"]})
    assert examine_case(Row(good.channels, label="pneumonia"), study).lesions == 1
    assert examine_case(Row(good.channels), study).lesions == 0
    odd = Row(good.channels, label="pneumonai")
    assert check_case(odd, study, truth=False) == []
    assert only(check_case(odd, study)) == (
        "row 4, column label: `pneumonai` is no class of the study; did you mean `pneumonia`?; use one of none, "
        "pneumonia (`cohort.classes`)"
    )
    assert check_case(Row(good.channels, label="x"), make_study(cohort={"table": "c.csv", "truth": "label"})) == []


def test_classes_of_lesions_are_compared_too(good: Any, make_study: Callable[..., Study], tmp_path: Path) -> None:
    study = make_study(
        method="mean_classifier",
        cohort={"table": "c.csv", "truth": "lesion_table", "classes": ["solid", "cystic"]},
        search={},
    )
    table = tmp_path / "lesions.csv"
    table.write_text("x,y,z,diameter_mm,class\n1,2,3.5,4,solid\n2,2,3,4,cystc\n3,2,3,4,\n")
    first, second = check_case(Row(good.channels, lesion_table=table), study)
    assert first.reason == f"{table}: lesion 2 is of class `cystc`, which is none of the study; did you mean `cystic`?"
    assert second.reason == f"{table}: lesion 3 has no class"


def test_truths_have_digests_of_what_they_say(good: Any, make_study: Callable[..., Study]) -> None:
    study = make_study(cohort={"table": "c.csv", "labels": "binary", "accept": ["specks"]})
    found = examine_case(good, study)
    mask = read_volume(good.lesion_mask)
    write_volume(good.lesion_mask, Volume.on(mask.geometry, mask.array.astype(np.float32) * 0.9999999))
    again = examine_case(good, study)
    assert found.truth_digest == again.truth_digest is not None
    assert found.lesions == again.lesions
    write_volume(good.lesion_mask, Volume.on(mask.geometry, mask.array[::-1].copy()))
    assert examine_case(good, study).truth_digest != found.truth_digest
    assert examine_case(Row(good.channels), study).truth_digest is None


@pytest.mark.parametrize(("voxels", "telling"), [(7, False), (8, True)])
def test_findings_of_few_voxels_tell_no_case_from_another(
    good: Any, make_study: Callable[..., Study], voxels: int, telling: bool
) -> None:
    study = make_study(cohort={"table": "c.csv", "labels": "instances", "accept": ["specks"]})
    mask = np.zeros((6, 7, 8), np.uint8)
    mask.reshape(-1)[:voxels] = 1
    write_volume(good.lesion_mask, Volume(mask, (1.0, 1.0, 2.0)))
    found = examine_case(good, study)
    write_volume(good.lesion_mask, Volume(mask[:, ::-1] * 3, (1.0, 1.0, 2.0)))
    flipped = examine_case(good, study)
    assert (found.findings is not None, flipped.findings) == (telling, found.findings)
    assert None is not found.truth_digest != flipped.truth_digest is not None  # the seal binds them all


@pytest.mark.parametrize(
    ("labels", "values", "wanted"),
    [
        ("instances", [0, 0.9999999, 2.00005], None),
        ("instances", [0, 0.99], "label values that the study does not know: 0.99 (0 is background"),
        ("binary", [0, 254.99999], None),
        ("binary", [0, 1, 254, 255], "4 values from 0 to 255 (1, 254): levels of grey, as smoothing and lossy"),
        ("binary", [0, 60, 127, 128, 200, 255], "6 values from 0 to 255 (60, 127, 128, 200): levels of grey"),
    ],
)
def test_values_near_whole_numbers_and_levels_of_grey(
    good: Any, make_study: Callable[..., Study], labels: Any, values: Any, wanted: str | None
) -> None:
    array = np.zeros((6, 7, 8), np.float32)
    array.flat[: len(values)] = values
    write_volume(good.lesion_mask, Volume(array, (1.0, 1.0, 2.0)))
    found = check_case(good, make_study(cohort={"table": "c.csv", "labels": labels}))
    assert wanted is None if not found else wanted in only(found)


def test_a_threshold_knows_all_values_and_must_be_reached(good: Any, make_study: Callable[..., Study]) -> None:
    array = np.zeros((6, 7, 8), np.float32)
    array[2, 3, 2:6] = [30, 140, 255, 129]
    write_volume(good.lesion_mask, Volume(array, (1.0, 1.0, 2.0)))
    study = make_study(cohort={"table": "c.csv", "labels": "binary", "mask_threshold": 128})
    found = examine_case(good, study)
    assert (found.problems, found.lesions) == ((), 1)
    write_volume(good.lesion_mask, Volume(array / 255, (1.0, 1.0, 2.0)))
    assert only(check_case(good, study)) == (
        "row 4, column lesion_mask: no voxel reaches `cohort.mask_threshold: 128`; the highest is 1; lower the "
        "threshold, or write masks of one kind"
    )
    write_volume(good.lesion_mask, Volume(array * 0, (1.0, 1.0, 2.0)))
    assert check_case(good, study) == []


def test_a_question_that_is_accepted_is_not_asked(good: Any, make_study: Callable[..., Study]) -> None:
    array = np.zeros((6, 7, 8), np.uint8)
    array[0, :2, :2] = array[5, 5:, 6:] = 1
    write_volume(good.lesion_mask, Volume(array, (1.0, 1.0, 2.0)))
    message = only(check_case(good, make_study()))
    assert message == (
        "row 4, column lesion_mask: label 1 has several pieces up to 11.9 mm apart, which count as one lesion whose "
        "centre lies between them; set `cohort.labels: binary` if each piece is a lesion (the mask holds one label "
        "alone), or accept it: `cohort.accept: [far_pieces]`"
    )
    assert check_case(good, make_study(cohort={"table": "c.csv", "accept": ["far_pieces"]})) == []


def test_a_minimum_of_another_dimension_is_told(good: Any, make_study: Callable[..., Study]) -> None:
    assert only(
        check_case(good, make_study(cohort={"table": "c.csv", "labels": "binary", "minimum_lesion_mm2": 3}))
    ) == (
        "row 4, column lesion_mask: cohort.minimum_lesion_mm2: these are volumes whose sizes are in mm³; use "
        "`minimum_lesion_mm3`"
    )


def test_pictures_of_two_sizes_do_not_lie_on_each_other(make_study: Callable[..., Study], tmp_path: Path) -> None:
    paths = {}
    for name, shape in (("A", (40, 60)), ("B", (20, 30))):
        paths[name] = tmp_path / f"{name}.png"
        Image.fromarray(np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)).save(paths[name])
    assert only(check_case(Row(paths), make_study())) == (
        "row 4, column B: has 30 x 20 pixels, the reference channel A 60 x 40, and no size in mm says how they lie; "
        "give pictures of as many pixels, or images that know the size of theirs"
    )
    write_volume(tmp_path / "B.nii.gz", Volume(np.arange(2400, dtype=np.float32).reshape(1, 40, 60), (0.2, 0.2, 1.0)))
    mixed = paths | {"B": tmp_path / "B.nii.gz"}
    assert "how large a pixel of A is in mm is not known, that of B is; give the study `cohort.pixel_mm`" in only(
        check_case(Row(mixed), make_study())
    )


def test_an_image_that_shows_nothing_stops_and_an_even_one_is_asked_about(
    good: Any, make_study: Callable[..., Study]
) -> None:
    array = read_volume(good.channels["B"]).array
    write_volume(good.channels["B"], Volume(np.zeros_like(array)))
    (problem,) = check_case(good, make_study())
    assert str(problem) == "row 4, column B: is 0 everywhere; export the image again, or remove the case"
    assert problem.stops
    write_volume(good.channels["B"], Volume(np.full_like(array, 7)))
    (problem,) = check_case(good, make_study())
    assert (str(problem).startswith("row 4, column B: is 7 everywhere; "), problem.stops) == (True, False)


def with_modality(make_study: Callable[..., Study], modality: str) -> Study:
    return make_study(channels={"A": {"modality": "mr"}, "B": {"modality": modality}})


@pytest.mark.parametrize(
    ("modality", "written", "said"),
    [
        ("ct", "MR", "is of modality MR by its DICOM header, the study says `ct`; correct the file, or `channels.B."),
        ("pet", "CT", "is of modality CT by its DICOM header, the study says `pet`"),
        ("ct", "CT", None),
        ("mr", "MR", None),
        ("xray", "DX", None),
    ],
)
def test_the_modality_of_a_series_is_compared(  # noqa: PLR0917
    good: Any,
    make_study: Callable[..., Study],
    write_dicom: Callable[..., Path],
    modality: str,
    written: str,
    said: Any,
) -> None:
    pixels = np.arange(-1000, -958, dtype=np.int16).reshape(6, 7)
    path = write_dicom(good.channels["B"].parent / "b.dcm", pixels, Modality=written)
    case = Row({"A": path, "B": path})
    found = [str(one) for one in check_case(case, with_modality(make_study, modality)) if one.column == "B"]
    assert len(found) == (said is not None)
    assert all(said in one for one in found)


@pytest.mark.parametrize(
    ("modality", "low", "high", "said"),
    [
        (
            "ct",
            0,
            4095,
            "has values from 0 to 4095, which do not look like Hounsfield units (air has -1000); look whether",
        ),
        ("ct", -1024, 3071, None),
        ("pet", 0, 25000, "has values up to 25000, which do not look like SUV; look whether an offset or a factor is"),
        ("pet", 0, 35, None),
        ("mr", 0, 25000, None),
    ],
)
def test_numbers_that_do_not_look_like_their_units_are_asked_about(  # noqa: PLR0917
    good: Any, make_study: Callable[..., Study], modality: str, low: float, high: float, said: Any
) -> None:
    array = np.linspace(low, high, 4 * 7 * 8, dtype=np.float32).reshape(4, 7, 8)
    write_volume(good.channels["B"], Volume(array, (1.5, 1.0, 2.0), (1.0, 0.0, 0.0)))
    found = check_case(good, with_modality(make_study, modality))
    assert [one.stops for one in found] == ([] if said is None else [False])
    assert all(said in str(one) for one in found)


def test_a_table_of_lesions_needs_an_image_with_a_place(
    good: Any, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    import nibabel as nib

    image = nib.Nifti1Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4))
    image.to_filename(tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[252:256] = bytes(4)  # the codes of qform and sform
    (tmp_path / "a.nii").write_bytes(content)
    (tmp_path / "l.csv").write_text("lesion,x,y,z,diameter_mm\n1,1,2,3,4\n")
    case = Row({"A": tmp_path / "a.nii", "B": tmp_path / "a.nii"}, lesion_table=tmp_path / "l.csv")
    found = check_case(case, make_study(cohort={"table": "c.csv", "truth": "lesion_table"}))
    assert [str(one) for one in found if one.stops] == [
        "row 4, column A: does not say where its voxels lie, so a table of lesions in mm (LPS) has no place in it; "
        "export the image with its position, or give the lesions as a mask"
    ]
    masked = check_case(Row(case.channels), make_study())
    assert [one.stops for one in masked] == [False, False]
    assert "its header does not say where its voxels lie (qform and sform codes 0)" in str(masked[0])


@pytest.mark.parametrize("value", [1e38, -1e300])
def test_values_that_were_never_measured_are_named(good: Any, make_study: Callable[..., Study], value: float) -> None:
    array = read_volume(good.channels["A"]).array.astype(np.float64)
    array[0, 0, 0] = value
    write_volume(good.channels["A"], Volume(array, (1.0, 1.0, 2.0)))
    assert f"{value:.3g}" in only(check_case(good, make_study()))
    assert "beyond what images hold (32 bits); export the image again" in only(check_case(good, make_study()))


def test_the_lesions_of_a_table_are_looked_up_in_the_image(
    good: Any, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    study = make_study(cohort={"table": "c.csv", "truth": "lesion_table"})
    image = np.zeros((6, 7, 8), np.float32)
    image[:, 1:4, 1:4] = np.random.default_rng(0).random((6, 3, 3)) + 1
    write_volume(good.channels["A"], Volume(image, (1.0, 1.0, 2.0), (-4.0, -3.5, 0.0)))
    table = tmp_path / "lesions.csv"

    def problems(text: str) -> list[str]:
        table.write_text(f"x,y,z,diameter_mm\n{text}\n")
        return [str(one) for one in check_case(Row(good.channels, lesion_table=table), study) if one.column != "B"]

    assert problems("-2.1,-1.5,4,2.5") == []
    assert problems("2.1,1.5,4,2.5") == [
        f"row 4, column lesion_table: {table}: lesion 1 lies where the image holds nothing but 0, its lowest value; "
        "look whether mask and image belong together; with the other sign of x and y (RAS) all would lie inside, so "
        "turn both signs, or accept it: `cohort.accept: [outside_content]`"
    ]
    assert problems("2,2,14,2.5") == [
        f"row 4, column lesion_table: {table}: lesion 1 lies outside the image, at 2, 2, 14 mm; give x, y, z in mm in "
        "the LPS convention"
    ]


def test_a_table_that_several_cases_share(good: Any, make_study: Callable[..., Study], tmp_path: Path) -> None:
    study = make_study(cohort={"table": "c.csv", "truth": "lesion_table"})
    table = tmp_path / "all.csv"
    table.write_text("case_id,lesion,x,y,z,diameter_mm\nP1,1,2.5,3,4,2\nP2,1,2.5,3,4,2\n")
    assert examine_case(Row(good.channels, lesion_table=table), study).lesions == 1
    (problem,) = check_case(Row(good.channels, "P3", lesion_table=table), study)
    assert problem.reason == f"{table}: column case_id: no row is of case P3 (there are P1, P2)"
