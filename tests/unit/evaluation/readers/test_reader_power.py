from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hakken.core.errors import HakkenError
from hakken.evaluation.readers.merit import merit
from hakken.evaluation.readers.obuchowski_rockette import analyse
from hakken.evaluation.readers.power import Pilot, power, smallest_designs

from .tables import roc_study, roe_metz

# Published for the data of Van Dyke: Iowa program OR-DBM MRMC 2.51 (mean squares and covariances), 114 cases.
VAN_DYKE = Pilot(0.0002004025, 0.0008022883, 0.0003466137, 0.0003440748, 0.0002390284, 114)
OBSERVED = 0.0438003


def test_the_published_power_of_six_readers_and_112_cases() -> None:
    """RJafroc, vignette on sample size: power 0.5555789, non-centrality 4.8, 23.1 degrees of freedom."""
    found = power(VAN_DYKE, OBSERVED, [6], [112], scope="RRRC")
    assert found.power.item() == pytest.approx(0.5555789, abs=1e-5)
    assert found.noncentrality.item() == pytest.approx(4.80, abs=0.005)
    assert found.df.item() == pytest.approx(23.1, abs=0.05)


def test_the_published_sample_sizes() -> None:
    """The table of the same vignette: cases for a power of 0.8 with 3 to 16 readers."""
    found = smallest_designs(VAN_DYKE, OBSERVED, range(3, 17), 2000, scope="RRRC", wanted=0.8)
    assert [design.cases for design in found] == [
        None, 1089, 344, 251, 211, 188, 173, 163, 155, 149, 144, 140, 137, 134,
    ]  # fmt: skip
    assert all(design.power is None or 0.8 <= design.power < 0.803 for design in found)


def test_the_published_power_from_pseudovalue_components() -> None:
    """Hillis and Berbaum, Acad Radiol 2004;11:1260-1273: 8 readers, 240 cases, difference 0.05: power 0.789.

    RJafroc, with the degrees of freedom that are used here, needs 249 cases for 0.8. Their components of pseudovalues,
    0.0003686 (TR), 0.016372 (TC) and 0.068255 (error), are, for K cases, K (Cov2 - Cov3) = 0.016372 and
    K (Var - Cov1 - Cov2 + Cov3) = 0.068255.
    """
    pilot = Pilot(0.0003686, (0.068255 + 0.016372) / 114, 0.0, 0.016372 / 114, 0.0, 114)
    assert power(pilot, 0.05, [8], [240], scope="RRRC").power.item() == pytest.approx(0.789, abs=0.002)
    assert smallest_designs(pilot, 0.05, [8], 400, scope="RRRC", wanted=0.8)[0].cases == 249


def test_the_power_by_hand() -> None:
    # Var(TR) 0.001, Var - Cov1 0.003, Cov2 - Cov3 0.001, 4 readers, as many cases as the pilot, difference 0.1:
    # RRRC 4 * 0.01 / 2 / (0.001 + 0.003 + 3 * 0.001) = 20/7, df 3 * (0.007 / (0.001 + 0.002))^2 = 49/3.
    pilot = Pilot(0.001, 0.005, 0.002, 0.002, 0.001, 100)
    found = power(pilot, 0.1, [4], [100], scope="RRRC")
    assert found.noncentrality.item() == pytest.approx(20 / 7)
    assert found.df.item() == pytest.approx(49 / 3)
    # FRRC 0.02 / 0.006, chi-square: power from two normal tails at sqrt(10/3). RRFC 0.02 / 0.003, df 3.
    frrc = power(pilot, 0.1, [4], [100], scope="FRRC")
    shift, critical = math.sqrt(10 / 3), stats.norm.isf(0.025)
    assert frrc.power.item() == pytest.approx(stats.norm.sf(critical - shift) + stats.norm.cdf(-critical - shift))
    rrfc = power(pilot, 0.1, [4], [100], scope="RRFC")
    assert (rrfc.noncentrality.item(), rrfc.df.item()) == (pytest.approx(20 / 3), 3)


@settings(max_examples=50, deadline=None)
@given(
    scope=st.sampled_from(["RRRC", "FRRC", "RRFC"]),
    readers=st.integers(3, 12),
    cases=st.integers(20, 400),
    effect=st.floats(0.0, 0.2),
)
def test_power_grows_with_readers_and_effect_from_the_level_of_the_test(
    scope: str, readers: int, cases: int, effect: float
) -> None:
    one, more = power(VAN_DYKE, effect, [readers, readers + 1], [cases], scope=scope).power[:, 0]
    assert more >= one - 1e-9
    assert power(VAN_DYKE, effect + 0.01, [readers], [cases], scope=scope).power.item() >= one
    assert power(VAN_DYKE, 0.0, [readers], [cases], scope=scope).power.item() == pytest.approx(0.05, abs=1e-9)
    assert power(VAN_DYKE, -effect, [readers], [cases], scope=scope).power.item() == pytest.approx(one)


def test_the_prediction_is_borne_out_by_simulated_studies() -> None:
    """Mean components of 400 simulated pilots, for 8 readers and 80 cases; and 400 simulated such studies."""
    rng = np.random.default_rng(5)
    pilots, effects = [], []
    for _ in range(400):
        study = roc_study(*roe_metz(rng, 5, 25, 25, separation=(1.5, 2.1)))
        found = analyse(merit(study, "wilcoxon"), study.modality, study.reader)
        parts = found.components
        var_tr = (
            parts.ms_tr - parts.var + parts.cov1 + parts.cov2 - parts.cov3
        )  # not clipped, so that means are unbiased
        pilots.append([var_tr, parts.var, parts.cov1, parts.cov2, parts.cov3])
        effects.append(found.inference["RRRC"].differences[0].estimate)
    effect = float(np.mean(effects))
    expected = power(Pilot(*np.mean(pilots, axis=0).tolist(), 50), effect, [8], [80], scope="RRRC")
    differences, rejected = [], 0
    for _ in range(400):
        study = roc_study(*roe_metz(rng, 8, 40, 40, separation=(1.5, 2.1)))
        rrrc = analyse(merit(study, "wilcoxon"), study.modality, study.reader).inference["RRRC"]
        differences.append(rrrc.differences[0].estimate)
        rejected += (rrrc.test.p or 1) < 0.05
    # Non-centrality is the squared difference over its variance. 400 studies tell a variance to 7 %.
    assert np.var(differences) == pytest.approx(effect**2 / expected.noncentrality.item(), rel=0.2)
    # Studies with a smaller difference have a smaller standard error too, so more are significant than predicted.
    assert -0.03 < rejected / 400 - expected.power.item() < 0.12


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((0, 0.0, 0, 0, 0, 50), "variance components: Var is 0; power needs a variance above 0"),
        ((0, 1e-3, 0, 0, 0, 1), "variance components: 1 pilot cases; give the number they were estimated from"),
        ((math.nan, 1e-3, 0, 0, 0, 9), "variance components: one is not finite; give numbers"),
        (
            (0, 1e-3, 5e-4, 8e-4, 1e-4, 50),
            "variance components: Var - Cov1 - max(Cov2 - Cov3, 0) is -0.0002, not above 0; no power follows from "
            "them, so take a larger pilot study",
        ),
    ],
)
def test_components_without_a_power_are_named(parts: tuple[float, ...], expected: str) -> None:
    with pytest.raises(HakkenError) as caught:
        Pilot(*parts)
    assert str(caught.value) == expected
