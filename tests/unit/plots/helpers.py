"""Input of every figure of a study, small."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from hakken.plots import anomalies as anomaly_plot
from hakken.plots import case_roc as case_plot
from hakken.plots import expectations as expectation_plot
from hakken.plots import grid as grid_plot
from hakken.plots import levels as level_plot
from hakken.plots.calibration import Calibrated, CalibrationInput, draw_calibration
from hakken.plots.classes import MatrixInput, draw_matrices
from hakken.plots.comparison import ComparisonInput, draw_comparison
from hakken.plots.froc import CurveInput, FrocInput, draw_froc
from hakken.plots.learnt import DependenceInput, LearntInput, ParameterInput, draw_learnt
from hakken.plots.overlays import Mark, OverlaysInput, Tile, draw_overlays
from hakken.plots.registration import PairInput, RegistrationInput, draw_registration
from hakken.plots.search import SearchInput, draw_search
from hakken.plots.segmentations import Outline, SegmentationsInput, draw_segmentations
from hakken.plots.sizes import Baseline, Family, SizePoint, SizesInput, draw_sizes
from hakken.plots.strata import StrataInput, StratumInput, draw_strata
from hakken.plots.style import Origin
from hakken.search.comparison import TimedSweep
from hakken.search.course import TimedTrial

ORIGIN = Origin("A study of dots", "tiny", "phantom", "test opening 2", phantom=True)


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
        TimedTrial(0, "complete", 0.4, 0.0, 5.0),
        TimedTrial(1, "failed", None, 0.5, 2.0),
        TimedTrial(2, "complete", 0.6, 2.5, 6.0),
    )
    return draw_search(SearchInput(trials, 2, 0.3, "Objective", ORIGIN))


def learnt() -> Figure:
    rates, objectives = (1e-4, 1e-2, 1e-1), (0.1, 0.5, 0.6)
    parameters = (
        ParameterInput(
            "learning_rate",
            rates,
            objectives,
            (True, False, True),
            1e-1,
            (1e-4, 1e-1),
            log=True,
            border="highest",
            alone=0.5,
            total=0.8,
            curve=DependenceInput(rates, (0.2, 0.3, 0.4), (0.1, 0.2, 0.3), (0.3, 0.4, 0.5)),
        ),
        ParameterInput(
            "kernel",
            (0, 1, 1),
            objectives,
            (True, False, True),
            1,
            choices=("3", "5"),
            condition="only with layers 2",
            alone=0.1,
            total=0.4,
            curve=DependenceInput((0, 1), (0.2, 0.3), (0.1, 0.2), (0.3, 0.4)),
        ),
    )
    return draw_learnt(LearntInput(parameters, "Trust it.", 0.6, "Objective", ORIGIN))


def sweep(slots: int, repeat: int, sampler: str = "bayesian") -> TimedSweep:
    """A sweep of four trials, each ``slots`` times as fast as one at a time."""
    trials = tuple(
        TimedTrial(
            number,
            "failed" if number == 1 else "complete",
            None if number == 1 else 0.2 + 0.1 * number + 0.05 * repeat,
            20 / slots * number,
            20 / slots * (number + 1),
        )
        for number in range(4)
    )
    return TimedSweep(f"{sampler}-{slots}-{repeat}", sampler, slots, repeat, 0.0, trials, frozenset({"host"}))


SWEEPS = (sweep(1, 0), sweep(1, 1), sweep(2, 0), sweep(2, 1), sweep(2, 0, "random"))


def comparison() -> Figure:
    return draw_comparison(ComparisonInput(SWEEPS, 0.3, ("Two repeats.", "One machine."), "Objective", ORIGIN))


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


def sizes() -> Figure:
    cells = ("0.40 [0.30, 0.50]", "96.6k", "25.3M", "1.2 MB", "3.4 ms")
    point = SizePoint("5 levels", 25.3e6, 0.8, 0.7, 0.9, cells)
    undefined = SizePoint("3 levels, 0.5 of the maps", 8.1e6, None, None, None, cells)
    families = (
        Family("once", "trained once, at all sizes", (point, undefined)),
        Family("tuned", "trained once, tuned", (point,)),
        Family("apart", "trained apart, equal budgets", (point,)),
    )
    baselines = (Baseline("colour threshold", 0.2, 0.1, 0.3), Baseline("none", None, None, None))
    return draw_sizes(SizesInput(families, baselines, ("A note.", "More."), ORIGIN))


def segmentations() -> Figure:
    random = np.random.default_rng(0)
    truth = np.zeros((30, 40), bool)
    truth[5:15, 10:20] = True
    cases = tuple(
        Outline(random.random((30, 40, 3)), 40.0, 30.0, truth, found, small, "P0001  Dice 0.80 (0.70)")
        for found, small in ((truth, ~truth), (truth & False, None), (truth, truth), (truth, truth), (truth, truth))
    )
    return draw_segmentations(SegmentationsInput(cases, ("found, 5 levels", "found, 3 levels"), "5 of 9.", ORIGIN))


def anomalies() -> Figure:
    random = np.random.default_rng(0)

    def case(abnormal: bool, patch: bool) -> anomaly_plot.CaseInput:
        return anomaly_plot.CaseInput(
            abnormal=abnormal,
            image=random.random((20, 24)),
            scores=random.random((20, 24)),
            lesions=random.random((20, 24)) > 0.9,
            width_mm=48.0,
            height_mm=40.0,
            window=(0, 1),
            patch=(10, 10, 8, 8) if patch else None,
            caption=("P0001", "score 0.9, called normal, wrongly"),
        )

    cases = (case(True, True), case(True, False), case(False, True), case(False, True))
    reading = ("Axial slices.", "Called abnormal from a score of 0.3.")
    return anomaly_plot.draw_anomalies(anomaly_plot.AnomaliesInput(cases, (5, 4), 0.9, reading, ORIGIN))


def calibration() -> Figure:
    edges = np.linspace(-12, 12, 481)
    counts = np.exp(-((edges[1:] + edges[:-1]) ** 2) / 8) * 1000
    quantiles = np.array([(-1.0, -1.1), (0.0, 0.1), (1.0, 1.2)])
    parts = tuple(
        Calibrated(label, edges, counts, quantiles, np.array([0.1, -0.1]), np.array([1.1, 0.9]))
        for label in ("Test", "Validation")
    )
    lines = ("Test, 2 cases: mean 0.00.", "Validation: mean 0.01.", "Goals.")
    return draw_calibration(CalibrationInput(parts, 3.0, 0.05, 0.1, lines, ORIGIN))


def expectations() -> Figure:
    random = np.random.default_rng(0)
    row = expectation_plot.Row(
        *(random.random((20, 30)) for _ in range(5)),
        lesions=random.random((20, 30)) > 0.9,
        width_mm=60.0,
        height_mm=40.0,
        candidates=((20.0, 10.0),),
        caption="P0001: z 5.2, found",
    )
    titles = ("CT", "PET", "Predicted mean of PET", "Standard deviation", "z")
    given = expectation_plot.ExpectationsInput((row, row), titles, 1.0, 0.5, 3.0, 9.0, ("Slices.", "Crosses."), ORIGIN)
    return expectation_plot.draw_expectations(given)


def levels() -> Figure:
    lines = tuple(
        level_plot.LineInput(name, (0.2, None, 0.4), (0.1, None, 0.3), (0.3, None, 0.5))
        for name in ("selected", "default", "prior mean")
    )
    panels = tuple(level_plot.PanelInput(name, lines, within) for name, within in (("D", (0.0, 1.2)), ("f", None)))
    rows = (
        level_plot.RowInput("RMSE by snr of the test", "RMSE / SD", "snr", ("10", "20", "50"), panels),
        level_plot.RowInput("Bias by fifths", "Bias / SD", "fifth", ("1", "2", "3"), panels, 0.0),
    )
    return level_plot.draw_levels(rows, ("A note.", "Another."), ORIGIN)


def grid() -> Figure:
    points = tuple(
        grid_plot.PointInput(level, value, value - 0.1, None if level == "none" else value + 0.1, (value, value + 0.05))
        for level, value in (("none", 0.6), ("shift 2", 0.5))
    )
    lines = (grid_plot.LineInput("alexnet", points), grid_plot.LineInput("vgg", points[:1]))
    panel = grid_plot.PanelInput("", "Misregistration", ("none", "shift 2"), lines, ("network: p = 0.010",))
    beside = (
        grid_plot.LevelInput("balanced accuracy of guessing", 0.33),
        grid_plot.LevelInput("radiologists", 0.39, published=True),
    )
    return grid_plot.draw_grid(grid_plot.GridInput((panel,), beside, "Balanced accuracy", ("A note.",), ORIGIN))


def case_roc() -> Figure:
    x, y = np.array([0.0, 0.0, 0.5, 1.0]), np.array([0.0, 0.4, 0.8, 1.0])
    band = np.linspace(0, 1, 201)
    curves = (
        case_plot.CurveInput("test", "Test: AUC 0.80", x, y, band * 0.8, np.minimum(band + 0.3, 1), (0.5, 0.8)),
        case_plot.CurveInput("default", "Test, untuned: AUC 0.70", x, y / 2, band * np.nan, band * np.nan),
    )
    table = (("", "Test", "Validation"), ("AUC", "0.800 [0.700, 0.900]", "0.850"))
    return case_plot.draw_case_roc(case_plot.CaseRocInput(curves, table, "Operating point.", ("A note.",), ORIGIN))


def matrices() -> Figure:
    words = ("balanced accuracy 0.70 [0.60, 0.80], guessing 0.33", "accuracy 0.80")
    panels = [
        MatrixInput(f"{part}: 9 lesions", ("one", "two"), np.array([[4, 1], [0, 4]]), words) for part in ("A", "B")
    ]
    return draw_matrices(panels, "alexnet, pretrained", ORIGIN)


FIGURES: dict[str, Callable[[], Figure]] = {
    "froc": froc,
    "search": search,
    "comparison": comparison,
    "learnt": learnt,
    "strata": strata,
    "overlays": overlays,
    "registration": registration,
    "sizes": sizes,
    "segmentations": segmentations,
    "anomalies": anomalies,
    "calibration": calibration,
    "expectations": expectations,
    "levels": levels,
    "grid": grid,
    "case_roc": case_roc,
    "matrices": matrices,
}
