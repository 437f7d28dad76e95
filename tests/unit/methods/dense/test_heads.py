"""Dense networks with classes of lesions, regions and phases: what is learnt where, and what is said of a case."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hakken.cohort.checks import check_table
from hakken.commands.predict import channel_images
from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.methods.dense import Inference, Parameters
from hakken.methods.dense.learn import LESIONS, REGIONS, Learner
from hakken.methods.dense.loss import apart_loss, class_loss, label_loss, near_region, over_levels
from hakken.methods.dense.organs import largest, organ_of, regions_of
from hakken.methods.dense.targets import class_targets, numbered, with_regions
from hakken.methods.unet.loss import soft_dice_loss
from hakken.networks.dense_resnet import DenseResNet, Head, widths_of
from hakken.patches.augment import Augmentation
from hakken.study.reading import load_study, parse_study
from hakken.training.method import Facts
from hakken.training.sources import Samples
from hakken.training.windows import Drawing, WindowSource, label_targets

from ...miniature import save_case

ROOT = Path(__file__).resolve().parents[4]
CLASSES = ("cyst", "hcc", "metastasis")
FACTS = Facts(channels=("a",), inputs=("a",), classes=CLASSES, regions=("trunk", "liver"))
BOTH = {"classes": True, "regions": True, "within": "liver", "levels": 2, "base_features": 4, "supervised": 1}
GRID = Geometry((20, 24, 28), (1.0, 1.0, 1.0))
EVERY = tuple(slice(0, extent) for extent in GRID.shape_zyx)


def learner(parameters: Mapping[str, Any] = BOTH, facts: Facts = FACTS, **inference: Any) -> Learner:
    return Learner(Parameters.model_validate(parameters), Inference(**inference), facts)


def lesion(number: int, name: str | None, size: float = 8.0, kind: Any = "included") -> Lesion:
    return Lesion(number, 0.0, 0.0, 0.0, 2.0, size, kind, name)


def a_case(folder: Path, lesions: tuple[Lesion, ...] = (), labels: Any = None, name: str = "one") -> PreparedCase:
    """A liver in the right half of a trunk, with a loose piece of it in a corner."""
    regions = np.zeros(GRID.shape_zyx, np.uint8)
    regions[2:18, 2:22, 2:26], regions[4:16, 4:20, 14:24], regions[2, 2, 2] = 1, 2, 2
    marked = np.zeros(GRID.shape_zyx, np.int16) if labels is None else labels
    image, known = np.zeros((1, *GRID.shape_zyx)), {"channels": ("a",), "geometry": GRID, "regions": regions}
    return save_case(folder, name, image, labels=marked, lesions=lesions, **known)


def test_the_defaults_build_the_network_and_the_loss_that_were() -> None:
    """A study without regions and classes keeps its results bit for bit, though its facts may name both."""
    chosen = Parameters(levels=3, base_features=4)
    for facts in (Facts(channels=("a",), inputs=("a",)), FACTS):
        torch.manual_seed(3)
        found = Learner(chosen, Inference(), facts).networks()["network"]
        torch.manual_seed(3)
        expected = DenseResNet(1, {LESIONS: Head(1)}, 3, widths=widths_of(4, 3, 2.0), joining=1, supervised=2)
        assert found.state_dict().keys() == expected.state_dict().keys()
        assert all(torch.equal(value, expected.state_dict()[name]) for name, value in found.state_dict().items())
        images, targets = torch.randn(2, 1, 8, 8, 8), torch.zeros(2, 2, 8, 8, 8)
        targets[0, 0, 2:5, 2:5, 2:5], targets[1, 1, :2] = 1, 1
        batch = Samples({"images": images, "targets": targets})
        loss = Learner(chosen, Inference(), facts).loss("network", {"network": found}, batch, torch.Generator())
        weight = 1 - targets[:, 1:]
        same = over_levels(expected(images)[LESIONS], targets[:, :1], weight, partial(label_loss, dice=0.5))
        assert torch.equal(loss.value, same)
        assert loss.log == {}


@pytest.mark.parametrize("name", ["brain_metastasis", "white_matter_lesion"])
def test_published_studies_draw_the_windows_that_were(name: str) -> None:
    study = load_study(ROOT / "config" / "studies" / f"{name}.yaml", "tiny")
    found = Learner(study.parameters, study.inference, Facts.of(study))
    assert found._targets() is label_targets
    drawing = found._drawing()
    assert (drawing.balanced, drawing.region, drawing.region_share) == (False, 0, 0.0)


def a_batch(facts: Facts = FACTS, edge: int = 16) -> Samples:
    """Two windows: a liver on one side with a cyst and a metastasis in it, and a trunk around."""
    count = len(facts.classes)
    targets = torch.zeros(2, count + 1 + 2, edge, edge, edge)
    targets[0, 0, 4:6, 4:6, 2:4], targets[1, 2, 8:11, 8:11, 2:4] = 1, 1
    targets[:, count + 2, 2:14, 2:14, :6] = 1  # the liver
    targets[:, count + 1] = 1 - targets[:, count + 2]
    images = torch.randn(2, 1, edge, edge, edge, generator=torch.Generator().manual_seed(1))
    return Samples({"images": images, "targets": targets})


class Fixed(torch.nn.Module):
    """A network that always says the same logits, whatever it sees."""

    def __init__(self, lesions: torch.Tensor, regions: torch.Tensor) -> None:
        super().__init__()
        self.lesions, self.regions = torch.nn.Parameter(lesions), torch.nn.Parameter(regions)

    def forward(self, images: torch.Tensor) -> dict[str, tuple[torch.Tensor, ...]]:
        coarse = torch.nn.functional.avg_pool3d(self.lesions, 2)
        return {LESIONS: (self.lesions, coarse), REGIONS: (self.regions,)}


def logits(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize("classes", [True, False])
def test_lesions_have_no_gradient_outside_of_the_dilated_region(classes: bool) -> None:
    """Exactly none, on every level of the head; within it, everywhere some."""
    chosen, batch = learner({**BOTH, "classes": classes, "within_voxel": 3}), a_batch()
    if not classes:
        batch = Samples({"images": batch["images"], "targets": batch["targets"][:, [0, 3, 4, 5]]})
    network = Fixed(logits(2, 3 if classes else 1, 16, 16, 16), logits(2, 2, 16, 16, 16))
    chosen.loss("network", {"network": network}, batch, torch.Generator()).value.backward()
    near = torch.zeros(2, 1, 16, 16, 16, dtype=torch.bool)
    near[:, :, 0:16, 0:16, :9] = True  # 2:14 and 3 voxels around, 0:6 and 3
    gradient, of_regions = network.lesions.grad, network.regions.grad
    assert gradient is not None
    assert of_regions is not None
    assert not gradient[~near.expand_as(gradient)].any()
    assert gradient[:, :1][near].all()
    assert of_regions.all(), "regions are learnt everywhere"


def test_the_region_is_dilated_along_each_axis() -> None:
    region = torch.zeros(1, 1, 9, 9, 9)
    region[0, 0, 4, 4, 4] = 1
    assert near_region(region, 3).sum() == 7**3
    assert near_region(region[:, :, 4], 2).sum() == 5**2
    assert torch.equal(near_region(region, 0), region)


def test_the_loss_of_classes_in_closed_form() -> None:
    """Four voxels: two of background, one of class 1, one of class 2; all logits 0, so each class has 1/4."""
    said, at = torch.zeros(1, 3, 4), torch.tensor([[[0.0, 0, 1, 2]]])
    ones = torch.ones(1, 1, 4)
    assert float(class_loss(said, at, ones, dice=0.0, rare=0.5)) == pytest.approx(math.log(4), rel=1e-6)
    said = torch.tensor([[[2.0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]])  # at the first voxel class 1 is far too likely
    lost = math.log(3 + math.e**2)
    shares = [1 / math.sqrt(2), 1 / math.sqrt(2), 1, 1]  # frequency to the power of -1/2
    expected = (shares[0] * lost + math.log(4) * sum(shares[1:])) / sum(shares)
    assert float(class_loss(said, at, ones, dice=0.0, rare=0.5)) == pytest.approx(expected, rel=1e-6)
    assert float(class_loss(said, at, ones, dice=0.0)) == pytest.approx((lost + 3 * math.log(4)) / 4, rel=1e-6)


def test_only_classes_of_the_batch_have_a_dice() -> None:
    said, ones = logits(2, 3, 6, 6, 6), torch.ones(2, 1, 6, 6, 6)
    at = torch.zeros(2, 1, 6, 6, 6)
    at[0, 0, :2] = 2
    p = torch.softmax(torch.cat([torch.zeros(2, 1, 6, 6, 6), said], 1), 1)
    assert float(class_loss(said, at, ones, dice=1.0)) == pytest.approx(
        float(soft_dice_loss(p[:, 2], (at[:, 0] == 2).float())), rel=1e-6
    )
    at[1, 0, 4:] = 3
    both = [float(soft_dice_loss(p[:, number], (at[:, 0] == number).float())) for number in (2, 3)]
    assert float(class_loss(said, at, ones, dice=1.0)) == pytest.approx(sum(both) / 2, rel=1e-6)


def test_the_loss_of_lesions_and_apart_of_their_classes_in_closed_form() -> None:
    said = torch.tensor([[[0.0, math.log(2), 0.0, 0.0], [0.0, math.log(6), 0.0, 0.0]]])
    at, ones = torch.tensor([[[0, 1, 2, 0]]]), torch.ones(1, 1, 4)
    found = (math.log(3) * 3 - math.log(2) + math.log(9 / 8)) / 4  # odds of any lesion: 2, 8, 2, 2
    named = (math.log(8 / 2) + math.log(2)) / 2  # of the two lesions' voxels alone
    assert float(apart_loss(said, at, ones, dice=0.0)) == pytest.approx(found + named, rel=1e-6)
    any_of = torch.tensor([[2.0, 8.0, 2.0, 2.0]]) / (1 + torch.tensor([[2.0, 8.0, 2.0, 2.0]]))
    alike = float(soft_dice_loss(any_of, (at[:, 0] > 0).float()))
    assert float(apart_loss(said, at, ones, dice=1.0)) == pytest.approx(alike, rel=1e-6)


def test_what_classes_weigh_changes_nothing_beyond_the_lesions() -> None:
    said, at = logits(1, 3, 6, 6).requires_grad_(), torch.zeros(1, 1, 6, 6)
    at[..., :2, :2], at[..., 4, 4] = 1, 3
    of_any = class_loss(said.logsumexp(1, keepdim=True), (at > 0).float(), torch.ones_like(at), dice=0.5, rare=1.0)
    whole = apart_loss(said, at, torch.ones_like(at), dice=0.5, rare=1.0)
    (gradient,) = torch.autograd.grad(whole - of_any, said)
    assert float(gradient[(at == 0).expand(1, 3, 6, 6)].abs().max()) == 0
    assert float(gradient.sum(1).abs().max()) < 1e-6, "it moves lesions from class to class, never in or out"


@pytest.mark.parametrize("loss", [class_loss, apart_loss])
@pytest.mark.parametrize("dice", [0.0, 0.5, 1.0])
def test_a_batch_without_a_lesion_has_a_finite_loss_and_nothing_in_place_of_a_dice(dice: float, loss: Any) -> None:
    said, at = logits(2, 3, 4, 4, 4).requires_grad_(), torch.zeros(2, 1, 4, 4, 4)
    lost = loss(said, at, torch.ones_like(at), dice=dice, rare=0.5)
    lost.backward()
    entropy = -torch.log_softmax(torch.cat([torch.zeros(2, 1, 4, 4, 4), said], 1), 1)[:, 0].mean()
    assert float(lost.detach()) == pytest.approx((1 - dice) * float(entropy.detach()), rel=1e-6)
    assert said.grad is not None
    assert torch.isfinite(said.grad).all()
    nowhere = loss(said, at, torch.zeros_like(at), dice=dice, rare=0.5)
    assert float(nowhere.detach()) == 0.0


def test_the_whole_loss_is_that_of_both_heads() -> None:
    batch = a_batch()
    network = Fixed(logits(2, 3, 16, 16, 16), logits(2, 2, 16, 16, 16))
    values = []
    for weight in (1.0, 3.0):
        told = learner({**BOTH, "lesion_weight": weight}).loss("n", {"network": network}, batch, torch.Generator())
        assert float(told.value.detach()) == pytest.approx(
            float(told.log[REGIONS]) + weight * float(told.log[LESIONS]), rel=1e-6
        )
        values.append(float(told.value.detach()))
    assert values[1] > values[0]


def test_targets_are_classes_by_name_and_never_the_numbers_of_lesions(tmp_path: Path) -> None:
    labels = np.zeros(GRID.shape_zyx, np.int16)
    labels[5, 5, 15], labels[6, 6, 16], labels[7, 7, 17] = 1, 2, 7
    lesions = (lesion(1, "metastasis"), lesion(2, "cyst", kind="excluded"), lesion(7, "cyst"))
    case = a_case(tmp_path, lesions, labels)
    found = with_regions(class_targets(CLASSES), 2)(case, EVERY)
    assert found.shape == (3 + 1 + 2, *GRID.shape_zyx)
    places = {tuple(map(int, place)) for place in np.argwhere(found[:4])}
    assert places == {(2, 5, 5, 15), (3, 6, 6, 16), (0, 7, 7, 17)}
    assert np.array_equal(found[4] + 2 * found[5], case.regions())
    assert np.array_equal(numbered(torch.from_numpy(found[None, 4:]))[0, 0].numpy(), case.regions())
    unnamed = a_case(tmp_path / "other", (lesion(1, None),), labels)
    with pytest.raises(HakkenError, match=r"case one, lesion 1: has the class ``; cohort.classes names cyst, hcc"):
        class_targets(CLASSES)(unnamed, EVERY)


def test_windows_hold_each_class_equally_often_where_asked(tmp_path: Path) -> None:
    lesions = tuple(lesion(number, "hcc" if number < 9 else "cyst", size=float(number)) for number in range(1, 10))
    labels = np.zeros(GRID.shape_zyx, np.int16)
    labels[5, 5, 10:19] = range(1, 10)
    case = a_case(tmp_path, lesions, labels)

    def chances(balanced: bool) -> Any:
        drawing = Drawing(8, 3, 2, lesion_share=1.0, lesion_power=1.0, balanced=balanced)
        return WindowSource(
            [case], label_targets, drawing, spacing=(1, 1, 1), augmentation=Augmentation(0), seed=1
        )._chance

    assert chances(False).tolist() == pytest.approx([number / 45 for number in range(1, 10)])
    assert chances(True).tolist() == pytest.approx([number / 36 / 2 for number in range(1, 9)] + [0.5])


def test_windows_without_a_lesion_lie_on_the_region_where_asked(tmp_path: Path) -> None:
    labels = np.zeros(GRID.shape_zyx, np.int16)
    labels[5, 5, 5] = 1
    case = a_case(tmp_path, (lesion(1, "hcc"),), labels)
    drawing = Drawing(8, 3, 2, lesion_share=0.1, region=2, region_share=0.6)
    source = WindowSource([case], label_targets, drawing, spacing=(1, 1, 1), augmentation=Augmentation(0), seed=1)
    middles = [source.place(number)[1] for number in range(400) if not source._holds_lesion(number)]
    inside = np.mean([case.regions()[place] == 2 for place in middles])
    assert 0.6 < inside < 0.75  # and those that fall on it by chance: 14 % of the others


MADE = {  # each with its box, its probabilities by class and the voxel of its highest
    "wide": ((slice(6, 9), slice(6, 9), slice(16, 19)), (0.1, 0.3, 0.2)),
    "peak": ((slice(12, 14), slice(14, 16), slice(18, 20)), (0.2, 0.05, 0.1)),
}


def made_up(order: tuple[int, ...] = (0, 1, 2)) -> dict[str, Any]:
    """Return probabilities made by hand: two lesions in the liver, one outside of it, and a liver in two pieces."""
    lesions = np.zeros((3, *GRID.shape_zyx), np.float32)
    for box, values in MADE.values():
        for number, value in enumerate(values):
            lesions[(number, *box)] = value
    lesions[2, 12, 14, 18] = 0.6  # the highest voxel says metastasis, its branch as a whole says cyst
    lesions[0, 18, 22, 2] = 0.9  # outside of every region
    regions = np.full((2, *GRID.shape_zyx), 0.1, np.float32)
    regions[1, 4:16, 4:20, 14:24], regions[1, 17, 21, 1:3] = 0.8, 0.8
    return {LESIONS: lesions[list(order)], REGIONS: regions}


def test_a_map_made_by_hand_gives_known_places_scores_and_classes(tmp_path: Path) -> None:
    chosen = learner(within="liver", threshold=0.1, mask_threshold=0.5)
    found = chosen.conclude(made_up(), a_case(tmp_path), ())
    marks = found["candidates"]
    assert marks.score.tolist() == pytest.approx([0.85, 0.6])  # 1 - p(none): 0.2 + 0.05 + 0.6
    assert marks.voxel.tolist() == [[12.0, 14.0, 18.0], [7.0, 7.0, 17.0]]
    assert marks.classes == ("cyst", "hcc")
    assert marks.size.tolist() == [8.0, 27.0]
    assert found["case_scores"] == pytest.approx(0.85)
    assert found["masks"]["dense"].sum() == 27 + 1
    assert set(np.unique(found["regions"])) == {0, 2}
    assert not found["regions"][17].any(), "the largest component alone is the liver"


def test_the_class_is_that_of_the_largest_sum_and_not_of_the_highest_voxel(tmp_path: Path) -> None:
    """By its sums 8 x 0.2 = 1.6 cyst, 0.4 hcc and 7 x 0.1 + 0.6 = 1.3 metastasis."""
    answer = made_up()
    assert answer[LESIONS][:, 12, 14, 18].argmax() == 2
    assert learner(within="liver").conclude(answer, a_case(tmp_path), ())["candidates"].classes[0] == "cyst"


@pytest.mark.parametrize("order", [(2, 0, 1), (1, 0, 2)])
def test_classes_in_another_order_change_the_names_order_and_nothing_else(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    case = a_case(tmp_path)
    facts = Facts(channels=("a",), inputs=("a",), classes=tuple(CLASSES[one] for one in order), regions=FACTS.regions)
    first = learner(within="liver").conclude(made_up(), case, ())
    second = learner(facts=facts, within="liver").conclude(made_up(order), case, ())
    for name in ("xyz", "score", "size", "voxel"):
        assert np.allclose(getattr(first["candidates"], name), getattr(second["candidates"], name), atol=1e-6)
    assert first["candidates"].classes == second["candidates"].classes
    assert np.array_equal(first["masks"]["dense"], second["masks"]["dense"])


def test_candidates_lie_in_the_region_that_is_found_or_around_it(tmp_path: Path) -> None:
    answer, case = made_up(), a_case(tmp_path)
    answer[LESIONS][0, 10, 10, 25] = 0.9  # 2 mm from the liver
    places = [learner(within="liver", within_mm=mm).conclude(answer, case, ())["candidates"] for mm in (0.0, 1.9, 2.0)]
    assert [len(one) for one in places] == [2, 2, 3]
    assert places[2].classes == ("cyst", "cyst", "hcc")
    without = learner().conclude(answer, case, ())["candidates"]
    assert len(without) == 4


def test_the_true_region_is_an_oracle_that_says_so(tmp_path: Path) -> None:
    answer, case = made_up(), a_case(tmp_path)
    answer[REGIONS][:] = 0  # the network finds no liver at all
    assert len(learner(within="liver").conclude(answer, case, ())["candidates"]) == 0
    known = learner(within="liver", oracle=True)
    assert len(known.conclude(answer, case, ())["candidates"]) == 2
    alone = learner({**BOTH, "regions": False}, within="liver", oracle=True)
    assert len(alone.conclude({LESIONS: answer[LESIONS]}, case, ())["candidates"]) == 2
    unknown = replace(case, has_regions=False)
    with pytest.raises(HakkenError, match="case one: its true regions are not known, and the model was made to look"):
        known.conclude(answer, unknown, ())
    assert Inference(within="liver", oracle=True, within_mm=5).said == (
        "an oracle: candidates of the models lie within the true region `liver`, up to 5 mm around it, which no new "
        "case has (`inference.oracle`)"
    )
    assert Inference(within="liver").said == ""


def test_without_a_map_of_lesions_there_are_no_candidates_and_no_classes(tmp_path: Path) -> None:
    answer = made_up()
    answer[LESIONS][:] = 0
    marks = learner(within="liver").conclude(answer, a_case(tmp_path), ())["candidates"]
    assert (len(marks), marks.classes, marks.highest) == (0, (), 0.0)


def test_answers_have_one_shape_whatever_is_searched(tmp_path: Path) -> None:
    case = a_case(tmp_path)
    for further in ({"levels": 3}, {"phases": True}, {"base_features": 8, "norm": "none"}):
        chosen = learner({**BOTH, **further}, window_voxel=16)
        model = chosen.export(chosen.networks()).eval()
        answer = chosen.answer(model, case)
        assert {name: one.shape for name, one in answer.items()} == {
            LESIONS: (3, *GRID.shape_zyx),
            REGIONS: (2, *GRID.shape_zyx),
        }
        assert float(answer[LESIONS].sum(0).max()) <= 1.0


def test_a_case_without_a_voxel_in_its_mask_has_an_empty_answer(tmp_path: Path) -> None:
    case = a_case(tmp_path)
    np.save(case.path("mask.npy"), np.zeros(GRID.shape_zyx, np.uint8))
    chosen = learner(window_voxel=16)
    answer = chosen.answer(chosen.export(chosen.networks()).eval(), case)
    assert {name: len(one) for name, one in answer.items()} == {LESIONS: 3, REGIONS: 2}


def test_the_largest_component_and_what_lies_around_it() -> None:
    mask = np.zeros((3, 5, 9), bool)
    mask[1, 1, 1], mask[1, 3, 5:8] = True, True
    assert largest(mask).sum() == 3
    assert not largest(np.zeros((2, 2, 2), bool)).any()
    around = organ_of(mask, Geometry((3, 5, 9), (1.0, 2.0, 3.0)), 2.0)
    assert around.sum() == (4 + 2) + (6 + 6)  # up to two voxels along x where there are any, one along y, none along z
    assert not organ_of(np.zeros((2, 2, 2), bool), Geometry((2, 2, 2)), 5.0).any()


def test_the_most_probable_region_is_taken_and_the_background_where_none_is() -> None:
    p = np.array([[0.4, 0.2, 0.3], [0.3, 0.5, 0.3]], np.float32).reshape(2, 1, 1, 3)
    assert regions_of(p).ravel().tolist() == [1, 2, 0]


SHARE = {"type": "real", "low": 0, "high": 1}
STUDY: dict[str, Any] = {
    "name": "livers",
    "seed": 1,
    "method": "dense",
    "cohort": {"table": "cases.csv", "regions": ["trunk", "liver"], "classes": ["cyst", "hcc"]},
    "channels": {"A": {"modality": "mr"}, "B": {"modality": "mr"}},
    "parameters": {"classes": True, "regions": True, "within": "liver"},
    "inference": {"within": "liver"},
    "search": {"space": {}},
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cohort": {"table": "c.csv"}}, "parameters.classes: the study has none; name them in `cohort.classes`"),
        ({"parameters": {}}, "inference.within: the network finds no regions; set `parameters.regions`"),
        (
            {"inference": {"within": "livr"}},
            "inference.within `livr` is no region of `cohort.regions`; did you mean `liver`?; there are trunk, liver",
        ),
        ({"inference": {"oracle": True}}, "inference.oracle: has an effect only with `inference.within`"),
        ({"inference": {"within_mm": 5}}, "inference.within_mm: has an effect only with `inference.within`"),
        (
            {"parameters": {"regions": True, "within_voxel": 5}},
            "parameters.within_voxel: has an effect only with `parameters.within`",
        ),
        ({"parameters": {"regions": True, "region_share": 0.5}}, "has an effect only with `parameters.within`"),
        (
            {"parameters": {}, "inference": {}, "search": {"space": {"region_share": SHARE}}},
            "search.space.region_share: has an effect only with `parameters.within`; name the region",
        ),
        (
            {"parameters": {"within": "liver", "region_share": 0.5, "lesion_share": 1}, "inference": {}},
            "parameters.region_share 0.5: is a share of the windows without a lesion, and with parameters.lesion_share "
            "1 there are none",
        ),
        (
            {"search": {"space": {"regions": {"type": "categorical", "choices": [True, False]}}}},
            "search.space.regions: networks of other outputs",
        ),
        (
            {"outcomes": {"candidates": {}, "regions": {}}, "parameters": {}, "inference": {}},
            "outcomes.regions: the network",
        ),
        ({"parameters": {"classes": True, "target": "heat"}, "inference": {}}, "parameters.classes"),
        (
            {
                "channels": {"A": {"modality": "mr"}, "B": {"modality": "mr", "optional": True}},
                "parameters": {"phases": True},
                "inference": {},
            },
            "parameters.phases: a phase must not be missing, but B is `optional`",
        ),
    ],
)
def test_what_does_not_fit_is_an_error_of_the_study(changes: dict[str, Any], message: str) -> None:
    parse_study(STUDY)
    with pytest.raises(HakkenError) as error:
        parse_study(STUDY | changes)
    assert message in str(error.value)


def test_a_case_that_lacks_a_phase_stops_and_is_not_filled_with_zeros(tmp_path: Path) -> None:
    study = parse_study(STUDY | {"parameters": {"phases": True}, "inference": {}, "cohort": {"table": "cases.csv"}})
    rows = ["case_id,patient,A,B,lesion_mask", "c0,p0,a.nii,b.nii,none", "c1,p1,a.nii,,none"]
    (tmp_path / "cases.csv").write_text("\n".join(rows) + "\n")
    problems = [str(one) for one in check_table(tmp_path / "cases.csv", study, files_exist=False)]
    assert problems[0].startswith("row 3, column B: the cell is empty; fill it in, or remove the row")
    with pytest.raises(HakkenError, match="channel `B` is missing; add --image B=PATH"):
        channel_images([f"A={tmp_path / 'cases.csv'}"], study)
