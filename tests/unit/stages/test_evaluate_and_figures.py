"""Evaluation and figures as stages: from prepared cases and candidate tables to results, tables and pictures."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from hakken.plots.comparison import draw_comparison
from hakken.plots.publish import save_one
from hakken.imaging.prepared import Lesion, PreparedCase, save_prepared
from hakken.search import Space
from hakken.stages.evaluate import evaluate
from hakken.stages.figure_comparison import comparison_input, figure_comparison
from hakken.stages.figure_froc import figure_froc
from hakken.stages.figure_learnt import figure_learnt
from hakken.stages.figure_overlays import figure_overlays
from hakken.stages.figure_registration import figure_registration
from hakken.stages.figure_search import figure_search
from hakken.stages.figure_strata import figure_strata
from hakken.study import Study
from hakken.study.reading import load_study
from hakken.core.volume import Geometry

ROOT = Path(__file__).resolve().parents[3]
GRID = Geometry((24, 40, 36), (1.5, 1.5, 1.5), (-20.0, -30.0, 5.0))


@pytest.fixture(scope="module")
def study() -> Study:
    return load_study(ROOT / "config" / "studies" / "brain_metastasis.yaml", "tiny")


@dataclass(frozen=True)
class Files:
    """What evaluation needs and where it writes."""

    folder: Path
    prepared: list[Path]

    @property
    def table(self) -> Path:
        return self.folder / "cases.csv"

    def candidates(self, rows: list[tuple[Any, ...]], name: str = "candidates.csv") -> Path:
        path = self.folder / name
        with path.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["case_id", "candidate", "x", "y", "z", "score", "volume_mm3", "lesion"])
            writer.writerows(rows)
        return path

    def arguments(self, study: Study, candidates: Path, part: str, **more: Any) -> dict[str, Any]:
        where = self.folder / "evaluation" / part
        return {
            "study": study,
            "candidates": candidates,
            "prepared": self.prepared,
            "model": "selected",
            "part": part,
            "output": where / "selected.json",
            "curve": where / "selected.curve.csv",
            "strata": where / "selected.strata.csv",
            "lesions": where / "selected.lesions.csv",
        } | more


def lesion(number: int, place: tuple[int, int, int], diameter: float) -> Lesion:
    x, y, z = GRID.to_world([place])[0]
    return Lesion(number, float(x), float(y), float(z), diameter, 4 / 3 * np.pi * (diameter / 2) ** 3)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Three cases in two batches: two lesions in a, one in b, none in c; scanners one, one and two."""
    rng = np.random.default_rng(0)
    lesions = {
        "a": (lesion(1, (10, 10, 10), 8.0), lesion(2, (12, 30, 25), 4.0)),
        "b": (lesion(1, (5, 20, 20), 12.0),),
        "c": (),
    }
    for name, folder, scanner in (("a", "0", "one"), ("b", "0", "one"), ("c", "1", "two")):
        case = PreparedCase(
            name, f"p{name}", {"scanner": scanner}, ("T1POST", "T1"), GRID, GRID, {}, "0" * 64, True, lesions[name]
        )
        image = rng.normal(0, 1, (2, *GRID.shape_zyx))
        save_prepared(tmp_path / folder, case, image, np.ones(GRID.shape_zyx), np.zeros(GRID.shape_zyx))
    (tmp_path / "cases.csv").write_text("case_id,patient\n")
    return Files(tmp_path, [tmp_path / "0", tmp_path / "1"])


def mark(case: str, place: tuple[int, int, int], score: float) -> tuple[Any, ...]:
    return (case, 1, *GRID.to_world([place])[0].tolist(), score, 10.0, 0)


MARKS = [
    mark("a", (10, 10, 10), 0.9),  # the lesion of 8 mm
    mark("a", (20, 5, 5), 0.7),
    mark("b", (5, 21, 20), 0.6),  # the lesion of 12 mm
    mark("c", (5, 5, 5), 0.5),
    mark("c", (20, 35, 30), 0.2),
]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_evaluation_writes_what_was_found(study: Study, files: Files) -> None:
    arguments = files.arguments(study, files.candidates(MARKS), "validation")
    evaluate(**arguments)
    result = json.loads(arguments["output"].read_text())
    assert result["counts"] == {
        "cases": 3, "lesions": 3, "candidates": 5, "true_positives": 2, "false_positives": 3, "missed": 1,
        "ignored_duplicates": 0, "ignored_excluded": 0, "patients": 3,
    }  # fmt: skip
    assert result["sensitivity_at"]["1"]["value"] == pytest.approx(2 / 3)
    assert result["operating_point"]["threshold"] == 0.2
    assert result["operating_point"]["fp_per_case"]["value"] == 1
    assert (result["model"], result["part"], result["rules"]["hit"]) == ("selected", "validation", "distance")


