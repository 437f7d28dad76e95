"""A channel that some cases lack, from the check to the patches: nothing is made up in its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hakken.cohort.checked import read_checked
from hakken.cohort.checks import check_table
from hakken.core.volume import Volume
from hakken.imaging.files import write_volume
from hakken.imaging.prepared import load_prepared
from hakken.patches.loader import PatchLoader
from hakken.patches.shards import PatchStore
from hakken.seal.guard import key_of
from hakken.stages.check import check
from hakken.stages.patches import patches
from hakken.stages.prepare import prepare
from hakken.stages.register import register
from hakken.study import Study
from hakken.study.reading import parse_study

SHAPE = (10, 12, 14)
HALF = 7  # columns of the small field of view of FLAIR in case b
CONTENT: dict[str, Any] = {
    "name": "lacking",
    "seed": 3,
    "method": "patch_classifier",
    "cohort": {"table": "cases.csv"},
    "channels": {
        "T1": {"modality": "mr"},
        "FLAIR": {"modality": "mr", "optional": True, "normalise": "window", "range": [0, 200]},
        "T2": {"modality": "mr"},
    },
    "registration": {"method": "none"},
    "preparation": {"spacing_mm": [1, 1, 1], "mask": "none", "margin_mm": 0},
    "parameters": {"patch_size": 4, "convolutions": 1, "base_features": 2},
    "patches": {
        "size_voxel": 4,
        "margin_voxel": 1,
        "positives_per_lesion": 2,
        "easy_negatives_per_case": 6,
        "hard_negatives_per_case": 0,
        "clearance_mm": 0,
    },
}


def image(seed: int, shape: tuple[int, int, int] = SHAPE) -> Volume:
    return Volume(np.random.default_rng(seed).normal(100, 10, shape).astype(np.float32))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A study of two cases: `a` lacks FLAIR, that of `b` shows one half."""
    for number, name in enumerate("ab"):
        write_volume(tmp_path / f"{name}_T1.nii.gz", image(number))
        write_volume(tmp_path / f"{name}_T2.nii.gz", image(number + 10))
    write_volume(tmp_path / "b_FLAIR.nii.gz", image(30, (*SHAPE[:2], HALF)))
    write_volume(tmp_path / "t_FLAIR.nii.gz", image(40))
    mask = np.zeros(SHAPE, np.uint8)
    mask[3:6, 4:7, 3:6] = 1
    for number, name in enumerate("ab"):
        write_volume(tmp_path / f"{name}_mask.nii.gz", Volume(np.roll(mask, 3 * number, 2)))
    (tmp_path / "cases.csv").write_text(
        "case_id,patient,split,T1,FLAIR,T2,lesion_mask\n"
        "a,pa,train,a_T1.nii.gz,,a_T2.nii.gz,a_mask.nii.gz\n"
        "b,pb,train,b_T1.nii.gz,b_FLAIR.nii.gz,b_T2.nii.gz,b_mask.nii.gz\n"
        "v,pv,validation,a_T1.nii.gz,,a_T2.nii.gz,none\n"
        "t,pt,test,a_T1.nii.gz,t_FLAIR.nii.gz,a_T2.nii.gz,none\n"
    )
    return parse_study(CONTENT)


@pytest.fixture
def prepared(study: Study, tmp_path: Path) -> Path:
    """The two training cases as they are prepared."""
    given = {"study": study, "table": tmp_path / "cases.csv", "cases": ["a", "b"]}
    check(**given, output=tmp_path / "checked.json")
    register(**given, checked=tmp_path / "checked.json", output=tmp_path / "registered")
    prepare(
        **given,
        checked=tmp_path / "checked.json",
        registered=tmp_path / "registered",
        output=tmp_path / "prepared",
        log=tmp_path / "prepare.log",
    )
    return tmp_path / "prepared"


def test_what_is_missing_is_zero_and_said_to_be_missing(study: Study, prepared: Path) -> None:
    assert study.layers == study.seen == ("T1", "FLAIR", "T2", "FLAIR_present")
    lacking, having = (load_prepared(prepared, name) for name in "ab")
    assert lacking.channels == having.channels == study.layers
    assert (lacking.missing, having.missing) == (("FLAIR",), ())
    assert (lacking.complete, having.complete) == (("T1", "T2"), ("T1", "T2"))
    assert (lacking.columns, having.columns) == ({"FLAIR": "without FLAIR"}, {"FLAIR": "with FLAIR"})
    assert list(lacking.normalisation) == ["T1", "T2"]
    assert not lacking.image()[1].any() and not lacking.image()[3].any() and not lacking.intensities()[1].any()
    assert lacking.image()[0].any() and lacking.image()[2].any()
    present = np.zeros(SHAPE)
    present[:, :, :HALF] = 1  # the field of view ends there: beyond it nothing was measured
    np.testing.assert_array_equal(having.image()[3], present)
    flair = image(30, (*SHAPE[:2], HALF)).array / 200
    np.testing.assert_allclose(having.image()[1][:, :, :HALF], flair, atol=1e-3)
    assert not having.image()[1][:, :, HALF:].any()
    said = (prepared.parent / "prepare.log").read_text()
    assert "case 1/2 a: 14x12x10 voxels, lesions: 1, without FLAIR\n" in said
    assert "case 2/2 b: 14x12x10 voxels, lesions: 1\n" in said


