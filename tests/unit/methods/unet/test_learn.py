"""Segmentation: its loss, what is drawn for a step, and a size as a model of its own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from hakken.core.errors import InvalidArchitecture
from hakken.methods.unet import Inference, Parameters
from hakken.methods.unet.learn import Learner
from hakken.methods.unet.loss import mask_loss, soft_dice_loss
from hakken.methods.unet.sizes import Size
from hakken.patches.loader import Batch
from hakken.runs.layout_pool import made_up_patches
from hakken.runs.learner import learner_of
from hakken.study import Study
from hakken.training.method import Data, Facts
from hakken.training.players import Model

from ..helpers import prepare_case, study

SIZES = (Size(3), Size(3, 0.5), Size(2), Size(2, 0.5))
SMALL = {"patch_size": 8, "poolings": 1, "convolutions": 1, "dropout": 0, "batch_size": 8}


def segmentation(**parameters: Any) -> Study:
    return study(method="unet", parameters=SMALL | {"sizes": {"levels": [1, 2]}} | parameters)


def learner(**parameters: Any) -> Learner:
    found = learner_of(segmentation(**parameters))
    assert isinstance(found, Learner)
    return found


def of_four_sizes(**sizes: Any) -> Learner:
    """A method whose sizes are `SIZES`."""
    found = learner(poolings=2, sizes={"levels": [2, 3], "features": [0.5, 1]} | sizes)
    assert found.sizes == SIZES
    return found


class Recorder(nn.Module):
    """Gives the same logits at every size and remembers which sizes it ran at."""

    def __init__(self, value: float = 0.0) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))
        self.seen: list[Size] = []

    def forward(self, images: torch.Tensor, levels: int, features: float) -> torch.Tensor:
        self.seen.append(Size(levels, features))
        return images[:, :1] * 0 + self.value


def batch() -> Batch:
    maps = torch.zeros(2, 1, 4, 4)
    maps[0, 0, :2] = 1
    return Batch(torch.zeros(2, 3, 4, 4), torch.tensor([1, 0]), np.arange(2), maps)


def loss_of(method: Learner, network: nn.Module, given: Batch | None = None) -> torch.Tensor:
    return method.loss("network", {"network": network}, given or batch(), torch.Generator()).value


def test_the_loss_of_even_odds() -> None:
    # 8 of 32 voxels are true; all probabilities are 1/2: cross-entropy log 2, Dice (2 * 4 + 1) / (16 + 8 + 1).
    assert loss_of(learner(), Recorder()).item() == pytest.approx(math.log(2) + 1 - 9 / 25)


def test_the_dice_loss_of_empty_masks_is_defined() -> None:
    nothing = torch.zeros(1, 1, 4)
    assert soft_dice_loss(nothing, nothing).item() == 0
    assert soft_dice_loss(torch.ones(1, 1, 4), torch.ones(1, 1, 4)).item() == 0
    assert soft_dice_loss(torch.ones(1, 1, 4), nothing).item() == pytest.approx(1 - 1 / 5)


def test_focal_weighs_what_is_uncertain() -> None:
    expected = math.log(2) / 4 + 1 - 5 / 7
    assert mask_loss(torch.zeros(1, 1, 4), torch.ones(1, 1, 4), gamma=2).item() == pytest.approx(expected)
    # 8 of 32 voxels are true, as above; all voxels are equally uncertain.
    focal = loss_of(learner(loss="focal", focal_gamma=2), Recorder())
    assert focal.item() == pytest.approx(math.log(2) / 4 + 1 - 9 / 25)


def test_each_step_runs_at_one_size_drawn_by_its_seed() -> None:
    method, runs = of_four_sizes(drawn="one"), []
    for _ in range(2):
        network = Recorder()
        for step in range(80):
            torch.manual_seed(step)
            loss_of(method, network)
        runs.append(network.seen)
    first, again = runs
    assert again == first
    assert set(first) == set(SIZES)
    assert all(10 <= first.count(size) <= 32 for size in SIZES)


@pytest.mark.parametrize("distillation", [False, True])
def test_a_step_runs_at_the_largest_the_smallest_and_one_between(distillation: bool) -> None:
    method, network, middles = of_four_sizes(distillation=distillation), Recorder(0.3), set()
    for step in range(20):
        network.seen = []
        torch.manual_seed(step)
        loss_of(method, network)
        assert (network.seen[0], network.seen[-1], len(network.seen)) == (SIZES[0], SIZES[-1], 3)
        middles.add(network.seen[1])
    assert middles == set(SIZES[1:3])


class Two(nn.Module):
    """A large size that says 0.95 everywhere and a small one that says 0.27, each by a weight of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.large, self.small = (nn.Parameter(torch.tensor(value)) for value in (3.0, -1.0))

    def forward(self, images: torch.Tensor, levels: int, features: float) -> torch.Tensor:
        return images[:, :1] * 0 + (self.large if levels == 3 else self.small)

    @property
    def gradients(self) -> tuple[float, float]:
        """Those of the large and of the small size's weight."""
        assert self.large.grad is not None
        assert self.small.grad is not None
        return float(self.large.grad), float(self.small.grad)


