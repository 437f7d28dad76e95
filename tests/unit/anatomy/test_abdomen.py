"""The upper abdomen: named tissues in their order, and breathing that moves what hangs on the diaphragm."""

from __future__ import annotations

import numpy as np
import pytest

from hakken.anatomy.abdomen import (
    TISSUES,
    Slab,
    breathe,
    draw_body,
    draw_liver,
    draw_mobility,
    draw_tree,
    lay_slab,
    layers,
)
from hakken.anatomy.shapes import Array


@pytest.fixture(scope="module")
def body() -> tuple[Slab, Array, Array]:
    """A slab with the distance to its skin and its liver."""
    slab, random = lay_slab((160.0, 126.0, 80.0), 4.0), np.random.default_rng(1)
    skin = draw_body(slab, random)
    return slab, skin, draw_liver(slab, skin, random)


def test_tissues_come_in_their_order(body: tuple[Slab, Array, Array]) -> None:
    slab, skin, liver = body
    found = list(layers(slab, skin, liver, np.random.default_rng(2)))
    assert tuple(dict.fromkeys(name for _, name in found)) == ("skin", "muscle", "rib", *TISSUES[3:])
    assert all(share.shape == slab.grid.shape and share.min() >= 0 and share.max() <= 1 for share, _ in found)
    assert all(share.any() for share, _ in found)


def test_the_liver_lies_within_the_body(body: tuple[Slab, Array, Array]) -> None:
    _, skin, liver = body
    assert liver[skin > 0].max() == 0
    assert liver.max() == 1


def test_a_thinner_tree_fills_less(body: tuple[Slab, Array, Array]) -> None:
    slab, _, liver = body
    wide, thin = (
        draw_tree(slab, liver, slab.hilum, 10, np.random.default_rng(3), tip_mm=tip).sum() for tip in (2.0, 1.0)
    )
    assert thin < 0.5 * wide


def test_breathing_moves_the_liver_and_not_the_wall(body: tuple[Slab, Array, Array]) -> None:
    slab, skin, liver = body
    mobility = draw_mobility(slab, skin)
    assert mobility.min() >= 0
    assert mobility.max() <= 1
    assert mobility[skin > -5].max() == 0
    spot = np.zeros(slab.grid.shape, np.float32)
    z, y, x = np.argwhere(liver > 0.9)[np.argmax(mobility[liver > 0.9])]
    spot[z, y, x] = 1
    still = breathe(spot, mobility, slab.grid, np.zeros(3))
    assert still is spot
    moved = breathe(spot, mobility, slab.grid, np.array([0.0, 0.0, 8.0]))
    centre = (np.argwhere(moved > 0) * moved[moved > 0][:, None]).sum(0) / moved.sum()
    assert centre - (z, y, x) == pytest.approx([8 * mobility[z, y, x] / 4, 0, 0], abs=0.25)
