"""No image in two parts of the cohort."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hakken.cohort.checked import Checked
from hakken.cohort.similarity import Content
from hakken.stages.separate import separate

STUDY = {
    "name": "example",
    "seed": 1,
    "cohort": {"table": "cases.csv"},
    "channels": {"T1": {"modality": "mr"}},
    "reference": "T1",
}
TABLE = """case_id,patient,split,T1,lesion_mask
a,p1,train,a.nii,none
b,p1,train,b.nii,none
c,p2,validation,c.nii,none
d,p3,test,d.nii,none
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A case table whose images are not there: only digests are compared."""
    path = tmp_path / "cases.csv"
    path.write_text(TABLE)
    return path


def digests(folder: Path, *batches: dict[str, str]) -> list[str]:
    paths = []
    for number, batch in enumerate(batches):
        path = folder / f"{number}.json"
        cases = {
            case: Checked(Content({"T1": digest}, fingerprinted=False), "none").as_dict()
            for case, digest in batch.items()
        }
        path.write_text(json.dumps({"cases": cases}))
        paths.append(str(path))
    return paths


def test_different_images_pass_and_all_digests_are_kept(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = digests(tmp_path, {"a": "1", "b": "2"}, {"c": "3"})
    separate(study=STUDY, table=table, digests=paths, ledger=tmp_path / "openings", output=tmp_path / "out.json")  # type: ignore[arg-type]
    assert json.loads((tmp_path / "out.json").read_text()) == {
        case: {"images": {"T1": digest}, "truth": "none"} for case, digest in {"a": "1", "b": "2", "c": "3"}.items()
    }
    assert capsys.readouterr().err == "[separate] 3 cases, no image in two parts\n"


def test_the_same_image_twice_in_one_part_is_no_leak(table: Path, tmp_path: Path) -> None:
    paths = digests(tmp_path, {"a": "1", "b": "1"}, {"c": "3"})
    separate(study=STUDY, table=table, digests=paths, ledger=tmp_path / "openings", output=tmp_path / "out.json")  # type: ignore[arg-type]
    assert (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    ("case", "place"),
    [
        (
            "c",
            "row 4, column T1: has the same pixels as T1 of case a (row 2), but this one is in validation and that in "
            "train; ",
        ),
        (
            "d",
            "row 5, column T1: has the same pixels as T1 of case a (row 2), but this one is in test and that in "
            "train; ",
        ),
    ],
)
def test_the_same_image_in_two_parts_names_both_cases(
    case: str, place: str, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = digests(tmp_path, {"a": "1", "b": "2"}, {"c": "3", "d": "4"} | {case: "1"})
    with pytest.raises(SystemExit) as caught:
        separate(study=STUDY, table=table, digests=paths, ledger=tmp_path / "openings", output=tmp_path / "out.json")  # type: ignore[arg-type]
    assert caught.value.code == 2
    shown = capsys.readouterr().err
    assert f"{table}: 1 problem" in shown
    assert place in shown
    assert not (tmp_path / "out.json").exists()
