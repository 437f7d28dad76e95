"""Kinds of cases that are left out one after the other: who is in which part, and what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.checks import check_table
from hakken.cohort.folds import assign_kinds
from hakken.cohort.parts import record_parts
from hakken.cohort.phantom import phantom_cases, table_of
from hakken.cohort.split import assign_parts
from hakken.core.errors import HakkenError
from hakken.study import Study
from hakken.study.crossing import crossing_of, kind_of
from hakken.study.evaluation import LeaveOut
from hakken.study.reading import read_study

from .studies import SETTINGS

KINDS = ("bone", "liver", "lung")
LEFT = LeaveOut(column="kind", values=KINDS)
EVALUATION = {"design": "cross_validation", "leave_out": {"column": "kind", "values": list(KINDS)}}


@pytest.fixture
def left_out() -> Study:
    return Study.model_validate(SETTINGS | {"evaluation": EVALUATION})


def table_with(kinds: dict[str, str], parts: dict[str, str] | None = None) -> CaseTable:
    """Return a case of each patient; ``kinds`` of the patients, ``parts`` of those whose column is filled."""
    cases = (
        Case(f"c_{patient}", patient, (parts or {}).get(patient), {}, columns={"kind": kind}, row=row)
        for row, (patient, kind) in enumerate(kinds.items(), start=2)
    )
    return CaseTable(tuple(cases))


@given(st.lists(st.integers(2, 30), min_size=3, max_size=3), st.integers(0, 1000))
def test_no_model_sees_its_kind_and_each_is_chosen_on_patients_whom_it_has_not_learnt_from(
    sizes: list[int], seed: int
) -> None:
    kinds = {f"{kind}{n}": kind for kind, size in zip(KINDS, sizes, strict=True) for n in range(size)}
    try:
        parts = assign_kinds(kinds, LEFT, seed)
    except HakkenError:
        assert min(sizes) == 2  # of two patients one trains, so that kinds of two choose one model alone
        return
    from hakken.study.evaluation import Evaluation

    crossing = crossing_of(Evaluation(design="cross_validation", leave_out=LEFT))
    for fold, kind in enumerate(KINDS):
        tested, choosing, learning = (
            {patient for patient, part in parts.items() if part in known}
            for known in (crossing.tested[fold], crossing.choosing[fold], crossing.learning(fold))
        )
        assert tested == {patient for patient, own in kinds.items() if own == kind}
        assert choosing
        assert {kinds[patient] for patient in learning} == set(KINDS) - {kind}
        assert not tested & (choosing | learning)
        assert not choosing & learning
        assert tested | choosing | learning == set(kinds)


def test_how_many_choose() -> None:
    """Of 20 patients six choose, three for each of two models; of three one for each; of two one for one."""
    kinds = {f"{kind}{n}": kind for kind, size in zip(KINDS, (20, 3, 2), strict=True) for n in range(size)}
    assert Counter(assign_kinds(kinds, LEFT, 1).values()) == {
        "bone": 14,
        "bone_without_liver": 3,
        "bone_without_lung": 3,
        "liver": 1,
        "liver_without_bone": 1,
        "liver_without_lung": 1,
        "lung": 1,
        "lung_without_bone": 1,
    }


def test_too_few_patients_to_choose_a_model() -> None:
    with pytest.raises(HakkenError) as stopped:
        assign_kinds({"a": "bone", "b": "liver", "c": "lung"}, LEFT, 1)
    assert str(stopped.value) == (
        "evaluation.leave_out: no patient is left to choose the model that does without `bone`: each of the other "
        "kinds has too few patients, of whom one must train; add patients"
    )
    with pytest.raises(HakkenError, match="no case is of the kind `lung`; remove it from `values`"):
        assign_kinds({"a": "bone", "b": "liver"}, LEFT, 1)


def test_a_case_in_the_part_of_another_kind_is_refused_by_the_split(left_out: Study) -> None:
    table = table_with(
        {"a": "bone", "b": "liver", "c": "lung"}, {"a": "bone", "b": "lung_without_bone", "c": "lung_without_bone"}
    )
    with pytest.raises(HakkenError) as stopped:
        assign_parts(table, left_out)
    assert str(stopped.value) == (
        "cases.csv: row 3, case c_b: is of the kind `liver` and stands in the part `lung_without_bone`, so that the "
        "model that does without `liver` would have seen it; correct the columns, or remove `split` and the parts that "
        "were written down to have the cases divided anew"
    )


def test_parts_are_kept_and_later_patients_go_to_their_own_kind(
    left_out: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kinds = {f"{kind}{n}": kind for kind in KINDS for n in range(6)}
    first = assign_parts(table_with(kinds), left_out)
    record_parts(first, left_out)
    assert [path.name for path in (tmp_path / "openings").iterdir()] == ["without-kind-0001.json"]
    more = kinds | {f"new{kind}{n}": kind for kind in KINDS for n in range(40)}
    later = {case.patient: case.split for case in assign_parts(table_with(more), left_out).cases}
    assert {patient: later[patient] for patient in kinds} == {case.patient: case.split for case in first.cases}
    assert all(kind_of(str(part)) == more[patient] for patient, part in later.items())
    new = Counter("_without_" in str(part) for patient, part in later.items() if patient.startswith("new"))
    assert 20 < new[True] < 52  # 0.3 of 120
    with pytest.raises(HakkenError, match="case c_bone0: is of the kind `lung` and stands in the part `bone"):
        assign_parts(table_with(kinds | {"bone0": "lung"}), left_out)


def test_what_is_wrong_with_the_table(left_out: Study, table_file: Callable[..., Path]) -> None:
    path = table_file(
        "case_id,patient,split,kind,T1,T2,lesion_mask",
        "c1,p1,bone,bone,a.nii,b.nii,c.nii",
        "c2,p2,liver,livr,a.nii,b.nii,c.nii",
        "c3,p3,bone,lung,a.nii,b.nii,c.nii",
        "c4,p1,bone,liver,a.nii,b.nii,c.nii",
    )
    found = [str(problem) for problem in check_table(path, left_out)]
    assert found == [
        "row 3, column kind: `livr` is none of the kinds that are left out, bone, liver, lung; did you mean "
        "`liver`?; write one of these, or add it to evaluation.leave_out.values",
        "row 4, column split: is of the kind `lung` and stands in the part `bone`, so that the model that "
        "does without `lung` would have seen it; write `lung`, or remove the column to have the cases split by patient",
        "row 5, column split: is of the kind `liver` and stands in the part `bone`, so that the model that does "
        "without `liver` would have seen it; write `liver`, or remove the column to have the cases split by patient",
        "row 5, column kind: patient `p1` has cases of the kinds `bone` (row 2) and `liver`, so that a model "
        "that does without one of them would have seen this patient; leave out the cases of one of both kinds",
    ]


def test_a_table_without_the_column(left_out: Study, table_file: Callable[..., Path]) -> None:
    path = table_file("case_id,patient,T1,T2,lesion_mask", "c1,p1,a.nii,b.nii,c.nii")
    (found,) = check_table(path, left_out)
    assert str(found).startswith(
        "row 1, column kind: evaluation.leave_out.column names `kind`, which is no column of the table"
    )


def phantom_study(values: list[str]) -> Study:
    phantom = {"generator": "lesion_types", "cases": {"train": 20, "validation": 6, "test": 6}}
    content = SETTINGS | {
        "cohort": {"phantom": phantom},
        "channels": {"image": {"modality": "mr"}},
        "reference": "image",
        "evaluation": {"design": "cross_validation", "leave_out": {"column": "lesion_type", "values": values}},
    }
    return Study.model_validate(content)


def test_a_phantom_is_divided_by_the_classes_of_its_lesions() -> None:
    study = phantom_study(["bright", "dark", "ring"])
    cases = phantom_cases(study)
    assert len(cases) == 32
    assert all(kind_of(case.part) == case.kind for case in cases)
    assert {case.part for case in cases} == set(study.parts)
    table = table_of(study, Path("cohort"), 8)
    assert [case.columns["lesion_type"] for case in table.cases] == [case.kind for case in cases]


def test_a_phantom_that_draws_other_classes() -> None:
    with pytest.raises(HakkenError) as stopped:
        phantom_cases(phantom_study(["bright", "ring"]))
    assert str(stopped.value) == (
        "study demo: evaluation.leave_out.values are bright, ring, but the phantom draws lesions of the classes "
        "bright, dark, ring; name these"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": ["bone"]}, "leave_out.values"),
        ({"values": ["bone", "bone"]}, "bone stands twice; name each once"),
        ({"values": ["bone", "test"]}, "`test` is what a part of the cohort is called; name this kind otherwise"),
        ({"values": ["bone", "a_without_b"]}, "`a_without_b` is what a part of the cohort is called"),
        ({"chooses": 0}, "leave_out.chooses"),
    ],
)
def test_values_that_name_no_parts(changes: dict[str, object], message: str) -> None:
    left = {"column": "kind", "values": ["bone", "liver"]} | changes
    with pytest.raises(HakkenError, match=message):
        read_study(SETTINGS | {"evaluation": {"design": "cross_validation", "leave_out": left}}, "demo")


def test_folds_have_no_effect_beside_kinds() -> None:
    with pytest.raises(HakkenError, match="`folds` has no effect with `leave_out`, which makes a model for each kind"):
        read_study(SETTINGS | {"evaluation": EVALUATION | {"folds": 3}}, "demo")
