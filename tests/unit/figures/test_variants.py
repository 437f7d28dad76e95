"""Figures of variants: the grid of those that held out folds, sizes of networks, effects of a training on numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.cohort.items import Item
from hakken.core.errors import HakkenError
from hakken.core.files import sha256_file
from hakken.core.tables import write_table
from hakken.core.volume import Geometry
from hakken.figures import grid, numbers, sizes, training_effects
from hakken.imaging.prepared import Lesion
from hakken.runs.cases import read_cases
from hakken.seal.freeze import write_sealed
from hakken.study import Study
from hakken.study.reading import parse_study

from ..miniature import save_case, study, without
from .made import files, handed, measured, predicted

FACTORS = {
    "network": {"a": {}, "b": {"parameters.convolutions": 1}},
    "shift": {"none": {}, "much": {"parameters.dropout": 0.5}},
}


def varied(**more: Any) -> Study:
    return study(
        variants={"grid": {"factors": FACTORS, "folds": 2, **more}},
        published={"citation": "A", "system": "B", "result": "C"},
    )


ROW = "partial AUC to 10 FP/case"


def cell(label: str, value: float, **levels: str) -> dict[str, Any]:
    main = {"name": ROW, "value": value, "low": value - 0.1, "high": value + 0.1, "digits": 3, "text": ""}
    beside = {"name": "  of guessing", "value": 0.25, "low": None, "high": None, "digits": 3, "text": ""}
    return {
        "label": label,
        "levels": levels,
        "failed": 0,
        "folds": 2,
        "objective": main,
        "rows": [main, beside, main | {"name": "average precision", "value": 1 - value}],
    }


def of_set(folder: Path, **more: Any) -> dict[str, Path]:
    """What was found of a set, and its table of trainings; of b-much one training has failed."""
    cells = [
        cell("a-none", 0.5, network="a", shift="none"),
        cell("a-much", 0.3, network="a", shift="much"),
        cell("b-none", 0.7, network="b", shift="none"),
    ]
    effects = [
        {"effect": "network", "p": 0.0004},
        {"effect": "network:shift", "p": 0.04},
        {"effect": "shift", "p": None},
    ]
    content = {
        "factors": {"network": ["a", "b"], "shift": ["none", "much"]},
        "cells": cells,
        "anova": [{"response": ROW, "reason": None, "type_ii": effects}],
        "warnings": ["b-much: 1 of 2 trainings failed"],
    }
    write_sealed(folder / "grid.json", content | more)
    rows = [
        (one["label"], fold, one["objective"]["value"] + shift, 0.9)
        for one in cells
        for fold, shift in ((0, -0.05), (1, 0.05))
    ]
    rows += [("b-much", 0, 0.4, 0.9), ("b-much", 1, None, None)]
    write_table(folder / "grid.csv", ("variant", "fold", ROW, "average precision"), rows)
    return {"sets": folder / "grid.json", "trainings": folder / "grid.csv"}


def test_a_panel_has_a_line_for_each_level_of_the_first_factor(tmp_path: Path, monkeypatch: Any) -> None:
    drawn, drawing = handed(
        monkeypatch, grid, "draw_grid", varied(published={"radiologists": 0.4}), files(**of_set(tmp_path))
    )
    (panel,) = drawn.panels
    assert (panel.title, panel.factor, panel.levels) == ("", "Shift", ("none", "much"))
    assert [(line.name, [(point.level, point.value) for point in line.points]) for line in panel.lines] == [
        ("a", [("none", 0.5), ("much", 0.3)]),
        ("b", [("none", 0.7)]),
    ]
    assert panel.lines[0].points[0].folds == pytest.approx((0.45, 0.55))
    sign = "\N{MULTIPLICATION SIGN}"
    assert panel.words == ("network: p < 0.001", f"network {sign} shift: p = 0.040", "shift: p undefined")
    assert [(one.name, one.value, one.published) for one in drawn.levels] == [
        (f"{ROW} of guessing", 0.25, False),
        ("radiologists", 0.4, True),
    ]
    assert drawn.objective == "Partial AUC to 10 FP/case, all folds together"
    assert "b-much: 1 of 2 trainings failed" in drawing.warnings
    assert any("2-fold cross-validation by patient" in note for note in drawn.notes)
    assert drawing.words == f"grid: best b-none, {ROW} 0.700"


def test_the_table_holds_all_folds_together_and_each(tmp_path: Path, monkeypatch: Any) -> None:
    _, drawing = handed(monkeypatch, grid, "draw_grid", varied(), files(**of_set(tmp_path)))
    assert drawing.table.rows[:3] == (
        ("grid", "a-none", None, 0.5, pytest.approx(0.4), pytest.approx(0.6)),
        ("grid", "a-none", 0, pytest.approx(0.45), None, None),
        ("grid", "a-none", 1, pytest.approx(0.55), None, None),
    )


def test_another_row_of_the_measurement_may_be_drawn(tmp_path: Path, monkeypatch: Any) -> None:
    drawn, drawing = handed(
        monkeypatch, grid, "draw_grid", varied(drawn="average precision"), files(**of_set(tmp_path))
    )
    assert drawing.words == "grid: best a-much, average precision 0.700"
    assert drawn.panels[0].lines[0].points[0].folds == (0.9, 0.9)
    assert drawn.levels == ()
    with pytest.raises(HakkenError) as caught:
        grid.draw(varied(drawn="PI-CAI score"), files(**of_set(tmp_path)))
    assert str(caught.value) == f"variants.grid.drawn: no row `PI-CAI score`, there are {ROW}, average precision"


def test_why_there_is_no_test_stands_in_its_place(tmp_path: Path, monkeypatch: Any) -> None:
    given = files(**of_set(tmp_path, anova=[{"response": ROW, "reason": "no degree of freedom"}]))
    assert handed(monkeypatch, grid, "draw_grid", varied(), given)[0].panels[0].words == (
        "no analysis of variance: no degree of", "freedom",
    )  # fmt: skip


def test_where_nothing_is_complete_that_is_told(tmp_path: Path) -> None:
    with pytest.raises(HakkenError) as caught:
        grid.draw(varied(), files(**of_set(tmp_path, cells=[])))
    assert str(caught.value) == (
        "no set of `variants` with `folds` has a combination that is complete; see logs/trial/"
    )


# ---- sizes of networks ----------------------------------------------------------------------------------------------

GRID = Geometry((1, 4, 5))


def polyps() -> Study:
    apart = {
        "factors": {
            "sizes": {"one": {"parameters.sizes": {"levels": [1], "features": [1.0]}, "parameters.poolings": 0}}
        }
    }
    return study(
        without("parameters", "patches", "channels"),
        method="unet",
        channels={name: {"modality": "endoscopy"} for name in ("red", "green", "blue")},
        patches={"size_voxel": 16},
        parameters={"poolings": 1, "sizes": {"levels": [1, 2]}},
        baselines=["colour_threshold"],
        variants={"apart": apart | {"part": "test"}},
        evaluation={"bootstrap": 100, "strata": []},
    )


def shared(count: int) -> np.ndarray:
    """A mask of four voxels of which so many lie in the truth."""
    mask = np.zeros(GRID.shape_zyx, bool)
    mask[0, 1, :count] = True
    mask[0, 3, : 4 - count] = True
    return mask


SAID: dict[str, dict[str, tuple[int, int]]] = {
    "selected": {"2 levels": (4, 2), "1 level": (2, 2)},
    "default": {"2 levels": (3, 1), "1 level": (2, 0)},
    "apart-one": {"1 level": (1, 1)},
    "colour_threshold": {"": (1, 0)},
}


@pytest.fixture
def of_sizes(tmp_path: Path) -> dict[str, Any]:
    """Two cases with a lesion of four voxels; each mask has four voxels too, so its Dice is the share in common."""
    for name in "ab":
        labels = shared(4).astype(np.int16)
        save_case(
            tmp_path / "cases", name, np.zeros((3, *GRID.shape_zyx)), geometry=GRID, channels=("red", "green", "blue"),
            labels=labels, lesions=[Lesion(1, 0, 0, 0, 5, 65)],
        )  # fmt: skip
    places, folders = [tmp_path / "cases"], []
    for model, masks in SAID.items():
        found = {name: {mask: shared(pair[place]) for mask, pair in masks.items()} for place, name in enumerate("ab")}
        said = predicted(tmp_path / "said" / model, polyps(), {"masks": found}, read_cases(places))
        folders.append(measured(tmp_path / "measured" / model, polyps(), said, places))
    columns = (
        "model",
        "levels",
        "features",
        "parameters",
        "multiply_adds",
        "peak_bytes",
        "latency_ms",
        "device",
        "shape",
    )
    rows = [
        (model, levels, 1.0, 100 * levels, 1000 * levels, 2**20 * levels, 3.0 * levels, "cpu", "4x5")
        for model, sizes in (("selected", (2, 1)), ("default", (2, 1)), ("apart-one", (1,)))
        for levels in sizes
    ]
    write_table(tmp_path / "costs.csv", columns, rows)
    return {"measurements": folders, "costs": tmp_path / "costs.csv"}


def test_sizes_are_compared_with_the_baseline_and_with_those_trained_apart(
    of_sizes: Mapping[str, Any], monkeypatch: Any
) -> None:
    drawn, drawing = handed(monkeypatch, sizes, "draw_sizes", polyps(), files(**of_sizes))
    rows = {
        (row["model"], row["size"]): row
        for row in (dict(zip(drawing.table.columns, row, strict=True)) for row in drawing.table.rows)
    }
    assert {key: row["dice"] for key, row in rows.items()} == {
        ("default", "2 levels"): 0.5,
        ("default", "1 level"): 0.25,
        ("selected", "2 levels"): 0.75,
        ("selected", "1 level"): 0.5,
        ("apart-one", "1 level"): 0.25,
        ("colour_threshold", ""): 0.125,
    }
    assert rows["default", "1 level"]["above_apart"] == 0.0
    assert rows["default", "2 levels"]["above_apart"] is None, "none was trained apart at this size"
    assert rows["selected", "1 level"]["above_apart"] is None, "only the untuned one is compared"
    assert rows["selected", "2 levels"]["above_baseline"] == 0.625
    assert (rows["colour_threshold", ""]["above_baseline"], rows["colour_threshold", ""]["latency_ms"]) == (None, None)
    assert rows["selected", "2 levels"]["multiply_adds"] == "2000"
    assert [(family.role, len(family.points)) for family in drawn.families] == [("once", 2), ("tuned", 2), ("apart", 1)]
    assert [(one.label, one.dice) for one in drawn.baselines] == [("colour threshold", 0.125)]
    assert drawn.families[0].points[0].cells[1:] == ("200", "2.00k", "2 MB", "6 ms")
    assert drawn.notes[0].endswith(" Memory and latency: one image of 4x5 on cpu, weights included.")
    assert drawn.notes[1] == "Trained once less trained apart: 1 level 0.00 [-0.25, 0.25]."
    assert drawing.words == "5 sizes"


def test_a_size_whose_cost_was_not_measured_is_told(of_sizes: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "costs.csv"
    path.write_text(
        "\n".join(line for line in path.read_text().splitlines() if not line.startswith("default,1")) + "\n"
    )
    with pytest.raises(HakkenError) as caught:
        sizes.draw(polyps(), files(**of_sizes))
    assert str(caught.value) == (
        "unet/costs.csv: holds no size `1 level` of the model `default`; delete it to measure again"
    )


# ---- numbers --------------------------------------------------------------------------------------------------------


def diffusion() -> Study:
    snr = {"factors": {"snr": {"key": "parameters.snr", "values": [10.0, 50.0]}}, "part": "test"}
    return parse_study(
        {
            "name": "diffusion",
            "seed": 5,
            "method": "parameter_regression",
            "cohort": {"kind": "items", "files": ["signals", "truth"], "table": "cases.csv"},
            "outcomes": {"numbers": {"quantities": ["D"], "truth": "truth", "by": "snr"}},
            "variants": {"noise": snr},
            "baselines": ["prior_mean"],
            "evaluation": {"bootstrap": 100, "strata": []},
        }
    )


TRUTH = np.array([1.0, 2, 3, 4, 5])  # SD sqrt(2)


@pytest.fixture
def of_numbers(tmp_path: Path) -> dict[str, Path]:
    """Models that answer with the truth plus something, by name; five numbers each of two patients, at two levels."""
    items = []
    for name in "ab":
        path = tmp_path / f"{name}.npz"
        np.savez(path, D=TRUTH, snr=np.array([10, 10, 10, 20, 20]))
        items.append(Item(name, name, {}, {"truth": path}, {"truth": sha256_file(path)}))
    checked = tmp_path / "checked.json"
    checked.write_text(json.dumps({"items": [item.as_dict() for item in items]}))
    folders = {}
    for model, moved in (("selected", 1.0), ("prior_mean", 3 - TRUTH), ("noise-10", 0.5), ("noise-50", 0.0)):
        found = {"numbers": {name: {"D": TRUTH + moved} for name in "ab"}}
        said = predicted(tmp_path / "said" / model, diffusion(), found, items)
        folders[model] = measured(tmp_path / "measured" / model, diffusion(), said, [checked])
    return folders


def line_of(row: Any, label: str) -> tuple[float, ...]:
    line = next(line for line in row.panels[0].lines if line.label == label)
    return tuple(round(value, 6) for value in line.values)


def test_errors_stand_by_level_and_by_fifths_in_shares_of_the_spread(
    of_numbers: Mapping[str, Path], monkeypatch: Any
) -> None:
    given = files(test=of_numbers["selected"], baselines=[of_numbers["prior_mean"]])
    rows, _, _, drawing = handed(monkeypatch, numbers, "draw_levels", diffusion(), given)
    share = round(1 / np.sqrt(2), 6)
    assert [row.heading for row in rows] == [
        "RMSE by snr of the test",
        "Bias by snr of the test",
        "Bias by fifths of the truth",
    ]
    assert (rows[0].levels, rows[2].levels) == (("10", "20"), ("1", "2", "3", "4", "5"))
    assert line_of(rows[0], "selected") == line_of(rows[1], "selected") == (share, share)
    assert line_of(rows[2], "selected") == (share,) * 5
    # The mean of all, 3: too high in the lowest fifth, too low in the highest.
    assert line_of(rows[2], "prior mean") == (2 * share, share, 0, -share, -2 * share)
    assert drawing.words == "2 models, 1 quantities"
    assert {row[0] for row in drawing.table.rows} == {"selected", "prior mean"}


def test_effects_of_the_training_are_those_of_each_variant_on_test(
    of_numbers: Mapping[str, Path], monkeypatch: Any
) -> None:
    rows, _, _, drawing = handed(
        monkeypatch, training_effects, "draw_levels", diffusion(), files(models=list(of_numbers.values()))
    )
    assert [row.heading for row in rows] == ["Noise: RMSE", "Noise: Bias"]
    assert line_of(rows[1], "10") == (round(0.5 / np.sqrt(2), 6),) * 2
    assert line_of(rows[1], "50") == (0, 0)
    assert {row[:2] for row in drawing.table.rows} == {("noise", "10"), ("noise", "50")}


def test_where_no_set_is_measured_on_test_that_is_told(of_numbers: Mapping[str, Path]) -> None:
    with pytest.raises(HakkenError, match="no set of `variants` is measured on the test set; give one `part: test`"):
        training_effects.draw(diffusion(), files(models=[of_numbers["selected"]]))
