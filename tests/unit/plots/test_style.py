"""What all figures share: their origin below, their width, colours that all can tell apart."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from hakken.plots.comparison import colours_of
from hakken.plots.style import (
    BLUE,
    GREY,
    ONE_COLUMN,
    ORANGE,
    SKY,
    TWO_COLUMNS,
    VERMILLION,
    Origin,
    interval_text,
    new_figure,
    spread,
    style,
)
from hakken.search.comparison import groups_of

from .helpers import FIGURES, sweep


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_prints_its_origin_below(name: str) -> None:
    assert "A study of dots  ·  scale tiny  ·  test opening 2" in texts(FIGURES[name]())
    assert "PHANTOM DATA" in texts(FIGURES[name]())


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_the_width_of_a_page_and_writes_nothing_outside(name: str) -> None:
    figure = FIGURES[name]()
    assert figure.get_size_inches()[0] == TWO_COLUMNS
    box = figure.get_tightbbox()
    assert box.x0 >= -0.01 and box.y0 >= -0.01
    assert box.x1 <= figure.get_size_inches()[0] + 0.01
    assert box.y1 <= figure.get_size_inches()[1] + 0.01


@pytest.mark.parametrize("width", [ONE_COLUMN, TWO_COLUMNS])
@pytest.mark.parametrize("times", [1, 2, 4])
def test_a_long_title_ends_before_what_stands_beside_it(width: float, times: int) -> None:
    title = "; ".join(["Anomalies on chest X-rays by flows of normal and of unlabelled mixed images"] * times)
    with style():
        origin = Origin(title, "tiny", "phantom", "test opening 1 known to this ledger, begun on 2026-12-01", "", True)
        stamp, footer = new_figure(width, 3, origin).texts
        assert footer.get_window_extent().x1 < stamp.get_window_extent().x0
        alone = new_figure(width, 3, title)
        assert alone.texts[0].get_window_extent().x1 < alone.bbox.x1


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"opening": None}, ""),
        ({"opening": "test opening 3 known to this ledger, begun on 2026-01-02"},
         "  ·  test opening 3 known to this ledger, begun on 2026-01-02"),
        ({"opening": None, "reused": "another task"}, "  ·  opened cases reused: another task"),
    ],
)  # fmt: skip
def test_which_opening_of_the_test_set_it_is_stands_below(more: dict[str, Any], words: str) -> None:
    assert Origin("Title", "paper", "own data", **more).line == f"Title  ·  scale paper  ·  data: own data{words}"


def test_own_data_carries_no_phantom_mark_whatever_is_said_of_it() -> None:
    for data in ("own data", "scans of a phantom"):
        assert len(texts(new_figure(ONE_COLUMN, 2, Origin("Title", "paper", data, None)))) == 1


# Machado, Oliveira and Fernandes, IEEE TVCG 2009;15:1291-1298, table 1, severity 1; linear RGB.
BLINDNESS = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


def linear(color: str) -> np.ndarray:
    parts = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("kind", BLINDNESS)
def test_colours_that_stand_together_differ_for_colour_blind_readers(kind: str) -> None:
    ramp = colours_of(groups_of([sweep(slots, 0) for slots in (1, 2, 4, 8)]))
    together = [(BLUE, GREY, ORANGE), (BLUE, SKY, VERMILLION, ORANGE), (*ramp, ORANGE)]
    for colors in together:
        seen = [np.clip(np.array(BLINDNESS[kind]) @ linear(color), 0, 1) ** (1 / 2.2) for color in colors]
        assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)) > 0.2


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.01, 0.2))
def test_spread_keeps_the_order_and_the_gap(positions: list[float], gap: float) -> None:
    moved = spread(positions, gap)
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    assert all(moved[b] - moved[a] >= gap - 1e-9 for a, b in itertools.pairwise(order))
    assert sum(moved) == pytest.approx(sum(positions), abs=1e-6)


def test_spread_leaves_what_is_apart_and_stays_within_its_ends() -> None:
    assert spread([0.9, 0.1], 0.2) == pytest.approx([0.9, 0.1])
    assert spread([0.95, 1.0], 0.2, 0, 1) == pytest.approx([0.8, 1.0])


def test_interval_text() -> None:
    assert interval_text(0.714, 0.6, 0.8) == "0.71 [0.60, 0.80]"
    assert interval_text(0.714, None, None, 1) == "0.7"
    assert interval_text(None, 0.1, 0.2) == "-"
