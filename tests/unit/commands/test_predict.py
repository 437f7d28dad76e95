"""What a model says of a new case: the same as of the study's own, whatever kind of file its images are."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
import torch

from hakken.cli import main
from hakken.cohort.items import Item
from hakken.commands.frozen_models import frozen_points
from hakken.commands.predict import channel_images
from hakken.core.errors import HakkenError
from hakken.core.files import sha256_file
from hakken.core.volume import Volume
from hakken.imaging.files import read_volume, write_volume
from hakken.outcomes import _candidate_tables
from hakken.runs.learner import learner_of
from hakken.runs.model_file import load_model, save_model
from hakken.seal.freeze import write_sealed
from hakken.stages.check import check
from hakken.stages.predict import predict
from hakken.stages.prepare import prepare
from hakken.stages.register import register
from hakken.study import Study
from hakken.study.reading import parse_study

from ..opened import open_results
from ..stages import vectors

OBLIQUE = (0.96, -0.28, 0.0, 0.28, 0.96, 0.0, 0.0, 0.0, 1.0)
CONTENT: dict[str, Any] = {
    "name": "example",
    "data": "drawn by a test",
    "seed": 5,
    "method": "patch_classifier",
    "cohort": {"table": "cases.csv"},
    "channels": {"T1POST": {"modality": "mr"}, "T1": {"modality": "mr"}},
    "reference": "T1POST",
    "registration": {"method": "rigid", "shrink": [2], "iterations": 20, "use_mask": True},
    "preparation": {"spacing_mm": [2, 2, 2], "mask": "nonzero", "margin_mm": 2},
    "parameters": {"patch_size": 8, "convolutions": 2, "base_features": 4, "dense_units": 4},
    "inference": {"threshold": 0.01, "stride_voxel": 2, "suppression_mm": 3, "prominence": 0.001},
}


NORMAL = {"table": "cases.csv", "truth": "label"}


def study_of(**sections: Any) -> Study:
    return parse_study(CONTENT | sections).model_copy(update={"scale": "tiny"})


def write_model(path: Path, study: Study) -> Path:
    """An untrained network: what it finds is meaningless and always the same."""
    torch.manual_seed(2)
    learner: Any = learner_of(study)
    model = learner.export(learner.networks())
    weights = {name: network.state_dict() for name, network in model.networks.items()}
    save_model(path, weights, model.values, study=study, metadata={})
    write_sealed(path.parents[1] / "freeze.json", {"models": {"selected": {"sha256": sha256_file(path), "points": {}}}})
    return path


def head(shift: float = 0.0) -> Volume:
    """A noisy ellipsoid with bright spots, obliquely placed; 0 around it."""
    z, y, x = np.indices((20, 24, 28)).astype(float)
    inside = ((z - 10) / 9) ** 2 + ((y - 12) / 11) ** 2 + ((x - 14) / 13) ** 2 < 1
    pixels = 100 + np.random.default_rng(1 + int(shift)).normal(0, 5, inside.shape)
    for spot in ((8, 10, 10), (12, 14, 18), (10, 8, 20)):
        pixels += 120 * np.exp(-((np.stack([z, y, x], -1) - spot) ** 2).sum(-1) / 4)
    array = np.where(inside, pixels, 0).astype(np.float32)
    return Volume(array, (1.8, 2.0, 2.2), (-20.0 + shift, 30.0, 5.0), OBLIQUE)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file where a finished study keeps it."""
    return write_model(tmp_path / "results" / "models" / "selected.pt", study_of())


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    """Two channels on disk, the second displaced, as arguments of the command."""
    write_volume(tmp_path / "post.nii.gz", head())
    write_volume(tmp_path / "plain.nii.gz", head(shift=3.0))
    return ["--image", f"T1POST={tmp_path / 'post.nii.gz'}", "--image", f"T1={tmp_path / 'plain.nii.gz'}"]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def freeze_beside(model: Path, threshold: float) -> None:
    point = {"threshold": threshold, "chosen_for": 8.4}
    entries = {
        "default": {"sha256": "another", "points": {"candidates": {"threshold": 0.9, "chosen_for": 1}}},
        "selected": {"sha256": sha256_file(model), "points": {"candidates": point}},
    }
    write_sealed(model.parents[1] / "freeze.json", {"models": entries})


