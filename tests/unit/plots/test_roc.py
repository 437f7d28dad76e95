"""The figures of `hakken roc` and `hakken agreement`: nothing outside, nothing on anything else."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hakken.evaluation.agreement_measure import Labels
from hakken.evaluation.agreement_measure import measure as measure_labels
from hakken.evaluation.roc_measure import Cohort, Settings, measure
from hakken.plots.confusion import draw_confusion
from hakken.plots.roc import draw_roc, roc_input
from hakken.plots.style import ONE_COLUMN, TWO_COLUMNS


def scores(count: int = 2, scale: float = 1.0, positive: bool | None = None) -> Figure:
    rng = np.random.default_rng(1)
    label = np.arange(60) % 3 == 0 if positive is None else np.full(60, positive)
    chance = 1 / (1 + np.exp(-rng.normal(np.outer([2.0, 1.0], label))))
    named = {name: scale * row for name, row in zip(("score", "score_b")[:count], chance, strict=False)}
    found = measure(Cohort(label, np.arange(60), named), Settings(thresholds=(0.5,), resamples=60))
    return draw_roc(roc_input(found, "scores.csv"))


def labels(classes: tuple[str, ...], predictions: int) -> Figure:
    rng = np.random.default_rng(2)
    drawn = [[classes[k] for k in rng.integers(0, len(classes), 80)] for _ in range(predictions + 1)]
    named = dict(zip(("prediction", "prediction_b"), drawn[1:], strict=False))
    return draw_confusion(measure_labels(Labels(drawn[0], np.arange(80), named, classes), 20), "labels.csv")


FIGURES = {
    "two scores": scores,
    "one score": lambda: scores(1),
    "no probabilities": lambda: scores(2, 3.0),
    "one class": lambda: scores(2, 1.0, True),
    "matrix": lambda: labels(("absent", "mild", "severe"), 1),
    "two matrices": lambda: labels(("a", "b"), 2),
    "many classes": lambda: labels(tuple(f"a class of long name {k:02d}" for k in range(20)), 2),
}


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_written_outside(name: str) -> None:
    figure = FIGURES[name]()
    box = figure.get_tightbbox()
    assert box.x0 >= -0.01 and box.y0 >= -0.01
    assert box.x1 <= figure.get_size_inches()[0] + 0.01
    assert box.y1 <= figure.get_size_inches()[1] + 0.01


@pytest.mark.parametrize("name", FIGURES)
def test_no_writing_lies_on_another(name: str) -> None:
    figure = FIGURES[name]()
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    titles = [text for axes in figure.axes for text in (axes.xaxis.label, axes.yaxis.label, axes._left_title)]
    ticks = [label for axes in figure.axes for label in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    texts = [*figure.texts, *titles, *ticks, *(text for axes in figure.axes for text in axes.texts)]
    boxes = [
        (text.get_text(), text.get_window_extent(renderer)) for text in texts if text.get_text() and text.get_visible()
    ]
    for (one, first), (other, second) in itertools.combinations(boxes, 2):
        if first.width and second.width:
            assert not first.padded(-0.5).overlaps(second.padded(-0.5)), f"`{one}` lies on `{other}`"


def test_the_reliability_stands_beside_only_where_there_is_one() -> None:
    assert [len(scores().axes), len(scores(2, 3.0).axes)] == [3, 1]
    assert [scores().get_size_inches()[0], scores(2, 3.0).get_size_inches()[0]] == [TWO_COLUMNS, ONE_COLUMN]


def test_curves_points_and_numbers_are_drawn() -> None:
    axes = scores().axes[0]
    legend = axes.get_legend()
    assert legend is not None
    words = [text.get_text() for text in legend.get_texts()]
    assert words[0].startswith("score: AUC 0.") and words[1].startswith("score_b: AUC 0.")
    assert words[2:] == ["highest Youden index", "sensitivity 0.9", "specificity 0.9", "threshold 0.5"]
    curve = axes.lines[2]
    assert np.array(curve.get_xdata())[0] == 0 and np.array(curve.get_ydata())[-1] == 1
    assert len(axes.collections) == 2  # bands


def test_one_class_says_why_there_is_no_curve() -> None:
    assert "no curve: one class only" in [text.get_text() for text in scores(1, 1.0, True).axes[0].texts]


def test_the_matrix_holds_the_counts() -> None:
    axes = labels(("absent", "mild", "severe"), 1).axes[0]
    assert sum(int(text.get_text()) for text in axes.texts) == 80
    assert not list(labels(tuple("abcdefghijklm"), 1).axes[0].texts)  # 13 classes: cells too small to write in