def test_only_what_is_there_is_registered(prepared: Path) -> None:
    records = [json.loads((prepared.parent / "registered" / f"{name}.json").read_text()) for name in "ab"]
    assert [list(record["channels"]) for record in records] == [["T2"], ["FLAIR", "T2"]]
    assert not (prepared.parent / "registered/a_FLAIR.tfm").exists()


def test_a_missing_channel_is_part_of_what_a_case_is_known_by(study: Study, tmp_path: Path) -> None:
    given = {"study": study, "table": tmp_path / "cases.csv", "cases": ["a"]}
    check(**given, output=tmp_path / "before.json")
    before = read_checked([tmp_path / "before.json"])["a"]
    assert list(before.images) == ["T1", "T2"]
    table = tmp_path / "cases.csv"
    table.write_text(
        table.read_text().replace("a_T1.nii.gz,,a_T2.nii.gz,a_m", "a_T1.nii.gz,b_FLAIR.nii.gz,a_T2.nii.gz,a_m")
    )
    check(**given, output=tmp_path / "after.json")
    after = read_checked([tmp_path / "after.json"])["a"]
    assert len(key_of("pa", before).images) == 2 and len(key_of("pa", after).images) == 3
    assert key_of("pa", before) != key_of("pa", after)


@pytest.mark.parametrize(
    "change", [("b_T1.nii.gz,b_FLAIR.nii.gz", "b_T1.nii.gz,"), ("a_T1.nii.gz,,", "a_T1.nii.gz,b_FLAIR.nii.gz,")]
)
def test_a_cell_that_was_emptied_or_filled_since_the_check_is_noticed(
    study: Study, prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str]
) -> None:
    table = tmp_path / "cases.csv"
    table.write_text(table.read_text().replace(*change, 1))
    with pytest.raises(SystemExit):
        register(
            study=study, table=table, cases=["a", "b"], checked=tmp_path / "checked.json", output=tmp_path / "again"
        )
    said = capsys.readouterr().err
    assert f"{tmp_path}/b_FLAIR.nii.gz: " in said
    assert "checked" in said and f"delete {tmp_path}/checked.json to check again" in said


def test_no_intensity_is_made_up_by_augmentation(study: Study, prepared: Path, tmp_path: Path) -> None:
    patches(study=study, prepared=[prepared], output=tmp_path / "train", log=tmp_path / "log")
    assert "train: 1 of 2 cases lack FLAIR" in (tmp_path / "log").read_text()
    store = PatchStore.open(tmp_path / "train")
    assert (store.layout.channels, store.layout.optional) == (study.seen, ("FLAIR",))
    assert store.layout.presence == ((1, 3),)
    loader = PatchLoader(
        store, batch_size=12, patch_size=4, negative_ratio=2, hard_fraction=0, augmentation=1.0, seed=1
    )
    batch = loader.batch(0)
    flair, present = batch.images[:, 1], batch.images[:, 3]
    assert not flair[present == 0].any()
    of_a = torch.from_numpy(store.cases[batch.patches] == "a")
    assert not present[of_a].any() and present[~of_a].any()
    assert present.min() >= 0 and present.max() <= 1
    assert batch.images[:, 0][of_a].abs().min() > 0  # what was measured is changed
    unseen = PatchLoader(
        store, batch_size=12, patch_size=4, negative_ratio=2, hard_fraction=0, augmentation=0.0, seed=1
    )
    np.testing.assert_array_equal(unseen.batch(0).images[:, 1][of_a], 0)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "a_T1.nii.gz,,",
            ",,",
            "row 2, column T1: the cell is empty; fill it in, or remove the row",
        ),
        (
            "a_T2.nii.gz,a_mask",
            ",a_mask",
            "row 2, column T2: the cell is empty; fill it in, or remove the row; if some cases may lack this channel, "
            "give the study `channels.T2.optional: true`",
        ),
        (
            "a_T1.nii.gz,,",
            "a_T1.nii.gz,none,",
            "row 2, column FLAIR: no such file: {folder}/none; correct the path, which counts from the table's folder, "
            "or put the file there; leave the cell empty where the case lacks this channel",
        ),
    ],
)
def test_any_other_empty_cell_is_an_error(study: Study, tmp_path: Path, old: str, new: str, expected: str) -> None:
    table = tmp_path / "cases.csv"
    table.write_text(table.read_text().replace(old, new, 1))
    (problem,) = check_table(table, study)
    assert str(problem) == expected.format(folder=tmp_path)


def test_a_channel_that_no_case_has_is_none_of_the_study(study: Study, tmp_path: Path) -> None:
    table = tmp_path / "cases.csv"
    table.write_text(table.read_text().replace("b_FLAIR.nii.gz", "").replace("t_FLAIR.nii.gz", ""))
    (problem,) = check_table(table, study)
    assert str(problem) == (
        "row 1, column FLAIR: every cell is empty, so no case has this channel; fill in the column, or remove "
        "`channels.FLAIR` from the study"
    )


def test_a_channel_that_no_training_case_has_cannot_be_learnt(
    study: Study, prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in prepared.glob("b.*"):
        path.unlink()
    with pytest.raises(SystemExit):
        patches(study=study, prepared=[prepared], output=tmp_path / "train")
    assert capsys.readouterr().err.endswith(
        "error: the split `train`: none of its 1 cases has the channel FLAIR; move patients who have it into this "
        "part, or remove `channels.FLAIR` from the study\n"
    )