def test_the_candidates_are_those_of_the_study(
    model: Path, images: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "cases.csv"
    table.write_text("case_id,patient,T1POST,T1,lesion_mask\nnew,p,post.nii.gz,plain.nii.gz,none\n")
    given: dict[str, Any] = {"study": study_of(), "table": table, "cases": ["new"]}
    given["checked"] = tmp_path / "checked.json"
    check(**{key: value for key, value in given.items() if key != "checked"}, output=given["checked"])
    register(**given, output=tmp_path / "registered")
    prepare(**given, registered=tmp_path / "registered", output=tmp_path / "prepared")
    predict(study=study_of(), models=[model], cases=[tmp_path / "prepared"], output=tmp_path / "study")
    output = tmp_path / "own.csv"
    assert main(["predict", "--model", str(model), *images, "--case-id", "new", "--output", str(output)]) == 0
    expected, found = rows(tmp_path / "study" / "candidates.csv"), rows(output)
    assert len(found) > 3
    for one, other in zip(expected, found, strict=True):
        assert {key: value for key, value in one.items() if key != "lesion"} == {
            key: value for key, value in other.items() if key != "lesion"
        }
        assert other["lesion"] == "", "nobody knows"
    scores = [float(row["score"]) for row in found]
    assert scores == sorted(scores, reverse=True)


def test_points_are_in_the_scanner_space_of_the_reference(model: Path, images: list[str], tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    assert main(["predict", "--model", str(model), *images, "--output", str(output)]) == 0
    points = np.array([[float(row[axis]) for axis in "xyz"] for row in rows(output)])
    grid = head().geometry
    inside = grid.to_voxel(points)
    assert (inside > -2).all()
    assert (inside < np.array(grid.shape_zyx) + 1).all()
    assert np.abs(points - grid.centre).max() < 45


def test_what_is_printed(
    model: Path,
    images: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(_candidate_tables, "SHOWN", 3)
    output = tmp_path / "out.csv"
    main(["predict", "--model", str(model), *images, "--output", str(output), "--case-id", "case-7"])
    found, shown = rows(output), capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0] == "model of study example at scale tiny, trained on: drawn by a test"
    assert lines[1] == f"{output}: {len(found)} candidates of case-7; mm, LPS, scanner space of the reference channel"
    assert lines[2].split() == ["candidate", "x", "y", "z", "score", "volume_mm3"]
    first = found[0]
    numbers = [f"{float(first[key]):.1f}" for key in "xyz"]
    assert lines[3].split() == ["1", *numbers, f"{float(first['score']):.4f}", f"{float(first['volume_mm3']):.1f}"]
    assert lines[6].strip() == f"…  {len(found) - 3} more in the table"
    assert lines[-1] == "research use only: no medical device, no basis for a diagnosis"
    assert "[predict] T1 registered to T1POST: rigid, " in shown.err


def test_the_frozen_threshold_is_told(
    model: Path, images: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.csv"
    main(["predict", "--model", str(model), *images, "--output", str(output)])
    assert "frozen threshold" not in capsys.readouterr().out
    threshold = float(rows(output)[4]["score"])
    freeze_beside(model, threshold)
    main(["predict", "--model", str(model), *images, "--output", str(output)])
    reached = sum(float(row["score"]) >= threshold for row in rows(output))
    expected = (
        f"{reached} reach the frozen threshold {threshold:.4g}, chosen on validation for 8.4 false positives per case"
    )
    assert expected in capsys.readouterr().out.splitlines()


def test_a_model_that_was_not_frozen_is_refused(
    model: Path, images: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of a trial, one that was trained anew since, one before the freeze."""
    freeze_beside(model, 0.5)
    assert frozen_points(model, study_of()) == {"candidates": {"threshold": 0.5, "chosen_for": 8.4}}
    trial = write_model(tmp_path / "sweeps/trainings/0001/model.pt", study_of())
    (trial.parents[1] / "freeze.json").unlink()
    write_sealed(model.parents[1] / "freeze.json", {"models": {"selected": {"sha256": "other", "points": {}}}})
    for path in (trial, model):
        assert main(["predict", "--model", str(path), *images, "--output", str(tmp_path / "out.csv")]) == 2
        said = capsys.readouterr().err
        assert f"hakken predict: {path}: was not frozen, or is not what was frozen (" in said
        assert "take models/selected.pt of a study that has come to its freeze" in said
    assert not (tmp_path / "out.csv").exists()


def test_an_edited_freeze_is_refused(model: Path, images: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    freeze_beside(model, 0.5)
    path = model.parents[1] / "freeze.json"
    path.write_text(path.read_text().replace("0.5", "0.1"))
    assert main(["predict", "--model", str(model), *images]) == 2
    assert f"hakken predict: {path}: was changed since it was written; " in capsys.readouterr().err


def test_a_test_case_of_the_study_waits_for_the_opening(
    model: Path, images: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the file is called; once the test set is open it may be predicted."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cases.csv").write_text(
        "case_id,patient,split,T1POST,T1,lesion_mask\n"
        "a,p1,train,x.nii.gz,y.nii.gz,none\nb,p2,validation,x.nii.gz,y.nii.gz,none\n"
        "c,p3,test,post.nii.gz,plain.nii.gz,none\n"
    )
    (tmp_path / "copy.nii.gz").write_bytes((tmp_path / "post.nii.gz").read_bytes())
    (tmp_path / "link.nii.gz").symlink_to("post.nii.gz")
    image = read_volume(tmp_path / "post.nii.gz")
    write_volume(tmp_path / "unzipped.nii", image)
    write_volume(tmp_path / "other.mha", Volume.on(image.geometry, image.array.astype(np.float64)))
    write_volume(tmp_path / "mirrored.mha", Volume.on(image.geometry, image.array[:, ::-1].copy()))
    for name in ("copy.nii.gz", "link.nii.gz", "unzipped.nii", "other.mha", "mirrored.mha"):
        assert main(["predict", "--model", str(model), "--image", f"T1POST={name}", *images[2:]]) == 2
        assert capsys.readouterr().err.splitlines()[-1] == (
            f"hakken predict: --image {name}: is an image of case c, a test case of study example, whose test set is "
            "sealed for this model; let the workflow open it first"
        )
    given = ["predict", "--model", str(model), "--image", "T1POST=copy.nii.gz", *images[2:]]
    freeze = (model.parents[1] / "freeze.json").read_bytes()
    open_results(model.parents[1], tmp_path / "openings", selected="another")
    (model.parents[1] / "freeze.json").write_bytes(freeze)
    assert main(given) == 2, "it was opened for another model, that was trained before"
    open_results(model.parents[1], tmp_path / "openings", selected=sha256_file(model))
    (model.parents[1] / "freeze.json").write_bytes(freeze)
    assert main(given) == 0


def test_a_model_that_stands_elsewhere_knows_by_the_ledger_that_its_test_set_is_open(
    model: Path, images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cases.csv").write_text(
        "case_id,patient,split,T1POST,T1,lesion_mask\n"
        "a,p1,train,x.nii.gz,y.nii.gz,none\nb,p2,validation,x.nii.gz,y.nii.gz,none\n"
        "c,p3,test,post.nii.gz,plain.nii.gz,none\n"
    )
    assert main(["predict", "--model", str(model), *images]) == 2
    open_results(tmp_path / "away/example/tiny", tmp_path / "openings", selected=sha256_file(model))
    assert main(["predict", "--model", str(model), *images]) == 0
    (tmp_path / "openings/0001.json").write_text("{}")
    assert main(["predict", "--model", str(model), *images]) == 2


def test_one_channel_needs_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_of(channels={"T1POST": {"modality": "mr"}})
    model = write_model(tmp_path / "model.pt", study)
    write_volume(tmp_path / "a=b.mha", head())
    monkeypatch.chdir(tmp_path)
    for image in ("a=b.mha", "T1POST=a=b.mha"):
        assert main(["predict", "--model", str(model), "--image", image]) == 0
        assert rows(tmp_path / "candidates.csv")
        (tmp_path / "candidates.csv").unlink()


def test_a_picture_is_one_slice(tmp_path: Path) -> None:
    study = study_of(channels={"T1POST": {"modality": "xray"}}, patches={"axes": 2})
    model = write_model(tmp_path / "model.pt", study)
    image = SimpleITK.GetImageFromArray(head().array[10].astype(np.uint8))
    image.SetSpacing((2.0, 2.0))
    SimpleITK.WriteImage(image, str(tmp_path / "image.png"))
    output = tmp_path / "out.csv"
    arguments = ["predict", "--model", str(model), "--image", str(tmp_path / "image.png"), "--output", str(output)]
    assert main(arguments) == 0
    assert {row["z"] for row in rows(output)} == {"0.0"}


def test_the_score_of_the_case_is_spoken(images: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parameters = {"patch_size": 8, "poolings": 1, "convolutions": 2, "base_features": 4, "dense_units": 4}
    study = study_of(method="autoencoder", parameters=parameters, inference={"stride_voxel": 4}, cohort=NORMAL)
    model = write_model(tmp_path / "results" / "models" / "selected.pt", study)
    output = tmp_path / "out.csv"
    assert main(["predict", "--model", str(model), *images, "--output", str(output)]) == 0
    score = f"score of the case {max(float(row['score']) for row in rows(output)):.4g}"
    assert capsys.readouterr().out.splitlines()[-2] == score
    points = {"case_scores": {"threshold": 2.0}}
    freeze = {"models": {"selected": {"sha256": sha256_file(model), "points": points}}}
    write_sealed(model.parents[1] / "freeze.json", freeze)
    main(["predict", "--model", str(model), *images, "--output", str(output)])
    assert capsys.readouterr().out.splitlines()[-2] == f"{score}: abnormal by the frozen threshold 2"


@pytest.fixture
def segmenting(tmp_path: Path) -> Path:
    """A model that gives masks."""
    parameters = {"patch_size": 8, "poolings": 1, "convolutions": 1, "base_features": 4, "growth": 1, "dropout": 0}
    return write_model(tmp_path / "unet.pt", study_of(method="unet", parameters=parameters, inference={}))


def test_a_mask_is_written_as_an_image(
    segmenting: Path, images: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "mask.nii.gz"
    assert main(["predict", "--model", str(segmenting), *images, "--case-id", "new", "--output", str(output)]) == 0
    mask = read_volume(output)
    assert mask.geometry.matches(head().geometry)
    assert set(np.unique(mask.array)) == {0, 1}
    line = capsys.readouterr().out.splitlines()[1]
    assert line.startswith(f"{output}: mask of new by ")
    assert line.endswith(f"{int(mask.array.sum())} voxels of {mask.array.size}; grid of the reference")


def test_what_a_model_gives_says_how_the_file_ends(
    model: Path, segmenting: Path, images: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for path, output, ways in (
        (model, "mask.nii.gz", "candidates into a file that ends in .csv"),
        (segmenting, "candidates.csv", "masks into a file that ends in .nii.gz or .nii or .mha"),
    ):
        assert main(["predict", "--model", str(path), *images, "--output", output]) == 2
        assert capsys.readouterr().err == f"hakken predict: --output {output}: this model gives {ways}\n"


def test_what_knows_no_images_says_nothing_of_one(
    images: list[str], toys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = vectors.model(tmp_path / "model.pt")
    assert main(["predict", "--model", str(path), *images]) == 2
    assert capsys.readouterr().err == (
        "hakken predict: --output candidates.csv: this model gives nothing for a single case\n"
    )


SIGNALS: dict[str, Any] = {
    "name": "signals",
    "seed": 1,
    "method": "parameter_regression",
    "cohort": {"kind": "items", "files": ["signals", "truth"], "table": "cases.csv"},
    "outcomes": {"numbers": {"quantities": ["D"], "truth": "truth"}},
    "parameters": {"signal": "dki", "b_values": [0, 500, 1000], "ranges": {"D": [0.001, 0.002], "K": [0.5, 1.5]}},
}


def test_the_numbers_of_an_item(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the model says of the file itself, without the truth."""
    study = parse_study(SIGNALS).model_copy(update={"scale": "tiny"})
    model = write_model(tmp_path / "results" / "models" / "selected.pt", study)
    write_sealed(
        model.parents[1] / "freeze.json", {"models": {"selected": {"sha256": sha256_file(model), "points": {}}}}
    )
    file, output = tmp_path / "new.npz", tmp_path / "numbers.npz"
    np.savez(file, b=[0, 500, 1000], signals=np.random.default_rng(0).uniform(50, 100, (7, 3)))
    given = ["predict", "--model", str(model), "--output", str(output)]
    assert main([*given, "--file", f"signals={file}"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1] == f"{output}: 7 numbers each of D, K, flagged of case"
    item = Item("case", "", {}, {"signals": file}, {"signals": sha256_file(file)})
    expected = load_model(model).predict(item, ("numbers",))["numbers"]
    with np.load(output) as found:
        assert list(found) == ["D", "K", "flagged"]
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values)
            assert f"  mean of {name}: {values.mean():.4g}" in said
    for more, reason in (
        (["--image", f"T1={file}"], f"--image T1={file}: the cases of this study are no images; "),
        (["--file", f"signal={file}"], f"--file signal={file}: unknown column `signal`; "),
        (["--file", f"truth={file}"], f"--file truth={file}: unknown column `truth`; "),
        (["--file", f"signals={file}"] * 2, f"--file signals={file}: column `signals` is given twice; give it once"),
        (["--file", "signals=gone.npz"], "--file signals=gone.npz: no such file; correct the path"),
        (
            [],
            "the file of column `signals` is missing; give --file COLUMN=PATH; the columns of files of this study are",
        ),
    ):
        assert main([*given, *more]) == 2
        assert capsys.readouterr().err.startswith(f"hakken predict: {reason}")


def test_files_are_for_items(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    freeze_beside(model, 0.5)
    assert main(["predict", "--model", str(model), "--file", "a=b", "--output", str(tmp_path / "c.csv")]) == 2
    assert capsys.readouterr().err == (
        "hakken predict: --file a=b: the cases of this study are images; give --image CHANNEL=PATH; the model's "
        "channels are T1POST, T1\n"
    )


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (
            ["T1PSOT=here", "T1=here"],
            "--image T1PSOT=here: unknown channel `T1PSOT`; the model's channels are T1POST, T1; "
            "did you mean `T1POST`?",
        ),
        (["T1POST=here"], "channel `T1` is missing; add --image T1=PATH; the model's channels are T1POST, T1"),
        (["T1POST=here", "T1POST=here"], "--image T1POST=here: channel `T1POST` is given twice; give it once"),
        (["here"], "--image here: say which channel it is, as CHANNEL=here; the model's channels are T1POST, T1"),
        (["T1=gone.nii"], "--image T1=gone.nii: no such file or folder; correct the path"),
    ],
)
def test_channels_that_do_not_fit(
    given: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HakkenError) as caught:
        channel_images(given, study_of())
    assert str(caught.value) == reason


def test_an_optional_channel_may_be_left_out(
    images: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    channels = {"T1POST": {"modality": "mr"}, "T1": {"modality": "mr", "optional": True}}
    model = write_model(tmp_path / "results" / "models" / "selected.pt", study_of(channels=channels))
    freeze_beside(model, 0.5)
    found = {}
    for name, given in (("without", images[:2]), ("with", images)):
        output = tmp_path / f"{name}.csv"
        assert main(["predict", "--model", str(model), *given, "--output", str(output)]) == 0
        assert (", without T1\n" in capsys.readouterr().err) == (name == "without")
        found[name] = rows(output)
    assert found["without"] != found["with"]


def test_the_channels_come_in_any_order(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.touch()
    other.touch()
    found = channel_images([f"T1={one}", f"T1POST={other}"], study_of())
    assert found == {"T1": one, "T1POST": other}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-500])


def spoil(path: Path) -> None:
    volume = head(3.0)
    volume.array[10, 10, 10] = np.inf
    write_volume(path, volume)


HARMS: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut off": (cut, "case case, column T1: "),
    "no number": (spoil, "case case, column T1: 1 of 13440 pixels are NaN or infinite; "),
    "elsewhere": (
        lambda path: write_volume(path, head(500.0)),
        "case case, column T1: does not overlap the reference channel T1POST",
    ),
}


@pytest.mark.parametrize("harm", HARMS)
def test_images_that_cannot_be_used(
    harm: str, model: Path, images: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil_it, reason = HARMS[harm]
    spoil_it(tmp_path / "plain.nii.gz")
    output = tmp_path / "out.csv"
    assert main(["predict", "--model", str(model), *images, "--output", str(output)]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"hakken predict: images: 1 problem\n  {reason}")
    assert not output.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not a model", "damaged, or no model of hakken; copy it anew"),
        (b"", "damaged, or no model of hakken; copy it anew"),
    ],
)
def test_files_that_are_no_model(
    content: bytes, reason: str, images: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    assert main(["predict", "--model", str(path), *images]) == 2
    assert capsys.readouterr().err.startswith(f"hakken predict: {path}: {reason}")


def test_a_model_of_something_else(images: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.pt"
    torch.save({"weights": torch.zeros(3)}, path)
    assert main(["predict", "--model", str(path), *images]) == 2
    assert capsys.readouterr().err.startswith(f"hakken predict: {path}: not a model of this version of hakken")


def test_a_model_that_is_not_there_names_those_that_are(
    model: Path, images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["predict", "--model", "model.pt", *images]) == 2
    assert capsys.readouterr().err == (
        "hakken predict: model.pt: no such model; a finished study keeps its own in results/…/models\n"
    )
    there = tmp_path / "results/example/tiny/models"
    there.mkdir(parents=True)
    model.rename(there / "selected.pt")
    assert main(["predict", "--model", "model.pt", *images]) == 2
    assert capsys.readouterr().err == (
        "hakken predict: model.pt: no such model; there are results/example/tiny/models/selected.pt\n"
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--threads", "0"], "--threads 0: use 1 or more"),
        (
            ["--case-id", "new\ncase"],
            "--case-id new<U+000A>case: holds U+000A, which no reader sees; write a name of 1 to 100 visible letters, "
            "digits, signs and blanks",
        ),
    ],
)
def test_options_out_of_range(
    options: list[str], reason: str, model: Path, images: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "--model", str(model), *images, *options]) == 2
    assert capsys.readouterr().err == f"hakken predict: {reason}\n"


def test_the_same_images_under_another_name_give_the_same_candidates(
    model: Path, images: list[str], tmp_path: Path
) -> None:
    for name in ("first", "another"):
        main(["predict", "--model", str(model), *images, "--output", str(tmp_path / f"{name}.csv"), "--case-id", name])
    first, another = ((tmp_path / f"{name}.csv").read_text() for name in ("first", "another"))
    assert first.count("\n") > 1
    assert first.replace("first", "another") == another


SCALARS = {"weight": {"range": [50, 90], "limits": [20, 300], "unit": "kg"}, "sex": {"words": {"F": 0, "M": 1}}}


def test_scalars_are_given_as_the_case_table_would_and_say_the_same(images: list[str], tmp_path: Path) -> None:
    study = study_of(scalars=SCALARS)
    model = write_model(tmp_path / "results" / "models" / "selected.pt", study)
    table = tmp_path / "cases.csv"
    table.write_text("case_id,patient,T1POST,T1,lesion_mask,weight,sex\nnew,p,post.nii.gz,plain.nii.gz,none,72,F\n")
    given: dict[str, Any] = {"study": study, "table": table, "cases": ["new"], "checked": tmp_path / "checked.json"}
    check(**{key: value for key, value in given.items() if key != "checked"}, output=given["checked"])
    register(**given, output=tmp_path / "registered")
    prepare(**given, registered=tmp_path / "registered", output=tmp_path / "prepared")
    predict(study=study, models=[model], cases=[tmp_path / "prepared"], output=tmp_path / "study")
    own, other = tmp_path / "own.csv", tmp_path / "other.csv"
    for weight, output in (("72", own), ("150", other)):
        scalars = ["--scalar", f"weight={weight}", "--scalar", "sex=f"]
        assert main(["predict", "--model", str(model), *images, *scalars, "--output", str(output)]) == 0
    scores = [[row["score"] for row in rows(path)] for path in (tmp_path / "study/candidates.csv", own, other)]
    assert scores[0] == scores[1]
    assert scores[1] != scores[2], "the network sees the weight"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["weight=72"], "the cell is empty, and the method sees this value"),
        (["weight=heavy", "sex=F"], "`heavy` is no number; write a number in kg"),
        (["weight=900", "sex=F"], "900 kg lies outside of 20 to 300 kg"),
        (["weight=72", "sex=X"], "`X` is none of F, M"),
        (["height=172"], "--scalar height=172: unknown scalar `height`; the scalars of this study are weight, sex"),
        (["weight=72", "weight=73"], "--scalar weight=73: `weight` is given twice; give it once"),
    ],
)
def test_scalars_that_cannot_be_used(
    given: list[str], message: str, images: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_model(tmp_path / "results" / "models" / "selected.pt", study_of(scalars=SCALARS))
    scalars = [part for one in given for part in ("--scalar", one)]
    assert main(["predict", "--model", str(model), *images, *scalars, "--output", str(tmp_path / "o.csv")]) == 2
    assert message in capsys.readouterr().err
