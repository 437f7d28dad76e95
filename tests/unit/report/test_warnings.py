"""What warns of a number stands wherever the number stands: summary, report, tables, overview, figures, their JSON."""

from __future__ import annotations

import csv
import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.volume import Geometry
from hakken.evaluation.caution import NO_WIDTH
from hakken.figures import Files
from hakken.imaging.prepared import Lesion
from hakken.inference.candidates import Candidates
from hakken.outcomes import Measured, Row, cautioned
from hakken.report.heads import warnings_of
from hakken.report.overview import overview_page
from hakken.report.page import render
from hakken.report.result import gather, measured_table
from hakken.report.summary import summarise
from hakken.runs.cases import read_cases
from hakken.seal.freeze import read_sealed, write_sealed
from hakken.stages.figure import figure
from hakken.stages.summary import summary
from hakken.study import Study

from ..figures.made import measured, predicted
from ..miniature import save_case
from ..miniature import study as small
from .finished import candidates, write_measured

ENDS = "the curve ends at 8.3, the last value is given"
FEW = "3 patients: intervals from so few are rough and rather too narrow; they are no certainty"
GRID = Geometry((24, 40, 36), (1.5, 1.5, 1.5))


@pytest.fixture
def warned(study: Study, results: Path) -> Path:
    """A finished study of three patients, whose curve on test ends early and whose partial AUC has no width."""
    found = candidates(0.6)
    rows = (replace(found.rows[0], warning=ENDS), *found.rows[1:3], Row("partial AUC to 10 FP/case", 0.0, 0.0, 0.0))
    whole = replace(found, rows=rows, objective=rows[-1], counts={"patients": 3})
    write_measured(results, study, "test", "selected", cautioned(whole))
    return results


def test_a_number_with_a_warning_has_an_asterisk_and_the_warning_below(study: Study, warned: Path) -> None:
    result = gather(study, warned)
    _, rows = measured_table(result)
    cells = {name: row for name, *row in rows}
    assert cells["sensitivity at 1 FP/case"][1] == "0.60 [0.50, 0.70] *"
    assert cells["partial AUC to 10 FP/case"][1] == "0.000 [0.000, 0.000] *"
    assert cells["sensitivity at 3 FP/case"][1] == "0.70 [0.60, 0.80]"
    assert result.warnings == (
        f"test: {FEW}",
        f"test: sensitivity at 1 FP/case: {ENDS}",
        f"test: partial AUC to 10 FP/case: {NO_WIDTH}",
    )


def test_summary_report_and_overview_warn(study: Study, warned: Path) -> None:
    result = gather(study, warned)
    text, page, overview = summarise(result), render(result, []), overview_page([result], "x.png")
    for line in (FEW, f"sensitivity at 1 FP/case: {ENDS}", f"partial AUC to 10 FP/case: {NO_WIDTH}"):
        assert f"* warning: test: {line}" in text
        assert f"<li>* test: {line}</li>" in page
        assert f"* {line}" in overview


def test_the_table_of_all_numbers_warns_in_each_row(study: Study, warned: Path) -> None:
    table = warned / "measured.csv"
    summary(study=study, folder=warned, output=warned / "s.txt", table=table, latex=warned / "m.tex")
    rows = [
        row for row in csv.DictReader(table.open(newline="")) if (row["part"], row["model"]) == ("test", "selected")
    ]
    said = {row["measured"]: row["warning"] for row in rows}
    assert said["sensitivity at 1 FP/case"] == f"{ENDS}; {FEW}"
    assert said["partial AUC to 10 FP/case"] == f"{NO_WIDTH}; {FEW}"
    assert said["sensitivity at 3 FP/case"] == FEW


def test_a_fold_warns_where_its_number_stands(study: Study, results: Path) -> None:
    folds = tuple({"candidates": cautioned(replace(candidates(0.3), counts={"patients": n}))} for n in (2, 2, 40))
    write_measured(results, study, "test", "selected", candidates(0.6), folds=folds)
    few = FEW.replace("3", "2", 1)
    assert gather(study, results).warnings == (f"test, fold 0 and 1: {few}",)


def test_reference_rows_and_undefined_ones_have_no_width_to_warn_of() -> None:
    rows = (
        Row("of guessing", 0.5, reference=True),
        Row("undefined"),
        Row("open", 0.5, 0.4, None),
        Row("text", text="a"),
    )
    assert cautioned(Measured(None, rows)).said == ()


