"""Heat maps of flat images: one centre for each lesion while they are learnt, its middle where they are read."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hakken.core.volume import Geometry
from hakken.evaluation.findings import Candidates, Cases, Findings, Lesions
from hakken.evaluation.matching import Rules, match_findings
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.inference.sliding import whole_map
from hakken.methods.dense import Inference, Parameters
from hakken.methods.dense.learn import AMOUNTS, LESIONS, Learner
from hakken.methods.dense.loss import heat_loss
from hakken.networks.dense_resnet import DenseResNet, Head, Up
from hakken.patches.augment import Augmentation
from hakken.training.method import Facts
from hakken.training.windows import Drawing, WindowSource, heat_targets

from ...miniature import save_case

FACTS = Facts(channels=("XR",), inputs=("XR",))
EDGE = 96
PEAKS = Inference(reading="peaks", maximum_candidates=20)
FLAT = Parameters(axes=2, target="heat")


def film(folder: Path, places: list[tuple[float, float]], diameter: float = 14.0) -> PreparedCase:
    """A flat case of pixels of 2 mm with lesions at rows and columns that may lie between pixels."""
    geometry = Geometry((1, EDGE, EDGE), (2.0, 2.0, 1.0))
    labels = np.zeros(geometry.shape_zyx, np.int16)
    lesions = []
    for number, (row, column) in enumerate(places, start=1):
        labels[0, round(row), round(column)] = number
        x, y, z = geometry.to_world(np.array([[0.0, row, column]]))[0].tolist()
        lesions.append(Lesion(number, x, y, z, diameter, math.pi * diameter**2 / 4))
    known = {"channels": ("XR",), "geometry": geometry, "labels": labels, "lesions": lesions}
    return save_case(folder, "one", labels[None] > 0, **known)


PLACES = [(20.3, 30.9), (47.5, 60.5), (70.1, 15.6), (80.0, 85.0)]


def test_known_gaussians_are_read_at_their_middles_within_half_a_pixel(tmp_path: Path) -> None:
    case = film(tmp_path, PLACES)
    heat = heat_targets(case, tuple(slice(0, size) for size in case.geometry.shape_zyx))[0]
    found = Learner(FLAT, PEAKS, FACTS).conclude({LESIONS: heat}, case, ())["candidates"]
    assert len(found) == len(PLACES)
    for row, column in PLACES:
        assert np.abs(found.voxel[:, 1:] - (row, column)).max(1).min() <= 0.5
    assert found.highest == heat.max()


def test_peaks_are_the_pixels_that_no_neighbour_exceeds_the_best_twenty(tmp_path: Path) -> None:
    case, heat = film(tmp_path, PLACES), np.zeros((1, EDGE, EDGE), np.float32)
    rows = np.arange(2, 92, 3)
    heat[0, rows, 40] = np.linspace(0.1, 0.9, len(rows))
    heat[0, rows, 41] = 0.05  # beside a peak
    found = Learner(FLAT, PEAKS, FACTS).conclude({LESIONS: heat}, case, ())
    assert found["candidates"].score.tolist() == pytest.approx(np.linspace(0.1, 0.9, len(rows))[::-1][:20])
    assert found["case_scores"] == pytest.approx(0.9)
    apart = Inference(reading="peaks", suppression_mm=7.0)
    spread = Learner(FLAT, apart, FACTS).conclude({LESIONS: heat}, case, ())["candidates"]
    assert len(spread) == 15, "peaks are 6 mm apart, so that every second one is left"


def test_several_peaks_in_one_lesion_are_duplicates_and_not_false_positives(tmp_path: Path) -> None:
    case, heat = film(tmp_path, [(47.0, 60.0)]), np.zeros((1, EDGE, EDGE), np.float32)
    heat[0, [47, 45, 49, 10], [60, 60, 60, 10]] = 0.8, 0.9, 0.4, 0.3
    found = Learner(FLAT, PEAKS, FACTS).conclude({LESIONS: heat}, case, ())["candidates"]
    lesions = Lesions.of([0], [case.lesions[0].centre], [case.lesions[0].diameter])
    marks = Candidates.of(np.zeros(len(found), int), found.xyz, found.score)
    matching = match_findings(Findings(Cases.of(["one"]), lesions, marks), Rules())
    assert matching.lesion_score.tolist() == pytest.approx([0.9])
    counts = matching.counts
    assert (counts.true_positives, counts.false_positives, counts.ignored_duplicates) == (1, 1, 2)


@pytest.mark.parametrize("moved", [(4, 0), (-4, 8), (0, -8)])
def test_moving_the_image_moves_all_peaks(tmp_path: Path, moved: tuple[int, int]) -> None:
    torch.manual_seed(3)
    network = DenseResNet(1, {LESIONS: Head(1, "heat")}, 2, widths=(8, 8, 8), supervised=1).eval()
    torch.nn.init.normal_(network.stages[-1].heads[LESIONS].weight, std=1.0)  # type: ignore[union-attr, arg-type]
    image = np.zeros((1, 1, EDGE, EDGE), np.float32)
    image[0, 0, 36:60, 36:60] = np.random.default_rng(1).normal(0, 1, (24, 24))
    case, reader = film(tmp_path, PLACES), Learner(FLAT, Inference(reading="peaks", threshold=0.05), FACTS)

    def peaks(pixels: NDArray[np.float32]) -> NDArray[np.float64]:
        found = whole_map(
            lambda images: torch.sigmoid(network(images)[LESIONS][0]),
            pixels,
            np.ones(pixels.shape[1:]),
            window=(1, EDGE, EDGE),
            overlap=0.3,
            batch=1,
            flips=False,
            device=torch.device("cpu"),
        )[0]
        voxels = reader.conclude({LESIONS: found}, case, ())["candidates"].voxel[:, 1:]
        inside = (np.abs(voxels - np.argwhere(pixels[0, 0]).mean(0)) < 20).all(1)
        return np.unique(voxels[inside], axis=0)

    there, then = peaks(image), peaks(np.roll(image, moved, (2, 3)))
    assert len(there) > 5
    assert np.array_equal(there + moved, then)


def test_each_lesion_of_a_window_has_one_centre_wherever_it_lies_between_pixels(tmp_path: Path) -> None:
    case = film(tmp_path, PLACES)
    source = WindowSource(
        [case],
        heat_targets,
        Drawing(48, 2, 16, lesion_share=1.0),
        spacing=(2.0, 2.0, 1.0),
        augmentation=Augmentation(0.3, **AMOUNTS),
        seed=1,
    )
    for number in range(3):
        targets = source.batch(number)["targets"][:, :1]
        logits = torch.zeros_like(targets).requires_grad_()
        heat_loss(logits, targets, torch.ones_like(targets)).backward()
        assert logits.grad is not None
        raised = (logits.grad < 0).flatten(1).sum(1)  # only a centre asks for more
        inside = targets[..., 3:-3, 3:-3].flatten(1).amax(1) > 0.6
        assert (raised[inside] >= 1).all()
        assert int(raised.max()) <= 2, "of the four lesions no window holds more"
        assert int((targets >= 0.99).flatten(1).any(1).sum()) < len(targets), "few centres lie on a pixel"


def test_two_centres_count_by_half_and_none_by_one() -> None:
    targets, ones = torch.zeros(1, 1, 9, 9), torch.ones(1, 1, 9, 9)
    logits = torch.full_like(targets, -2.0)
    p, away = 1 / (1 + math.exp(2)), -math.log(1 - 1 / (1 + math.exp(2)))
    assert float(heat_loss(logits, targets, ones)) == pytest.approx(81 * p**2 * away, rel=1e-4)
    targets[0, 0, 2, 2], targets[0, 0, 6, 6] = 0.8, 0.7  # between pixels
    centres = -2 * (1 - p) ** 2 * math.log(p)
    assert float(heat_loss(logits, targets, ones)) == pytest.approx((centres + 79 * p**2 * away) / 2, rel=1e-4)
    targets[0, 0, 6, 6] = 0.4  # its centre lies beyond the window
    expected = centres / 2 + (79 + 0.6**4) * p**2 * away
    assert float(heat_loss(logits, targets, ones)) == pytest.approx(expected, rel=1e-4)


def test_a_heat_map_begins_at_a_hundredth_everywhere() -> None:
    """The bias alone is not enough: weights as drawn for layers within reached 0.2 in places, and so many at once."""
    torch.manual_seed(3)
    network = Learner(FLAT, PEAKS, FACTS).networks()["network"]
    heads = [stage.heads for stage in network.stages if isinstance(stage, Up)]  # type: ignore[union-attr]
    biases = [float(head.bias.detach()) for every in heads for head in every.values()]  # type: ignore[union-attr]
    assert biases == pytest.approx([math.log(0.01 / 0.99)])
    with torch.no_grad():
        found = torch.sigmoid(network(torch.randn(2, 1, 64, 64))[LESIONS][0])
    assert 0.005 < float(found.min()) <= float(found.max()) < 0.02
