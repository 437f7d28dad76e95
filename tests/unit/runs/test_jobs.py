"""What the rules of the workflow ask: files, parameters, resources and digests of jobs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hakken import plugins
from hakken.core.files import read_json
from hakken.runs import identity, inputs, jobs
from hakken.runs.plan import Plan

from ..miniature import study, without
from .plans import FOLDS, PARTS, crossed, crossed_items, holdout, items, planned, records

ROOT = "results/balls/paper"
GRID = {"factors": {"depth": {"one": {"parameters.convolutions": 1}, "two": {}}}}
WARM = {"search": {"warm_start": {"study": "small", "scale": "tiny"}}}


def plans(*given: Plan) -> dict[str, Plan]:
    return {plan.study.name: plan for plan in given}


# ---- the workflow as a whole ----------------------------------------------------------------------------------------


def fits(pattern: str, *values: str) -> list[bool]:
    return [re.fullmatch(pattern, value) is not None for value in values]


def test_wildcards_can_be_what_the_studies_have_and_nothing_else(toys: Any) -> None:
    both = plans(holdout(variants={"grid": GRID}), crossed_items())
    found = jobs.constraints(both)
    assert fits(found["study"], "balls", "vectors", "ball", "ballsx") == [True, True, False, False]
    assert fits(found["scale"], "paper", "tiny") == [True, False]
    assert fits(found["part"], "train", "validation", "test", "fold2", "fold3") == [*[True] * 4, False]
    assert fits(found["sweep"], "search", "grid-one", "search-f2", "../search") == [True, True, True, False]
    assert fits(found["model"], "selected", "grid-two", "default-f1", "toy_coin-f0", "toy_coin", "other") == [
        *[True] * 5,
        False,
    ]
    assert fits(found["set"], "grid", "") == [True, False]
    assert fits(found["figure"], "froc", "toy_curve", "unknown") == [True, True, False]
    assert fits(found["batch"], "000", "a") == [True, False]
    assert fits(found["data"], "train", "development", "all", "test") == [True, True, True, False]
    assert fits(found["scope"], "development", "test", "train") == [True, True, False]


def test_a_level_with_a_point_is_no_pattern(toys: Any) -> None:
    shrunk = {"factors": {"shrink": {"key": "parameters.shrink", "values": [0.5]}}}
    found = jobs.constraints(plans(items(variants={"shrunk": shrunk})))
    assert fits(found["model"], "shrunk-0.5", "shrunk-0x5") == [True, False]


def test_where_there_is_none_a_wildcard_fits_nothing() -> None:
    found = jobs.constraints(plans(holdout()))
    assert fits(found["set"], "", "a", "grid") == [False] * 3
    assert fits(jobs.baselines(plans(holdout())), "", "brightness_peaks") == [False] * 2


def test_models_and_baselines_are_told_apart() -> None:
    both = plans(holdout(baselines=["brightness_peaks"]))
    assert fits(jobs.models(both), "selected", "default", "brightness_peaks") == [True, True, False]
    assert fits(jobs.baselines(both), "selected", "brightness_peaks") == [False, True]


def test_rules_of_single_systems_are_those_beside_the_chain(tmp_path: Path) -> None:
    folder = tmp_path / "workflow" / "rules"
    folder.mkdir(parents=True)
    for name in (*jobs.CHAIN, "glow", "atlas"):
        (folder / f"{name}.smk").touch()
    assert jobs.further_rules(tmp_path) == [f"{folder}/atlas.smk", f"{folder}/glow.smk"]


def test_a_start_writes_down_the_studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    jobs.begin(plans(holdout()), [], agreed=False)
    assert {path.name for path in (tmp_path / ROOT).iterdir()} == {"study.yaml", "batches.json", "versions.json"}
    assert read_json(tmp_path / ROOT / "batches.json") == {"cases_per_job": 2}


def test_every_search_has_a_table_and_a_model(toys: Any) -> None:
    found = jobs.every_sweep(plans(holdout(variants={"grid": GRID}), crossed_items()))
    vectors = "results/vectors/paper"
    assert found[:4] == [
        f"{ROOT}/sweeps/search/trials.csv",
        f"{ROOT}/models/selected.json",
        f"{vectors}/sweeps/search-f0/trials.csv",
        f"{vectors}/models/selected-f0.json",
    ]
    assert len(found) == 8


# ---- identity -------------------------------------------------------------------------------------------------------


def test_a_stage_gets_the_sections_that_it_depends_on() -> None:
    plan = holdout(title="Balls")
    assert jobs.study_part(plan, {}, "preparation") == {
        "name": "balls",
        "seed": 5,
        "cohort": {"table": "cases.csv"},
        "channels": {"A": {"modality": "mr"}, "B": {"modality": "mr"}},
        "reference": "A",
        "preparation": {"spacing_mm": [1.5, 1.5, 1.5], "mask": "none"},
    }
    assert jobs.whole_study(plan, {})["title"] == "Balls"
    assert jobs.root(plan, {}) == ROOT


def test_of_a_model_it_gets_the_study_as_it_was_trained() -> None:
    plan = holdout(variants={"grid": GRID}, baselines=["brightness_peaks"])
    parameters = {
        model: jobs.study_part(plan, {"model": model}, "parameters")["parameters"]["convolutions"]
        for model in ("selected", "default", "grid-one", "grid-two", "brightness_peaks")
    }
    assert parameters == {"selected": 2, "default": 2, "grid-one": 1, "grid-two": 2, "brightness_peaks": 2}


@pytest.mark.parametrize("fold", ["", "-f0", "-f2"])
def test_of_a_model_with_folds_too(fold: str, toys: Any) -> None:
    plan = crossed_items(variants={"shrunk": {"factors": {"s": {"half": {"parameters.shrink": 0.5}}}}})
    for model, parameters in {"shrunk-half": {"shrink": 0.5}, "selected": {}, "toy_coin": {}}.items():
        assert jobs.study_part(plan, {"model": f"{model}{fold}"}, "parameters")["parameters"] == parameters


def test_a_figure_is_drawn_again_for_all_but_a_description_and_a_list_of_figures() -> None:
    plan = holdout(title="T", description="D", figures=["froc"], data="phantom")
    assert {"title", "data"} <= jobs.drawn_study(plan, {}).keys()
    assert not {"description", "figures"} & jobs.drawn_study(plan, {}).keys()


def test_a_training_does_not_depend_on_titles_figures_numbers_of_trials_or_slots() -> None:
    science = jobs.science_of_study(holdout(), {})
    changed = holdout(
        title="T",
        figures=["froc"],
        search={"trials": 9, "slots": 3},
        variants={"grid": GRID},
        baselines=["brightness_peaks"],
        evaluation={"bootstrap": 200, "strata": []},
    )
    assert jobs.science_of_study(changed, {}) == science
    assert jobs.science_of_study(holdout(training={"steps": 13}), {}) != science


def test_what_is_sealed_names_the_study_and_nothing_of_the_hardware() -> None:
    sealed = jobs.sealed_study(holdout(training={"checkpoint_seconds": 5, "nodes": 2}), {})
    assert (sealed["name"], sealed["scale"], sealed["training"]["minibatches"]) == ("balls", "paper", 2)
    assert not {"checkpoint_seconds", "nodes"} & sealed["training"].keys()


def named(plan: Plan, stage: str, **wildcards: str) -> dict[plugins.Kind, tuple[str, ...]]:
    return {kind: tuple(names) for kind, names in jobs._named(plan, wildcards, stage).items() if names}


BOTH = {
    "method": "autoencoder",
    "parameters": {"patch_size": 8, "poolings": 1},
    "outcomes": {"case_scores": {}, "candidates": {}},
    "baselines": ["brightest_components"],
    "figures": ["roc", "froc"],
}


def test_a_digest_names_only_the_plug_ins_of_the_job() -> None:
    plan = holdout(**BOTH)
    methods = {"methods": ("autoencoder",)}
    every = {"outcomes": ("case_scores", "candidates")}
    drawn = {"figures": ("roc", "froc")}
    assert named(plan, "trial", sweep="search") == methods | {"outcomes": ("case_scores",)} | drawn
    assert named(plan, "measure", model="selected", part="test") == methods | every | drawn
    assert named(plan, "figure", figure="froc") == methods | every | {"figures": ("froc",)}
    assert named(plan, "predict", model="selected", part="test") == methods | every | drawn
    baseline = {"baselines": ("brightest_components",)}
    assert named(plan, "predict", model="brightest_components", part="test") == methods | every | drawn | baseline
    assert named(plan, "baseline", model="brightest_components") == methods | every | drawn | baseline


def test_another_method_of_a_variant_counts_where_it_is_trained_and_used() -> None:
    other = {"factors": {"method": {"own": {}, "flat": {"method": "projection_classifier"}}}}
    plan = holdout(variants={"set": other}, parameters={"batch_norm": True})
    assert named(plan, "trial", sweep="set-flat")["methods"] == ("projection_classifier",)
    assert named(plan, "predict", model="set-flat", part="test")["methods"] == ("projection_classifier",)
    assert named(plan, "trial", sweep="set-own")["methods"] == ("patch_classifier",)
    learns = named(plan, "patches", data="train")["methods"]
    assert sorted(learns) == ["patch_classifier", "projection_classifier"]


def code(plan: Plan, stage: str, **wildcards: str) -> str:
    return jobs.code(plans(plan), {"study": plan.study.name, **wildcards}, stage)


def test_no_training_is_made_again_for_a_baseline_a_figure_or_an_outcome_that_is_not_maximised() -> None:
    before = code(holdout(**BOTH), "trial", sweep="search")
    fewer = holdout(**BOTH | {"baselines": [], "figures": ["roc"], "outcomes": {"case_scores": {}}})
    assert code(fewer, "trial", sweep="search") == before
    other = holdout(**BOTH | {"evaluation": {"objective": "candidates"}})
    assert code(other, "trial", sweep="search") != before


def test_a_job_of_no_study_has_a_digest_too() -> None:
    assert jobs.code(plans(holdout()), {}, "overview") == identity.code_digest("overview", {})


def test_the_frozen_codes_lead_from_images_to_measurements() -> None:
    with_baseline, without = (jobs.frozen_codes(holdout(baselines=given), {}) for given in (["brightness_peaks"], []))
    assert list(without) == ["register", "prepare", "patches", "trial", "predict", "measure"]
    assert {stage for stage in without if without[stage] != with_baseline[stage]} == {"predict"}


# ---- cohort and images ----------------------------------------------------------------------------------------------


def test_the_batch_of_a_job() -> None:
    plan, job = holdout(), {"part": "train", "batch": "000"}
    assert (jobs.cases_per_job(plan, job), jobs.batch(plan, job), inputs.table(plan, job)) == (
        2,
        ["a", "b"],
        "cases.csv",
    )


def test_a_study_without_cases_has_no_table_and_no_opening(toys: Any) -> None:
    plan = records()
    assert (inputs.table(plan, {}), inputs.ready(plan, {}), inputs.opening(plan, {"part": "records"})) == ([], [], [])
    assert inputs.freeze(plan, {"part": "records"}) == []
    assert inputs.figure_opening(plan, {"figure": "search"}) == []


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_only_sealed_cases_wait_for_the_freeze_and_for_the_opening(part: str) -> None:
    plan, sealed = holdout(), part == "test"
    assert inputs.freeze_first(plan, {"part": part}) == (f"{ROOT}/freeze.json" if sealed else [])
    assert inputs.opening(plan, {"part": part}) == (f"{ROOT}/test/opening.json" if sealed else [])
    assert inputs.ready(plan, {"part": part}) == f"{ROOT}/{'test/opening' if sealed else 'checked/development'}.json"


def test_crossed_all_cases_do() -> None:
    for part in ("fold0", "fold2"):
        assert inputs.freeze_first(crossed(), {"part": part}) == f"{ROOT}/freeze.json"
        assert inputs.opening(crossed(), {"part": part}) == f"{ROOT}/test/opening.json"


def test_an_opening_is_of_the_sealed_cases_once_they_are_compared_with_all() -> None:
    assert inputs.sealed_checks(holdout(), {}) == [f"{ROOT}/checked/test-000.json"]
    assert inputs.all_separated(holdout(), {}) == f"{ROOT}/checked/test.json"
    assert len(inputs.sealed_checks(crossed(), {})) == len(inputs.digests(crossed(), {"scope": "test"}))


def test_the_ledger_stands_beside_the_table_or_in_the_results_of_a_phantom() -> None:
    assert jobs.ledger(holdout(), {}) == "openings"


def test_digests_are_compared_of_as_many_cases_as_may_be_read() -> None:
    checked = [f"{ROOT}/checked/{name}.json" for name in ("train-000", "train-001", "validation-000", "test-000")]
    assert inputs.digests(holdout(), {"scope": "development"}) == checked[:3]
    assert inputs.digests(holdout(), {"scope": "test"}) == checked
    assert inputs.digests(crossed(), {"scope": "development"}) == []
    assert len(inputs.digests(crossed(), {"scope": "test"})) == 4


def test_a_job_waits_until_the_cases_that_it_sees_may_be_used() -> None:
    development, opening = f"{ROOT}/checked/development.json", f"{ROOT}/test/opening.json"
    plan = holdout()
    assert inputs.ready(plan, {"sweep": "search"}) == development
    assert inputs.ready(plan, {"part": "validation", "model": "selected"}) == development
    assert inputs.ready(plan, {"part": "test", "model": "selected"}) == opening
    assert inputs.ready(crossed(), {"sweep": "search-f0"}) == opening
    assert inputs.ready(crossed(), {"part": "validation", "model": "selected"}) == opening


# ---- trainings ------------------------------------------------------------------------------------------------------


def test_what_a_training_takes() -> None:
    plan, job = (
        holdout(search={"trials": 3, "slots": 2, "stop_after_failures": 4}),
        {"sweep": "search", "trial": "0001"},
    )
    assert (jobs.planned_trials(plan, job), jobs.planned_slots(plan, job), jobs.allowed_failures(plan, job)) == (
        3,
        2,
        4,
    )
    assert (inputs.store(plan, job), inputs.train_cases(plan, job)) == (f"{ROOT}/patches/train", [])
    assert inputs.validation_cases(plan, job) == plan.cases("validation")
    assert inputs.cut_from(plan, {"data": "train"}) == plan.cases("train")
    assert jobs.run(plan, job) == plan.run("search").as_dict()
    assert jobs.searched(plan, job) == ["learning_rate"]
    assert inputs.trials(plan, job) == inputs.searched_trials(plan, {}) == plan.trials("search")
    assert inputs.trials(plan, {"model": "default"}) == plan.trials("default")
    assert inputs.earlier(plan, job) == []


def test_a_method_without_patches_takes_none(toys: Any) -> None:
    assert inputs.store(items(), {"sweep": "search"}) == []
    assert jobs.gpus(items(), {"sweep": "search"}) == 0, "nor a GPU, for it has no gradient"


def test_a_training_takes_one_slot_of_its_own_run() -> None:
    plan = holdout(search={"comparison": {"slots": [2], "repeats": 1}})
    assert jobs.takes(plan, {"sweep": "search"}, "slots_balls") == 1
    assert jobs.takes(plan, {"sweep": "n2-r0"}, "slots_balls") is None
    assert jobs.takes(plan, {"sweep": "n2-r0"}, "slots_balls_n2_r0") == 1


RESOURCES = (jobs.nodes, jobs.processes, jobs.gpus, jobs.tasks, jobs.tasks_per_gpu, jobs.launcher, jobs.gpus_of_each)


@pytest.mark.parametrize(
    ("sweep", "expected"),
    [
        ("search", (1, 2, 2, None, None, None, None)),
        ("processes-1", (1, 1, 1, None, None, None, None)),
        ("processes-8", (2, 4, 8, 2, 0, "srun", "gpu:4")),
    ],
)
def test_the_machines_of_a_training(sweep: str, expected: tuple[Any, ...]) -> None:
    plan = holdout(training={"gpus_per_node": 2}, scaling={"processes": [1, 8], "per_node": 4})
    assert tuple(ask(plan, {"sweep": sweep}) for ask in RESOURCES) == expected


def test_the_default_asks_in_the_search_that_tries_it_first() -> None:
    plan = holdout(search={"trials": 2})
    asked = plan.run("search").as_dict()
    assert (jobs.run(plan, {"sweep": "default"}), jobs.takes_over(plan, {"sweep": "default"})) == (asked, True)
    assert jobs.planned_trials(plan, {"sweep": "default"}) == 2
    assert jobs.takes_over(plan, {"sweep": "search"}) is None
    sweep = "results/balls/paper/sweeps/search"
    for name in ("search", "default"):
        assert jobs.sweep_ledger(plan, {"sweep": name}) == f"{sweep}/ledger"
        assert jobs.training_folder(plan, {"sweep": name, "trial": "0001"}) == f"{sweep}/trainings/0001"
    assert inputs.earlier(plan, {"sweep": "default"}) == ["results/balls/paper/sweeps/search/trials/0000.json"]
    assert inputs.earlier(plan, {"sweep": "search"}) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"search": {"default_first": False}},
        {"search": {"space": {"learning_rate": {"type": "real", "low": 0.5, "high": 0.9}}}},
    ],
)
def test_where_the_search_does_not_try_it_the_default_asks_for_itself(changes: dict[str, Any]) -> None:
    plan = holdout(**changes)
    assert jobs.run(plan, {"sweep": "default"}) == plan.run("default").as_dict()
    assert jobs.takes_over(plan, {"sweep": "default"}) is None
    assert jobs.sweep_ledger(plan, {"sweep": "default"}) == "results/balls/paper/sweeps/default/ledger"
    assert inputs.earlier(plan, {"sweep": "default"}) == []


def test_only_the_search_starts_from_another_and_waits_for_it_where_it_is_made_here() -> None:
    plan, table = holdout(**WARM), "results/small/tiny/sweeps/search/trials.csv"
    assert (jobs.source(plan, {"sweep": "search"}), jobs.source(plan, {"sweep": "default"})) == (table, table)
    alone = holdout(search=WARM["search"] | {"default_first": False})
    assert jobs.source(alone, {"sweep": "default"}) is None
    assert jobs.source(holdout(), {"sweep": "search"}) is None
    small = planned(study(name="small", scale="tiny"), PARTS)
    other_scale = planned(study(name="small", scale="paper"), PARTS)
    assert inputs.source_made_here(plan, {"sweep": "search"}, plans(plan, small)) == table
    assert inputs.source_made_here(alone, {"sweep": "default"}, plans(plan, small)) == []
    assert inputs.source_made_here(plan, {"sweep": "search"}, plans(plan, other_scale)) == []
    assert inputs.source_made_here(plan, {"sweep": "search"}, plans(plan)) == []


# ---- the seal, predictions, measurements ----------------------------------------------------------------------------


def test_models_that_are_measured_on_test_are_frozen_with_records_and_measurements() -> None:
    plan = holdout(variants={"grid": GRID, "sizes": GRID | {"part": "test"}}, baselines=["brightness_peaks"])
    names = ["selected", "default", "sizes-one", "sizes-two"]
    models = [f"{ROOT}/models/{name}" for name in names]
    assert inputs.frozen_models(plan, {}) == [*(f"{path}.pt" for path in models), f"{ROOT}/models/brightness_peaks.pt"]
    assert inputs.frozen_records(plan, {}) == [f"{path}.json" for path in models], "a baseline has none"
    assert inputs.frozen_measurements(plan, {}) == [
        f"{ROOT}/measurements/validation/{name}" for name in (*names, "brightness_peaks")
    ]
    assert inputs.frozen_cases(plan, {}) == f"{ROOT}/checked/development.json"
    assert inputs.frozen_data(plan, {}) == [f"{ROOT}/patches/train", *plan.cases("validation")]


def test_crossed_the_plan_alone_is_frozen(toys: Any) -> None:
    plan = crossed_items()
    assert (
        inputs.frozen_models(plan, {}) == inputs.frozen_records(plan, {}) == inputs.frozen_measurements(plan, {}) == []
    )
    assert inputs.frozen_cases(plan, {}) == inputs.frozen_data(plan, {}) == []


def test_a_baseline_that_counts_or_averages_has_the_training_cases_and_no_other_has() -> None:
    plan = planned(study(without("parameters", "search", "patches"), method="unet", baselines=["mean_shape"]), PARTS)
    assert inputs.baseline_training(plan, {"model": "mean_shape"}) == plan.cases("train")
    plan = holdout(baselines=["brightness_peaks"])
    assert inputs.baseline_training(plan, {"model": "brightness_peaks"}) == []


def test_crossed_it_has_neither_the_fold_nor_the_one_it_is_chosen_on() -> None:
    folds = {"design": "cross_validation", "folds": 3}
    known = study(without("parameters", "search", "patches"), method="unet", baselines=["mean_shape"], evaluation=folds)
    plan = planned(known, FOLDS)
    found = inputs.baseline_training(plan, {"model": "mean_shape-f1"})
    assert found == plan.cases("fold0")


def test_baselines_are_chosen_on_validation(toys: Any) -> None:
    job = {"model": "toy_coin"}
    assert inputs.baseline_cases(items(), job) == items().cases("validation")
    assert jobs.baseline_name(items(), job) == "toy_coin"
    assert inputs.model_files(items(), job) == ["results/vectors/paper/models/toy_coin.pt"]


@pytest.mark.parametrize(("fold", "chosen_on"), [(0, "fold1"), (1, "fold2"), (2, "fold0")])
def test_crossed_each_baseline_is_chosen_on_the_next_fold(fold: int, chosen_on: str, toys: Any) -> None:
    plan, job = crossed_items(), {"model": f"toy_coin-f{fold}"}
    assert inputs.baseline_cases(plan, job) == plan.cases(chosen_on)
    assert jobs.baseline_name(plan, job) == "toy_coin"


@pytest.mark.parametrize(("part", "freeze", "points"), [("validation", [], []), ("test", "freeze.json", "freeze.json")])
def test_only_the_test_set_waits_for_the_freeze_and_has_its_points_from_there(
    part: str, freeze: Any, points: Any
) -> None:
    plan, job = holdout(), {"part": part, "model": "selected"}
    expected = [path and f"{ROOT}/{path}" for path in (freeze, points)]
    assert [inputs.freeze(plan, job), inputs.points(plan, job)] == expected
    assert inputs.part_cases(plan, job) == plan.cases(part)
    assert (jobs.whose(plan, job), jobs.folds(plan, job)) == (None, None)


def test_crossed_all_waits_for_the_freeze_and_points_are_those_of_validation() -> None:
    plan = crossed()
    for part in ("validation", "test"):
        assert inputs.freeze(plan, {"part": part}) == f"{ROOT}/freeze.json"
    test = {"part": "test", "model": "selected"}
    assert inputs.points(plan, test) == f"{ROOT}/measurements/validation/selected"
    assert inputs.points(plan, test | {"part": "validation"}) == []
    assert jobs.whose(plan, test) == [["a", "d", "e"], ["b"], ["c"]]
    assert jobs.folds(plan, test) == {"a": 0, "d": 0, "e": 0, "b": 1, "c": 2}


def test_what_a_set_is_compared_by() -> None:
    plan, job = holdout(variants={"grid": GRID}), {"set": "grid"}
    assert [run["name"] for run in jobs.set_runs(plan, job)] == ["grid-one", "grid-two"]
    assert (inputs.set_trials(plan, job), inputs.set_cases(plan, job)) == ([], plan.cases("validation"))
    assert inputs.set_predictions(plan, job) == plan.set_predictions("grid")


# ---- figures and report ---------------------------------------------------------------------------------------------


def test_a_figure_of_the_study_waits_for_the_opening_and_one_on_demand_opens_nothing() -> None:
    plan = holdout(figures=["froc"])
    assert inputs.figure_opening(plan, {"figure": "froc"}) == f"{ROOT}/test/opening.json"
    assert inputs.figure_opening(plan, {"figure": "comparison"}) == []
    assert inputs.figures_of(plan, {}) == [f"{ROOT}/figures/froc.json"]
    assert jobs.caption(plan, {"figure": "froc"}).startswith("FROC of the selected model")


def test_the_files_of_a_figure_are_those_of_its_inputs() -> None:
    plan, job = holdout(), {"figure": "strata"}
    assert jobs.figure_inputs(plan, job) == {"test": [f"{ROOT}/measurements/test/selected"]}
    assert inputs.figure_files(plan, job) == [f"{ROOT}/measurements/test/selected"]


def test_all_that_the_report_prints() -> None:
    plan = holdout(variants={"grid": GRID})
    found = inputs.measured(plan, {})
    assert found[:6] == plan.measurements()
    assert found[6:] == [
        f"{ROOT}/variants/grid.json",
        *(f"{ROOT}/models/{name}.json" for name in ("selected", "default", "grid-one", "grid-two")),
        f"{ROOT}/optimism.json",
        f"{ROOT}/freeze.json",
        f"{ROOT}/test/opening.json",
    ]


def test_what_is_not_there_is_not_printed(toys: Any) -> None:
    root = "results/vectors/paper"
    crossed_found = inputs.measured(crossed_items(), {})
    assert f"{root}/optimism.json" not in crossed_found
    assert {f"{root}/models/selected-f{fold}.json" for fold in range(3)} <= set(crossed_found)
    assert not any("freeze" in path or "opening" in path for path in inputs.measured(records(), {}))


def test_studies_as_plain_values() -> None:
    (only,) = jobs.plain_studies(plans(holdout(title="Balls")))
    assert (only["name"], only["title"], only["training"]["steps"]) == ("balls", "Balls", 12)


def test_a_variant_that_uses_a_model_otherwise_has_a_file_that_says_so() -> None:
    use = {"lower": {"inference.suppression_mm": 9.0}, "itself": {}, "longer": {"training.steps": 7}}
    plan = holdout(variants={"used": {"part": "test", "factors": {"use": use}}})
    said = {name: jobs.used_study(plan, {"model": name}) for name in ("selected", "default", "used-itself")}
    assert said == dict.fromkeys(said), "a copy of the model, to the byte"
    assert jobs.used_study(plan, {"model": "used-longer"}) is None, "a training of its own"
    lower = jobs.used_study(plan, {"model": "used-lower"})
    assert lower is not None
    assert lower["inference"]["suppression_mm"] == 9.0
