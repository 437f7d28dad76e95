from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hakken.core.errors import HakkenError, InvalidArchitecture
from hakken.imaging.prepared import save_prepared
from hakken.methods.glow import learn
from hakken.methods.glow.learn import CHOSEN, MEAN_OF_NORMAL, MIXTURE, NORMAL, Learner
from hakken.networks.flow.glow import Glow
from hakken.networks.flow.steps import ActNorm
from hakken.training.loop import train
from hakken.training.method import Data
from hakken.training.players import Model
from hakken.training.sources import Samples

from .helpers import learner, prepare, study

CPU = torch.device("cpu")
SCORES = {"case_scores", "alternative_scores"}


def data(folder: Path, normal: int = 6, ill: int = 4) -> Data:
    names = [(f"n{number}", False) for number in range(normal)] + [(f"i{number}", True) for number in range(ill)]
    return Data(tuple(prepare(folder, name, ill=one) for name, one in names))


def model_of(one: Learner) -> Model:
    torch.manual_seed(0)
    return one.export(one.networks()).eval()


def test_each_flow_learns_from_its_own_cases(tmp_path: Path) -> None:
    one, cases = learner(mixture=True), data(tmp_path)
    players = one.players(one.networks(), cases, 3, CPU)
    assert [player.name for player in players] == [NORMAL, MIXTURE]
    sources: list[Any] = [player.source for player in players]
    assert {case.case_id[0] for case in sources[0].cases} == {"n"}
    assert {case.case_id[0] for case in sources[1].cases} == {"n", "i"}
    assert [player.clip for player in players] == [50.0, 50.0]
    assert players[0].optimisation.warm_up == 0.1
    alone = learner()
    assert [player.name for player in alone.players(alone.networks(), cases, 3, CPU)] == [NORMAL]


def test_without_normal_cases_there_is_nothing_to_learn(tmp_path: Path) -> None:
    one = learner()
    with pytest.raises(HakkenError, match="none of the 2 training cases is normal, and a flow learns from these"):
        one.players(one.networks(), data(tmp_path, normal=0, ill=2), 3, CPU)


def test_the_first_mini_batch_sets_the_flow_once(tmp_path: Path) -> None:
    """Before the loop begins, so that copies of the weights and processes begin alike; and not again."""
    one, cases = learner(), data(tmp_path)
    networks = one.networks()
    one.players(networks, cases, 3, CPU)
    assert all(norm.initialised for norm in networks[NORMAL].modules() if isinstance(norm, ActNorm))
    kept = {name: value.clone() for name, value in networks[NORMAL].state_dict().items()}
    loaded = one.networks()
    loaded[NORMAL].load_state_dict(kept)
    one.players(loaded, cases, 4, CPU)
    assert all(torch.equal(value, kept[name]) for name, value in loaded[NORMAL].state_dict().items())


