"""A study of expectation stage by stage: patches, a trial, what is expected, calibration, baseline and figures."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from hakken.core.errors import HakkenError
from hakken.core.files import read_json, sha256_file
from hakken.imaging.prepared import Lesion, PreparedCase, load_prepared, save_prepared
from hakken.patches.shards import PatchStore
from hakken.stages.baseline import baseline
from hakken.stages.calibrate import calibrate, read_expected, target_of, z_of
from hakken.stages.evaluate import evaluate
from hakken.stages.expect import expect
from hakken.stages.figure_baseline import figure_baseline
from hakken.stages.figure_calibration import figure_calibration
from hakken.stages.figure_expectations import figure_expectations
from hakken.stages.figure_froc import figure_froc
from hakken.stages.patches import patches
from hakken.stages.predict import predict
from hakken.stages.trial import trial
from hakken.study import Study
from hakken.runs.table import sweep_of

from ..tasks.helpers import GEOMETRY
from ..tasks.test_expectation import expectation

FOCI: dict[str, list[tuple[int, int, int]]] = {
    "v0": [(8, 9, 10), (14, 18, 16)],
    "v1": [(12, 12, 12)],
    "v2": [],
    "v3": [],
}
SMALL = {"patch_size": 16, "poolings": 1, "convolutions": 2, "base_features": 8, "batch_size": 8, "learning_rate": 0.02}
ENDINGS = ("pdf", "svg", "png", "json")


def settings() -> Study:
    """Slices in which half of the uptake follows the density, and foci take up more."""
    return expectation(
        patches={"axes": 2, "size_voxel": 16, "margin_voxel": 0, "easy_negatives_per_case": 30},
        parameters=SMALL,
        training={"network": "expectation_unet", "steps": 240, "validate_every": 120},
        evaluation={
            "objective": "froc",
            "maximum_fp": 4,
            "at": [1, 3],
            "operating_point": 1,
            "bootstrap": 100,
            "strata": [],
        },
        search={"trials": 1, "slots": 1, "space": {"learning_rate": {"type": "real", "low": 0.001, "high": 0.02}}},
        figures=["froc", "calibration", "expectations", "baseline"],
    )


def prepare(folder: Path, name: str, places: list[tuple[int, int, int]]) -> PreparedCase:
    random = np.random.default_rng(sum(map(ord, name)))
    density = ndimage.gaussian_filter(random.standard_normal(GEOMETRY.shape_zyx), 2)
    density = np.clip(0.5 + 1.5 * density, 0.05, 0.95)
    uptake = 0.05 + 0.2 * density + 0.01 * random.standard_normal(GEOMETRY.shape_zyx)
    labels = np.zeros(GEOMETRY.shape_zyx, np.int16)
    for number, (z, y, x) in enumerate(places, start=1):
        labels[z - 1 : z + 2, y - 1 : y + 2, x - 1 : x + 2] = number
    uptake += 0.15 * (labels > 0)
    lesions = tuple(
        Lesion(number, *GEOMETRY.to_world([place])[0].tolist(), 6.0, 91.0)
        for number, place in enumerate(places, start=1)
    )
    case = PreparedCase(name, name, {}, ("A", "B"), GEOMETRY, GEOMETRY, {}, name, True, lesions)
    mask = np.ones(GEOMETRY.shape_zyx)
    return save_prepared(folder, case, np.stack([density, np.maximum(uptake, 0.001)]), mask, labels)


@dataclass(frozen=True)
class Chain:
    """Everything up to the expectations; validation and test are the same cases here."""

    folder: Path
    record: dict[str, Any]

    def file(self, name: str) -> Path:
        return self.folder / name

    @property
    def prepared(self) -> list[Path]:
        return [self.folder / "prepared"]

    def figure(self, name: str) -> dict[str, Any]:
        output = [self.file(f"{name}.{ending}") for ending in ENDINGS]
        table, openings = self.file("cases.csv"), self.file("openings.jsonl")
        return {"study": settings(), "table": table, "openings": openings, "code": "c", "output": output}


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    folder = tmp_path_factory.mktemp("expectation")
    for name in ("ta", "tb", "tc", "td"):
        prepare(folder / "train", name, [])
    for name, places in FOCI.items():
        prepare(folder / "prepared", name, places)
    patches(study=settings(), prepared=[folder / "train"], part="train", output=folder / "patches", log=folder / "log")
    trial(
        study=settings().model_dump(mode="json"),
        sweep=asdict(sweep_of(settings(), "search")),
        number=0,
        patches=folder / "patches",
        prepared=[folder / "prepared"],
        ledger=folder / "ledger",
        work=folder / "work",
        logs=folder / "logs",
        output=folder / "trial.json",
        log=folder / "trial.log",
    )
    record = read_json(folder / "trial.json")
    assert record["state"] == "complete", record
    (folder / "selected.pt").write_bytes(Path(record["model"]["path"]).read_bytes())
    (folder / "candidates.csv").write_bytes(Path(record["prediction"]["path"]).read_bytes())
    (folder / "selected.json").write_text(json.dumps({"models": {"selected": {"number": 0}}, "gpu_seconds": 0}))
    (folder / "cases.csv").write_text("case_id\n")
    evaluate(
        study=settings(),
        candidates=folder / "candidates.csv",
        prepared=[folder / "prepared"],
        model="selected",
        part="validation",
        output=folder / "test.json",
        **{kind: folder / f"test.{kind}.csv" for kind in ("curve", "strata", "lesions")},
    )
    point = read_json(folder / "test.json")["operating_point"]
    sealed = {"sha256": sha256_file(folder / "selected.pt"), "operating_point": point}
    (folder / "freeze.json").write_text(json.dumps({"models": {"selected": sealed}}))
    given = {"study": settings(), "prepared": [folder / "prepared"]}
    expect(**given, model=folder / "selected.pt", freeze=folder / "freeze.json", output=folder / "expected")
    calibrate(**given, expected=folder / "expected", output=folder / "z.json")
    return Chain(folder, record)


def test_patches_hold_the_target_beside_the_input(chain: Chain) -> None:
    layout = PatchStore.open(chain.file("patches")).layout
    assert (layout.channels, layout.targets, layout.axes) == (("A", "B"), 1, 2)


def test_it_learns_and_finds_the_foci(chain: Chain) -> None:
    assert chain.record["objective"] > 0.6
    assert chain.record["curve"][-1]["loss"] < chain.record["curve"][0]["loss"]


def test_candidates_on_test_are_those_of_validation(chain: Chain) -> None:
    again = chain.file("again.csv")
    given = {"study": settings(), "prepared": chain.prepared, "freeze": chain.file("freeze.json")}
    predict(**given, model=chain.file("selected.pt"), output=again)
    assert again.read_bytes() == chain.file("candidates.csv").read_bytes()


def test_what_is_expected_makes_the_scores(chain: Chain) -> None:
    case = load_prepared(chain.prepared[0], "v1")
    mean, sigma = read_expected(case, chain.file("expected"))
    assert sigma.min() > 0
    assert np.corrcoef(mean.ravel(), target_of(case, settings()).ravel())[0, 1] > 0.8
    rows = [line.split(",") for line in chain.file("candidates.csv").read_text().splitlines()[1:]]
    best = max(float(row[5]) for row in rows if row[0] == "v1")
    assert z_of(case, settings(), chain.file("expected")).max() == pytest.approx(best, rel=0.02)  # kept in 16 bits


def test_calibration_is_that_of_the_cases_without_lesions(chain: Chain) -> None:
    found = read_json(chain.file("z.json"))
    assert found["case_ids"] == ["v2", "v3"]
    z = np.concatenate(
        [
            z_of(load_prepared(chain.prepared[0], name), settings(), chain.file("expected")).ravel()
            for name in ("v2", "v3")
        ]
    ).astype(float)
    assert (found["mean"]["value"], found["sd"]["value"]) == pytest.approx((z.mean(), z.std()), rel=1e-4)
    assert sum(found["histogram"]) == z.size
    assert found["mean_met"] == (abs(z.mean()) <= 0.05)


def test_calibration_needs_cases_without_lesions(chain: Chain, tmp_path: Path, capsys: Any) -> None:
    prepare(tmp_path / "prepared", "v0", FOCI["v0"])
    with pytest.raises(SystemExit):
        calibrate(
            study=settings(),
            expected=chain.file("expected"),
            prepared=[tmp_path / "prepared"],
            output=tmp_path / "out.json",
        )
    assert "every case has a lesion; the calibration of z needs cases without" in capsys.readouterr().err


def test_expectations_of_another_grid_are_refused(chain: Chain, tmp_path: Path) -> None:
    np.save(tmp_path / "v1.npy", np.zeros((2, 3, 3, 3), np.float16))
    with pytest.raises(HakkenError, match=r"v1.npy: holds \(2, 3, 3, 3\), the case \(22, 26, 24\); delete"):
        read_expected(load_prepared(chain.prepared[0], "v1"), tmp_path)


def test_the_baseline_is_chosen_on_validation_and_compared_on_the_same_resamples(chain: Chain) -> None:
    given = {"study": settings(), "validation": chain.prepared, "prepared": chain.prepared}
    output, table = chain.file("comparison.json"), chain.file("baseline.csv")
    baseline(**given, candidates=chain.file("candidates.csv"), output=output, table=table)
    found = read_json(output)
    areas = found["tried_on_validation"]
    assert areas[f"{found['threshold']:g}"] == max(areas.values())
    assert found["other"]["partial_auc"]["value"] == pytest.approx(max(areas.values()))
    own = read_json(chain.file("test.json"))["partial_auc"]
    assert found["model"]["partial_auc"] == own
    gain = found["difference"]["partial AUC"]["value"]
    assert gain == pytest.approx(own["value"] - found["other"]["partial_auc"]["value"])
    scores = [float(line.split(",")[5]) * 20 for line in table.read_text().splitlines()[1:]]
    assert min(scores) >= found["threshold"] - 0.05


def test_the_figures_are_drawn_the_same_each_time(chain: Chain) -> None:
    baseline(
        study=settings(),
        validation=chain.prepared,
        prepared=chain.prepared,
        candidates=chain.file("candidates.csv"),
        output=chain.file("comparison.json"),
        table=chain.file("baseline.csv"),
    )
    assert _draw(chain) == _draw(chain)
    for name in ("baseline", "calibration", "expectations"):
        facts = read_json(chain.file(f"{name}.json"))
        assert (facts["figure"], facts["test_openings"]) == (name, 0)


def _draw(chain: Chain) -> dict[str, str]:
    """Draw the three figures and return the digests of their files."""
    calibration = chain.file("z.json")
    figure_baseline(**chain.figure("baseline"), baseline=chain.file("comparison.json"))
    figure_calibration(**chain.figure("calibration"), validation=calibration, test=calibration)
    figure_expectations(
        **chain.figure("expectations"),
        expected=chain.file("expected"),
        prepared=chain.prepared,
        candidates=chain.file("candidates.csv"),
        lesions=chain.file("test.lesions.csv"),
        evaluation=chain.file("test.json"),
    )
    names = [f"{name}.{ending}" for name in ("baseline", "calibration", "expectations") for ending in ENDINGS]
    return {name: sha256_file(chain.file(name)) for name in names}


def test_the_froc_figure_says_what_moves_along_the_curve(chain: Chain) -> None:
    measured = {
        "validation": chain.file("test.json"),
        "test": chain.file("test.json"),
        "default": chain.file("test.json"),
    }
    curve = chain.file("test.curve.csv")
    figure_froc(
        **chain.figure("froc"),
        **measured,
        validation_curve=curve,
        test_curve=curve,
        default_curve=curve,
        selected=chain.file("selected.json"),
    )
    assert read_json(chain.file("froc.json"))["figure"] == "froc"
