"""Parameters learnt from drawn signals: what is drawn, what is learnt, what is answered and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from hakken.core.errors import HakkenError
from hakken.core.files import sha256_file
from hakken.imaging.diffusion import signals
from hakken.methods.parameter_regression.learn import NETWORK, SHARES, SIGNALS, Learner
from hakken.runs.learner import learner_of
from hakken.study import Training
from hakken.training.loop import train
from hakken.training.method import Data
from hakken.training.players import Model, Networks, Optimisation
from hakken.training.sources import Samples

from .helpers import B_VALUES, RANGES, case_of, study

CPU = torch.device("cpu")


def learner(**parameters: Any) -> Learner:
    found = learner_of(study(**parameters))
    assert isinstance(found, Learner)
    return found


def drawn(method: Learner, count: int, seed: int = 0) -> dict[str, torch.Tensor]:
    return method._drawn(count, torch.Generator().manual_seed(seed))


def trained(method: Learner, steps: int, seed: int = 1) -> Networks:
    torch.manual_seed(seed)
    networks = method.networks()
    players = method.players(networks, Data(), seed, CPU)
    training = Training(steps=steps, validate_every=steps)
    train(networks, players, method.loss, method.export, lambda model: 0.0, training=training, seed=seed)
    return networks


def test_without_noise_the_parameters_are_learnt_to_a_hundredth_of_their_ranges() -> None:
    method = learner(snr=None, learning_rate=0.01, learning_rate_decay=0.001)
    network = trained(method, 1000)[NETWORK]
    unseen = drawn(method, 4000, seed=9)
    with torch.no_grad():
        errors = (network(unseen[SIGNALS]) - unseen[SHARES]).abs().mean(0)
    assert errors.tolist() == pytest.approx([0, 0], abs=0.01)


def test_the_same_seed_gives_the_same_network() -> None:
    first, again, other = (trained(learner(), 20, seed)[NETWORK].state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_clean_signals_are_those_of_the_model_and_shares_fill_their_ranges() -> None:
    found = drawn(learner(snr=None), 5000)
    shares = found[SHARES].double()
    assert (shares.min() >= 0, shares.max() <= 1) == (True, True)
    assert shares.mean(0).tolist() == pytest.approx([0.5, 0.5], abs=0.02)
    values = [low + (high - low) * shares[:, place].numpy() for place, (low, high) in enumerate(RANGES.values())]
    expected = signals("dki", np.array(B_VALUES, float), values)
    assert found[SIGNALS].numpy() == pytest.approx(expected, rel=1e-4)


def test_noise_is_rician() -> None:
    """Of so many signals at b = 0 the mean is that of a Rice distribution, which signals are thus divided by."""
    snr, clean = 4.0, np.exp(-1.5)
    zeros = 300
    ranges = {"D": (0.0015, 0.0015 + 1e-9), "K": (0.0, 1e-9)}
    method = learner(snr=snr, b_values=(*[0] * zeros, 1000, 1000), ranges=ranges)
    found = drawn(method, 4000)[SIGNALS].double().numpy()
    sigma = 1 / snr
    reference = stats.rice(1 / sigma, scale=sigma).mean()
    assert found[:, :zeros].mean(1) == pytest.approx(1, abs=1e-5)
    # E[m^2] = A^2 + 2 sigma^2
    assert (found[:, zeros:] ** 2).mean() == pytest.approx((clean**2 + 2 * sigma**2) / reference**2, rel=0.02)
    assert (found[:, :zeros] ** 2).mean() == pytest.approx((1 + 2 * sigma**2) / reference**2, rel=0.01)


def test_with_a_spread_the_ratio_varies_evenly_on_a_logarithmic_scale() -> None:
    method = learner(snr=40.0, snr_spread=2.0, b_values=(*[0] * 1000, 1000))
    found = drawn(method, 1000)[SIGNALS].double().numpy()
    ratios = np.log2(1 / found[:, :1000].std(1) / 40)  # a Rice distribution far from 0 is nearly normal
    assert ratios.min() == pytest.approx(-1, abs=0.1)
    assert ratios.max() == pytest.approx(1, abs=0.1)
    assert np.quantile(ratios, [0.25, 0.5, 0.75]) == pytest.approx([-0.5, 0, 0.5], abs=0.1)


def source_of(method: Learner, seed: int = 1) -> Any:
    (player,) = method.players(method.networks(), Data(), seed, CPU)
    return player.source


def test_each_mini_batch_is_new_unless_there_are_so_many_samples_in_all() -> None:
    fresh = torch.cat([source_of(learner(batch_size=64)).batch(step)[SHARES] for step in range(5)])
    assert len(fresh.unique(dim=0)) == 5 * 64
    pool = source_of(learner(batch_size=64, samples=10))
    seen = torch.cat([pool.batch(step)[SHARES] for step in range(5)])
    assert len(seen.unique(dim=0)) == 10
    signals_of = {tuple(shares.tolist()): None for shares in seen}
    assert len(signals_of) == 10


def test_the_optimiser_is_that_of_the_parameters() -> None:
    method = learner(learning_rate=0.1, learning_rate_decay=0.5, weight_decay=0.2)
    (player,) = method.players(method.networks(), Data(), 1, CPU)
    assert player.optimisation == Optimisation(0.1, 0.5, 0.2)


class Answers(nn.Module):
    """Gives the same shares whatever it sees."""

    def __init__(self, *shares: float) -> None:
        super().__init__()
        self.shares = nn.Parameter(torch.tensor([float(share) for share in shares]))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.shares.expand(len(values), -1)


def test_the_loss_is_of_the_parameters_or_of_the_signals_that_they_predict() -> None:
    method = learner(snr=None)
    batch = Samples({SIGNALS: method._signals(torch.tensor([[0.5, 1.0]])), SHARES: torch.tensor([[0.5, 1.0]])})
    networks = {NETWORK: Answers(0.25, 0.5)}
    found = method.loss(NETWORK, networks, batch, torch.Generator()).value
    assert found.item() == pytest.approx((0.25**2 + 0.5**2) / 2)
    of_signals = learner(snr=None, loss="signal").loss(NETWORK, networks, batch, torch.Generator()).value
    expected = (method._signals(torch.tensor([[0.25, 0.5]])) - batch[SIGNALS]).square().mean()
    assert of_signals.item() == pytest.approx(expected.item())
    right = learner(snr=None, loss="signal").loss(NETWORK, {NETWORK: Answers(0.5, 1.0)}, batch, torch.Generator())
    assert right.value.item() == 0


def voxels(count: int = 6) -> np.ndarray:
    """Clean signals (n, k) of so many voxels, at 1000 for b = 0."""
    random = np.random.default_rng(0)
    values = [random.uniform(low, high, count) for low, high in RANGES.values()]
    return np.asarray(1000 * signals("dki", np.array(B_VALUES, float), values))


def answers(method: Learner, network: nn.Module, path: Path, **arrays: Any) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = method.predict(Model({NETWORK: network}), case_of(path, **arrays), ("numbers",))[
        "numbers"
    ]
    return found


def test_answers_are_in_the_units_of_their_ranges(tmp_path: Path) -> None:
    found = answers(learner(), Answers(0.25, 0.5), tmp_path / "a.npz", b=B_VALUES, signals=voxels())
    assert list(found) == ["D", "K", "flagged"]
    assert found["D"] == pytest.approx(np.full(6, 0.00125))
    assert found["K"] == pytest.approx(np.full(6, 1.0))


def test_signals_in_another_order_or_unit_give_the_same_answers(tmp_path: Path) -> None:
    method = learner()
    torch.manual_seed(0)
    network = method.networks()[NETWORK]
    measured, order = voxels(), [3, 0, 4, 2, 1]
    expected = answers(method, network, tmp_path / "a.npz", b=B_VALUES, signals=measured)
    assert expected["D"].std() > 0
    mixed = {"b": np.array(B_VALUES)[order], "signals": 7 * measured[:, order]}
    found = answers(method, network, tmp_path / "b.npz", **mixed)
    for name in expected:
        assert found[name] == pytest.approx(expected[name], rel=1e-5)


def test_b_values_that_stand_twice_are_kept_apart(tmp_path: Path) -> None:
    method = learner(b_values=(0, 1000, 0, 500))
    torch.manual_seed(0)
    network = method.networks()[NETWORK]
    measured = np.random.default_rng(0).uniform(0.5, 1, (5, 4))
    expected = answers(method, network, tmp_path / "a.npz", b=[0, 1000, 0, 500], signals=measured)
    found = answers(method, network, tmp_path / "b.npz", b=[0, 0, 500, 1000], signals=measured[:, [0, 2, 3, 1]])
    assert found["D"] == pytest.approx(expected["D"], rel=1e-6)


@pytest.mark.parametrize(
    ("snr", "of_file", "flagged"),
    [
        (20.0, None, [0, 0, 1]),  # three times the noise is 3 / 20 = 0.15
        (20.0, [100.0, 100.0, 10.0], [0, 1, 0]),  # of each voxel: 0.03, 0.03, 0.3
        (None, None, [1, 1, 1]),  # who expects no noise flags rounding as well
    ],
)
def test_voxels_far_from_what_is_predicted_are_flagged(
    snr: float | None, of_file: list[float] | None, flagged: list[int], tmp_path: Path
) -> None:
    b = (0, 500, 1000, 1500)
    method = learner(snr=snr, b_values=b, ranges={"D": (0.001, 0.002), "K": (0.0, 1.0)})
    clean = np.exp(-0.001 * np.array(b))  # D = 0.001, K = 0
    away = np.array([0, 1, 1, 1]) * np.sqrt(4 / 3)  # 1 in root mean square over the b values
    measured = np.stack([clean + 1e-9 * away, clean + 0.1 * away, clean + 0.2 * away])
    more = {} if of_file is None else {"snr": of_file}
    found = answers(method, Answers(0.0, 0.0), tmp_path / "a.npz", b=b, signals=measured, **more)
    assert found["flagged"].tolist() == flagged


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"b": B_VALUES}, "holds no array `signals`, only b"),
        ({"signals": voxels()}, "holds no array `b`, only signals"),
        ({"b": B_VALUES, "signals": voxels()[:, :4]}, "`signals` is (6, 4), and not (voxels, 5) as `b` says"),
        (
            {"b": [0, 1000, 500, 1500, 2500], "signals": voxels()},
            "its b values are [0.0, 500.0, 1000.0, 1500.0, 2500.0], the study was made for "
            "[0.0, 500.0, 1000.0, 1500.0, 2000.0]",
        ),
    ],
)
def test_a_file_of_other_signals_is_refused(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(HakkenError) as caught:
        answers(learner(), Answers(0, 0), tmp_path / "a.npz", **arrays)
    assert str(caught.value) == f"{tmp_path / 'a.npz'}: {message}"


@pytest.mark.parametrize("content", [b"no arrays", b""])
def test_what_is_no_file_of_arrays_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    case = case_of(path, b=B_VALUES, signals=voxels())
    path.write_bytes(content)
    model = Model({NETWORK: Answers(0, 0)})
    with pytest.raises(HakkenError, match=r"a\.npz: missing or changed; the case was checked with another file"):
        learner().predict(model, case, ("numbers",))
    checked = replace(case, sha256={"signals": sha256_file(path)})
    with pytest.raises(HakkenError, match=r"a\.npz: cannot be read as \.npz \("):
        learner().predict(model, checked, ("numbers",))
