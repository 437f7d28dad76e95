"""Which trainings a study has: names, streams, overrides and levels of all its runs."""

from __future__ import annotations

from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.runs.table import (
    Run,
    comparison_runs,
    main_runs,
    run_named,
    runs_of,
    runs_of_set,
    scaling_runs,
    variant_runs,
)
from hakken.study import Study

from ..miniature import study, without

COMPARISON = {"slots": [1, 4], "repeats": 2, "trials": 6}
FACTORS = {"depth": {"one": {"parameters.convolutions": 1}, "two": {}}, "rate": {"key": "parameters.dropout"}}


def searching(**keys: Any) -> Study:
    return study(search={"trials": 9, "slots": 3, "stop_after_failures": 4, **keys})


def varied(folds: int | None = None, **more: Any) -> Study:
    """A study with a set of two factors: a depth of two levels, a dropout of two values."""
    factors = FACTORS | {"rate": {"key": "parameters.dropout", "values": [0.0, 0.25]}}
    return study(variants={"grid": {"factors": factors, "folds": folds, **more}})


def crossed(**more: Any) -> Study:
    """The same study in three folds of the whole cohort."""
    return study(evaluation={"design": "cross_validation", "folds": 3}, **more)


def test_the_search_and_the_default() -> None:
    search, default = main_runs(searching(sampler="sobol"))
    assert search == Run(
        "search",
        trials=9,
        slots=3,
        sampler="sobol",
        space=True,
        stop_after_failures=4,
        stream="search",
        begins_with_default=True,
    )
    assert default == Run("default", slots=3, stop_after_failures=4, stream="default")
    assert (default.trials, default.sampler, default.space, default.slots_of) == (1, "random", False, "search")


def test_without_a_space_the_search_is_one_training_of_the_study_s_own_parameters() -> None:
    (search,) = main_runs(study(search={"space": {}}))
    assert (search.trials, search.sampler, search.space, search.stream) == (1, "random", False, "default")


def test_crossed_there_is_a_search_and_a_default_for_each_fold() -> None:
    runs = main_runs(crossed(search={"trials": 9, "slots": 3}))
    assert [run.name for run in runs] == [f"{name}-f{fold}" for fold in range(3) for name in ("search", "default")]
    assert [(run.kind, run.fold, run.crossed) for run in runs[2:4]] == [("search", 1, True), ("default", 1, True)]
    assert [run.stream for run in runs] == [run.name for run in runs]
    assert {run.folds for run in runs} == {None}
    assert {run.slots_of for run in runs} == {"search"}, "they share the slots of the study"


def test_the_sweeps_of_a_comparison() -> None:
    runs = comparison_runs(searching(comparison=COMPARISON))
    assert [(run.name, run.trials, run.slots, run.sampler, run.stop_after_failures) for run in runs] == [
        ("n1-r0", 6, 1, "bayesian", 4),
        ("n1-r1", 6, 1, "bayesian", 4),
        ("n4-r0", 6, 4, "bayesian", 4),
        ("n4-r1", 6, 4, "bayesian", 4),
        ("random-r0", 6, 4, "random", 4),
        ("random-r1", 6, 4, "random", 4),
    ]
    assert {run.name: run.stream for run in runs} == {run.name: run.name.rpartition("-")[2] for run in runs}
    assert all(run.space and run.slots_of == run.name and not run.begins_with_default for run in runs)
    assert comparison_runs(searching()) == ()


def test_an_unknown_sweep_is_named_with_those_that_there_are() -> None:
    chosen = searching(comparison=COMPARISON | {"repeats": 1})
    assert run_named(chosen, "n4-r0").slots == 4
    with pytest.raises(HakkenError) as caught:
        run_named(chosen, "n4-r1")
    assert str(caught.value) == (
        "study `balls` has no sweep `n4-r1`; did you mean `n4-r0`?; there are search, default, n1-r0, n4-r0, random-r0 "
        "(key `search.comparison` adds those that compare numbers of slots)"
    )


def test_processes_share_one_slot_and_fill_their_nodes() -> None:
    runs = scaling_runs(study(scaling={"processes": [1, 2, 8], "per_node": 4}, training={"steps": 12}))
    assert [(run.name, run.trials, run.slots, run.slots_of) for run in runs] == [
        (f"processes-{number}", 1, 1, "scaling") for number in (1, 2, 8)
    ]
    layouts = [(run.overrides["training.nodes"], run.overrides["training.gpus_per_node"]) for run in runs]
    assert layouts == [(1, 1), (1, 2), (2, 4)]
    assert {run.overrides["training.patience"] for run in runs} == {12}, "the work is fixed: none stops early"
    assert {run.stream for run in runs} == {"default"}
    assert scaling_runs(study()) == ()


