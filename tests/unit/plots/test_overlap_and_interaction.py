"""The figures of the overlap of masks and of tables of factors: on their page, nothing upon anything else."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hakken.core.errors import HakkenError
from hakken.evaluation.intervals import Means
from hakken.plots.bland_altman import StructureInput, decimals, draw_overlap, jitter
from hakken.plots.interaction import InteractionInput, draw_interaction


def structure(cases: int, name: str = "label 1") -> StructureInput:
    rng = np.random.default_rng(cases)
    truth = rng.gamma(2, 5, cases)
    return StructureInput(name, truth + rng.normal(0, 1, cases), truth, rng.beta(8, 2, cases), 1)


def interaction(*shape: int) -> Figure:
    names = ("network", "misregistration (mm)", "fold")
    factors = tuple((names[axis], tuple(f"level {n}" for n in range(size))) for axis, size in enumerate(shape))
    mean = np.random.default_rng(0).random(shape)
    return draw_interaction(InteractionInput(factors, Means(mean, np.full(shape, 0.05)), "accuracy", "95 %"))


def inside(figure: Figure) -> bool:
    box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    return bool(box.x0 >= -0.01 and box.y0 >= -0.01 and box.x1 <= width + 0.01 and box.y1 <= height + 0.01)


@pytest.mark.parametrize("cases", [1, 2, 30, 400])
def test_the_overlap_figure_stays_on_its_page(cases: int) -> None:
    assert inside(draw_overlap((structure(cases),)))
    assert inside(draw_overlap((structure(cases), structure(3, "label 2"))))


def test_the_limits_are_written_beside_their_lines() -> None:
    given = StructureInput("any", np.array([2.0, 4, 6]), np.array([1.0, 2, 3]), np.array([0.5, 1.0, 0.9]), 0)
    [left, right] = draw_overlap((given,)).axes
    words = [text.get_text() for text in left.texts]
    # Differences 1, 2, 3: mean 2, SD 1, limits 0.04 and 3.96; worked in the tests of the evaluation.
    assert [word.split("\n")[1].split(" ")[0] for word in words] == ["2.00", "0.04", "3.96"]
    assert right.get_xlabel() == "3 cases"


def test_without_a_dice_the_volumes_are_drawn() -> None:
    nothing = StructureInput("any", np.zeros(2), np.zeros(2), np.empty(0), 2)
    figure = draw_overlap((nothing,))
    assert inside(figure)
    assert figure.axes[1].get_xlabel() == "0 cases\n2 with both masks empty"


def test_a_page_holds_six_structures() -> None:
    with pytest.raises(HakkenError, match=r"^7 structures: a figure holds 6 at most; choose some with --labels$"):
        draw_overlap(tuple(structure(3) for _ in range(7)))


def test_points_of_like_value_lie_apart() -> None:
    places = jitter(np.full(20, 0.7))
    assert ((places >= 0) & (places <= 0.6)).all()
    assert min(abs(one - other) for one, other in itertools.pairwise(places)) > 0.1


@pytest.mark.parametrize(("spread", "places"), [(123.4, 0), (12.3, 1), (1.2, 2), (0.34, 3), (0.0, 2), (1e-9, 4)])
def test_three_digits_of_the_spread_are_shown(spread: float, places: int) -> None:
    assert decimals(spread) == places


@pytest.mark.parametrize("shape", [(3,), (12,), (2, 3), (8, 9), (3, 4, 2), (2, 3, 7)], ids=str)
def test_the_interaction_plot_stays_on_its_page_and_panels_apart(shape: tuple[int, ...]) -> None:
    figure = interaction(*shape)
    assert inside(figure)
    assert len(figure.axes) == (shape[2] if len(shape) == 3 else 1)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    boxes = [axes.get_tightbbox(renderer) for axes in figure.axes]
    boxes += [text.get_window_extent(renderer) for text in figure.texts]
    assert not [1 for one, other in itertools.combinations(boxes, 2) if one.overlaps(other)]


def test_a_mean_that_is_not_known_is_left_out() -> None:
    means = Means(np.array([[1.0, np.nan], [2.0, 3.0]]), np.array([[0.1, np.nan], [0.1, 0.1]]))
    figure = draw_interaction(InteractionInput((("a", ("x", "y")), ("b", ("1", "2"))), means, "dice", "95 %"))
    low, high = figure.axes[0].get_ylim()
    assert (low, high) == (pytest.approx(0.9 - 0.06 * 2.2), pytest.approx(3.1 + 0.06 * 2.2))
