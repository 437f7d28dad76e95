from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.inference.sliding import gaussian_window, sliding_window, window_places


@pytest.mark.parametrize("shape", [(12, 17, 9), (4, 5, 30), (8, 8, 8)])
def test_the_identity_reproduces_the_image(shape: tuple[int, int, int]) -> None:
    image = torch.randn(2, *shape)
    blended = sliding_window(lambda windows: windows, image, (8, 8, 8), overlap=0.5, batch=3)
    torch.testing.assert_close(blended, image, rtol=1e-5, atol=1e-5)


def test_blending_weights_sum_to_one() -> None:
    ones = sliding_window(lambda windows: torch.ones(len(windows), 1, 6, 7, 8), torch.zeros(1, 20, 15, 19), (6, 7, 8))
    torch.testing.assert_close(ones, torch.ones(1, 20, 15, 19))


def test_where_windows_disagree_the_nearer_centre_prevails() -> None:
    starts = iter([0.0, 1.0])
    blended = sliding_window(
        lambda w: torch.full_like(w, next(starts)), torch.zeros(1, 1, 1, 12), (1, 1, 8), 0.5, batch=1
    )
    row = blended[0, 0, 0]
    assert row[:4].eq(0).all()
    assert row[-4:].eq(1).all()
    assert (row[4:8].diff() > 0).all()
    torch.testing.assert_close(row[5] + row[6], torch.tensor(1.0))


def test_never_more_windows_than_the_batch_at_once() -> None:
    seen: list[int] = []

    def network(windows: torch.Tensor) -> torch.Tensor:
        seen.append(len(windows))
        return windows

    sliding_window(network, torch.zeros(1, 16, 16, 16), (8, 8, 8), overlap=0.5, batch=4)
    assert sum(seen) == 27
    assert max(seen) == 4


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 20)] * 3),
    window=st.tuples(*[st.integers(3, 12)] * 3),
    overlap=st.floats(0, 0.9),
)
def test_windows_cover_the_image_and_stay_within(
    shape: tuple[int, int, int], window: tuple[int, int, int], overlap: float
) -> None:
    shape = tuple(max(pair) for pair in zip(shape, window, strict=True))  # type: ignore[assignment]
    covered = torch.zeros(shape, dtype=torch.int64)
    for place in window_places(shape, window, overlap):
        assert covered[place].shape == window
        covered[place] += 1
    assert covered.min() >= 1


def test_neighbours_share_at_least_the_overlap() -> None:
    starts = [place[2].start for place in window_places((1, 1, 31), (1, 1, 10), 0.4)]
    assert starts == [0, 5, 10, 16, 21]


def test_the_weights_are_symmetric_highest_at_the_centre_and_never_zero() -> None:
    weights = gaussian_window((5, 8, 9))
    torch.testing.assert_close(weights, weights.flip(0, 1, 2))
    assert weights.max() == weights[2, 3, 4] == 1
    assert weights.min() > 0
