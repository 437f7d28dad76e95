from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from hakken.evaluation.readers.intervals import Difference, Level
from hakken.plots.readers import ReadersInput, draw_readers


def given(readers: int, modalities: int = 2, *, interval: bool = True, system: bool = False) -> ReadersInput:
    rng = np.random.default_rng(0)
    columns = modalities - 1 if system else modalities
    low, high = (0.7, 0.9) if interval else (None, None)
    return ReadersInput(
        label="AUC",
        reader=tuple(f"Dr. Somebody Long {number}" for number in range(1, readers + 1)),
        values=rng.uniform(0.7, 0.95, (columns, readers)),
        levels=tuple(Level(f"modality {number}", 0.8, 0.05, 5.0, low, high) for number in range(modalities)),
        own=tuple((value, value - 0.05, value + 0.05) for value in rng.uniform(-0.1, 0.1, readers).tolist()),
        mean=Difference("with", "without", 0.05, 0.02, 9.0, 2.5, 0.03 if interval else None, low, high),
        note="readers and cases",
        system=system,
    )


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in (*axes.get_yticklabels(), *axes.get_xticklabels())]


def test_every_reader_is_named_by_its_end_beside_its_difference() -> None:
    drawn = draw_readers(given(12))
    names = [text.get_text() for text in drawn.axes[1].get_yticklabels()]
    assert sorted(names[:-1]) == sorted(f"Dr. So…{name[-5:]}" for name in given(12).reader)
    assert names[-1] == "mean"


def test_differences_are_sorted_and_the_mean_is_told_in_the_title() -> None:
    drawn = draw_readers(given(6))
    points = [line.get_xdata()[0] for line in drawn.axes[1].lines if line.get_marker() == "o"]
    assert points == sorted(points, reverse=True)
    assert drawn.axes[1].get_title(loc="left") == "(b) 0.050 [0.700, 0.900], p = 0.030"
    assert drawn.axes[1].get_xlabel() == "Difference, with minus without"


def test_a_line_joins_the_modalities_of_each_reader() -> None:
    content = given(5, 3)
    joined = [line for line in draw_readers(content).axes[0].lines if len(line.get_xdata()) == 3]
    assert [line.get_ydata().tolist() for line in joined] == content.values.T.tolist()


@pytest.mark.parametrize(("readers", "modalities"), [(2, 2), (9, 3), (40, 2)])
def test_no_two_labels_of_an_axis_overlap(readers: int, modalities: int, tmp_path: Path) -> None:
    drawn = draw_readers(given(readers, modalities))
    drawn.savefig(tmp_path / "figure.png")
    for axes in drawn.axes:
        for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
            boxes = [label.get_window_extent() for label in labels if label.get_text()]
            assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])


def test_without_intervals_the_figure_has_dots_alone() -> None:
    drawn = draw_readers(given(4, interval=False))
    assert drawn.axes[1].get_title(loc="left") == "(b) 0.050"
    assert not drawn.axes[1].patches


def test_a_system_has_no_readers_of_its_own() -> None:
    drawn = draw_readers(given(4, system=True))
    circles = [line for line in drawn.axes[0].lines if line.get_marker() == "o"]
    assert len(circles) == 1
    assert [label.get_text() for label in drawn.axes[0].get_xticklabels()] == ["modality 0", "modality 1"]