EMPTY = Batch(torch.zeros(1, 1, 4, 4), torch.tensor([0]), np.arange(1), torch.zeros(1, 1, 4, 4))


def gradients_of(**sizes: Any) -> tuple[float, float]:
    """Those of a network of two sizes on an image without a lesion."""
    network = Two()
    method = learner(poolings=2, sizes={"levels": [2, 3]} | sizes)
    loss_of(method, network, EMPTY).backward()  # type: ignore[no-untyped-call]
    return network.gradients


def test_the_smaller_sizes_learn_from_the_largest_and_not_from_the_truth() -> None:
    large, small = gradients_of(distillation=True)
    assert large > 0  # the truth is empty
    assert small < 0  # the largest says 0.95, and teaches that


def test_without_distillation_every_size_learns_from_the_truth() -> None:
    large, small = gradients_of()
    assert large > 0
    assert small > 0


def test_the_gradient_of_a_pupil_does_not_reach_its_teacher() -> None:
    # The teacher's is that of its own loss alone, half of it since the loss is the mean over two sizes.
    alone = Two()
    mask_loss(alone.large.expand(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)).backward()  # type: ignore[no-untyped-call]
    assert alone.large.grad is not None
    assert gradients_of(distillation=True)[0] == pytest.approx(float(alone.large.grad) / 2)


def test_a_step_may_run_at_every_size() -> None:
    method, network = of_four_sizes(drawn="every"), Recorder()
    loss_of(method, network)
    assert tuple(network.seen) == SIZES


@given(
    levels=st.sets(st.integers(1, 5), min_size=1).map(sorted),
    features=st.sets(st.sampled_from([0.25, 0.5, 0.75, 1.0]), min_size=1).map(sorted),
    drawn=st.sampled_from(["sandwich", "every"]),
    distillation=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_every_step_runs_at_the_largest_and_the_smallest_size(
    levels: list[int], features: list[float], drawn: str, distillation: bool, seed: int
) -> None:
    chosen = {"levels": levels, "features": features, "drawn": drawn, "distillation": distillation}
    method, network = learner(poolings=levels[-1] - 1, sizes=chosen), Recorder()
    torch.manual_seed(seed)
    loss_of(method, network)
    assert (network.seen[0], network.seen[-1]) == (Size(levels[-1], features[-1]), Size(levels[0], features[0]))
    assert network.seen == sorted(set(network.seen), reverse=True)
    assert len(network.seen) == (len(method.sizes) if drawn == "every" else min(3, len(method.sizes)))


@pytest.mark.parametrize("scaling", ["shared", "own"])
def test_a_network_of_several_sizes_begins_as_the_plain_one(scaling: str) -> None:
    plain, several = learner(poolings=2, sizes={"levels": [3]}), of_four_sizes(scaling=scaling)
    images = torch.randn(1, 2, 8, 8, 8, generator=torch.Generator().manual_seed(2))
    torch.manual_seed(0)
    expected = plain.networks()["network"].eval()(images)
    torch.manual_seed(0)
    assert torch.equal(several.networks()["network"].eval()(images), expected)


def test_at_its_whole_size_a_step_of_one_size_is_that_of_the_plain_network() -> None:
    losses, weights = [], []
    for method in (learner(poolings=2, sizes={"levels": [3]}), learner(poolings=2, sizes={"scaling": "own"})):
        torch.manual_seed(0)
        networks = method.networks()
        given_batch = Batch(torch.randn(2, 2, 8, 8, 8), torch.tensor([1, 0]), np.arange(2), torch.ones(2, 1, 8, 8, 8))
        value = method.loss("network", networks, given_batch, torch.Generator()).value
        value.backward()  # type: ignore[no-untyped-call]
        losses.append(value.item())
        weights.append([weight.grad for weight in networks["network"].parameters()])
    assert losses[0] == losses[1]
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))


