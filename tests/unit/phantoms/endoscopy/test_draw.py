"""Frames of colonoscopy: repeatable, true to their truth, alike within a sequence, and not told by their colour."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hakken.cohort.phantom import PhantomCase, phantom_cases
from hakken.core.errors import HakkenError
from hakken.phantoms.endoscopy.draw import COLOURS, Frame, draw_camera, draw_case
from hakken.phantoms.endoscopy.mucosa import KINDS, LARGEST, SMALLEST, TINTS, Plane, draw_wall
from hakken.study import Study

pytestmark = pytest.mark.xdist_group("endoscopy")  # Its fixtures are made once, on one worker.

PHANTOM: dict[str, Any] = {
    "generator": "endoscopy",
    "cases": {"train": 40, "validation": 10, "test": 21},
    "shape_mm": [384, 288, 1],
    "spacing_mm": 4.0,
    "frames": 4,
}


def study_of(seed: int = 3, channels: tuple[str, ...] = COLOURS) -> Study:
    content = {
        "name": "polyps",
        "seed": seed,
        "cohort": {"phantom": PHANTOM},
        "channels": {name: {"modality": "endoscopy", "normalise": "window", "range": [0, 255]} for name in channels},
        "reference": channels[0],
    }
    return Study.model_validate(content)


@pytest.fixture(scope="module")
def study() -> Study:
    return study_of()


@pytest.fixture(scope="module")
def drawings(study: Study) -> list[tuple[PhantomCase, Frame]]:
    """Return the training frames."""
    return [(case, draw_case(case, study)) for case in phantom_cases(study) if case.part == "train"]


def picture(frame: Frame) -> NDArray[np.float64]:
    return np.stack([frame.colours[name].array[0] for name in COLOURS]).astype(float)


def test_a_sequence_is_one_patient_on_one_side_of_the_split(study: Study) -> None:
    cases = phantom_cases(study)
    sequences: dict[str, list[PhantomCase]] = {}
    for case in cases:
        sequences.setdefault(case.patient, []).append(case)
    assert Counter(len(frames) for frames in sequences.values()) == {4: 10 + 2 + 5, 2: 1, 1: 1}
    for frames in sequences.values():
        assert [frame.visit for frame in frames] == list(range(len(frames)))
        assert len({(frame.part, frame.scanner, frame.lesions, frame.sex, frame.age) for frame in frames}) == 1
    assert Counter(case.lesions for case in cases if case.part == "train") == {0: 4, 1: 32, 2: 4}


def test_a_channel_is_one_flat_colour(study: Study, drawings: list[tuple[PhantomCase, Frame]]) -> None:
    images = draw_case(phantom_cases(study)[0], study).images(study)
    assert list(images) == list(COLOURS)
    for image in images.values():
        assert image.array.dtype == np.int16
        assert image.geometry.shape_zyx == (1, 72, 96)
        assert image.spacing == (4.0, 4.0, 1.0)
        assert (image.array.min(), image.array.max()) >= (0, 100)
        assert image.array.max() <= 255
    means = np.mean([picture(frame).mean((1, 2)) for _, frame in drawings], 0)
    assert means[0] > 1.3 * means[1] > 1.0 * means[2]  # mucosa is red


def test_another_channel_is_refused() -> None:
    study = study_of(channels=("red", "infrared"))
    with pytest.raises(HakkenError, match="study polyps: channel infrared is no colour; use red, green, blue"):
        draw_case(phantom_cases(study)[0], study).images(study)


def test_labels_match_the_truth(drawings: list[tuple[PhantomCase, Frame]]) -> None:
    for case, frame in drawings:
        labels, truths = frame.lesions.array, frame.truth["lesions"]
        assert bool(truths) == bool(case.lesions)
        for truth in truths:
            pixels = np.argwhere(labels == truth["lesion"])
            assert len(pixels) == truth["pixels"]
            assert frame.lesions.to_world(pixels).mean(0) == pytest.approx(truth["centre"], abs=1e-6)
            area = np.pi * truth["radius"] ** 2 / 16 * frame.truth["camera"]["zoom"] ** 2
            assert len(pixels) < 1.5 * area + 5
    seen = [any(truth["pixels"] for truth in frame.truth["lesions"]) for case, frame in drawings if case.lesions]
    assert np.mean(seen) > 0.95


def test_neighbouring_frames_are_alike_and_sequences_differ(drawings: list[tuple[PhantomCase, Frame]]) -> None:
    within, between = [], []
    for (case, frame), (after, next_frame) in pairwise(drawings):
        first, second = (drawn.lesions.array > 0 for drawn in (frame, next_frame))
        if not first.any() or not second.any():
            continue
        overlap = 2 * (first & second).sum() / (first.sum() + second.sum())
        (within if case.patient == after.patient else between).append(overlap)
        if case.patient == after.patient:
            assert picture(frame).tobytes() != picture(next_frame).tobytes()
            assert [polyp["kind"] for polyp in frame.truth["lesions"]] == [
                polyp["kind"] for polyp in next_frame.truth["lesions"]
            ]
    assert np.mean(within) > 0.5
    assert np.mean(between) < 0.35


def test_polyps_differ_in_kind_tint_and_size() -> None:
    plane = Plane((60, 80), 6.0)
    polyps = [
        polyp for seed in range(60) for polyp in draw_wall(plane, 1, (384, 288), np.random.default_rng(seed)).polyps
    ]
    assert len(polyps) == 60
    assert {polyp.kind for polyp in polyps} == set(KINDS)
    assert {polyp.tint for polyp in polyps} == set(TINTS)
    radii = [polyp.radius for polyp in polyps]
    assert SMALLEST <= min(radii) < 30
    assert 65 < max(radii) <= LARGEST


def test_polyps_of_one_wall_do_not_overlap() -> None:
    wall = draw_wall(Plane((60, 80), 6.0), 3, (384, 288), np.random.default_rng(1))
    assert len(wall.polyps) > 1
    assert (np.sum([polyp.share > 0 for polyp in wall.polyps], 0) <= 1).all()


def test_no_single_colour_tells_a_polyp(drawings: list[tuple[PhantomCase, Frame]]) -> None:
    """The mean colour inside is above that of the frame in some polyps and below it in others."""
    differences = []
    for _, frame in drawings:
        inside = frame.lesions.array[0] > 0
        if inside.any():
            colours = picture(frame)
            shares = colours / colours.sum(0).clip(1)
            differences.append(shares[:, inside].mean(1) - shares[:, ~inside].mean(1))
    signs = np.sign(differences)
    assert (np.abs(signs.mean(0)) < 0.8).all()


def test_the_camera_moves_smoothly() -> None:
    cameras = [draw_camera(visit, 8, np.random.default_rng(4), np.random.default_rng(visit)) for visit in range(8)]
    steps = [np.hypot(b.shift[0] - a.shift[0], b.shift[1] - a.shift[1]) for a, b in pairwise(cameras)]
    assert 0 < max(steps) < 30
    assert max(abs(b.degrees - a.degrees) for a, b in pairwise(cameras)) < 12
