"""Input of every figure, small."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from hakken.figures.froc import CurveInput, FrocInput, draw_froc
from hakken.figures.learnt import LearntInput, ParameterInput, draw_learnt
from hakken.figures.overlays import Mark, OverlaysInput, Tile, draw_overlays
from hakken.figures.registration import PairInput, RegistrationInput, draw_registration
from hakken.figures.search import SearchInput, TrialBar, draw_search
from hakken.figures.strata import StrataInput, StratumInput, draw_strata
from hakken.figures.style import Origin

ORIGIN = Origin("A study of dots", "tiny", "phantom", 2)


def froc() -> Figure:
    x, y = np.array([0.0, 0.0, 1.0, 4.0]), np.array([0.0, 0.3, 0.5, 0.8])
    none = np.full(4, np.nan)
    curves = (
        CurveInput("test", "Test", x, y, y - 0.1, y + 0.1, (1.0, 0.5)),
        CurveInput("validation", "Validation", x, y + 0.05, none, none, None),
        CurveInput("default", "Default", x, y / 2, none, none, None),
    )
    table = (("Sensitivity at", "Test", "Validation"), ("1 FP/case", "0.50\n[0.40, 0.60]", "0.55"))
    return draw_froc(FrocInput(curves, 10.0, table, "Operating point.", ("A note.",), ORIGIN))


def search() -> Figure:
    trials = (
        TrialBar(0, "complete", 0.4, 0.0, 5.0),
        TrialBar(1, "failed", None, 0.5, 2.0),
        TrialBar(2, "complete", 0.6, 2.5, 6.0),
    )
    return draw_search(SearchInput(trials, 2, 0.3, "Objective", ORIGIN))


def learnt() -> Figure:
    parameters = (
        ParameterInput("rate", (1e-4, 1e-2, 1e-1), (0.1, 0.5, 0.6), 1e-1, (1e-4, 1e-1), log=True, border="highest"),
        ParameterInput(
            "kernel",
            (0, 1, 1),
            (0.1, 0.5, 0.6),
            1,
            choices=("3", "5"),
            importance=0.2,
            importance_low=0.1,
            importance_high=0.4,
        ),
    )
    return draw_learnt(LearntInput(parameters, "Read nothing into this.", "Objective", ORIGIN))


def strata() -> Figure:
    rows = (
        StratumInput("all", "all lesions", 4, 10, 5, 0.5, 0.2, 0.8, 3.0),
        StratumInput("diameter", "below 5 mm", 4, 0, 0, None, None, None, 3.0),
        StratumInput("scanner", "A", 2, 10, 5, 0.5, 0.2, 0.8, 3.0),
    )
    return draw_strata(StrataInput(rows, "Test", "Intervals: Wilson.", ORIGIN))


def overlays() -> Figure:
    image = np.random.default_rng(0).random((20, 20))
    tiles = (
        Tile(
            "found",
            image,
            50.0,
            50.0,
            (0, 1),
            (Mark("found", 25, 25, 4, image > 0.9, (26, 25)),),
            ("case", "score 0.90"),
        ),
        Tile("false", image, 50.0, 50.0, (0, 1), (Mark("false", 25, 25, 4),), ("case", "score 0.80")),
        Tile("missed", image, 50.0, 50.0, (0, 1), (Mark("missed", 25, 25, 4),), ("case", "4.0 mm")),
    )
    return draw_overlays(OverlaysInput(tiles, {"found": 3, "false": 1, "missed": 1}, "Slices.", ORIGIN))


def registration() -> Figure:
    picture = np.tile(np.arange(200, dtype=np.uint8)[:, None], (30, 1, 3))
    pair = PairInput(picture, "case", "T1", -0.2, None, 1.5)
    return draw_registration(RegistrationInput((pair,), "T1POST", "mutual information", "Green and magenta.", ORIGIN))


FIGURES: dict[str, Callable[[], Figure]] = {
    "froc": froc,
    "search": search,
    "learnt": learnt,
    "strata": strata,
    "overlays": overlays,
    "registration": registration,
}
