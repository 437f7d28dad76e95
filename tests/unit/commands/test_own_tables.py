"""Every table that hakken writes is taken as it stands by the commands that read such tables, with the same numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.cli import main
from hakken.core.headings import SYNONYMS
from hakken.core.tables import table_text, write_table
from hakken.core.volume import Geometry
from hakken.imaging.lesion_tables import COLUMNS as SPHERES
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.inference.candidates import Candidates
from hakken.outcomes import Measured, candidates, case_scores, classes
from hakken.report.variants import Observation, cell_rows, table_columns
from hakken.runs.measurement import Measurement as Folder
from hakken.runs.measurement import write_measurement
from hakken.runs.predictions import part_of

from ..miniature import save_case, study
from ..outcomes.test_case_scores import CASES as HEADS
from ..outcomes.test_case_scores import SCORES
from ..outcomes.test_case_scores import part as part_of_heads
from ..outcomes.test_classes import FOUND as CALLED
from ..outcomes.test_classes import part as part_of_classes

ROOT = Path(__file__).resolve().parents[3]
GRID = Geometry((24, 40, 36), (1.5, 1.5, 1.5), (-20.0, -30.0, 5.0))

READ = {
    "cohort/cases.csv",
    "lesions.csv",
    "candidates.csv",
    "candidates.lesions.csv",
    "case_scores.cases.csv",
    "classes.csv",
    "variants/<set>.csv",
}
"""Tables that a command takes; each has its test below."""

NOT_READ = {
    "candidates.curve.csv": "a finished curve",
    "candidates.strata.csv": "finished numbers",
    "candidates.replicates.csv": "numbers of resamples",
    "case_scores.csv": "scores without the truth; case_scores.cases.csv has both",
    "case_scores.roc.csv": "a finished curve",
    "alternative_scores.csv": "scores without the truth; case_scores.csv has the one that counts",
    "masks.csv": "runs of voxels; hakken overlap takes images",
    "masks.cases.csv": "finished numbers of cases",
    "regions.cases.csv": "finished numbers of cases",
    "lesion_masks.csv": "runs of voxels; hakken overlap takes images",
    "lesion_masks.lesions.csv": "finished numbers of lesions",
    "expectations.groups.csv": "finished numbers",
    "numbers.strata.csv": "finished numbers",
    "records.csv": "finished numbers",
    "measured.csv": "finished numbers",
    "figures/<figure>.csv": "what a figure draws",
    "index.csv": "of stored patches",
    "glow/memory.csv": "finished numbers",
    "trials.csv": "of a search",
    "sweeps/<sweep>/trials.csv": "of a search",
    "unet/costs.csv": "of a figure",
    "<outcome>.<table>.csv": "the pattern of the names",
}
"""Tables that no command measures, and why not."""


def test_no_table_is_forgotten() -> None:
    named = set(re.findall(r"`([^` ]*\.csv)`", (ROOT / "docs/reference/files.md").read_text()))
    assert named == READ | set(NOT_READ)


def test_the_other_names_of_columns_stand_on_the_page() -> None:
    page = (ROOT / "docs/reference/evaluation.md").read_text()
    for name, others in SYNONYMS.items():
        assert f"| `{name}` | {', '.join(f'`{other}`' for other in others)} |" in page


@pytest.fixture
def cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[PreparedCase]:
    """Two lesions in a, one in b, none in c."""
    monkeypatch.chdir(tmp_path)
    places = {"a": [((10, 10, 10), 8.0), ((12, 30, 25), 4.0)], "b": [((5, 20, 20), 12.0)], "c": []}
    made = []
    for name, given in places.items():
        labels = np.zeros(GRID.shape_zyx, np.int16)
        found = []
        for number, (place, diameter) in enumerate(given, start=1):
            labels[place] = number
            x, y, z = GRID.to_world([place])[0].tolist()
            found.append(Lesion(number, x, y, z, diameter, 4 / 3 * np.pi * (diameter / 2) ** 3))
        images = np.zeros((2, *GRID.shape_zyx))
        made.append(save_case(tmp_path / "images", name, images, geometry=GRID, labels=labels, lesions=found))
    return made


def marks(*given: tuple[tuple[int, int, int], float]) -> Candidates:
    voxel = np.array([place for place, _ in given], float).reshape(-1, 3)
    score = np.array([score for _, score in given], float)
    return Candidates(GRID.to_world(voxel) if given else np.zeros((0, 3)), score, np.full(len(given), 200.0), voxel)


SAID = {
    "a": marks(((10, 10, 10), 0.9), ((20, 5, 5), 0.7)),
    "b": marks(((5, 21, 20), 0.6)),
    "c": marks(((5, 5, 5), 0.5), ((20, 35, 30), 0.2)),
}


def measured(cases: list[PreparedCase], hit: str = "distance") -> Measured:
    """Write candidates.csv, the measurement and the case table into the working folder."""
    chosen = study(outcomes={"candidates": {"hit": hit}}, evaluation={"bootstrap": 100})
    part = part_of(chosen, "candidates", cases)
    candidates.write(Path(), SAID, part)
    found = candidates.measure(SAID, part)
    write_measurement(Path("measured"), Folder("s", "tiny", "selected", "test", "candidates", {"candidates": found}))
    rows = [(case.case_id, case.patient, f"truth/{case.case_id}/lesions.csv") for case in cases]
    write_table(Path("cases.csv"), ("case_id", "patient", "lesion_table"), rows)
    for case in cases:
        own = [(one.lesion, *one.centre, one.diameter, "m") for one in case.lesions]
        write_table(Path("truth") / case.case_id / "lesions.csv", (*SPHERES, "class"), own)
    return found


def run(command: str, *options: str) -> dict[str, Any]:
    assert main([command, *options, "--bootstrap", "100", "--output", "out.json"]) == 0
    found: dict[str, Any] = json.loads(Path("out.json").read_text())
    return found


LESIONS = {
    "measured": ("--lesions", "measured/candidates.lesions.csv"),
    "folder": ("--lesions", "truth"),
    "case table": (),
}


@pytest.mark.parametrize("lesions", LESIONS)
@pytest.mark.parametrize("hit", ["distance", "distance-inclusive", "fixed:2", "inside"])
def test_candidates_and_lesions_of_a_study(lesions: str, hit: str, cases: list[PreparedCase]) -> None:
    found = measured(cases, hit)
    tables = ("--cases", "cases.csv", "--candidates", "candidates.csv", *LESIONS[lesions])
    result = run("froc", *tables, "--hit", hit, "--max-fp", "10", "--by", "patient")
    assert result["counts"] == found.details["counts"]
    assert result["partial_auc"]["value"] == pytest.approx(found.details["partial_auc"]["value"])
    assert result["average_precision"]["step"]["value"] == found.details["average_precision"]["step"]["value"]


def test_candidates_have_the_size_of_their_volume(cases: list[PreparedCase]) -> None:
    measured(cases)
    tables = ("--cases", "cases.csv", "--candidates", "candidates.csv")
    # a sphere of 200 mm³ has a diameter of 7.26 mm: of the one of 8 mm it fills 200 / 268 = 0.746
    for limit, hits in (("0.74", 1), ("0.75", 0)):
        assert run("froc", *tables, "--hit", f"overlap:{limit}")["counts"]["true_positives"] == hits


def test_overlaps_refer_to_the_numbers_of_candidates_and_lesions(cases: list[PreparedCase]) -> None:
    measured(cases)
    Path("overlaps.csv").write_text("case_id,lesion,candidate,iou\na,2,2,0.6\nb,1,1,0.05\n")
    tables = ("--cases", "cases.csv", "--candidates", "candidates.csv", "--overlaps", "overlaps.csv")
    assert run("froc", *tables, "--hit", "overlap:0.1")["counts"]["true_positives"] == 1


@pytest.mark.parametrize("nested", [False, True])
def test_candidates_of_new_cases_one_by_one(cases: list[PreparedCase], nested: bool) -> None:
    found = measured(cases)
    for case in cases:
        path = Path("new") / (f"{case.case_id}/candidates.csv" if nested else f"{case.case_id}.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        assert list(candidates.save_one(path, SAID[case.case_id], case, None))
    result = run("froc", "--cases", "cases.csv", "--lesions", "truth", "--candidates", "new", "--max-fp", "10")
    assert result["counts"] == found.details["counts"]


def test_a_case_without_a_table_of_lesions_is_named(cases: list[PreparedCase]) -> None:
    measured(cases)
    Path("truth/c/lesions.csv").unlink()
    result = run("froc", "--cases", "cases.csv", "--lesions", "truth", "--candidates", "candidates.csv")
    assert "truth: 1 case without a table, taken as without lesions: c" in result["warnings"]


def test_an_error_in_one_of_many_tables_names_its_file(
    cases: list[PreparedCase], capsys: pytest.CaptureFixture[str]
) -> None:
    measured(cases)
    table = Path("truth/b/lesions.csv")
    table.write_text(table.read_text().replace("12.0", "-12.0"))
    tables = ["--cases", "cases.csv", "--lesions", "truth", "--candidates", "candidates.csv"]
    assert main(["froc", *tables]) == 2
    assert "truth, row 2 of b/lesions.csv, column diameter_mm: -12 is not above 0" in capsys.readouterr().err
    table.write_text("lesion,x,y,diameter_mm\n1,0,0,5\n")
    assert main(["froc", *tables]) == 2
    assert "truth/b/lesions.csv: column z is missing" in capsys.readouterr().err


def test_lesions_without_labels_are_numbered_unless_a_rule_needs_the_label(
    cases: list[PreparedCase], capsys: pytest.CaptureFixture[str]
) -> None:
    found = measured(cases)
    text = Path("measured/candidates.lesions.csv").read_text().splitlines()
    kept = [",".join(cell for place, cell in enumerate(line.split(",")) if place != 1) for line in text]
    Path("plain.csv").write_text("\n".join(kept) + "\n")
    tables = ("--cases", "cases.csv", "--lesions", "plain.csv", "--candidates", "candidates.csv")
    assert run("froc", *tables, "--max-fp", "10")["counts"] == found.details["counts"]
    for rule in (["--hit", "inside"], ["--hit", "overlap:0.1", "--overlaps", "x.csv"]):
        assert main(["froc", *tables, *rule]) == 2
        message = "plain.csv: column lesion_id is missing; this rule needs the label of each lesion"
        assert message in capsys.readouterr().err


def test_scores_of_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = case_scores.measure(SCORES, part_of_heads())
    table = found.tables["cases"]
    Path("cases.csv").write_text(table_text(table.columns, table.rows))
    result = run("roc", "--scores", "cases.csv")
    auc = result["scores"]["score"]["auc"]
    assert auc["value"] == found.rows[0].value == pytest.approx(5 / 6)
    assert (auc["delong"]["logit"]["low"], auc["delong"]["logit"]["high"]) == (found.rows[0].low, found.rows[0].high)
    assert result["counts"]["cases"] == len(HEADS)


def test_classes_of_lesions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    part = part_of_classes()
    classes.write(Path(), CALLED, part)
    found = run("agreement", "--labels", "classes.csv")["predictions"]["prediction"]
    measured = classes.measure(CALLED, part)
    assert found["balanced_accuracy"]["value"] == measured.rows[0].value
    assert found["mcc"]["value"] == pytest.approx(measured.details["mcc"]["value"])


def test_trainings_of_variants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seen = [
        Observation(f"{size}-{kind}", {"size": size, "kind": kind}, fold, state, value, 1.0, "", {"AUC": value})
        for fold in range(3)
        for size, more in (("small", 0.0), ("large", 0.1))
        for kind, state in (("x", "complete"), ("y", "failed" if (fold, size) == (2, "large") else "complete"))
        for value in [None if state == "failed" else 0.6 + more + 0.01 * fold]
    ]
    write_table(Path("grid.csv"), table_columns(seen), cell_rows(seen))
    result = run("anova", "--accuracies", "grid.csv", "--factors", "size,kind", "--response", "AUC", "--order", "1")
    assert "grid.csv: without 1 training that failed" in result["warnings"]


def test_lesions_and_cases_of_a_study_are_the_truth_of_readers(cases: list[PreparedCase]) -> None:
    measured(cases)
    rows = ["modality,reader,case_id,mark,lesion_id,rating"]
    for modality in "xy":
        for reader in "12":
            rows += [
                f"{modality},{reader},a,LL,1,3",
                f"{modality},{reader},b,LL,1,{reader}",
                f"{modality},{reader},c,NL,,1",
            ]
    with Path("cases.csv").open("a") as stream:
        stream.write("d,pd,none\ne,pe,none\n")
    Path("marks.csv").write_text("\n".join(rows) + "\n")
    truth = ["--lesions", "measured/candidates.lesions.csv", "--cases", "cases.csv"]
    assert main(["readers", "--ratings", "marks.csv", "--design", "froc", *truth]) == 0