def test_the_tables_hold_every_operating_point_lesion_and_stratum(study: Study, files: Files) -> None:
    arguments = files.arguments(study, files.candidates(MARKS), "validation")
    evaluate(**arguments)
    curve = rows(arguments["curve"])
    assert [row["threshold"] for row in curve] == ["inf", "0.9", "0.7", "0.6", "0.5", "0.2"]
    assert [float(row["sensitivity"]) for row in curve] == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3])
    assert [row["score"] for row in rows(arguments["lesions"])] == ["0.9", "", "0.6"]
    strata = {row["stratum"]: row for row in rows(arguments["strata"])}
    assert list(strata) == ["all lesions", "below 5 mm", "5 to 10 mm", "10 mm and more", "one", "two"]
    assert (strata["below 5 mm"]["found"], strata["below 5 mm"]["lesions"]) == ("0", "1")
    assert (strata["two"]["cases"], strata["two"]["sensitivity"], strata["two"]["fp_per_case"]) == ("1", "", "2.0")


def test_a_frozen_threshold_is_used_as_it_is(study: Study, files: Files) -> None:
    freeze = files.folder / "freeze.json"
    freeze.write_text(json.dumps({"models": {"selected": {"operating_point": {"threshold": 0.65}}}}))
    arguments = files.arguments(study, files.candidates(MARKS), "test", operating_threshold=freeze)
    evaluate(**arguments)
    point = json.loads(arguments["output"].read_text())["operating_point"]
    assert point["threshold"] == 0.65
    assert point["sensitivity"]["value"] == pytest.approx(1 / 3)
    assert point["fp_per_case"]["value"] == pytest.approx(1 / 3)