@pytest.fixture
def nothing_found(tmp_path: Path) -> dict[str, list[Path]]:
    """Measurements of three patients with a lesion each, of which none is found."""
    chosen = small(evaluation={"bootstrap": 100})
    for name in "abc":
        x, y, z = GRID.to_world([(10, 10, 10)])[0].tolist()
        save_case(
            tmp_path / "cases",
            name,
            np.zeros((2, *GRID.shape_zyx)),
            geometry=GRID,
            labels=np.zeros(GRID.shape_zyx),
            lesions=[Lesion(1, x, y, z, 8.0, 100.0)],
        )
    far = np.array([[20.0, 35.0, 30.0]])
    said = Candidates(GRID.to_world(far), np.array([0.5]), np.ones(1), far, np.zeros(1, np.int64))
    known = read_cases([tmp_path / "cases"])
    folder = predicted(tmp_path / "said", chosen, {"candidates": dict.fromkeys("abc", said)}, known)
    parts = ("test", "validation")
    return {
        part: [measured(tmp_path / part / "selected", chosen, folder, [tmp_path / "cases"], part)] for part in parts
    }


def drawn(name: str, files: dict[str, list[Path]], tmp_path: Path) -> tuple[dict[str, Any], Path]:
    chosen = small(evaluation={"bootstrap": 100})
    paths = {kind: tmp_path / f"{name}.{kind}" for kind in ("png", "svg", "json", "csv")}
    figure(
        study=chosen,
        name=name,
        files=files,
        pictures=[paths["png"], paths["svg"]],
        facts=paths["json"],
        numbers=paths["csv"],
        code="c",
    )
    return json.loads(paths["json"].read_text()), paths["png"]


def height(png: Path) -> int:
    return int(struct.unpack(">II", png.read_bytes()[16:24])[1])


@pytest.mark.parametrize("name", ["froc", "strata"])
def test_a_figure_and_its_json_warn(
    name: str, nothing_found: dict[str, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = nothing_found if name == "froc" else {"test": nothing_found["test"]}
    facts, picture = drawn(name, files, tmp_path)
    heads = "test and validation" if name == "froc" else "test"
    assert f"{heads}: {FEW}" in facts["warnings"]
    assert f"{heads}: partial AUC to 10 FP/case and average precision: {NO_WIDTH}" in facts["warnings"]
    tall = height(picture)
    monkeypatch.setattr("hakken.stages.figure.warnings_of", lambda name, files: [])
    _, bare = drawn(name, files, tmp_path)
    assert tall - height(bare) > 0.11 * 300 * len(facts["warnings"])


def test_a_figure_of_images_shows_no_number_to_warn_of(nothing_found: dict[str, list[Path]], tmp_path: Path) -> None:
    assert warnings_of("overlays", nothing_found | {"predictions": [tmp_path]}) == []
    assert warnings_of("froc", Files(nothing_found, None).named)  # type: ignore[arg-type]


def test_none_of_three_is_no_certainty(nothing_found: dict[str, list[Path]]) -> None:
    from hakken.runs.measurement import read_measurement, table_of

    found = read_measurement(nothing_found["test"][0]).outcomes["candidates"]
    # Wilson's interval of 0 of 3: z² / (3 + z²)
    assert found.rows[0].cell == "0.00 [0.00, 0.56] *"
    columns = ("stratum", "sensitivity", "low", "high")
    whole = table_of(nothing_found["test"][0], "candidates", "strata", columns).records()[0]
    ends = found.point["sensitivity"] if found.point else {}
    # one number, one interval: that of the operating point is that of all lesions among the strata
    assert (
        (float(whole["low"]), float(whole["high"]))
        == (ends["low"], ends["high"])
        == (0, pytest.approx(0.5615, abs=1e-4))
    )


def test_the_report_warns_below_a_figure(study: Study, results: Path, tmp_path: Path) -> None:
    (tmp_path / "froc.svg").write_text("<svg/>")
    (tmp_path / "froc.json").write_text(json.dumps({"figure": "froc", "warnings": ["test: <few> patients"]}))
    page = render(gather(study, results), [tmp_path / "froc.json"])
    assert "<li>* test: &lt;few&gt; patients</li>" in page.partition("<figcaption>")[2].partition("<details>")[0]


def test_the_models_of_a_run_have_heads() -> None:
    from hakken.report.heads import HEADS
    from hakken.runs.table import DEFAULT, SELECTED

    assert {model for _, model in HEADS} == {DEFAULT, SELECTED}


def test_a_corrected_objective_without_a_width_is_no_certainty(study: Study, results: Path) -> None:
    optimism = read_sealed(results / "optimism.json", "")
    certain = {"value": 1.0, "low": 1.0, "high": 1.0}
    write_sealed(results / "optimism.json", optimism | {"corrected": certain})
    result = gather(study, results)
    line = f"validation objective, corrected for the choice: {NO_WIDTH}"
    assert result.warnings[-1] == line
    assert "corrected for the choice of the best 1.000 [1.000, 1.000] *" in summarise(result)
