"""The steps that are timed: real trainings of a study's networks, alone and in processes that share their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pytest
import torch

from hakken.core.errors import HakkenError
from hakken.imaging.prepared import prepared_cases
from hakken.patches.shards import PatchStore
from hakken.runs.layout_pool import Pool, Stepper, made_up_case, made_up_patches
from hakken.study import Study
from hakken.study.reading import load_study
from hakken.training.layout import Layout
from hakken.training.team import Team

ROOT = Path(__file__).resolve().parents[3]
STUDIES = ROOT / "tests" / "workflow" / "studies"
SMALL = {"batch_size": 4, "base_features": 4}
METHODS = ["smoke", "smoke_anomaly", "smoke_classification", "smoke_expectation", "smoke_flat", "smoke_segmentation"]


def study_of(name: str) -> Study:
    study = load_study(STUDIES / f"{name}.yaml", "tiny")
    return study.model_copy(update={"parameters": study.parameters.model_copy(update=SMALL)})


def stepper_of(name: str, folder: Path, layout: Layout | None = None) -> Stepper:
    made_up_patches(study_of(name), folder)
    return Stepper(study_of(name), layout or Layout(), folder)


@pytest.mark.parametrize("name", METHODS)
def test_a_step_of_every_method_is_a_whole_one(name: str, tmp_path: Path) -> None:
    stepper = stepper_of(name, tmp_path, Layout(channels_last=True))
    weights = [weight for network in stepper.networks.values() for weight in network.parameters()]
    before = [weight.detach().clone() for weight in weights]
    stepper.step()
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    assert gradients
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert any(bool(gradient.abs().sum() > 0) for gradient in gradients)
    assert all(torch.equal(*pair) for pair in zip(before, weights, strict=True)), "rate 0"


@pytest.mark.parametrize("axes", [2, 3])
def test_a_method_that_learns_from_whole_images_has_one_made_up(axes: int, tmp_path: Path) -> None:
    study = load_study(ROOT / "config" / "studies" / "brain_metastasis.yaml", "tiny")
    small = {"patch_size": 16, "batch_size": 2, "levels": 3, "base_features": 4, "axes": axes}
    chosen = study.model_copy(update={"parameters": study.parameters.model_copy(update=small)})
    made_up_case(chosen, tmp_path / "cases")
    (case,) = prepared_cases(tmp_path / "cases")
    assert case.geometry.shape_zyx == (24 if axes == 3 else 1, 24, 24)
    assert [lesion.kind for lesion in case.lesions] == ["included"]
    stepper = Stepper(chosen, Layout(), tmp_path, cases=[case])
    stepper.step()
    gradients = [weight.grad for weight in stepper.networks["network"].parameters()]
    assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients)  # type: ignore[arg-type]


@pytest.mark.parametrize("axes", [2, 3])
def test_a_method_that_learns_regions_and_classes_has_some_made_up(axes: int, tmp_path: Path) -> None:
    study = load_study(STUDIES / "smoke_regions.yaml", "tiny")
    study = study.model_copy(update={"parameters": study.parameters.model_copy(update={"axes": axes})})
    made_up_case(study, tmp_path / "cases")
    (case,) = prepared_cases(tmp_path / "cases")
    assert set(np.unique(case.regions())) == {0, 1, 2}
    stepper = Stepper(study, Layout(channels_last=True), tmp_path, cases=[case])
    stepper.step()
    gradients = [weight.grad for weight in stepper.networks["network"].parameters()]
    assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients)  # type: ignore[arg-type]


def test_a_pool_hands_whole_images_to_its_processes() -> None:
    study = load_study(ROOT / "config" / "studies" / "brain_metastasis.yaml", "tiny")
    small = {"patch_size": 16, "batch_size": 2, "levels": 3, "base_features": 4}
    with Pool(study.model_copy(update={"parameters": study.parameters.model_copy(update=small)}), 1) as pool:
        assert 0 < pool.seconds(Layout(), 1) < 30


def test_every_step_takes_the_next_mini_batch(tmp_path: Path) -> None:
    stepper = stepper_of("smoke", tmp_path)
    found = []
    for _ in range(2):
        stepper.step()
        found.append([weight.grad.clone() for weight in stepper.networks["network"].parameters()])  # type: ignore[union-attr]
    assert not any(torch.equal(*pair) for pair in zip(*found, strict=True))


@pytest.mark.parametrize(("precision", "kind"), [("bfloat16", torch.bfloat16), ("float32", torch.float32)])
def test_the_precision_is_what_the_layers_compute_in(
    precision: Literal["bfloat16", "float32"], kind: torch.dtype, tmp_path: Path
) -> None:
    stepper = stepper_of("smoke", tmp_path, Layout(precision=precision))
    kinds: set[torch.dtype] = set()
    for layer in stepper.networks["network"].modules():
        if isinstance(layer, torch.nn.Conv3d):
            layer.register_forward_hook(lambda layer, given, found: kinds.add(found.dtype))
    stepper.step()
    assert kinds == {kind}
    assert {weight.grad.dtype for weight in stepper.networks["network"].parameters()} == {torch.float32}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "channels", "targets", "shape"),
    [
        ("smoke", ("T1POST", "T1"), 0, (18, 18, 18)),
        ("smoke_expectation", ("CT", "PET"), 1, (16, 16)),
        ("smoke_segmentation", ("red", "green", "blue", "lesions"), 1, (20, 20)),
    ],
)
def test_made_up_patches_have_the_shape_of_the_study_s(
    name: str, channels: tuple[str, ...], targets: int, shape: tuple[int, ...], tmp_path: Path
) -> None:
    made_up_patches(study_of(name), tmp_path)
    store = PatchStore.open(tmp_path, verify="all")
    assert (store.layout.channels, store.layout.targets) == (channels, targets)
    assert store.layout.patch_shape == (len(channels), *shape)
    assert store.contents.kinds == {"easy": 64, "hard": 64, "positive": 64}


def test_a_method_without_gradients_has_no_steps(tmp_path: Path) -> None:
    study = study_of("smoke_classification")
    fitted = study.model_copy(update={"method": "mean_classifier"})
    with pytest.raises(HakkenError) as caught:
        Stepper(fitted, Layout(), tmp_path)
    assert str(caught.value) == (
        "the method `mean_classifier` of study `smoke_classification` learns without gradients"
    )


def test_a_pool_times_one_process_and_two_and_says_what_goes_wrong() -> None:
    with Pool(study_of("smoke"), 2) as pool:
        layouts = [Layout(1, 2), Layout(2, 1, channels_last=True), Layout(1, 1)]
        assert all(0 < pool.seconds(layout, 2) < 30 for layout in layouts)
        processes = list(pool._processes)
        with pytest.raises(HakkenError, match=r"^RuntimeError while measuring: set_num_threads expects a positive"):
            pool.seconds(Layout(threads=0), 1)
        processes[0].join()  # it has ended with what it said
        with pytest.raises(HakkenError, match=r"^a process of the measurement ended by itself, perhaps for want of"):
            pool.seconds(Layout(), 1)
        assert processes[1].is_alive()
    assert not any(process.is_alive() for process in processes)


class Noted(Team):
    """A process of several that notes what it would share."""

    shared: ClassVar[list[int]] = []

    def share_gradients(self, weights: Sequence[torch.nn.Parameter]) -> None:
        self.shared.append(len(weights))


@pytest.mark.parametrize("rank", [0, 1])
def test_each_process_takes_its_mini_batch_of_an_update_and_shares_its_gradients(rank: int, tmp_path: Path) -> None:
    made_up_patches(study_of("smoke"), tmp_path)
    Noted.shared.clear()
    joined = Stepper(study_of("smoke"), Layout(2), tmp_path, Noted(rank, 2))
    alone = Stepper(study_of("smoke"), Layout(), tmp_path)
    alone.turns[0].begin(rank, workers=0)
    alone.number = rank
    for stepper in (joined, alone):
        stepper.step()
    mine, same = (list(one.networks["network"].parameters()) for one in (joined, alone))
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(mine, same, strict=True))  # type: ignore[arg-type]
    assert Noted.shared == [len(mine)]
