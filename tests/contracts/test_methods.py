"""What holds of every method."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from made_up import cases_of, data_of, study_with

from hakken import plugins
from hakken.core.errors import HakkenError
from hakken.runs.learner import learner_of
from hakken.runs.model_file import load_model, mean_of, save_average, save_model
from hakken.runs.required import needs_of
from hakken.study import Channel, Study
from hakken.study.reading import parse_study
from hakken.training.checkpoint import Checkpoints
from hakken.training.loop import Interrupted, TrainingResult, train
from hakken.training.method import Averaged, Data, Fitted, Method
from hakken.training.players import Player

METHODS = plugins.names("methods")
CPU = torch.device("cpu")
STEPS = 4


@pytest.fixture(scope="module")
def study_of() -> Callable[[str], Study]:
    return lambda name: study_with("methods", name)


def learning(study: Study) -> Method:
    learner = learner_of(study)
    if isinstance(learner, Fitted):
        pytest.skip("learns without gradients")
    return learner


class _SameBatch:
    """A source that gives its first mini-batch again and again."""

    def __init__(self, source: Any) -> None:
        self.batch = next(source.iterate(0, workers=0, stride=1))

    def iterate(self, start: int = 0, *, workers: int = 0, stride: int = 1) -> Iterator[Any]:
        while True:
            yield self.batch


def trained(
    study: Study,
    learner: Method,
    data: Data,
    *,
    steps: int = STEPS,
    same_batch: bool = False,
    checkpoints: Checkpoints | None = None,
    stop_at: int | None = None,
) -> TrainingResult:
    """Train for a few steps; the objective is minus the number of measurements, so that the last weights are kept."""
    torch.manual_seed(0)
    networks = learner.networks()
    players: list[Player] = list(learner.players(networks, data, 0, CPU))
    if same_batch:
        players = [replace(player, source=_SameBatch(player.source)) for player in players]
    done = iter(range(1_000))
    return train(
        networks,
        players,
        learner.loss,
        learner.export,
        lambda model: 0.0,
        training=study.training.model_copy(
            update={"steps": steps, "validate_every": max(steps // 2, 1), "patience": steps, "keep": "last"}
        ),
        seed=0,
        checkpoints=checkpoints,
        stop=lambda: stop_at is not None and next(done) + 1 >= stop_at,
    )


@pytest.mark.parametrize("name", METHODS)
def test_it_overfits_one_batch(name: str, study_of: Callable[[str], Study], tmp_path: Path) -> None:
    study = study_of(name)
    learner, data = learning(study), data_of(study, tmp_path)
    result = trained(study, learner, data, steps=24, same_batch=True)
    first, last = result.curve[0], result.curve[-1]
    assert all(torch.isfinite(value).all() for one in result.weights.values() for value in one.values())
    if not first.losses:  # players work against each other
        assert last.loss < first.loss


@pytest.mark.parametrize("name", METHODS)
def test_it_is_told_where_an_optional_channel_was_measured(
    name: str, study_of: Callable[[str], Study], tmp_path: Path
) -> None:
    """With one channel more, which every second case lacks, it learns and says something of every case."""
    study = study_of(name)
    if study.cohort.kind != "images" or not needs_of(study).optional:
        pytest.skip("takes no channels that a case may lack")
    extra = Channel(modality="mr", optional=True)
    study = study.model_copy(update={"channels": {**study.channels, "extra": extra}})
    assert study.seen == (*study_of(name).inputs, "extra", "extra_present")
    learner, data = learner_of(study), data_of(study, tmp_path)
    cases = cases_of(study, tmp_path / "cases")
    assert [case.missing for case in cases] == [(), ("extra",), (), ("extra",)]  # type: ignore[union-attr]
    if isinstance(learner, Fitted):
        model = learner.fit(data, 0)
    else:
        assert trained(study, learner, data, steps=2).curve
        model = learner.export(learner.networks()).eval()
    said = [learner.predict(model, case, tuple(study.outcomes)) for case in cases]
    assert all(set(one) & set(study.outcomes) for one in said)


@pytest.mark.parametrize("name", METHODS)
def test_it_goes_on_bit_for_bit(name: str, study_of: Callable[[str], Study], tmp_path: Path) -> None:
    study = study_of(name)
    learner, data = learning(study), data_of(study, tmp_path)
    whole = trained(study, learner, data)
    with pytest.raises(Interrupted, match="stopped at step 2 of 4"):
        trained(study, learner, data, checkpoints=Checkpoints(tmp_path, "same", 1e9), stop_at=2)
    resumed = trained(study, learner, data, checkpoints=Checkpoints(tmp_path, "same", 1e9))
    assert whole.curve == resumed.curve
    for network, weights in whole.weights.items():
        assert all(torch.equal(value, resumed.weights[network][key]) for key, value in weights.items())


@pytest.mark.parametrize("name", METHODS)
def test_a_model_says_the_same_after_it_was_kept(name: str, study_of: Callable[[str], Study], tmp_path: Path) -> None:
    study = study_of(name)
    learner, data, case = learner_of(study), data_of(study, tmp_path), cases_of(study, tmp_path / "cases", 1)[0]
    torch.manual_seed(0)
    model = learner.fit(data, 0) if isinstance(learner, Fitted) else learner.export(learner.networks()).eval()
    weights = {key: network.state_dict() for key, network in model.networks.items()}
    save_model(tmp_path / "model.pt", weights, model.values, study=study, metadata={})
    kept = load_model(tmp_path / "model.pt")
    wanted = tuple(study.outcomes)
    said, again = learner.predict(model, case, wanted), kept.predict(case, wanted)
    assert set(wanted) <= said.keys()
    assert_same(said, again)


@pytest.mark.parametrize("name", METHODS)
def test_models_are_averaged_where_the_folder_says_so(
    name: str, study_of: Callable[[str], Study], tmp_path: Path
) -> None:
    """The average of a model with itself is that model; that of two others lies between them."""
    study = study_of(name)
    learner, data, case = learner_of(study), data_of(study, tmp_path), cases_of(study, tmp_path / "cases", 1)[0]
    assert isinstance(learner, Averaged) == bool(getattr(plugins.load("methods", name), "AVERAGED", ""))
    if not isinstance(learner, Averaged):
        return
    models = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = learner.fit(data, seed) if isinstance(learner, Fitted) else learner.export(learner.networks()).eval()
        weights = {key: network.state_dict() for key, network in model.networks.items()}
        save_model(tmp_path / f"{seed}.pt", weights, model.values, study=study, metadata={})
        models.append(model)
    first, other = (learner.answer(model, case) for model in models)
    mean = mean_of([first, other])
    assert all((abs(mean[key] - (first[key].astype(float) + other[key]) / 2) < 1e-6).all() for key in mean)
    wanted = tuple(study.outcomes)
    save_average(tmp_path / "same.pt", [tmp_path / "0.pt"] * 2, {})
    assert_same(load_model(tmp_path / "same.pt").predict(case, wanted), learner.predict(models[0], case, wanted))
    save_average(tmp_path / "both.pt", [tmp_path / "0.pt", tmp_path / "1.pt"], {})
    assert_same(load_model(tmp_path / "both.pt").predict(case, wanted), learner.conclude(mean, case, wanted))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("section", ["parameters", "inference"])
def test_foreign_keys_are_errors(name: str, section: str, study_of: Callable[[str], Study]) -> None:
    content = study_of(name).model_dump(mode="json", exclude_defaults=True)
    content.setdefault(section, {})["no_such_key"] = 1
    with pytest.raises(HakkenError, match=rf"{section}\.no_such_key: unknown key"):
        parse_study(content)


def assert_same(one: Any, other: Any) -> None:
    """Compare what two models say, whatever it is."""
    if isinstance(one, Mapping):
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_same(value, other[key])
    elif hasattr(one, "__dataclass_fields__"):
        for name in one.__dataclass_fields__:
            assert_same(getattr(one, name), getattr(other, name))
    elif one is None or isinstance(one, tuple):  # of names
        assert one == other
    else:
        assert (torch.as_tensor(one) == torch.as_tensor(other)).all()
