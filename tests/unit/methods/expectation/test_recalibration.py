"""z made standard normal on cases without lesions, by region or by the predicted deviation, and frozen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.prepared import Lesion, PreparedCase, save_prepared
from hakken.methods.expectation.learn import RECALIBRATION
from hakken.methods.expectation.network import Expectation, ExpectationUNet, negative_log_likelihood
from hakken.methods.expectation.recalibration import Seen, fit_recalibration, recalibrated
from hakken.networks.structure import Structure
from hakken.outcomes import Part, expectations
from hakken.study import BODY_REGIONS
from hakken.training.players import Model

from .test_learn import CT, TARGET, expectation, learner

GRID = Geometry((5, 10, 12), (6.0, 6.0, 6.0))
REGIONS = np.repeat([1, 2, 3, 4, 5], 120).reshape(GRID.shape_zyx)


def drawn(case: int, shift: Sequence[float], scale: Sequence[float], voxels: int = 600) -> tuple[Seen, np.ndarray]:
    """The voxels of a synthetic normal case, half in either of two regions, whose true z is standard normal.

    The mean that is predicted is ``shift`` sigmas too low, sigma too small by ``scale``.
    """
    random = np.random.default_rng(case)
    region = np.repeat([1, 2], voxels // 2)
    true = random.standard_normal(voxels)
    sigma = np.exp(random.normal(-3, 0.5, voxels))
    z = np.array(shift)[region - 1] + np.array(scale)[region - 1] * true
    return Seen(z, sigma, region), true


def test_the_z_of_a_thousand_normals_has_the_tails_of_a_standard_normal() -> None:
    """Fitted on 40 of them, held out the others: mean, SD and the shares beyond 2, 3 and 4."""
    made = [drawn(case, (0.3, -0.2), (1.4, 0.7)) for case in range(1000)]
    values = fit_recalibration("regions", [seen for seen, _ in made[:40]])
    z = []
    for seen, _ in made[40:]:
        mean, sigma = recalibrated(-seen.z * seen.sigma, seen.sigma, seen.region, values)  # the target is 0
        z.append((0 - mean) / sigma)
    whole = np.concatenate(z)
    assert whole.mean() == pytest.approx(0, abs=0.02)
    assert whole.std() == pytest.approx(1, abs=0.02)
    for level in (2, 3, 4):
        count = len(whole)
        expected = count * stats.norm.sf(level)
        assert abs((whole > level).sum() - expected) < 4 * np.sqrt(expected) + 0.02 * expected * level**2
    assert np.concatenate([seen.z for seen, _ in made]).std() > 1.05, "which it was not before"


def test_by_deviation_a_bias_that_grows_with_sigma_is_taken_away() -> None:
    random = np.random.default_rng(0)
    sigma = np.exp(random.normal(-3, 0.7, 60_000))
    z = 0.4 * (np.log(sigma) + 3) + random.standard_normal(60_000) * (1 + 0.2 * (np.log(sigma) + 3))
    values = fit_recalibration("deviation", [Seen(z, sigma, np.zeros(60_000, int))])
    assert values["places"] == sorted(values["places"])
    mean, wide = recalibrated(-z * sigma, sigma, None, values)
    again = -mean / wide
    low, high = again[sigma < np.quantile(sigma, 0.1)], again[sigma > np.quantile(sigma, 0.9)]
    assert [low.mean(), high.mean(), again.mean()] == pytest.approx([0, 0, 0], abs=0.12)
    assert [low.std(), high.std(), again.std()] == pytest.approx([1, 1, 1], abs=0.12)


def test_regions_of_few_voxels_take_what_all_voxels_say() -> None:
    seen, _ = drawn(0, (0.5, 0.5), (1, 1), voxels=2000)
    few = Seen(np.append(seen.z, 9.0), np.append(seen.sigma, 0.1), np.append(seen.region, 9))
    values = fit_recalibration("regions", [few])
    assert values["shift"][9] == pytest.approx(few.z.mean())
    assert len(values["shift"]) == len(BODY_REGIONS) + 1
    with pytest.raises(ValueError, match="no voxel to recalibrate on"):
        fit_recalibration("regions", [Seen(np.zeros(0), np.zeros(0), np.zeros(0, int))])


class Off(ExpectationUNet):
    """Expects 0.1 with a deviation of 0.05, everywhere, whatever is true."""

    def expect(self, images: torch.Tensor, samples: int = 1, seed: int = 0) -> Expectation:
        like = images[:, :1]
        return Expectation(torch.full_like(like, 0.1), torch.full_like(like, 0.05))


def normal_case(folder: Path, name: str, lesions: tuple[Lesion, ...] = ()) -> PreparedCase:
    """Target of 0.2 with a deviation of 0.1 in the region of the head, of 0.1 with 0.05 elsewhere."""
    random = np.random.default_rng(sum(map(ord, name)))
    target = np.where(REGIONS == 1, random.normal(0.2, 0.1, GRID.shape_zyx), random.normal(0.1, 0.05, GRID.shape_zyx))
    image = np.stack([np.ones(GRID.shape_zyx), target])
    case = PreparedCase(name, name, ("A", "B"), GRID, GRID, {}, name, has_truth=True, lesions=lesions)
    labels = np.zeros(GRID.shape_zyx, np.int16)
    return save_prepared(folder, case, image, np.ones(GRID.shape_zyx), labels, body=REGIONS)


def regional() -> dict[str, object]:
    channels = {"A": CT, "B": TARGET}
    parameters = {"recalibrate": "regions", "patch_size": 9, "poolings": 1, "base_features": 4, "convolutions": 2}
    return {"channels": channels, "body_regions": {"channel": "A"}, "parameters": parameters}


def test_a_model_is_recalibrated_on_validation_cases_without_lesions_and_keeps_what_it_said(tmp_path: Path) -> None:
    ill = Lesion(1, 0.0, 0.0, 0.0, 8.0, 216.0)
    normal = [normal_case(tmp_path, name) for name in ("a", "b", "c", "d", "e")]
    other = normal_case(tmp_path, "ill", (ill,))
    made = learner(**regional())
    model = Model({"network": Off(1)})
    values = made.calibrate(model, (*normal, other))
    assert values[RECALIBRATION]["shift"][1] == pytest.approx(2, abs=0.2), "in the head 0.1 are two deviations"
    assert values[RECALIBRATION]["scale"][1] == pytest.approx(2, abs=0.2)
    assert values == made.calibrate(model, normal), "the one with a lesion does not matter"
    held_out = normal_case(tmp_path, "held out")
    found = made.predict(Model(model.networks, values), held_out, ("expectations",))["expectations"]
    assert found.shape == (4, *GRID.shape_zyx)
    assert found[2:, 0, 0, 0].tolist() == pytest.approx([0.1, 0.05], abs=1e-4)
    assert found[:2, 0, 0, 0].tolist() == pytest.approx([0.2, 0.1], abs=0.02)
    assert made.predict(model, held_out, ("expectations",))["expectations"].shape == (2, *GRID.shape_zyx)
    with pytest.raises(HakkenError, match="recalibrate: every validation case has lesions"):
        made.calibrate(model, (other,))


def test_the_calibration_is_measured_by_region_with_the_uncorrected_beside(tmp_path: Path) -> None:
    cases = [normal_case(tmp_path, name) for name in "abcdefgh"]
    made = learner(**regional())
    model = Model({"network": Off(1)})
    whole = Model(model.networks, made.calibrate(model, cases[:5]))
    found = {case.case_id: made.predict(whole, case, ("expectations",))["expectations"] for case in cases[5:]}
    study = expectation(**regional(), outcomes={"candidates": {}, "expectations": {}}, evaluation={"bootstrap": 100})
    part = Part(study, tuple(cases[5:]), study.outcomes["expectations"])
    expectations.write(tmp_path / "kept", found, part)
    measured = expectations.measure(expectations.read(tmp_path / "kept", part), part)
    table = measured.tables["groups"]
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    head = {row["z"]: row for row in rows if row["stratum"] == "head"}
    assert head["uncorrected"]["mean"] == pytest.approx(2, abs=0.25)
    assert head["as used"]["mean"] == pytest.approx(0, abs=0.2)
    assert head["as used"]["sd"] == pytest.approx(1, abs=0.15)
    assert {row["stratum"] for row in rows} == set(BODY_REGIONS[:5])
    named = {row.name: row.value for row in measured.rows}
    assert named["mean of z before recalibration"] == pytest.approx(0.4, abs=0.1)
    assert abs(named["mean of z without lesions (goal 0 ± 0.05)"] or 0) < 0.1


def test_a_study_without_regions_cannot_be_recalibrated_by_them() -> None:
    changes = regional()
    del changes["body_regions"]
    with pytest.raises(HakkenError, match=r"parameters\.recalibrate is `regions`"):
        expectation(**changes)


def test_scalars_explain_what_ct_does_not_and_shuffled_ones_are_worse() -> None:
    """The target is 0.02 + 0.08 * scalar and noise; CT shows nothing. With the right scalars NLL is lower."""
    torch.manual_seed(3)
    network = ExpectationUNet(2, 1, 2, Structure(convolutions=1, poolings=1, base_features=6, dropout=0.0))
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.02)
    generator = torch.Generator().manual_seed(1)

    def batch(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        scalar = torch.rand(count, 1, 1, 1, generator=generator)
        ct = torch.rand(count, 1, 8, 8, generator=generator)
        target = 0.02 + 0.08 * scalar + 0.01 * torch.randn(count, 1, 8, 8, generator=generator)
        return torch.cat([ct, scalar.expand(count, 1, 8, 8)], 1), target

    for _ in range(150):
        images, target = batch(16)
        loss = negative_log_likelihood(network(images), target, torch.ones_like(target))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    images, target = batch(64)
    shuffled = torch.cat([images[:, :1], images[torch.randperm(64, generator=generator), 1:]], 1)
    with torch.inference_mode():
        right, wrong = (
            negative_log_likelihood(network(one), target, torch.ones_like(target)).item() for one in (images, shuffled)
        )
    assert right < wrong - 0.5
