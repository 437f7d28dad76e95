"""The analysis of reader studies against the published numbers of the data of Van Dyke et al. (1993)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.tables import Table, read_table
from hakken.evaluation.readers import dbm, obuchowski_rockette
from hakken.evaluation.readers.intervals import SCOPES, Inference
from hakken.evaluation.readers.merit import Merit, merit
from hakken.evaluation.readers.power import Pilot, smallest_designs
from hakken.evaluation.readers.ratings import FROC_COLUMNS, ReaderStudy, froc_table, roc_table
from hakken.evaluation.readers.standalone import compare


@pytest.fixture(scope="module")
def folder(reference_data: Path) -> Path:
    return reference_data / "evaluation" / "mrmc_vandyke"


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return found


@pytest.fixture(scope="module")
def study(folder: Path) -> ReaderStudy:
    marks = read_table(folder / "marks.csv", FROC_COLUMNS)
    diseased = ["1" if mark == "LL" else "0" for mark in marks.cells["mark"]]
    return roc_table(Table(marks.path, {**marks.cells, "diseased": diseased}, marks.rows)).study()


@pytest.fixture(scope="module")
def measured(study: ReaderStudy) -> Merit:
    return merit(study, "wilcoxon")


def test_every_auc(measured: Merit, expected: dict[str, Any]) -> None:
    table = expected["foms"]["Wilcoxon"]
    assert measured.value.ravel() == pytest.approx([table[i][j] for i in "01" for j in "01234"], abs=1e-12)


def test_the_components(measured: Merit, study: ReaderStudy, expected: dict[str, Any]) -> None:
    found = obuchowski_rockette.analyse(measured, study.modality, study.reader).components
    known = expected["significance_Wilcoxon"]["OR_RRRC"]["ANOVA"]
    squares, parts = known["TRanova"], known["VarCom"]
    assert (found.ms_t, found.ms_r, found.ms_tr) == pytest.approx([squares[key]["MS"] for key in ("T", "R", "TR")])
    ours = (found.var_r, found.var_tr, found.cov1, found.cov2, found.cov3, found.var)
    assert ours == pytest.approx([entry["Estimates"] for entry in parts.values()], rel=1e-10)


def test_the_published_tests_and_intervals(measured: Merit, study: ReaderStudy, expected: dict[str, Any]) -> None:
    found = obuchowski_rockette.analyse(measured, study.modality, study.reader).inference
    known = expected["iowa_OR_DBM_MRMC_2.51_published"]
    for scope in SCOPES:
        step, published = found[scope].differences[0], known[scope]
        assert found[scope].test.p == pytest.approx(published["p"], abs=6e-5)  # printed with three or four digits
        assert step.se == pytest.approx(published["se"], abs=6e-6)
        # The program takes the first modality minus the second.
        assert (-step.high, -step.low) == pytest.approx(published["ci"], abs=6e-6)  # type: ignore[operator]
    assert found["RRRC"].test.df2 == pytest.approx(15.26, abs=0.005)
    for own, published in zip(found["RRRC"].levels, known["single_treatment_RRRC"], strict=True):
        assert (own.estimate, own.se) == pytest.approx((published["auc"], published["se"]), abs=6e-8)
        assert own.df == pytest.approx(published["df"], abs=0.005)
        assert (own.low, own.high) == pytest.approx(published["ci"], abs=6e-8)


@pytest.mark.parametrize("method", ["OR", "DBM"])
@pytest.mark.parametrize("scope", SCOPES)
def test_both_methods_to_the_last_digit(
    method: str, scope: str, measured: Merit, study: ReaderStudy, expected: dict[str, Any]
) -> None:
    if method == "OR":
        found: Inference = obuchowski_rockette.analyse(measured, study.modality, study.reader).inference[scope]  # type: ignore[index]
    else:
        found = dbm.analyse(measured, study.modality).inference[scope]  # type: ignore[index]
    known = expected["significance_Wilcoxon"][f"{method}_{scope}"][scope]
    tests = known["FTests"]
    assert found.test.p == pytest.approx((tests.get("Treatment") or tests["T"])["p"], rel=1e-9)
    step, other = found.differences[0], known["ciDiffTrt"]["trt0-trt1"]
    assert (step.estimate, step.se) == pytest.approx((-other["Estimate"], other["StdErr"]), rel=1e-9)
    assert (step.low, step.high) == pytest.approx((-other["CIUpper"], -other["CILower"]), rel=1e-8)
    for own, level in zip(found.levels, known["ciAvgRdrEachTrt"].values(), strict=True):
        assert (own.estimate, own.se) == pytest.approx((level["Estimate"], level["StdErr"]), rel=1e-9)
        assert (own.low, own.high) == pytest.approx((level["CILower"], level["CIUpper"]), rel=1e-9)


def test_every_reader_difference(measured: Merit, study: ReaderStudy, expected: dict[str, Any]) -> None:
    found = obuchowski_rockette.analyse(measured, study.modality, study.reader).reader_differences
    known = expected["significance_Wilcoxon"]["OR_FRRC"]["FRRC"]["ciDiffTrtEachRdr"]
    for own, other in zip(found, known.values(), strict=True):
        step = own.difference
        assert (step.estimate, step.se, step.p) == pytest.approx((-other["Estimate"], other["StdErr"], other["PrGTz"]))


def test_pseudovalue_components(measured: Merit, study: ReaderStudy, expected: dict[str, Any]) -> None:
    found = dbm.analyse(measured, study.modality)
    known = expected["significance_Wilcoxon"]["DBM_RRRC"]["ANOVA"]
    squares, parts = found.mean_squares, found.components
    ours = (squares.t, squares.r, squares.c, squares.tr, squares.tc, squares.rc, squares.trc)
    assert ours == pytest.approx([entry["MS"] for entry in known["TRCanova"].values()][:7], rel=1e-9)
    own = (parts.r, parts.c, parts.tr, parts.tc, parts.rc, parts.error)
    assert own == pytest.approx([entry["Estimates"] for entry in known["VarCom"].values()], rel=1e-9)


def test_as_marks_the_inferred_roc_is_the_same(folder: Path, measured: Merit) -> None:
    marks = read_table(folder / "marks.csv", FROC_COLUMNS)
    lesions = read_table(folder / "lesions.csv", ("case_id", "lesion_id"), ("weight",))
    study = froc_table(marks, lesions, read_table(folder / "cases.csv", ("case_id",))).study()
    for name in ("inferred-roc", "wafroc", "afroc"):
        found = merit(study, name)
        assert np.array_equal(found.value, measured.value)
        np.testing.assert_allclose(found.covariance, measured.covariance, atol=1e-15)


def test_a_constant_system_gives_the_published_level_of_the_readers(
    measured: Merit, study: ReaderStudy, expected: dict[str, Any]
) -> None:
    readers = Merit("wilcoxon", measured.value[:1], measured.jackknife[:1], measured.unit)
    half = np.full((1, 1), 0.5)
    system = Merit("wilcoxon", half, np.repeat(half[..., None], len(measured.unit), axis=2), measured.unit)
    found = compare(
        system, readers, system_name="system", readers_name=study.modality[0], reader=study.reader
    ).difference["RRRC"]
    known = expected["iowa_OR_DBM_MRMC_2.51_published"]["single_treatment_RRRC"][0]
    assert (0.5 - found.high, 0.5 - found.low) == pytest.approx(known["ci"], abs=6e-8)  # type: ignore[operator]
    assert found.df == pytest.approx(known["df"], abs=0.005)


def test_the_published_sample_size(measured: Merit, study: ReaderStudy) -> None:
    found = obuchowski_rockette.analyse(measured, study.modality, study.reader)
    parts = found.components
    pilot = Pilot(parts.var_tr, parts.var, parts.cov1, parts.cov2, parts.cov3, len(study.case_id))
    effect = found.inference["RRRC"].differences[0].estimate
    designs = smallest_designs(pilot, effect, [4, 6, 10], 1200, scope="RRRC", wanted=0.8)
    assert [design.cases for design in designs] == [1089, 251, 163]  # RJafroc, vignette on sample size
