"""A model as one file: it comes back as it was, with its study, and anything else is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hakken.core.errors import HakkenError
from hakken.core.files import sha256_file
from hakken.imaging.prepared import PreparedCase
from hakken.runs.learner import learner_of
from hakken.runs.model_content import EARLIER, FORMAT, digest_of, save_used_as
from hakken.runs.model_file import Trained, answer_of, load_model, mean_of, save_average, save_model
from hakken.study import Study
from hakken.training.players import Model

from ..miniature import GEOMETRY, prepare_case, save_case, study, without

WANTED = ("candidates",)


def saved(path: Path) -> Model:
    """Write an untrained model of the miniature study."""
    torch.manual_seed(0)
    learner: Any = learner_of(study())
    model: Model = learner.export(learner.networks()).eval()
    weights = {name: network.state_dict() for name, network in model.networks.items()}
    save_model(path, weights, model.values, study=study(), metadata={"number": 3, "objective": 0.5})
    return model


@pytest.fixture
def case(tmp_path: Path) -> PreparedCase:
    return prepare_case(tmp_path / "cases", "a", [(8, 9, 10)])


@pytest.fixture
def trained(tmp_path: Path) -> Trained:
    saved(tmp_path / "model.pt")
    return load_model(tmp_path / "model.pt")


def test_a_model_comes_back_with_its_study_and_says_the_same(tmp_path: Path, case: PreparedCase) -> None:
    model = saved(tmp_path / "model.pt")
    trained = load_model(tmp_path / "model.pt")
    assert (trained.study, trained.channels, trained.baseline) == (study(), ("A", "B"), None)
    assert trained.metadata == {"number": 3, "objective": 0.5}
    assert not any(network.training for network in trained.model.networks.values())
    for name, network in model.networks.items():
        kept = trained.model.networks[name].state_dict()
        assert all(torch.equal(value, kept[key]) for key, value in network.state_dict().items())
    learner: Any = learner_of(study())
    mine, theirs = learner.predict(model, case, WANTED)["candidates"], trained.predict(case, WANTED)["candidates"]
    assert len(mine) > 0
    np.testing.assert_array_equal(mine.xyz, theirs.xyz)
    np.testing.assert_array_equal(mine.score, theirs.score)


def test_the_same_model_is_the_same_file(tmp_path: Path) -> None:
    saved(tmp_path / "one.pt")
    saved(tmp_path / "another.pt")
    assert sha256_file(tmp_path / "one.pt") == sha256_file(tmp_path / "another.pt")


def test_how_a_model_is_used_is_for_the_study_of_now_to_say(trained: Trained, case: PreparedCase) -> None:
    changed = study(
        inference={"maximum_candidates": 1}, parameters={"dropout": 0.5}, outcomes={"candidates": {"at": [2]}}
    )
    used = trained.used_as(changed)
    assert len(used.predict(case, WANTED)["candidates"]) == 1
    assert (used.study.inference, used.study.outcomes) == (changed.inference, changed.outcomes)
    assert used.study.parameters == study().parameters, "what was trained stays what it was"
    assert (used.model, used.metadata) == (trained.model, trained.metadata)


def test_another_use_of_a_model_is_a_file_of_its_own(tmp_path: Path, trained: Trained, case: PreparedCase) -> None:
    changed = study(inference={"maximum_candidates": 1}, parameters={"dropout": 0.5})
    save_used_as(tmp_path / "other.pt", tmp_path / "model.pt", changed)
    other = load_model(tmp_path / "other.pt")
    assert other.study == trained.study.model_copy(update={"inference": changed.inference})
    assert other.metadata == trained.metadata
    ours, theirs = (one.model.networks["network"].state_dict() for one in (other, trained))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert len(trained.predict(case, WANTED)["candidates"]) > len(other.predict(case, WANTED)["candidates"]) == 1


def polyps() -> Study:
    return study(
        without("parameters", "search", "channels", "patches", "preparation"),
        method="unet",
        channels={name: {"modality": "endoscopy"} for name in ("red", "green", "blue")},
        baselines=["colour_threshold"],
    )


def test_a_baseline_is_kept_as_a_model_is_and_has_no_networks(tmp_path: Path) -> None:
    values = {"feature": "red", "above": True, "level": 0.5, "dice": 0.9}
    path = tmp_path / "colour_threshold.pt"
    save_model(path, {}, values, study=polyps(), metadata={"baseline": "colour_threshold"}, baseline="colour_threshold")
    trained = load_model(path)
    assert (trained.baseline, trained.learner, trained.model.values, dict(trained.model.networks)) == (
        *("colour_threshold", None),
        *(values, {}),
    )
    image = np.zeros((3, *GEOMETRY.shape_zyx))
    image[0, 4, 5, 6] = 0.75
    case = save_case(tmp_path, "p", image, channels=("red", "green", "blue"))
    (mask,) = trained.used_as(polyps()).predict(case, ("masks",))["masks"].values()
    assert np.argwhere(mask).tolist() == [[4, 5, 6]]


def test_a_method_without_gradients_is_its_values(toys: Path, tmp_path: Path) -> None:
    content = {"name": "t", "seed": 1, "method": "toy_integral", "cohort": {"kind": "none"}}
    save_model(tmp_path / "m.pt", {}, {"area": 0.75, "points": 9}, study=Study.model_validate(content), metadata={})
    trained = load_model(tmp_path / "m.pt")
    records = trained.predict(None, ("records",))["records"]  # type: ignore[arg-type]
    assert records["points"] == 9.0


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(HakkenError, match=r"gone\.pt: no such model$"):
        load_model(tmp_path / "gone.pt")
    (tmp_path / "text.pt").write_text("not a model")
    with pytest.raises(HakkenError, match=r"text\.pt: damaged, or no model of hakken; copy it anew"):
        load_model(tmp_path / "text.pt")
    (tmp_path / "empty.pt").touch()
    with pytest.raises(HakkenError, match=r"empty\.pt: damaged, or no model of hakken; copy it anew"):
        load_model(tmp_path / "empty.pt")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            {"format": EARLIER[0]},
            "was written by an earlier hakken, whose models this version does not use; train again",
        ),
        (
            {"format": "hakken model 9"},
            f"not a model of this version of hakken (found 'hakken model 9', expected {FORMAT!r})",
        ),
        ([1], f"not a model of this version of hakken (found None, expected {FORMAT!r})"),
    ],
)
def test_a_model_of_another_version_is_told(content: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(content, path)
    with pytest.raises(HakkenError) as caught:
        load_model(path)
    assert str(caught.value) == f"{path}: {said}"


def test_a_model_whose_study_is_none_here_names_who_wrote_it(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    saved(path)
    content = torch.load(path, weights_only=True)
    content |= {"hakken": "0.9", "study": content["study"] | {"method": "gone"}}
    content["digest"] = digest_of({key: value for key, value in content.items() if key != "digest"})
    torch.save(content, path)
    with pytest.raises(HakkenError) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path}: was written by hakken 0.9, and its study is none here: ")


def test_a_baseline_that_is_not_installed_is_named(tmp_path: Path) -> None:
    save_model(tmp_path / "m.pt", {}, {}, study=polyps(), metadata={}, baseline="gone")
    with pytest.raises(HakkenError, match="no baseline `gone`, there are "):
        load_model(tmp_path / "m.pt")


def test_a_single_flipped_bit_is_noticed(tmp_path: Path) -> None:
    """Of 200 flipped bits none loads with other weights: it is refused, or changes nothing that is used."""
    path = tmp_path / "model.pt"
    saved(path)
    sound, expected = path.read_bytes(), digest_of(torch.load(path, weights_only=True))
    refused = 0
    for bit in range(0, len(sound) * 8, max(1, len(sound) * 8 // 200)):
        damaged = bytearray(sound)
        damaged[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(bytes(damaged))
        try:
            load_model(path)
        except HakkenError as error:
            assert "damaged" in str(error) or "not a model of this version" in str(error)
            assert "weights_only" not in str(error)
            refused += 1
        else:
            assert digest_of(torch.load(path, map_location="cpu", weights_only=True)) == expected
    assert refused > 100


def averaged(folder: Path) -> Path:
    """Write the average of two untrained models, and return it."""
    files = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        learner: Any = learner_of(study())
        model: Model = learner.export(learner.networks()).eval()
        weights = {name: network.state_dict() for name, network in model.networks.items()}
        files.append(folder / f"{seed}.pt")
        save_model(files[-1], weights, model.values, study=study(), metadata={"number": seed})
    save_average(folder / "both.pt", files, {"sweep": "search"})
    return folder / "both.pt"


def test_an_average_holds_its_members_and_says_what_follows_from_their_mean(tmp_path: Path, case: PreparedCase) -> None:
    found = load_model(averaged(tmp_path))
    assert [one.metadata for one in found.members] == [{"number": 0}, {"number": 1}]
    assert (found.study, found.channels, found.metadata) == (study(), ("A", "B"), {"sweep": "search"})
    each = [answer_of(one, case)["scores"] for one in found.members]
    mean = mean_of(answer_of(one, case) for one in found.members)["scores"]
    np.testing.assert_allclose(mean, (each[0] + each[1]) / 2, atol=1e-7)
    marks = found.predict(case, WANTED)["candidates"]
    assert marks.score.max() == pytest.approx(mean.max(), abs=1e-6)
    assert marks.score.max() != pytest.approx(each[0].max(), abs=1e-6)


def test_how_an_average_is_used_is_for_the_study_to_say(tmp_path: Path, case: PreparedCase) -> None:
    changed = study(inference={"maximum_candidates": 1})
    found = load_model(averaged(tmp_path)).used_as(changed)
    assert len(found.predict(case, WANTED)["candidates"]) == 1
    save_used_as(tmp_path / "other.pt", averaged(tmp_path), changed)
    (kept,), (ours,) = (
        one.predict(case, WANTED)["candidates"].score for one in (load_model(tmp_path / "other.pt"), found)
    )
    assert kept == ours


def test_the_file_of_an_average_that_was_changed_is_refused(tmp_path: Path) -> None:
    path = averaged(tmp_path)
    content = torch.load(path, weights_only=True)
    assert [one["sha256"] for one in content["members"]] == [sha256_file(tmp_path / f"{n}.pt") for n in (0, 1)]
    content["members"][1]["metadata"]["number"] = 5
    torch.save(content, path)
    with pytest.raises(HakkenError, match=r"both\.pt: damaged: its checksum is not that of what it holds"):
        load_model(path)


def test_answers_of_different_shapes_are_not_averaged() -> None:
    with pytest.raises(HakkenError, match="the models answer in different shapes, so they cannot be averaged"):
        mean_of([{"scores": np.zeros(3)}, {"scores": np.zeros(4)}])


def test_a_method_without_averages_says_so(case: PreparedCase) -> None:
    one = Trained(study(), Model(), {}, None)
    with pytest.raises(HakkenError, match="models of the method `patch_classifier` cannot be averaged"):
        answer_of(one, case)