def noisy_discs(step: int, edge: int = 16) -> Batch:
    """Eight images of noise, in each a disc that is hardly brighter; 8 % of the pixels lie in discs."""
    random = torch.Generator().manual_seed(step)
    places = torch.randint(3, edge - 3, (8, 2), generator=random)
    rows, columns = torch.meshgrid(torch.arange(edge), torch.arange(edge), indexing="ij")
    distances = (rows - places[:, 0, None, None]) ** 2 + (columns - places[:, 1, None, None]) ** 2
    maps = (distances[:, None] < 7).float()
    images = torch.randn(8, 2, edge, edge, generator=random) + 0.8 * maps
    return Batch(images, torch.ones(8, dtype=torch.int64), np.arange(8), maps)


def highest_logit(seed: int, *, even: bool) -> float:
    """That of the last of 40 mini-batches of a network of four feature maps, which begins at ``even`` odds or not."""
    flat = {"poolings": 1, "convolutions": 2, "base_features": 4, "growth": 1, "dropout": 0}
    method = Learner(Parameters(**flat), Inference(), Facts(inputs=("a", "b"), axes=2))
    torch.manual_seed(seed)
    network = method.networks()["network"]
    if even:
        nn.init.zeros_(network.get_parameter("head.bias"))
    optimizer, found = torch.optim.AdamW(network.parameters(), lr=0.006), torch.zeros(())
    for step in range(40):
        given_batch = noisy_discs(1000 * seed + step)
        found = network(given_batch.images)
        loss = mask_loss(found, given_batch.maps)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return float(found.detach().max())


def test_a_network_that_begins_at_even_odds_gets_stuck_and_one_that_knows_that_lesions_are_rare_does_not() -> None:
    assert sum(highest_logit(seed, even=True) < 0.1 for seed in range(4)) >= 3  # marks next to nothing
    assert all(highest_logit(seed, even=False) > 1 for seed in range(4))


def test_an_untrained_network_takes_lesions_for_rare() -> None:
    torch.manual_seed(0)
    network = learner(base_features=32, poolings=2, sizes={"levels": [3]}).networks()["network"].eval()
    network.get_parameter("head.weight").data.zero_()
    assert torch.sigmoid(network(torch.randn(1, 2, 8, 8, 8))).detach().numpy() == pytest.approx(0.1)


def test_it_learns_from_patches_with_their_masks(tmp_path: Path) -> None:
    made_up_patches(segmentation(), tmp_path)
    method = learner()
    (player,) = method.players(method.networks(), Data(patches=tmp_path), 1, torch.device("cpu"))
    found = next(player.source.iterate(0, workers=0, stride=1))
    assert (found.images.shape, found.maps.shape) == ((8, 2, 8, 8, 8), (8, 1, 8, 8, 8))
    assert found.targets.sum() == 2  # three negatives a positive


def test_a_model_gives_a_mask_at_each_size(tmp_path: Path) -> None:
    case, method = prepare_case(tmp_path, "a", [(8.0, 9.0, 10.0)]), learner()
    torch.manual_seed(0)
    found = method.predict(Model(method.networks()).eval(), case, ("masks",))["masks"]
    assert list(found) == ["2 levels", "1 level"]
    assert all(mask.shape == case.geometry.shape_zyx for mask in found.values())


def test_a_size_can_be_a_model_of_its_own(tmp_path: Path) -> None:
    case = prepare_case(tmp_path, "a", [(8.0, 9.0, 10.0)])
    method = of_four_sizes()
    torch.manual_seed(0)
    model = Model(method.networks()).eval()
    whole = method.predict(model, case, ("masks",))["masks"]
    parameters, small, words = method.smaller(model, 2, 0.5)
    assert (words, parameters.poolings, parameters.sizes.levels) == ("2 levels, 0.5 of the maps", 1, (2,))
    alone = learner_of(segmentation(**parameters.model_dump(exclude_defaults=True)))
    assert isinstance(alone, Learner)
    kept = alone.restore(small.values, ("network",))
    kept.networks["network"].load_state_dict(small.networks["network"].state_dict())
    (mask,) = alone.predict(kept.eval(), case, ("masks",))["masks"].values()
    np.testing.assert_array_equal(mask, whole["2 levels, 0.5 of the maps"])


def test_a_size_that_was_not_trained_says_so_and_one_that_is_none_is_refused() -> None:
    method = learner()
    model = Model(method.networks())
    assert method.smaller(model, 2, 0.5)[2] == (
        "2 levels, 0.5 of the maps; it was not trained at this size, and its masks are untested"
    )
    assert method.smaller(model, None, 1.0)[2] == "2 levels"
    with pytest.raises(InvalidArchitecture, match="3 levels: this U-Net has 2; choose 1 to 2"):
        method.smaller(model, 3, 1.0)


def test_any_parameters_that_a_study_may_have_describe_a_u_net() -> None:
    Learner.require(Parameters(poolings=5, base_features=1, growth=1))
