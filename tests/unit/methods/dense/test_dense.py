"""The dense method: its losses in closed form, what it says of a case, what a study may ask of it."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hakken.core.console import console
from hakken.core.errors import InvalidArchitecture
from hakken.core.volume import Geometry
from hakken.imaging.lesions import measure_lesions
from hakken.imaging.prepared import PreparedCase, save_prepared
from hakken.inference.sliding import whole_map
from hakken.methods.dense import Inference, Parameters, problems, window_at_use
from hakken.methods.dense.learn import LESIONS, Learner
from hakken.methods.dense.loss import heat_loss, label_loss, over_levels
from hakken.methods.unet.loss import soft_dice_loss
from hakken.runs.ask import complete
from hakken.search import Space
from hakken.search.samplers import random_point
from hakken.study.reading import load_study
from hakken.training.method import Facts
from hakken.training.players import Model
from hakken.training.sources import Samples

ROOT = Path(__file__).resolve().parents[4]
ONES = torch.ones(1, 1, 4, 4, 4)
FACTS = Facts(channels=("a",), inputs=("a",))


def test_cross_entropy_and_dice_in_closed_form() -> None:
    targets = torch.zeros(1, 1, 4, 4, 4)
    targets[..., 0] = 1  # 16 of 64
    logits = torch.full_like(targets, math.log(3))  # p = 0.75
    entropy = -(16 * math.log(0.75) + 48 * math.log(0.25)) / 64
    dice = 1 - (2 * 16 * 0.75 + 1) / (64 * 0.75 + 16 + 1)
    assert float(label_loss(logits, targets, ONES, dice=0.0)) == pytest.approx(entropy, rel=1e-5)
    assert float(label_loss(logits, targets, ONES, dice=1.0)) == pytest.approx(dice, rel=1e-5)
    assert float(label_loss(logits, targets, ONES, dice=0.25)) == pytest.approx(0.25 * dice + 0.75 * entropy, rel=1e-5)


def test_what_does_not_count_has_no_gradient_and_no_part() -> None:
    targets, weight = torch.zeros(1, 1, 4, 4, 4), ONES.clone()
    targets[..., 0, 0, 0] = 1
    weight[..., 1, :, :] = 0
    logits = torch.randn(1, 1, 4, 4, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()
    loss = over_levels([logits], targets, weight, partial(label_loss, dice=0.5))
    loss.backward()
    assert logits.grad is not None
    assert not logits.grad[..., 1, :, :].any()
    assert logits.grad[..., 0, :, :].all()


def test_a_batch_without_a_lesion_has_a_loss() -> None:
    none = torch.zeros(2, 1, 4, 4, 4)
    for loss in (partial(label_loss, dice=0.5), heat_loss):
        assert math.isfinite(float(loss(none, none, torch.ones_like(none))))
    assert float(soft_dice_loss(none, none)) == 0.0


def test_heat_everywhere_has_the_closed_form() -> None:
    logits = torch.full((1, 1, 5), -1.0)
    p = 1 / (1 + math.e)
    assert float(heat_loss(logits, torch.ones(1, 1, 5), torch.ones(1, 1, 5))) == pytest.approx(
        -((1 - p) ** 2) * math.log(p), rel=1e-5
    )
    half = torch.full((1, 1, 5), 0.5)  # no centre: divided by 1, not by 0
    expected = -5 * 0.5**4 * p**2 * math.log(1 - p)
    assert float(heat_loss(logits, half, torch.ones(1, 1, 5))) == pytest.approx(expected, rel=1e-5)


def test_coarser_levels_keep_small_lesions_and_count_half() -> None:
    targets = torch.zeros(1, 1, 4, 4, 4)
    targets[..., 3, 3, 3] = 1
    seen: list[tuple[float, float]] = []

    def loss(logits: torch.Tensor, at: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        seen.append((float(at.sum()), float(weight.sum())))
        return torch.tensor(float(at.numel()))

    weight = ONES.clone()
    weight[..., 0, 0, 0] = 0
    said = [torch.zeros(1, 1, edge, edge, edge) for edge in (4, 2, 1)]
    assert float(over_levels(said, targets, weight, loss)) == pytest.approx((64 + 8 / 2 + 1 / 4) / 1.75)
    assert seen == [(1, 63), (1, 7), (1, 0)]  # a coarse voxel counts where all that lie in it do


@pytest.fixture
def case(tmp_path: Path) -> PreparedCase:
    shape = (20, 24, 28)
    labels = np.zeros(shape, np.int16)
    labels[8:12, 8:12, 8:12], labels[3:5, 18:20, 20:22] = 1, 2
    geometry = Geometry(shape, (1.0, 1.0, 1.0))
    mask = np.zeros(shape, np.uint8)
    mask[2:16, 4:22, 4:24] = 1
    made = PreparedCase(
        case_id="one",
        patient="one",
        channels=("a",),
        geometry=geometry,
        source_geometry=geometry,
        normalisation={},
        pixel_digest="one",
        has_truth=True,
        lesions=measure_lesions(labels, geometry),
    )
    return save_prepared(tmp_path, made, (labels[None] > 0).astype(float), mask, labels)


class Bright(nn.Module):
    """A network that says 0.9 where the image is bright and 0.001 elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, images: torch.Tensor) -> dict[str, tuple[torch.Tensor, ...]]:
        self.seen.append(tuple(images.shape))
        return {LESIONS: (torch.logit(torch.where(images[:, :1] > 0.5, 0.9, 0.001)),)}


def learner(**inference: object) -> Learner:
    return Learner(Parameters(), Inference(window_voxel=16, **inference), FACTS)  # type: ignore[arg-type]