def test_a_set_has_a_run_for_every_combination_of_levels() -> None:
    runs = runs_of_set(varied(common={"training.steps": 4}), "grid")
    assert [run.name for run in runs] == ["grid-one-0", "grid-one-0.25", "grid-two-0", "grid-two-0.25"]
    assert [dict(run.levels) for run in runs[:2]] == [
        {"depth": "one", "rate": "0"},
        {"depth": "one", "rate": "0.25"},
    ]
    assert dict(runs[1].overrides) == {
        "training.steps": 4,
        "parameters.convolutions": 1,
        "parameters.dropout": 0.25,
    }
    assert dict(runs[2].overrides) == {"training.steps": 4, "parameters.dropout": 0.0}
    assert {(run.set_name, run.stream, run.fold, run.folds, run.trials) for run in runs} == {
        ("grid", "default", None, None, 1)
    }
    trained = runs[1].study(varied())
    assert (trained.parameters.convolutions, trained.parameters.dropout, trained.training.steps) == (1, 0.25, 4)  # type: ignore[attr-defined]


def test_a_level_comes_after_what_all_share() -> None:
    chosen = study(
        variants={
            "long": {"factors": {"steps": {"a": {"training.steps": 8}, "b": {}}}, "common": {"training.steps": 4}}
        }
    )
    assert [dict(run.overrides) for run in runs_of_set(chosen, "long")] == [
        {"training.steps": 8},
        {"training.steps": 4},
    ]


def test_what_stands_beside_the_factors_shares_nothing_with_them() -> None:
    beside = {"flat": {"parameters.poolings": 0}}
    *_, last = runs_of_set(varied(beside=beside, common={"training.steps": 4}), "grid")
    assert (last.name, dict(last.levels), dict(last.overrides)) == ("grid-flat", {}, {"parameters.poolings": 0})


def test_with_folds_each_variant_is_trained_once_a_fold_without_any_choice() -> None:
    runs = runs_of_set(varied(folds=2), "grid")
    assert len(runs) == 4 * 2
    first, second = runs[:2]
    assert (first.name, second.name) == ("grid-one-0-f0", "grid-one-0-f1")
    assert (first.kind, first.fold, first.folds, first.crossed) == ("grid-one-0", 0, 2, False)
    assert (first.stream, second.stream) == ("grid-one-0-f0", "grid-one-0-f1")
    assert dict(first.overrides) == {
        "training.keep": "last",
        "training.validate_every": 12,
        "training.patience": 12,
        "parameters.convolutions": 1,
        "parameters.dropout": 0.0,
    }


def test_the_one_measurement_of_a_fold_comes_at_the_end_of_the_variant_s_own_steps() -> None:
    (run, *_) = runs_of_set(varied(folds=2, common={"training.steps": 5}), "grid")
    assert (run.overrides["training.validate_every"], run.overrides["training.patience"]) == (5, 5)


def test_a_method_without_a_gradient_has_no_training_to_override() -> None:
    chosen = study(
        without("parameters", "search", "patches", "channels"),
        channels={name: {"modality": "ct"} for name in ("early", "late", "plain")},
        cohort={"classes": ["one", "two"], "truth": "lesion_table"},
        patches={"axes": 2, "size_voxel": 32},
        method="imagenet_classifier",
        variants={
            "set": {
                "factors": {"network": {"alexnet": {"parameters.network": "alexnet"}}},
                "beside": {"means": {"method": "mean_classifier"}},
                "folds": 2,
            }
        },
    )
    network, _, means, _ = runs_of_set(chosen, "set")
    assert network.overrides["training.keep"] == "last"
    assert dict(means.overrides) == {"method": "mean_classifier"}


def test_crossed_a_variant_is_trained_in_every_fold_of_the_cohort() -> None:
    factors = {"depth": {"one": {"parameters.convolutions": 1}}}
    runs = runs_of_set(crossed(variants={"grid": {"factors": factors}}), "grid")
    assert [(run.name, run.stream, run.fold, run.folds, run.crossed) for run in runs] == [
        (f"grid-one-f{fold}", f"default-f{fold}", fold, None, True) for fold in range(3)
    ]


