from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hakken.methods.autoencoder.learn import Learner
from hakken.patches.loader import Batch
from hakken.runs.layout_pool import made_up_patches
from hakken.runs.learner import learner_of
from hakken.study import Study
from hakken.training.method import Data
from hakken.training.players import Model

from ..helpers import prepare_case, study


def anomaly() -> Study:
    return study(
        method="autoencoder",
        parameters={"patch_size": 8, "poolings": 2, "convolutions": 2, "dropout": 0},
        inference={"stride_voxel": 3},
    )


def learner() -> Learner:
    found = learner_of(anomaly())
    assert isinstance(found, Learner)
    return found


class Zero(torch.nn.Module):
    """Reconstructs nothing, and remembers what it was asked to reconstruct."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Size] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(images.shape)
        return torch.zeros_like(images)


def loss_of(network: torch.nn.Module, images: torch.Tensor) -> float:
    batch = Batch(images, torch.zeros(len(images), dtype=torch.int64), np.arange(len(images)))
    return learner().loss("network", {"network": network}, batch, torch.Generator()).value.item()


def test_the_loss_is_the_mean_squared_error() -> None:
    # The network gives 0: (1 + 4 + 9 + 4) / 4.
    assert loss_of(Zero(), torch.tensor([1.0, 2.0, 3.0, -2.0]).reshape(4, 1, 1, 1, 1)) == pytest.approx(18 / 4)


def test_flat_patches_become_volumes_of_one_slice() -> None:
    network = Zero()
    assert loss_of(network, torch.ones(3, 2, 5, 5)) == 1
    assert network.seen == [torch.Size([3, 2, 1, 5, 5])]


def test_it_learns_from_patches_without_lesions(tmp_path: Path) -> None:
    made_up_patches(anomaly(), tmp_path)
    method = learner()
    (player,) = method.players(method.networks(), Data(patches=tmp_path), 1, torch.device("cpu"))
    assert player.networks == ("network",)
    assert not next(player.source.iterate(0, workers=0, stride=1)).targets.any()


def test_the_score_of_a_case_is_the_highest_error_of_its_patches(tmp_path: Path) -> None:
    """A network that gives zeros: the error of a patch is its mean square, which a direct sum gives as well."""
    case = prepare_case(tmp_path, "a", [(8, 9, 10)])
    method = learner()
    model = Model(method.networks()).eval()
    with torch.no_grad():
        for weight in model.networks["network"].parameters():
            weight.zero_()
    found = method.predict(model, case, ("candidates", "case_scores"))
    assert found.keys() == {"candidates", "case_scores"}
    candidates = found["candidates"]
    padded = np.pad(case.image().astype(np.float64), ((0, 0), *[(8, 8)] * 3))
    # The lattice is centred: (extent - 1) % 3 // 2 of 24, 26, 22 voxels.
    starts = [((extent - 1) % 3) // 2 for extent in case.mask().shape]
    highest = max(
        (padded[:, z + 4 : z + 12, y + 4 : y + 12, x + 4 : x + 12] ** 2).mean()
        for z in range(starts[0], case.mask().shape[0], 3)
        for y in range(starts[1], case.mask().shape[1], 3)
        for x in range(starts[2], case.mask().shape[2], 3)
    )
    assert candidates.score[0] == found["case_scores"] == pytest.approx(highest, rel=1e-5)
    assert (np.diff(candidates.score) <= 0).all()
    # 3 voxels of 1.5 mm: the highest patch holds the ball's middle.
    assert np.abs(candidates.voxel[0] - (8, 9, 10)).max() <= 4


def test_the_errors_of_all_voxels_are_given_when_asked(tmp_path: Path) -> None:
    case, method = prepare_case(tmp_path, "a", [(8, 9, 10)]), learner()
    found = method.predict(Model(method.networks()).eval(), case, ("score_maps",))
    assert found.keys() == {"score_maps"}
    assert found["score_maps"].shape == case.geometry.shape_zyx
