"""Reading a batch before anything is computed from it: digests of what is sound, every problem of what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hakken.core.files import read_json, sha256_file
from hakken.core.volume import Volume
from hakken.imaging.files import read_volume, write_volume
from hakken.imaging.lesions import label_lesions
from hakken.imaging.truth_checks import truth_digest
from hakken.runs.cases import read_cases
from hakken.stages.check import check
from hakken.study import Study
from hakken.study.reading import parse_study


@pytest.fixture
def study() -> Study:
    return parse_study(
        {
            "name": "small",
            "seed": 1,
            "method": "patch_classifier",
            "cohort": {"table": "cases.csv", "labels": "binary"},
            "channels": {"A": {"modality": "mr"}},
        }
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Three cases; the third has the pixels of the first."""
    random = np.random.default_rng(0)
    pixels = [random.normal(size=(4, 5, 6)).astype(np.float32) for _ in range(2)]
    for number, array in enumerate([*pixels, pixels[0]], start=1):
        write_volume(tmp_path / f"a{number}.nii.gz", Volume(array))
        write_volume(tmp_path / f"m{number}.nii.gz", Volume((array > 2).astype(np.uint8)))
    lines = ["case_id,patient,split,A,lesion_mask"]
    lines += [
        f"P{number},S{number},{part},a{number}.nii.gz,m{number}.nii.gz"
        for number, part in enumerate(("train", "validation", "test"), start=1)
    ]
    path = tmp_path / "cases.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_digests_of_the_batch_are_written(
    table: Path, study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "checked" / "batch.json"
    check(study=study, table=str(table), cases=["P1", "P3"], output=str(output))  # type: ignore[arg-type]
    found = read_json(output)
    first, third = found["cases"]["P1"], found["cases"]["P3"]
    assert list(found["cases"]) == ["P1", "P3"]
    assert first["content"]["digests"] == third["content"]["digests"]
    files = first["files"]
    assert list(files) == [(tmp_path / name).as_posix() for name in ("a1.nii.gz", "m1.nii.gz")]
    assert files[(tmp_path / "a1.nii.gz").as_posix()]["sha256"] == sha256_file(tmp_path / "a1.nii.gz")
    assert found["items"] == []
    assert "[check] case 2/2 P3: good" in capsys.readouterr().err


def test_every_problem_of_the_batch_is_told_and_nothing_is_written(
    table: Path, study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    array = np.zeros((4, 5, 6), np.float32)
    array[0, 0, 0] = np.nan
    write_volume(tmp_path / "a1.nii.gz", Volume(array))
    write_volume(tmp_path / "m2.nii.gz", Volume(np.full((4, 5, 6), 2, np.uint8)))
    output = tmp_path / "batch.json"
    with pytest.raises(SystemExit) as exit_:
        check(study=study, table=table, cases=["P1", "P2", "P3"], output=output)
    assert exit_.value.code == 2
    assert not output.exists()
    said = capsys.readouterr().err
    assert f"error: {table}: 2 problems\n" in said
    assert "  row 2, column A: 1 of 120 pixels are NaN or infinite; replace them or export the image again\n" in said
    assert "  row 3, column lesion_mask: label values that the study does not know: 2 (" in said


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """Two items of one file each, the second with a label."""
    folder = tmp_path / "vectors"
    folder.mkdir()
    for name in "ab":
        np.savez(folder / f"{name}.npz", values=np.full(3, ord(name)))
    table = folder / "cases.csv"
    table.write_text("case_id,patient,vector,label,age\na,pa,a.npz,none,40\nb,pb,b.npz,ill,50\n")
    return table


def of_items() -> Study:
    cohort = {"kind": "items", "files": ["vector"], "truth": "label", "table": "cases.csv"}
    return parse_study({"name": "t", "seed": 1, "method": "toy_centroids", "cohort": cohort, "baselines": ["toy_coin"]})


def test_of_items_the_files_are_kept_with_their_digests(toys: Path, vectors: Path, tmp_path: Path) -> None:
    check(study=of_items(), table=vectors, cases=["a", "b"], output=tmp_path / "batch.json")
    found = read_cases([tmp_path / "batch.json"])
    assert [(case.case_id, case.patient, case.label, case.abnormal) for case in found] == [
        ("a", "pa", None, False),
        ("b", "pb", "ill", True),
    ]
    assert found[0].columns["age"] == "40"
    path = vectors.parent / "a.npz"
    assert (found[0].file("vector"), found[0].sha256) == (path, {"vector": sha256_file(path)})  # type: ignore[union-attr]
    checked = read_json(tmp_path / "batch.json")["cases"]
    assert checked["a"]["content"]["digests"] == {"vector": sha256_file(path)}
    assert (checked["a"]["truth"], len(checked["b"]["truth"])) == ("none", 64)


def test_an_item_whose_file_is_empty_or_gone_is_told(
    toys: Path, vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (vectors.parent / "a.npz").write_bytes(b"")
    (vectors.parent / "b.npz").unlink()
    with pytest.raises(SystemExit):
        check(study=of_items(), table=vectors, cases=["a", "b"], output=tmp_path / "batch.json")
    said = capsys.readouterr().err
    assert f"error: {vectors}: 2 problems\n" in said
    assert f"  row 2, column vector: {vectors.parent}/a.npz is empty; correct the path" in said
    assert f"  row 3, column vector: no such file: {vectors.parent}/b.npz; correct the path" in said


def test_regions_are_part_of_the_truth_and_change_nothing_where_there_are_none(table: Path, tmp_path: Path) -> None:
    cohort = {"table": "cases.csv", "labels": "binary"}
    content = {"name": "small", "seed": 1, "method": "patch_classifier", "channels": {"A": {"modality": "mr"}}}
    plainly, asked = (
        parse_study(content | {"cohort": cohort | further}) for further in ({}, {"regions": ["trunk", "liver"]})
    )
    lines = table.read_text().splitlines()
    organs = np.zeros((4, 5, 6), np.uint8)
    truths = []
    for number, last in enumerate((1, 1, 2)):
        organs[:, 1:4], organs[3, 4, 4] = 1, last
        write_volume(tmp_path / f"r{number}.nii.gz", Volume(organs))
        rows = [f"{lines[0]},regions", *(f"{line},r{number}.nii.gz" for line in lines[1:])]
        (tmp_path / f"t{number}.csv").write_text("\n".join(rows) + "\n")
        output = tmp_path / f"{number}.json"
        check(study=asked, table=tmp_path / f"t{number}.csv", cases=["P1"], output=output)
        found = read_json(output)["cases"]["P1"]
        assert (tmp_path / f"r{number}.nii.gz").as_posix() in found["files"]
        truths.append(found["truth"])
    check(study=plainly, table=table, cases=["P1"], output=tmp_path / "plain.json")
    plain = read_json(tmp_path / "plain.json")["cases"]["P1"]
    labels = label_lesions(read_volume(tmp_path / "m1.nii.gz").array, plainly.cohort)
    assert plain["truth"] == (truth_digest(labels) or "none")
    assert truths[0] == truths[1] != truths[2]
    assert plain["truth"] not in truths