def test_crossed_a_set_has_no_folds_of_its_own() -> None:
    chosen = crossed(variants={"grid": {"factors": {"depth": {"one": {}}}, "folds": 2}})
    with pytest.raises(HakkenError) as caught:
        variant_runs(chosen)
    assert str(caught.value) == (
        "study `balls`: variants.grid.folds has no effect: with `evaluation.design: cross_validation` each variant is "
        "trained in every fold of the cohort; remove it"
    )


def test_all_runs_of_a_study_have_names_of_their_own() -> None:
    chosen = study(
        search={"comparison": COMPARISON},
        scaling={"processes": [1, 2]},
        variants={"grid": {"factors": FACTORS | {"rate": {"low": {}}}}, "other": {"factors": {"a": {"b": {}}}}},
    )
    names = [run.name for run in runs_of(chosen)]
    assert names[:2] == ["search", "default"]
    assert names[2:] == ["grid-one-low", "grid-two-low", "other-b", "processes-1", "processes-2", *names[-6:]]
    assert len(set(names)) == len(names)


DEEP = {"depth": {"two": {}, "four": {"parameters.levels": 4}}}
ON = {"second": {"off": {}, "on": {"parameters.second_stage": True}}}


def test_with_folds_nothing_is_fitted_to_the_fold_that_is_held_out() -> None:
    whole = without("parameters", "search", "patches")
    with pytest.raises(HakkenError) as caught:
        runs_of(study(whole, method="dense", variants={"s": {"factors": ON, "folds": 2}}))
    assert str(caught.value) == (
        "study `balls`: variants.s: parameters.second_stage rests on validation cases, and with `folds` there are none "
        "but those of the fold that is held out, which decides nothing; remove `folds`, or leave that key out"
    )
    runs_of(study(whole, method="dense", variants={"s": {"factors": ON}}))
    on = study(whole, method="dense", parameters={"second_stage": True}, variants={"s": {"factors": DEEP, "folds": 2}})
    with pytest.raises(HakkenError, match=r"parameters\.second_stage rests on validation cases"):
        runs_of(on)
    off = {"factors": DEEP, "folds": 2, "common": {"parameters.second_stage": False}}
    assert len(runs_of(study(whole, method="dense", parameters={"second_stage": True}, variants={"s": off}))) == 5
    other = {"factors": {"f": {"a": {"method": "patch_classifier"}}}, "folds": 2}
    assert len(runs_of(study(whole, method="dense", parameters={"second_stage": True}, variants={"s": other}))) == 3


def test_what_a_run_is_planned_with_is_no_part_of_what_its_trainings_depend_on() -> None:
    few, many = (study(search={"trials": count, "slots": count, "stop_after_failures": count}) for count in (1, 9))
    assert [run.as_dict() for run in runs_of(few)] == [run.as_dict() for run in runs_of(many)]
    assert Run(**runs_of(few)[0].as_dict()).name == "search"


@pytest.mark.parametrize(
    ("variants", "more", "said"),
    [
        (
            {"s": {"factors": {"f": {"a": {}}}, "beside": {"a": {"training.steps": 5}}}},
            {},
            "2 of its runs are named `s-a`; give the set of variants or the level another name",
        ),
        (
            {"n1": {"factors": {"f": {"r0": {}}}}},
            {"search": {"comparison": COMPARISON, "space": study().search.model_dump()["space"]}},
            "2 of its runs are named `n1-r0`; give the set of variants or the level another name",
        ),
        (
            {"default": {"factors": {"f": {"full": {}}}}},
            {},
            "variants.default: this name stands for something else; choose another",
        ),
        (
            {"s": {"factors": {"f": {"a": {"training.keep": "best"}}}, "folds": 2}},
            {},
            "variants.s: training.keep has no effect beside `folds`: a fold that is held out decides nothing, it is "
            "measured once at the end; remove it",
        ),
    ],
)
def test_names_that_stand_for_two_and_keys_that_folds_leave_without_effect(
    variants: dict[str, Any], more: dict[str, Any], said: str
) -> None:
    with pytest.raises(HakkenError) as caught:
        runs_of(study(variants=variants, **more))
    assert str(caught.value) == f"study `balls`: {said}"