@pytest.mark.parametrize("flips", [False, True])
def test_what_it_says_of_a_case(case: PreparedCase, flips: bool) -> None:
    found = learner(flips=flips).predict(Model({"network": Bright()}), case, ())
    marks = found["candidates"]
    assert sorted(marks.size.tolist()) == [8.0, 64.0]
    assert marks.score.tolist() == pytest.approx([0.9, 0.9], abs=1e-5)
    assert found["case_scores"] == pytest.approx(0.9, abs=1e-5)
    assert np.array_equal(found["masks"]["dense"], case.labels() > 0)


@pytest.mark.parametrize(("between", "expected"), [(0.97, 1), (0.3, 2)])
def test_a_rough_vessel_is_one_candidate_and_two_lesions_apart_are_two(
    case: PreparedCase, between: float, expected: int
) -> None:
    found = np.zeros(case.geometry.shape_zyx, np.float32)
    found[10, 10, 8:20] = between
    found[10, 10, [9, 18]] = 0.999
    chosen = Learner(Parameters(), Inference(), FACTS).conclude({LESIONS: found}, case, ())
    assert len(chosen["candidates"]) == expected


def test_nothing_lies_outside_of_the_mask_and_no_window_is_seen_there(case: PreparedCase) -> None:
    mask = np.zeros(case.geometry.shape_zyx, np.uint8)
    mask[0:4, 0:4, 0:4] = 1
    network = Bright()
    found = whole_map(
        lambda images: torch.sigmoid(network(images)[LESIONS][0]),
        case.image(),
        mask,
        window=(8, 8, 8),
        overlap=0.5,
        batch=2,
        flips=False,
        device=torch.device("cpu"),
    )
    assert not found[0][mask == 0].any()
    assert network.seen == [(1, 1, 8, 8, 8)]
    empty = whole_map(
        lambda images: images,
        case.image(),
        0 * mask,
        window=(8, 8, 8),
        overlap=0.5,
        batch=2,
        flips=False,
        device=torch.device("cpu"),
    )
    assert not empty.any()


def test_a_window_larger_than_the_image_is_as_large_as_it(case: PreparedCase) -> None:
    network = Bright()
    chosen = Learner(Parameters(), Inference(window_voxel=512), FACTS)
    found = chosen.predict(Model({"network": network}), case, ())
    assert network.seen == [(1, len(case.channels), *case.geometry.shape_zyx)]
    assert np.array_equal(found["masks"]["dense"], case.labels() > 0)


def test_windows_at_use_are_a_third_larger_than_those_of_the_training(case: PreparedCase) -> None:
    network, given = Bright(), Parameters(patch_size=12, levels=3)
    Learner(given, Inference(), FACTS).predict(Model({"network": network}), case, ())
    assert {shape[2:] for shape in network.seen} == {tuple(min(16, extent) for extent in case.geometry.shape_zyx)}
    assert window_at_use(given, Inference(window_voxel=40)) == 40


@pytest.mark.parametrize("scale", ["tiny", "small", "paper"])
@pytest.mark.parametrize("name", ["brain_metastasis", "white_matter_lesion"])
def test_every_point_of_a_study_s_space_is_a_network(name: str, scale: str) -> None:
    study = load_study(ROOT / "config" / "studies" / f"{name}.yaml", scale)
    entries = {key: one.model_dump(mode="json", exclude_defaults=True) for key, one in study.search.space.items()}
    assert len(entries) == 17
    assert set(entries) > {"levels", "base_features", "growth", "convolutions", "joining", "norm"}
    space = Space.from_mapping(entries)
    for number in range(12):
        drawn = complete(random_point(space, number, study.seed), study.parameters.model_dump(mode="json"), "dense")
        Learner.require(drawn)
        assert list(problems(study.model_copy(update={"parameters": drawn}))) == []


def test_numbers_that_are_none_are_the_networks_fault(case: PreparedCase) -> None:
    class Broken(Bright):
        def forward(self, images: torch.Tensor) -> dict[str, tuple[torch.Tensor, ...]]:
            return {LESIONS: (torch.full_like(images[:, :1], math.nan),)}

    with pytest.raises(FloatingPointError, match="the network's probabilities are not finite"):
        learner().predict(Model({"network": Broken()}), case, ())


def test_more_candidates_than_are_kept_are_spoken_of(case: PreparedCase, tmp_path: Path) -> None:
    with console("predict", tmp_path / "log"):
        found = learner(maximum_candidates=1).predict(Model({"network": Bright()}), case, ())
    assert len(found["candidates"]) == 1
    assert "case one: 2 candidates, of which 1 are kept" in (tmp_path / "log").read_text()


def test_the_loss_of_a_batch_is_that_of_all_levels() -> None:
    torch.manual_seed(0)
    chosen = Learner(Parameters(levels=3, base_features=4, supervised=2), Inference(), FACTS)
    networks = chosen.networks()
    images, targets = torch.randn(2, 1, 8, 8, 8), torch.zeros(2, 2, 8, 8, 8)
    targets[0, 0, 2:5, 2:5, 2:5] = 1
    loss = chosen.loss("network", networks, Samples({"images": images, "targets": targets}), torch.Generator())
    said = networks["network"](images)[LESIONS]
    assert len(said) == 2
    expected = over_levels(said, targets[:, :1], torch.ones(2, 1, 8, 8, 8), partial(label_loss, dice=0.5))
    assert float(loss.value.detach()) == pytest.approx(float(expected.detach()))


def test_parameters_that_describe_no_network_are_refused() -> None:
    with pytest.raises(InvalidArchitecture, match="3 supervised levels: the decoder has 2"):
        Learner.require(Parameters(levels=3, supervised=3))
