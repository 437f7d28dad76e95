from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hakken.methods.glow import Parameters
from hakken.methods.glow.windows import FlowSource, Shape, bits_at

from .helpers import prepare


def parameters(**changes: object) -> Parameters:
    return Parameters.model_validate({"patch_size": 4, "levels": 1, "batch_size": 6} | changes)


def test_one_window_is_the_whole_of_an_image_of_its_size() -> None:
    boxes = Shape(8, 2).lattice(np.ones((1, 8, 8), bool), 0.5)
    assert boxes == [(slice(0, 1), slice(0, 8), slice(0, 8))]


@pytest.mark.parametrize(("axes", "shape"), [(2, (2, 9, 6)), (3, (5, 9, 6))])
def test_windows_cover_the_image(axes: int, shape: tuple[int, int, int]) -> None:
    seen = np.zeros(shape, int)
    for box in Shape(4, axes).lattice(np.ones(shape, bool), 0.5):
        assert seen[box].shape == Shape(4, axes).window
        seen[box] += 1
    assert seen.min() >= 1


def test_windows_lie_inside_where_they_can() -> None:
    inside = np.zeros((1, 8, 8), bool)
    inside[:, :4, :4] = True
    assert Shape(4, 2, least_inside=0.9).lattice(inside, 0.5) == [(slice(0, 1), slice(0, 4), slice(0, 4))]
    inside[:, 0] = False  # nowhere is enough left, so the best there is
    assert Shape(4, 2, least_inside=0.9).lattice(inside, 0.5) == [(slice(0, 1), slice(0, 4), slice(0, 4))]
    assert len(Shape(4, 2).lattice(inside, 0.0)) == 4


def test_beyond_an_image_lies_nothing() -> None:
    shape = Shape(4, 3)
    image = np.ones((2, 3, 4, 5), np.float16)
    (box, *_) = shape.lattice(np.ones((3, 4, 5), bool), 0.0)
    cut = shape.cut(image, box)
    assert cut.shape == (2, 4, 4, 4)
    assert cut.dtype == torch.float32
    assert (cut[:, 3] == 0).all()
    assert (cut[:, :3] == 1).all()


def test_mini_batches_are_functions_of_seed_and_number(tmp_path: Path) -> None:
    cases = [prepare(tmp_path, name, shape=(3, 9, 8)) for name in "abc"]
    first, again, other = (FlowSource(cases, parameters(), seed) for seed in (1, 1, 2))
    assert torch.equal(first.batch(7)["images"], again.batch(7)["images"])
    assert not torch.equal(first.batch(7)["images"], first.batch(6)["images"])
    assert not torch.equal(first.batch(7)["images"], other.batch(7)["images"])
    assert first.batch(0)["images"].shape == (6, 1, 4, 4)
    assert next(first.iterate(7, workers=2, stride=3))["images"].equal(first.batch(7)["images"])


def test_half_of_the_windows_are_mirrored_where_that_is_asked_for(tmp_path: Path) -> None:
    cases = [prepare(tmp_path, "a", shape=(1, 4, 4))]
    plain = FlowSource(cases, parameters(), 1).batch(0)["images"]
    mirrored = FlowSource(cases, parameters(mirrored=True, batch_size=40), 1).batch(0)["images"]
    as_it_is = [torch.equal(one, plain[0]) for one in mirrored]
    assert all(torch.equal(one, plain[0].flip(-1)) for one, same in zip(mirrored, as_it_is, strict=True) if not same)
    assert 10 < sum(as_it_is) < 30


def test_windows_that_are_drawn_lie_inside(tmp_path: Path) -> None:
    """The mask leaves out the last column."""
    shape, inside = Shape(4, 2, least_inside=1), np.ones((1, 4, 6), bool)
    inside[..., -1] = False
    boxes = [shape.drawn(inside, inside.shape, torch.Generator().manual_seed(seed)) for seed in range(30)]
    assert {box[2].start for box in boxes} == {0, 1}


def test_bits_grow_with_the_mini_batches(tmp_path: Path) -> None:
    growing = parameters(bits=4, first_bits=2, bits_every=5)
    assert [bits_at(number, growing) for number in (0, 4, 5, 10, 1000)] == [2, 2, 3, 4, 4]
    assert bits_at(0, parameters(bits=4)) == 4
    source = FlowSource([prepare(tmp_path, "a")], growing, 1)
    bits = source.batch(5)["bits"]
    assert bits.shape == (6, 1, 1, 1)
    assert set(bits.flatten().tolist()) == {3}