def test_without_candidates_there_is_a_result_and_no_operating_point(study: Study, files: Files) -> None:
    arguments = files.arguments(study, files.candidates([]), "validation")
    evaluate(**arguments)
    result = json.loads(arguments["output"].read_text())
    assert result["partial_auc"]["value"] == 0
    assert result["operating_point"]["threshold"] is None
    assert "no operating point: there is no lesion or no candidate" in result["warnings"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a", 1, 0, 0, 0, "nan", 1, 0), "candidates, row 2, column score: nan cannot be ranked"),
        (("a", 1, 0, "left", 0, 0.5, 1, 0), "row 2, column y: `left` is not a number"),
        (("zz", 1, 0, 0, 0, 0.5, 1, 0), "candidates, row 2: case `zz` is not among the 3 cases of the cohort"),
    ],
)
def test_a_candidate_that_cannot_be_used_ends_with_status_2_and_its_place(
    study: Study, files: Files, row: tuple[Any, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = files.arguments(study, files.candidates([row]), "validation")
    with pytest.raises(SystemExit) as stopped:
        evaluate(**arguments)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert "candidates.csv" in error
    assert not arguments["output"].exists()


def pictures(folder: Path, name: str) -> list[Path]:
    return [folder / "figures" / f"{name}.{kind}" for kind in ("pdf", "svg", "png", "json")]


def common(files: Files, study: Study, name: str) -> dict[str, Any]:
    return {
        "study": study,
        "table": files.table,
        "openings": files.folder / "openings.jsonl",
        "code": "0123",
        "output": pictures(files.folder, name),
    }


def unchanged(redraw: Any, arguments: dict[str, Any]) -> None:
    """Drawing again from the same files changes no byte."""
    before = [path.read_bytes() for path in arguments["output"]]
    redraw(**arguments)
    assert [path.read_bytes() for path in arguments["output"]] == before


def check(output: list[Path], arguments: dict[str, Any]) -> dict[str, Any]:
    """Every picture exists and the provenance names its inputs."""
    assert all(path.stat().st_size > 1000 for path in output[:3])
    facts: dict[str, Any] = json.loads(output[-1].read_text())
    assert (facts["study"], facts["scale"], facts["test_openings"]) == ("brain_metastasis", "tiny", 0)
    assert facts["hashes"]["code"] == "0123"
    assert all(len(value) == 64 for value in facts["hashes"]["inputs"].values())
    assert arguments["table"].as_posix() in facts["hashes"]["inputs"]
    return facts


def test_froc_strata_and_overlays_are_drawn_from_the_results(study: Study, files: Files) -> None:
    candidates = files.candidates(MARKS)
    for part in ("validation", "test"):
        evaluate(**files.arguments(study, candidates, part))
    measured = files.arguments(study, candidates, "test")
    other = files.arguments(study, candidates, "validation")
    selected = files.folder / "selected.json"
    selected.write_text(json.dumps({"models": {"selected": {"number": 7}}, "gpu_seconds": 1.5}))
    froc = common(files, study, "froc") | {
        "validation": other["output"], "test": measured["output"], "default": measured["output"],
        "validation_curve": other["curve"], "test_curve": measured["curve"], "default_curve": measured["curve"],
        "selected": selected,
    }  # fmt: skip
    figure_froc(**froc)
    facts = check(froc["output"], froc)
    assert (facts["trials"], facts["cost"]) == ([7], {"gpu_seconds": 1.5})
    strata = common(files, study, "strata") | {"evaluation": measured["output"], "strata": measured["strata"]}
    figure_strata(**strata)
    check(strata["output"], strata)
    overlays = common(files, study, "overlays") | {
        "candidates": candidates, "prepared": files.prepared, "evaluation": measured["output"],
    }  # fmt: skip
    figure_overlays(**overlays)
    check(overlays["output"], overlays)
    unchanged(figure_froc, froc)
    unchanged(figure_overlays, overlays)


def write_trial(files: Files, study: Study, number: int, sweep: str = "search", **more: Any) -> Path:
    path = files.folder / sweep / f"{number:04d}.json"
    path.parent.mkdir(exist_ok=True)
    rng = np.random.default_rng(number)
    space = Space.from_mapping(study.search.space)
    defaults = study.parameters.model_dump()
    parameters = {name: defaults[name] for name in space.active(defaults)}
    parameters["learning_rate"] = float(10 ** rng.uniform(-5, -1))
    failed = number == 2
    content = {
        "sweep": sweep, "number": number, "parameters": parameters,
        "state": "failed" if failed else "complete", "objective": None if failed else float(rng.random()),
        "start": f"2026-01-01T00:{number:02d}:00.000+00:00", "end": f"2026-01-01T00:{number + 1:02d}:30.000+00:00",
        "gpu_seconds": 2.0, "host": "host", "device": "cpu", "threads": 1,
    }  # fmt: skip
    path.write_text(json.dumps(content | more))
    return path


def test_search_and_learnt_are_drawn_from_the_trials(study: Study, files: Files) -> None:
    trials = [write_trial(files, study, number) for number in range(8)]
    search = common(files, study, "search") | {"trials": trials, "default": trials[0]}
    figure_search(**search)
    facts = check(search["output"], search)
    assert facts["trials"] == list(range(8))
    assert facts["cost"] == {"seconds": 8 * 90.0, "gpu_seconds": 16.0}
    learnt = common(files, study, "learnt") | {"trials": trials}
    figure_learnt(**learnt)
    assert check(learnt["output"], learnt)["trials"] == [0, 1, 3, 4, 5, 6, 7]
    unchanged(figure_learnt, learnt)


def test_the_best_value_at_a_border_is_told(study: Study, files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    best = write_trial(files, study, 0, objective=1.5)
    inside = [write_trial(files, study, number) for number in (1, 3)]
    figure_learnt(**common(files, study, "learnt"), trials=[best, *inside])
    assert "best value at the border of: convolutions, base features, growth\n" in capsys.readouterr().err


def test_a_pruned_trial_is_not_the_best(study: Study, files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    at_borders = json.loads(write_trial(files, study, 1, state="pruned", objective=1.5).read_text())
    inside = at_borders["parameters"] | {"learning_rate": 0.001, "convolutions": 3, "base_features": 8, "growth": 1.5}
    write_trial(files, study, 0, parameters=inside)
    trials = sorted((files.folder / "search").iterdir())
    figure_learnt(**common(files, study, "learnt"), trials=trials)
    assert "best values inside their ranges\n" in capsys.readouterr().err


SWEEPS = ("n1-r0", "n1-r1", "random-r0", "random-r1")


def compared(study: Study, files: Files) -> tuple[Study, dict[str, Any]]:
    """The study with four sweeps of four trials, and what their comparison is drawn from."""
    comparison = {"slots": [1], "repeats": 2, "trials": 4}
    study = Study.model_validate(
        study.model_dump() | {"search": study.search.model_dump() | {"comparison": comparison}}
    )
    trials = [write_trial(files, study, number, sweep) for sweep in SWEEPS for number in range(4)]
    default, table = write_trial(files, study, 0, "default"), files.folder / "compared.csv"
    given = common(files, study, "comparison")
    return study, given | {"trials": trials, "default": default, "comparison": table}


def test_the_comparison_is_drawn_from_its_table(study: Study, files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    _, arguments = compared(study, files)
    figure_comparison(**arguments)
    facts = check(arguments["output"], arguments)
    assert facts["trials"] == {name: [0, 1, 2, 3] for name in SWEEPS}
    assert facts["cost"] == {"seconds": 17 * 90.0, "gpu_seconds": 34.0}
    assert "reached after: bayesian N = 1: " in capsys.readouterr().err
    table = rows(arguments["comparison"])
    assert [row["sweep"] for row in table[::4]] == [*SWEEPS, "default"]
    assert [row["repeat"] for row in table[::4]] == ["0", "1", "0", "1", "0"]
    unchanged(figure_comparison, arguments)


def test_the_table_alone_draws_the_same_picture(study: Study, files: Files) -> None:
    study, arguments = compared(study, files)
    figure_comparison(**arguments)
    again = files.folder / "again.svg"
    save_one(draw_comparison(comparison_input(study, arguments["comparison"], 0)), again)
    assert again.read_bytes() == arguments["output"][1].read_bytes()


def test_without_the_default_the_comparison_is_drawn_without_its_line(study: Study, files: Files) -> None:
    study, arguments = compared(study, files)
    figure_comparison(**arguments | {"default": None})
    assert {row["sweep"] for row in rows(arguments["comparison"])} == set(SWEEPS)
    assert comparison_input(study, arguments["comparison"], 0).default is None


def test_a_study_that_compares_nothing_is_told(study: Study, files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    study = Study.model_validate(study.model_dump() | {"search": study.search.model_dump() | {"comparison": None}})
    arguments = common(files, study, "comparison") | {
        "trials": [],
        "default": None,
        "comparison": files.folder / "c.csv",
    }
    with pytest.raises(SystemExit):
        figure_comparison(**arguments)
    assert "study `brain_metastasis` compares no sweeps: give it the key `search.comparison`" in capsys.readouterr().err


def test_a_broken_trial_file_is_named(study: Study, files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    path = files.folder / "0000.json"
    path.write_text('{"number": 0}')
    with pytest.raises(SystemExit):
        figure_learnt(**common(files, study, "learnt"), trials=[path])
    assert f"{path}: not a finished trial" in capsys.readouterr().err


def test_registrations_are_drawn_from_their_pictures(study: Study, files: Files) -> None:
    registered = files.folder / "registered"
    registered.mkdir()
    picture = np.tile(np.arange(240, dtype=np.uint8)[:, None], (36, 1, 3))
    for number in range(6):
        sitk.WriteImage(sitk.GetImageFromArray(picture, isVector=True), str(registered / f"c{number}_T1.png"))
        record = {
            "reference": "T1POST",
            "channels": {"T1": {"metric_before": -0.2, "metric_after": -0.5, "seconds": 1.0}},
        }
        (registered / f"c{number}.json").write_text(json.dumps(record))
    arguments = common(files, study, "registration") | {"registered": [registered]}
    figure_registration(**arguments)
    check(arguments["output"], arguments)


def test_a_study_of_one_channel_has_a_registration_figure_that_says_so(study: Study, files: Files) -> None:
    empty = files.folder / "registered"
    empty.mkdir()
    arguments = common(files, study, "registration") | {"registered": [empty]}
    figure_registration(**arguments)
    check(arguments["output"], arguments)