def test_the_loss_is_in_bits_and_its_noise_is_drawn_anew() -> None:
    one = learner(bits=4)
    networks = one.networks()
    batch = Samples({"images": torch.rand(3, 1, 8, 8), "bits": torch.full((3, 1, 1, 1), 4)})
    first, again, other = (
        float(one.loss(NORMAL, networks, batch, torch.Generator().manual_seed(seed)).value.detach())
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    fewer = Samples({**batch.tensors, "bits": torch.full((3, 1, 1, 1), 2)})
    loss = float(one.loss(NORMAL, networks, fewer, torch.Generator().manual_seed(1)).value.detach())
    assert loss == pytest.approx(first - 2, abs=0.1)  # the same density nearly, two bits less a value


def trained(one: Learner, cases: Data, steps: int = 12) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    networks = one.networks()
    result = train(
        networks,
        one.players(networks, cases, 0, CPU),
        one.loss,
        one.export,
        lambda model: 0.0,
        training=study().training.model_copy(update={"steps": steps, "validate_every": steps, "keep": "last"}),
        seed=0,
    )
    return {f"{name} {key}": value for name, weights in result.weights.items() for key, value in weights.items()}


def test_a_training_never_needs_fewer_bits_than_there_are(tmp_path: Path) -> None:
    """Black or white at random is one bit a pixel; without noise within the levels the loss would fall below nought."""
    random = np.random.default_rng(0)
    cases = []
    for number in range(16):
        case = prepare(tmp_path, f"n{number}")
        cases.append(save_prepared(tmp_path, case, random.integers(0, 2, (1, 1, 8, 8)), case.mask(), case.labels()))
    one = learner(bits=1, batch_size=16)
    torch.manual_seed(0)
    networks = one.networks()
    result = train(
        networks,
        one.players(networks, Data(tuple(cases)), 0, CPU),
        one.loss,
        one.export,
        lambda model: 0.0,
        training=study().training.model_copy(update={"steps": 60, "validate_every": 10, "keep": "last"}),
        seed=0,
    )
    assert len(result.curve) == 6
    assert min(point.loss for point in result.curve) >= 1


def test_the_ways_back_end_with_the_same_weights(tmp_path: Path) -> None:
    cases = data(tmp_path)
    plain, checkpoint, invert = (trained(learner(backward=way), cases) for way in ("plain", "checkpoint", "invert"))
    weights = [name for name in plain if not name.endswith("_extra_state")]
    assert all(torch.equal(plain[name], checkpoint[name]) for name in weights)
    assert max(float((plain[name] - invert[name]).abs().max()) for name in weights) < 1e-4


def test_a_moving_average_begins_where_the_first_images_have_set_it(tmp_path: Path) -> None:
    averaged = trained(learner(average=0.9), data(tmp_path), steps=2)
    plain = trained(learner(), data(tmp_path), steps=2)
    scale = f"{NORMAL} stages.0.chain.steps.0.norm.log_scale"
    assert averaged[scale].min() > 0.5  # half of the deviation of the first images is far from 1
    assert (averaged[scale] - plain[scale]).abs().max() < 0.1


def test_a_case_is_scored_by_its_pixels_alone(tmp_path: Path) -> None:
    one = learner(mixture=True, score="two_flows")
    model = model_of(one)
    case = prepare(tmp_path, "n1")
    first = one.predict(model, case, SCORES)
    assert first == one.predict(model, case, SCORES)
    renamed = replace(case, patient="else")
    assert one.predict(model, renamed, SCORES) == first
    assert first["case_scores"] == first["alternative_scores"]["two_flows"]
    assert [*first["alternative_scores"]] == ["likelihood", "two_flows", "latent", "compression"]


def test_a_likelihood_is_the_mean_over_draws_of_the_noise(tmp_path: Path) -> None:
    case = prepare(tmp_path, "n1")
    few, many = (learner(inference={"draws": draws}) for draws in (1, 64))
    model = model_of(few)
    spread = [few.predict(model, replace(case, pixel_digest=str(seed)), SCORES)["case_scores"] for seed in range(16)]
    once = many.predict(model, case, SCORES)["case_scores"]
    assert abs(once - np.mean(spread)) < 3 * np.std(spread) / 4
    assert np.std(spread) > 0


def test_a_map_holds_the_bits_of_each_voxel(tmp_path: Path) -> None:
    one, case = learner(), prepare(tmp_path, "n1", masked=False)
    model = model_of(one)
    found = one.predict(model, case, {"score_maps", "case_scores"})
    assert found["score_maps"].shape == (1, 8, 8)
    assert found["score_maps"].dtype == np.float32
    assert found["score_maps"].mean() == pytest.approx(found["case_scores"], abs=1e-4)
    masked = one.predict(model, prepare(tmp_path / "masked", "n1"), {"score_maps"})["score_maps"]
    assert np.array_equal(masked[..., :-1], found["score_maps"][..., :-1])
    assert (masked[..., -1] == 0).all()


def test_a_larger_case_is_seen_by_windows(tmp_path: Path) -> None:
    one, case = learner(axes=3, levels=1, patch_size=4), prepare(tmp_path, "n1", shape=(4, 9, 6))
    model = model_of(one)
    found = one.predict(model, case, {"score_maps", "case_scores"})
    assert found["score_maps"].shape == (4, 9, 6)
    assert np.isfinite(found["score_maps"]).all()
    highest = learner(axes=3, levels=1, patch_size=4, inference={"windows": "max"})
    assert highest.predict(model, case, SCORES)["case_scores"] > found["case_scores"]


def validation(folder: Path) -> list[Any]:
    return [prepare(folder, f"v{number}", ill=number % 2 == 1) for number in range(12)]


def test_the_score_is_chosen_on_validation_with_its_price(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(learn, "log", said.append)
    one = learner(mixture=True, score="chosen")
    model, cases = model_of(one), validation(tmp_path)
    before = one.predict(model, cases[0], SCORES)
    assert before["case_scores"] == before["alternative_scores"]["two_flows"]
    values = one.calibrate(model, cases)
    areas = {name.removeprefix("validation_auc_"): value for name, value in values.items() if name.startswith("valid")}
    five = ["likelihood", "two_flows", "distance", "latent", "compression"]
    best = max(five, key=lambda name: areas[name])
    assert values[CHOSEN] == best
    assert areas["chosen"] == areas[best]
    assert areas["chosen_corrected"] <= areas["chosen"]
    assert any(f"the score `{best}` is the best of 5 on validation" in line for line in said)
    after = one.predict(replace(model, values=dict(values)), cases[0], SCORES)
    assert [*after["alternative_scores"]] == five
    assert after["case_scores"] == after["alternative_scores"][best]
    normal = [one.predict(model, case, SCORES)["alternative_scores"]["likelihood"] for case in cases[::2]]
    assert values[MEAN_OF_NORMAL] == pytest.approx(np.mean(normal))


def test_a_score_that_is_named_is_not_chosen(tmp_path: Path) -> None:
    cases = validation(tmp_path)
    one = learner(score="likelihood")
    assert one.calibrate(model_of(one), cases) == {}
    far = learner(score="distance")
    values = far.calibrate(model_of(far), cases)
    assert CHOSEN not in values
    assert far._used(Model(model_of(far).networks, values)) == "distance"
    with pytest.raises(HakkenError, match="the validation cases are all normal or all abnormal"):
        far.calibrate(model_of(far), cases[::2])


@pytest.mark.parametrize(("mixture", "watched"), [(True, "two_flows"), (False, "compression")])
def test_before_the_choice_a_training_is_watched_by_what_needs_none(mixture: bool, watched: str) -> None:
    one = learner(mixture=mixture, score="chosen")
    assert one._used(model_of(one)) == watched


def test_windows_are_halved_on_every_level() -> None:
    with pytest.raises(InvalidArchitecture, match="patch_size 12: 3 levels need a multiple of 8"):
        learner(patch_size=12, levels=3).networks()
    assert isinstance(learner(patch_size=16, levels=3).networks()[NORMAL], Glow)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"score": "two_flows"}, "parameters.score is `two_flows`, and there is one; set `mixture: true`"),
        ({"first_bits": 4}, "parameters.first_bits 4 is not below bits 4; lower it, or leave it out"),
        (
            {"channels": {"XR": {"modality": "xray"}}},
            "channels.XR.normalise: grey levels are counted in a window, and `zscore` has none; use window or perc",
        ),
        ({"bits_every": 5}, "parameters.bits_every"),
    ],
)
def test_what_does_not_fit_is_said(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(HakkenError) as error:
        study(**parameters)
    assert said in str(error.value)
