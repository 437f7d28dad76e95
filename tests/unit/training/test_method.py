"""What methods are handed and what they hand back unless they say otherwise."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hakken.cohort.items import Item
from hakken.core.errors import HakkenError
from hakken.patches.loader import Batch
from hakken.runs.layout_pool import made_up_patches
from hakken.study import Section
from hakken.training.method import Data, Facts, Method
from hakken.training.patch_player import patch_player, volumes
from hakken.training.players import Loss, Model, Networks, Player

from ..methods.expectation.test_learn import expectation
from ..methods.helpers import prepare_case, study


class Least(Method):
    """As little as a method can be."""

    def networks(self) -> dict[str, nn.Module]:
        return {"drawer": nn.Linear(1, 1), "critic": nn.Linear(1, 1)}

    def players(self, networks: Networks, data: Data, seed: int, device: torch.device) -> Sequence[Player]:
        return []

    def loss(self, player: str, networks: Networks, batch: Any, draw: torch.Generator) -> Loss:
        return Loss(torch.zeros(()))

    def predict(self, model: Model, case: Any, wanted: Collection[str]) -> Mapping[str, Any]:
        return {}


def test_the_facts_of_a_study() -> None:
    facts = Facts.of(expectation())
    assert (facts.channels, facts.inputs, facts.targets) == (("A", "B"), ("A",), ("B",))
    assert (facts.reference, facts.axes, facts.spacing_mm, facts.seed) == ("A", 2, (1.5, 1.5, 1.5), 5)
    assert Facts.of(study()).axes == 3


def test_all_networks_are_kept_and_those_that_were_kept_come_back() -> None:
    method = Least(Section(), Section(), Facts())
    networks = method.networks()
    assert dict(method.export(networks).networks) == networks
    model = method.restore({"threshold": 0.5}, ("drawer",))
    assert list(model.networks) == ["drawer"]
    assert model.values == {"threshold": 0.5}
    Least.require(Section())


def test_a_model_knows_its_device_and_can_be_set_to_evaluation() -> None:
    assert Model(values={"a": 1}).device.type == "cpu"
    model = Model({"a": nn.Linear(1, 1).to("meta"), "b": nn.Dropout()})
    assert model.device.type == "meta"
    assert model.eval() is model
    assert not any(network.training for network in model.networks.values())


def test_training_cases_are_images_or_items(tmp_path: Path) -> None:
    image, item = prepare_case(tmp_path, "a", []), Item("b", "p")
    assert Data((image,)).images() == (image,)
    assert Data((item,)).items() == (item,)
    assert Data((image,)).case_ids == ("a",)
    assert Data().case_ids is None
    with pytest.raises(HakkenError) as caught:
        Data((item,)).images()
    assert str(caught.value) == "case b: is an item and no image, which the study's method or outcome takes"
    with pytest.raises(HakkenError) as caught:
        Data((image,)).items()
    assert str(caught.value) == "case a: is an image and no item, which the study's method or outcome takes"


def test_without_patches_there_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(HakkenError) as caught:
        Data().store()
    assert str(caught.value) == "no patches were cut for this method; its NEEDS must say that it takes patches"


def test_patches_are_compared_with_their_checksums(tmp_path: Path) -> None:
    made_up_patches(study(), tmp_path)
    assert len(Data(patches=tmp_path).store()) == 192
    shard = tmp_path / "shard-000.npy"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    with pytest.raises(HakkenError, match="is corrupt"):
        Data(patches=tmp_path).store()


def test_the_player_of_patches_takes_those_of_the_training_cases(tmp_path: Path) -> None:
    made_up_patches(study(), tmp_path / "patches")
    other = Data((prepare_case(tmp_path, "a", []),), tmp_path / "patches")
    parameters: Any = study().parameters
    with pytest.raises(HakkenError, match="holds no positive patches"):
        patch_player(parameters, other, 1, torch.device("cpu"), negative_ratio=3.0)
    mine = patch_player(parameters, Data(patches=tmp_path / "patches"), 1, torch.device("cpu"), negative_ratio=3.0)
    assert (mine.name, mine.networks, mine.optimisation) == ("network", ("network",), parameters.optimisation)
    assert next(mine.source.iterate(0, workers=0, stride=1)).images.shape == (16, 2, 9, 9, 9)


def test_slices_are_volumes_of_one() -> None:
    targets, numbers = torch.zeros(4), torch.arange(4).numpy()
    assert volumes(Batch(torch.zeros(4, 2, 9, 9), targets, numbers)).shape == (4, 2, 1, 9, 9)
    assert volumes(Batch(torch.zeros(4, 2, 5, 9, 9), targets, numbers)).shape == (4, 2, 5, 9, 9)
