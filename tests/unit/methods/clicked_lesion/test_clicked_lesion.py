"""Lesions that are clicked on: what is changed while it learns, what is drawn, what is marked."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.inference.clicks import Click
from hakken.methods.clicked_lesion import Parameters
from hakken.methods.clicked_lesion.changes import inverted, sharpened
from hakken.methods.clicked_lesion.learn import Learner
from hakken.methods.clicked_lesion.source import ClickSource
from hakken.outcomes.masks import mask_of
from hakken.runs.learner import learner_of
from hakken.study import Study
from hakken.study.reading import parse_study
from hakken.training.players import Model

from ...miniature import content_of, prepare_case, save_case, without

SMALL = {"voxels": 8, "levels": 2, "base_features": 4, "convolutions": 1, "batch_size": 2}


def study(**changes: Any) -> Study:
    base = without("patches", "parameters", "search") | {"method": "clicked_lesion", "parameters": SMALL}
    return parse_study(content_of(base, **changes))


@given(st.integers(0, 1000), st.lists(st.booleans(), min_size=3, max_size=3))
def test_inverted_twice_nothing_is_changed(seed: int, chosen: list[bool]) -> None:
    images = torch.rand(3, 2, 4, 4, 4, generator=torch.Generator().manual_seed(seed))
    once = inverted(images, torch.tensor(chosen))
    assert torch.allclose(inverted(once, torch.tensor(chosen)), images, atol=1e-6)
    for image, other, turned in zip(images, once, chosen, strict=True):
        assert torch.equal(other, 1 - image if turned else image)


def test_what_is_sharpened_has_steeper_edges_and_the_same_planes() -> None:
    images = torch.zeros(2, 1, 6, 6, 6)
    images[:, :, 3:] = 1
    found = sharpened(images, torch.tensor([0.0, 1.5]))
    assert torch.equal(found[0], images[0])
    assert found[1, 0, :, 3, 3].tolist() == pytest.approx([0, 0, -0.5, 1.5, 1, 1])


def source_of(cases: list[PreparedCase], kinds: list[str], **parameters: Any) -> ClickSource:
    return ClickSource(cases, kinds, [0], Parameters(**(SMALL | parameters)), seed=1)


def test_kinds_are_drawn_equally_often_and_so_are_the_lesions_of_a_kind(tmp_path: Path) -> None:
    many = prepare_case(tmp_path, "many", [(5, 5, 5), (5, 18, 5), (16, 5, 16)])
    one = prepare_case(tmp_path, "one", [(11, 13, 12)])
    source = source_of([many, one], ["ms", "sarcoma"])
    drawn = Counter((place.case.case_id, place.lesion) for place, _ in map(source.place, range(1200)))
    assert drawn["one", 1] == pytest.approx(600, abs=60)
    assert [drawn["many", lesion] for lesion in (1, 2, 3)] == [pytest.approx(200, abs=45)] * 3


def test_clicks_are_off_while_it_learns(tmp_path: Path) -> None:
    case = prepare_case(tmp_path, "one", [(11, 13, 12)])
    places = [source_of([case], [""], jitter=0.1).place(number) for number in range(50)]
    away = [np.linalg.norm(np.subtract(click.centre, place.click.centre)) for place, click in places]
    assert 0.5 < max(away) <= 0.75
    assert all(click == place.click for place, click in map(source_of([case], [""], jitter=0).place, range(5)))


def test_a_mini_batch_is_a_function_of_its_number(tmp_path: Path) -> None:
    case = prepare_case(tmp_path, "one", [(11, 13, 12)])
    first, again = source_of([case], [""]).batch(3), source_of([case], [""]).batch(3)
    assert first["images"].shape == (2, 1, 8, 8, 8)
    assert torch.equal(first["images"], again["images"])
    assert not torch.equal(first["images"], source_of([case], [""]).batch(4)["images"])


def test_grey_levels_are_inverted_by_a_switch_of_its_own(tmp_path: Path) -> None:
    """Without augmentation nothing else is changed: the bright ball is dark, and marked all the same."""
    case = prepare_case(tmp_path, "one", [(11, 13, 12)])
    plain = source_of([case], [""], augmentation=0, inversion=0).batch(0)
    turned = source_of([case], [""], augmentation=0, inversion=1).batch(0)
    assert torch.allclose(turned["images"], 1 - plain["images"], atol=1e-6)
    assert torch.equal(turned["targets"], plain["targets"])
    inside = plain["targets"][:, :1] > 0.9
    assert float(plain["images"][inside].mean()) > 0.7
    assert (float(plain["images"].min()), float(plain["images"].max())) == (0, 1)


def test_other_lesions_are_neither_right_nor_wrong(tmp_path: Path) -> None:
    case = prepare_case(tmp_path, "two", [(11, 10, 12), (11, 16, 12)])
    batch = source_of([case], [""], augmentation=0, edge=3).batch(0)
    own, others = batch["targets"][:, 0], batch["targets"][:, 1]
    assert (own.amax((1, 2, 3)) > 0.9).all()
    assert (others.amax((1, 2, 3)) > 0.5).all()
    assert float((own * others).max()) < 0.5


def test_no_lesion_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(HakkenError, match="no training case has a lesion that counts, so there is nothing to learn"):
        source_of([prepare_case(tmp_path, "none", [])], [""])


def untrained(chosen: Study) -> tuple[Learner, Model]:
    learner = learner_of(chosen)
    assert isinstance(learner, Learner)
    torch.manual_seed(0)
    model = learner.export(learner.networks()).eval()
    with torch.no_grad():  # so that about half of all voxels are marked
        for head in model.networks["network"].stages[-1].heads.values():  # type: ignore[union-attr, index]
            head.bias.zero_()
    return learner, model


def test_each_lesion_that_counts_has_a_mask(tmp_path: Path) -> None:
    case = prepare_case(tmp_path, "two", [(8, 8, 8), (14, 18, 16)])
    small = tuple(replace(lesion, kind="excluded") if lesion.lesion == 1 else lesion for lesion in case.lesions)
    learner, model = untrained(study(inference={"batch": 1}))
    found = learner.predict(model, case, ("lesion_masks",))["lesion_masks"]
    assert list(found) == [1, 2]
    assert all(mask_of(runs, case.geometry.shape_zyx).any() for runs in found.values())
    only = learner.predict(model, replace(case, lesions=small), ("lesion_masks",))["lesion_masks"]
    assert list(only) == [2]
    assert np.array_equal(only[2], found[2])
    assert learner.predict(model, prepare_case(tmp_path, "none", []), ("lesion_masks",)) == {"lesion_masks": {}}


def test_volume_and_click_moved_together_give_the_same_mask(tmp_path: Path) -> None:
    learner, model = untrained(study())
    image = np.random.default_rng(3).normal(0, 1, (2, 24, 24, 24))
    masks = []
    for name, shift, origin in (("here", (0, 0, 0), (0.0, 0.0, 0.0)), ("there", (3, -2, 1), (31.5, -8.25, 4.0))):
        geometry = Geometry((24, 24, 24), (1.5, 1.5, 1.5), origin)
        moved = np.roll(image, shift, (1, 2, 3))
        labels = np.zeros(geometry.shape_zyx, np.int16)
        case = save_case(tmp_path, name, moved, geometry=geometry, labels=labels, lesions=[Lesion(1, 0, 0, 0, 1, 1)])
        x, y, z = geometry.to_world([np.add((11.3, 12.2, 12.6), shift)])[0].tolist()
        (runs,) = learner.masks(model, case, [Click((x, y, z), 9.0)])
        masks.append(np.roll(mask_of(runs, geometry.shape_zyx), [-step for step in shift], (0, 1, 2)))
    assert masks[0].any()
    assert np.array_equal(*masks)


def test_a_volume_of_interest_that_is_too_small_for_the_levels() -> None:
    with pytest.raises(HakkenError, match=r"parameters\.voxels 8: 3 levels need at least 16; lower `levels`"):
        study(parameters={"levels": 3})
