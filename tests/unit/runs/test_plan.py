"""Which files the jobs of a study need, by name: one sealed test, folds of the cohort, items, no cases."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from hakken.cohort.batches import plan_cohort
from hakken.core.errors import HakkenError
from hakken.figures import froc
from hakken.runs import drawn_from, inputs, jobs
from hakken.runs.plan import Plan, folds_param

from .plans import crossed, crossed_items, holdout, items, left_out, records

GRID = {"factors": {"depth": {"one": {"parameters.convolutions": 1}, "two": {}}}}
SHRUNK = {"factors": {"shrink": {"key": "parameters.shrink", "values": [0.0, 0.5]}}}
ROOT = "results/balls/paper"


def below(paths: Any, root: str = ROOT) -> list[str]:
    """The paths without the folder of results, in which all must stand."""
    paths = list(paths)
    assert all(path.startswith(f"{root}/") for path in paths)
    return [path.removeprefix(f"{root}/") for path in paths]


def test_the_cases_of_one_sealed_test() -> None:
    plan = holdout()
    assert plan.root == ROOT
    assert (plan.parts, plan.development, plan.measured) == (
        *(("train", "validation", "test"), ("train", "validation")),
        ("validation", "test"),
    )
    assert below(plan.cases("train", "test")) == ["prepared/train-000", "prepared/train-001", "prepared/test-000"]
    assert below(plan.each_batch("checked/{part}-{batch}.json", "validation")) == ["checked/validation-000.json"]
    assert [part for part in plan.parts if plan.sealed(part)] == ["test"]
    assert plan.batch("train", "000") == ["a", "b"]
    assert plan.of_part("test") == ("test",)


def test_crossed_every_part_is_sealed_and_stands_for_all_folds() -> None:
    plan = crossed()
    assert (plan.parts, plan.development, plan.measured) == (("fold0", "fold1", "fold2"), (), ("validation", "test"))
    assert plan.of_part("test") == plan.of_part("validation") == plan.parts
    assert plan.of_part("fold1") == ("fold1",)
    assert all(plan.sealed(part) for part in (*plan.parts, "validation", "test"))
    every = ["prepared/fold0-000", "prepared/fold0-001", "prepared/fold1-000", "prepared/fold2-000"]
    assert below(plan.cases("test")) == every


def test_items_are_taken_as_they_were_checked(toys: Any) -> None:
    assert below(items().cases("train"), "results/vectors/paper") == [
        "checked/train-000.json",
        "checked/train-001.json",
    ]


def test_a_study_without_cases_has_none(toys: Any) -> None:
    plan = records()
    assert (plan.parts, plan.development, plan.measured) == ((), (), ("records",))
    assert plan.cases("train", "validation") == []
    assert (plan.whose("test"), folds_param(plan, "test")) == (None, None)


def test_images_are_the_user_s_own_or_a_folder_that_is_drawn(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    phantom = {"generator": "brain_metastasis", "cases": {"train": 3, "validation": 1, "test": 1}}
    drawn = holdout(cohort={"table": None, "phantom": phantom})
    assert drawn.images("train", "001") == f"{ROOT}/cohort/train-001"
    rows = [
        f"{name},p{name},{part},{name}A.nii,{name}B.nii,none"
        for name, part in zip("ab", ("train", "test"), strict=True)
    ]
    rows.append("c,pc,validation,cA.nii,cB.nii,none")
    (tmp_path / "cases.csv").write_text("\n".join(["case_id,patient,split,A,B,lesion_mask", *rows]) + "\n")
    for name in ("aA", "aB", "bA", "bB", "cA", "cB"):
        (tmp_path / f"{name}.nii").touch()
    own = Plan(holdout().study, plan_cohort(holdout().study, 2))
    assert own.images("train", "000") == ["aA.nii", "aB.nii"]
    (tmp_path / "aA.nii").rename(tmp_path / "{a}A.nii")
    (tmp_path / "cases.csv").write_text((tmp_path / "cases.csv").read_text().replace("aA.nii", "{a}A.nii"))
    braced = Plan(holdout().study, plan_cohort(holdout().study, 2))
    assert braced.images("train", "000") == ["aB.nii"], "the engine would take it for a wildcard"


def test_runs_learn_from_the_patches_of_training_cases_and_are_measured_on_validation() -> None:
    plan = holdout(search={"trials": 2})
    run = plan.run("search")
    assert below(plan.trials("search")) == ["sweeps/search/trials/0000.json", "sweeps/search/trials/0001.json"]
    assert plan.train_cases(run) == [], "whose patches those are, the store knows"
    assert below(plan.validation_cases(run)) == ["prepared/validation-000"]
    assert (plan.store(run), plan.data(run)) == (f"{ROOT}/patches/train", "train")
    assert below(plan.cut_from("train")) == ["prepared/train-000", "prepared/train-001"]


def test_runs_that_hold_out_folds_learn_from_all_development_cases() -> None:
    plan = holdout(variants={"grid": GRID | {"folds": 2}})
    run = plan.run("grid-one-f1")
    development = ["prepared/train-000", "prepared/train-001", "prepared/validation-000"]
    assert below(plan.train_cases(run)) == development
    assert plan.validation_cases(run) == []
    assert (plan.store(run), below(plan.cut_from("development"))) == (f"{ROOT}/patches/development", development)


def test_crossed_runs_learn_from_the_folds_that_neither_choose_nor_test() -> None:
    plan = crossed()
    folds = {
        fold: (below(plan.train_cases(run)), below(plan.validation_cases(run)))
        for fold, run in enumerate(plan.run(f"search-f{fold}") for fold in range(3))
    }
    first = ["prepared/fold0-000", "prepared/fold0-001"]
    assert folds == {
        0: (["prepared/fold2-000"], ["prepared/fold1-000"]),
        1: (first, ["prepared/fold2-000"]),
        2: (["prepared/fold1-000"], first),
    }
    assert plan.store(plan.run("search-f0")) == f"{ROOT}/patches/all"
    assert len(plan.cut_from("all")) == 4


def test_a_model_of_each_kind_that_is_left_out_comes_from_one_study() -> None:
    """No case of its own kind is among those that it learns from or is chosen on; all of them are what it predicts."""
    plan = left_out()
    assert plan.stems("selected") == ["selected-f0", "selected-f1", "selected-f2"]
    folds = {
        fold: (below(plan.train_cases(run)), below(plan.validation_cases(run)))
        for fold, run in enumerate(plan.run(f"search-f{fold}") for fold in range(3))
    }
    names = {
        0: (["lung", "lung_without_bone", "bone"], ["lung_without_ms", "bone_without_ms"]),
        1: (["ms", "bone", "bone_without_ms"], ["ms_without_lung"]),
        2: (["ms", "ms_without_lung", "lung", "lung_without_ms"], ["lung_without_bone"]),
    }
    assert folds == {
        fold: tuple([f"prepared/{part}-000" for part in parts] for parts in both) for fold, both in names.items()
    }
    assert plan.whose("test") == [
        ["ms", "ms_without_lung"],
        ["lung", "lung_without_ms", "g"],
        ["bone", "bone_without_ms"],
    ]
    assert plan.whose("validation") == [["lung_without_ms", "bone_without_ms"], ["ms_without_lung"], ["g"]]
    assert folds_param(plan, "validation") == {"lung_without_ms": 0, "bone_without_ms": 0, "ms_without_lung": 1, "g": 2}
    chosen = ["ms_without_lung", "lung_without_ms", "lung_without_bone", "bone_without_ms"]
    assert below(plan.cases("validation")) == [f"prepared/{part}-000" for part in chosen]
    assert len(plan.cases("test")) == 7


def test_runs_of_a_method_without_patches_learn_from_cases(toys: Any) -> None:
    plan = items()
    run = plan.run("search")
    assert (plan.takes_patches(run), plan.store(run)) == (False, None)
    assert below(plan.train_cases(run), plan.root) == ["checked/train-000.json", "checked/train-001.json"]


def test_runs_without_cases_learn_from_nothing(toys: Any) -> None:
    plan = records()
    assert (plan.train_cases(plan.run("search")), plan.validation_cases(plan.run("default"))) == ([], [])


def test_an_unknown_run_is_told() -> None:
    with pytest.raises(HakkenError, match="study `balls` has no sweep `serach`; did you mean `search`"):
        holdout().run("serach")


def test_each_compared_sweep_and_all_scaling_runs_have_slots_of_their_own() -> None:
    plan = holdout(
        search={"slots": 3, "comparison": {"slots": [1, 2], "repeats": 1, "trials": 2}},
        scaling={"processes": [1, 2]},
        variants={"grid": GRID},
    )
    assert plan.all_slots() == {
        "slots_balls": 3,
        "slots_balls_scaling": 1,
        "slots_balls_n1_r0": 1,
        "slots_balls_n2_r0": 2,
        "slots_balls_random_r0": 2,
    }


def test_a_compared_sweep_waits_for_the_one_before_all_first_repeats_first() -> None:
    plan = holdout(search={"comparison": {"slots": [1, 2], "repeats": 2, "trials": 1}})
    order = ["n1-r0", "n2-r0", "random-r0", "n1-r1", "n2-r1", "random-r1"]
    assert plan.earlier("n1-r0") == []
    for before, name in itertools.pairwise(order):
        assert plan.earlier(name) == plan.trials(before)
    assert plan.earlier("search") == []


def test_the_models_of_a_search() -> None:
    plan = holdout()
    assert plan.trained == plan.models == plan.frozen == ("selected", "default")
    assert below(plan.files_of("selected")) == ["models/selected.pt"]
    assert (plan.run_of("selected"), plan.run_of("default")) == ("search", "default")
    assert plan.chosen_among_trials


def test_without_a_search_there_is_no_untuned_default_beside_it() -> None:
    plan = holdout(search={"space": {}})
    assert plan.models == ("selected",)
    assert not plan.chosen_among_trials


def test_variants_are_measured_on_validation_unless_they_ask_for_the_test() -> None:
    plan = holdout(variants={"grid": GRID, "sizes": GRID | {"part": "test"}, "held": GRID | {"folds": 2}})
    assert plan.trained == ("selected", "default", "grid-one", "grid-two", "sizes-one", "sizes-two")
    assert plan.frozen == ("selected", "default", "sizes-one", "sizes-two")
    assert (plan.measured_on("grid-one"), plan.measured_on("sizes-one")) == (("validation",), ("validation", "test"))
    assert plan.run_of("grid-one") == "grid-one"
    assert below(plan.measurements())[:5] == [
        "measurements/validation/selected",
        "measurements/test/selected",
        "measurements/validation/default",
        "measurements/test/default",
        "measurements/validation/grid-one",
    ]


USED = {
    "factors": {
        "use": {
            "lower": {"inference.suppression_mm": 9.0},
            "itself": {},
            "written": {"parameters.convolutions": 2},
            "smaller": {"parameters.convolutions": 1},
            "longer": {"training.steps": 7},
        }
    }
}
"""Variants of which the first three are trained as the study is."""


@pytest.mark.parametrize(
    ("search", "whose"),
    [({}, "search"), ({"space": {}}, "search"), ({"default_first": False}, "default")],
    ids=["the search tries it first", "nothing is searched", "by itself"],
)
def test_a_variant_that_is_trained_as_the_study_is_takes_its_model(search: dict[str, Any], whose: str) -> None:
    plan = holdout(parameters={"convolutions": 2}, search=search, variants={"used": USED})
    own = {name: plan.asks_in(run).name for name, run in plan.runs.items() if run.set_name}
    shared = ("used-lower", "used-itself", "used-written")
    assert own == dict.fromkeys(shared, whose) | {name: name for name in ("used-smaller", "used-longer")}
    for name in shared:
        assert below(plan.trials(name)) == [f"sweeps/{name}/shared/0000.json"]
        assert below(plan.earlier(name)) == below(plan.trials(whose))[:1]
    assert below(plan.trials("used-longer")) == ["sweeps/used-longer/trials/0000.json"]


def test_with_folds_of_its_own_each_variant_is_trained() -> None:
    plan = holdout(variants={"used": USED | {"folds": 2}})
    assert all(plan.asks_in(run) == run for run in plan.set_runs("used"))


def test_crossed_a_variant_takes_the_model_of_its_fold(toys: Any) -> None:
    plan = crossed_items(variants={"shrunk": {"factors": {"shrink": {"same": {}}}}})
    assert [plan.asks_in(run).name for run in plan.set_runs("shrunk")] == ["search-f0", "search-f1", "search-f2"]


def test_crossed_there_is_a_file_for_each_fold(toys: Any) -> None:
    plan = crossed_items(variants={"shrunk": SHRUNK})
    assert plan.models == ("selected", "default", "shrunk-0", "shrunk-0.5", "toy_coin")
    assert plan.frozen == ("selected", "default", "toy_coin")
    assert below(plan.files_of("toy_coin"), plan.root) == [f"models/toy_coin-f{fold}.pt" for fold in range(3)]
    assert [plan.run_of(name) for name in plan.stems("selected")] == ["search-f0", "search-f1", "search-f2"]
    assert [plan.run_of(name) for name in plan.stems("shrunk-0.5")] == [f"shrunk-0.5-f{fold}" for fold in range(3)]
    assert plan.fold_of("default-f2") == 2
    assert not plan.chosen_among_trials


def test_crossed_a_model_is_tested_on_its_fold_and_has_chosen_on_the_next() -> None:
    plan = crossed()
    assert plan.whose("test") == [["a", "d", "e"], ["b"], ["c"]]
    assert plan.whose("validation") == [["b"], ["c"], ["a", "d", "e"]]
    assert folds_param(plan, "test") == {"a": 0, "d": 0, "e": 0, "b": 1, "c": 2}
    assert folds_param(plan, "validation") == {"b": 0, "c": 1, "a": 2, "d": 2, "e": 2}
    assert holdout().whose("test") is None


def test_without_cases_nothing_is_frozen(toys: Any) -> None:
    plan = records()
    assert (plan.models, plan.frozen) == (("selected", "default"), ())
    assert plan.measured_on("selected") == ("records",)


def test_sets_with_folds_are_compared_by_their_trials_on_the_development_cases() -> None:
    plan = holdout(variants={"grid": GRID | {"folds": 2}})
    assert [run.name for run in plan.set_runs("grid")] == [
        f"grid-{level}-f{fold}" for level in ("one", "two") for fold in range(2)
    ]
    assert below(plan.set_trials("grid"))[:2] == [
        "sweeps/grid-one-f0/trials/0000.json",
        "sweeps/grid-one-f1/trials/0000.json",
    ]
    assert plan.set_predictions("grid") == []
    assert plan.set_cases("grid") == plan.cases("train", "validation")


@pytest.mark.parametrize("part", ["validation", "test"])
def test_sets_of_models_are_compared_by_their_predictions(part: str) -> None:
    plan = holdout(variants={"grid": GRID | {"part": part}})
    assert plan.set_trials("grid") == []
    assert below(plan.set_predictions("grid")) == [f"predictions/{part}/grid-one", f"predictions/{part}/grid-two"]
    assert plan.set_cases("grid") == plan.cases(part)


def test_sets_without_cases_are_compared_by_their_records(toys: Any) -> None:
    points = {"factors": {"points": {"key": "parameters.points", "values": [10, 20]}}}
    plan = records(variants={"more": points})
    assert below(plan.set_predictions("more"), plan.root) == [
        "predictions/records/more-10",
        "predictions/records/more-20",
    ]
    assert plan.set_cases("more") == []
    assert plan.measured_on("more-10") == ("records",)


def expanded(plan: Plan, pattern: str) -> list[str]:
    return below(drawn_from.expanded(plan, pattern), plan.root)


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        ("cases/validation", ["prepared/validation-000"]),
        (
            "registered",
            [f"registered/{part}" for part in ("train-000", "train-001", "validation-000", "test-000")],
        ),
        ("trials/search", ["sweeps/search/trials/0000.json", "sweeps/search/trials/0001.json"]),
        ("trials/comparison", [f"sweeps/{name}-r0/trials/0000.json" for name in ("n1", "random")]),
        ("trials/scaling", [f"sweeps/processes-{count}/trials/0000.json" for count in (1, 2)]),
        ("trials/unknown", []),
        (
            "measurements/test/{model}",
            [f"measurements/test/{model}" for model in ("selected", "default", "sizes-one", "brightness_peaks")],
        ),
        ("measurements/test/{baseline}", ["measurements/test/brightness_peaks"]),
        ("measurements/test/{variant}", ["measurements/test/sizes-one"]),
        ("measurements/validation/{variant}", ["measurements/validation/sizes-one"]),  # of those measured on test
        ("measurements/test/selected", ["measurements/test/selected"]),
        ("measurements/test/grid-one", []),  # measured on validation alone
        ("measurements/records/selected", []),
        ("predictions/validation/grid-one", ["predictions/validation/grid-one"]),
        ("predictions/test/grid-one", []),
        ("models/default.json", ["models/default.json"]),
        ("models/brightness_peaks.json", []),  # no record: it was not trained
        ("variants/{variants}.json", ["variants/grid.json", "variants/sizes.json"]),
        ("unet/costs.csv", ["unet/costs.csv"]),
    ],
)
def test_patterns_stand_for_files(pattern: str, paths: list[str]) -> None:
    one = {"factors": {"depth": {"one": {}}}}
    plan = holdout(
        search={"trials": 2, "comparison": {"slots": [1], "repeats": 1, "trials": 1}},
        scaling={"processes": [1, 2]},
        variants={"grid": one, "sizes": one | {"part": "test"}},
        baselines=["brightness_peaks"],
    )
    assert expanded(plan, pattern) == paths


def test_patterns_of_crossed_studies_stand_for_all_folds(toys: Any) -> None:
    plan = crossed_items()
    assert expanded(plan, "trials/search") == [
        f"sweeps/search-f{fold}/trials/{number:04d}.json" for fold in range(3) for number in range(2)
    ]
    assert expanded(plan, "models/selected.json") == [f"models/selected-f{fold}.json" for fold in range(3)]
    assert expanded(plan, "measurements/test/selected") == ["measurements/test/selected"]
    assert len(expanded(plan, "cases/test")) == 4


def test_every_trial_of_every_run() -> None:
    plan = holdout(search={"trials": 2})
    assert expanded(plan, "trials/{run}") == [*below(plan.trials("search")), *below(plan.trials("default"))]


def test_the_inputs_of_a_figure_by_name() -> None:
    found = drawn_from.figure_inputs(holdout(), "froc")
    assert set(found) == set(froc.INPUTS)
    assert (found["baselines"], below(found["default"])) == ([], ["measurements/test/default"])


@pytest.mark.parametrize("figure", ["grid", "comparison", "sizes"])
def test_a_figure_that_lacks_what_it_needs_is_told(figure: str) -> None:
    plan = holdout(figures=[figure])
    if figure == "sizes":
        drawn_from.require_figure(plan, figure)  # what a system makes of its own is asked of the system
        return
    with pytest.raises(HakkenError) as caught:
        drawn_from.require_figure(plan, figure)
    needs = {"grid": "variants/{variants}.json", "comparison": "trials/comparison"}[figure]
    assert str(caught.value) == (
        f"study `balls`: the figure `{figure}` needs {needs}, which this study does not have; remove it from `figures`"
    )


def test_what_a_figure_can_do_without_is_not_asked_for() -> None:
    drawn_from.require_figure(holdout(search={"space": {}}), "froc")


def test_what_confirms_a_search_waits_for_it_and_the_choice_for_both() -> None:
    plan = holdout(search={"trials": 4, "slots": 3, "confirm": 2, "ensemble": 3})
    run = plan.run("confirm")
    assert (run.trials, run.slots, run.space, run.confirms) == (4, 3, False, "search")
    assert plan.slots(run) == plan.slots(plan.run("search"))
    assert inputs.confirmed(plan, {"sweep": "confirm"}) == plan.trials("search")
    assert inputs.confirmed(plan, {"sweep": "search"}) == []
    for wildcards in ({"sweep": "search"}, {"model": "selected"}, {}):
        assert inputs.confirmations(plan, wildcards) == plan.trials("confirm")
        assert inputs.averages(plan, wildcards) == f"{ROOT}/sweeps/search/averages"
        assert jobs.confirm(plan, wildcards) == 2
    for wildcards in ({"sweep": "confirm"}, {"model": "default"}):
        assert inputs.confirmations(plan, wildcards) == inputs.averages(plan, wildcards) == []
        assert jobs.confirm(plan, wildcards) is None
    assert jobs.sealed_study(plan, {})["choice"] == {"confirm": 2, "ensemble": 3}


def test_without_these_keys_nothing_is_trained_again_or_averaged() -> None:
    plan = holdout()
    assert "confirm" not in plan.runs
    assert inputs.confirmations(plan, {"model": "selected"}) == inputs.averages(plan, {"model": "selected"}) == []
    assert "choice" not in jobs.sealed_study(plan, {})
    assert "confirms" not in jobs.run(plan, {"sweep": "search"})


def test_crossed_the_best_of_each_fold_are_trained_again() -> None:
    plan = crossed(search={"trials": 4, "confirm": 1, "ensemble": 2})
    assert [name for name in plan.runs if name.startswith("confirm")] == ["confirm-f0", "confirm-f1", "confirm-f2"]
    assert inputs.confirmed(plan, {"sweep": "confirm-f1"}) == plan.trials("search-f1")
    assert inputs.confirmations(plan, {"model": "selected-f2"}) == plan.trials("confirm-f2")
    assert inputs.averages(plan, {"model": "selected-f2"}) == f"{ROOT}/sweeps/search-f2/averages"
    assert plan.train_cases(plan.run("confirm-f1")) == plan.train_cases(plan.run("search-f1"))
    assert plan.validation_cases(plan.run("confirm-f1")) == plan.validation_cases(plan.run("search-f1"))
