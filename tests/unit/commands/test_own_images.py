"""Facts of small made-up cohorts, each worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from hakken.commands.own_cases import FoundCase, FoundCases, Truth
from hakken.commands.own_images import Facts, _modality, cases_of_table, examine
from hakken.core.errors import HakkenError
from hakken.core.volume import Volume
from hakken.imaging.files import write_volume

SHAPE = (20, 24, 28)
Array = NDArray[np.generic]


def ball(radius: float, *centres: tuple[int, int, int], numbered: bool = False) -> Array:
    """Balls in a mask, each with a number of its own where they are numbered."""
    grid = np.moveaxis(np.indices(SHAPE), 0, -1)
    mask = np.zeros(SHAPE, np.uint8)
    for number, centre in enumerate(centres, start=1):
        mask[((grid - np.array(centre)) ** 2).sum(-1) <= radius**2] = number if numbered else 1
    return mask


@pytest.fixture
def cohort(tmp_path: Path) -> Callable[..., Facts]:
    """Examine cases of one channel with these images and masks."""

    def make(
        images: list[Array],
        masks: list[Array] | None = None,
        *,
        name: str = "scan",
        spacings: list[tuple[float, float, float]] | None = None,
        truth: Truth | None = "lesion_mask",
    ) -> Facts:
        cases = []
        for number, image in enumerate(images):
            spacing = spacings[number] if spacings else (1.0, 1.0, 1.0)
            path = tmp_path / f"{number}.nii.gz"
            write_volume(path, Volume(np.asarray(image, np.float32), spacing))
            drawn = None
            if masks is not None:
                drawn = tmp_path / f"{number}_mask.nii.gz"
                write_volume(drawn, Volume(masks[number].astype(np.uint8), spacing))
            cases.append(FoundCase(f"c{number}", f"p{number}", {name: path}, drawn))
        return examine(FoundCases("made up", tuple(cases), truth))

    return make


def noise(mean: float = 100.0) -> Array:
    return np.random.default_rng(0).normal(mean, 5, SHAPE)


def test_the_voxel_is_the_median_of_the_cases(cohort: Callable[..., Facts]) -> None:
    facts = cohort([noise()] * 3, spacings=[(1.0, 1.0, 2.0), (0.9375, 0.9375, 1.5), (0.5, 0.5, 1.0)], truth=None)
    assert facts.spacing_mm == (0.938, 0.938, 1.5)
    assert (facts.cases, facts.examined, facts.flat, facts.aligned, facts.least_edge_voxel) == (3, 3, False, True, 20)


def test_one_value_is_binary_and_numbers_in_one_piece_are_instances(cohort: Callable[..., Facts]) -> None:
    places = ((6, 6, 6), (12, 16, 18))
    assert cohort([noise()] * 2, [ball(3, *places)] * 2).labels == "binary"
    numbered = cohort([noise()] * 2, [ball(3, *places, numbered=True)] * 2)
    assert (numbered.labels, numbered.labels_reason) == (
        "instances",
        "up to 2 values in a mask, 100% of them in one piece",
    )
    tissues = ball(3, *places, numbered=True) + 0
    tissues[2:4, 20:22, 2:4], tissues[16:18, 2:4, 22:24] = 1, 2
    assert cohort([noise()] * 2, [tissues] * 2).labels == "binary"


def test_lesions_are_measured_and_a_ball_fills_its_sphere(cohort: Callable[..., Facts]) -> None:
    facts = cohort([noise()], [ball(3, (8, 8, 8))])
    voxels = int(ball(3, (8, 8, 8)).sum())
    assert facts.diameters_mm == pytest.approx([(6 * voxels / np.pi) ** (1 / 3)])
    assert facts.filling > 0.95
    rod = np.zeros(SHAPE, np.uint8)
    rod[10, 10, 2:26] = 1
    assert cohort([noise()], [rod]).filling < 0.3


@pytest.mark.parametrize(
    ("name", "low", "colour", "flat", "expected"),
    [
        ("T1POST", 0, False, False, "mr"),
        ("FLAIR", 0, False, False, "mr"),
        ("PET", 0, False, False, "pet"),
        ("ct_venous", 0, False, False, "ct"),
        ("cxr", 0, False, True, "xray"),
        ("image", -1000, False, False, "ct"),
        ("image", 0, False, True, "xray"),
        ("image", 0, True, True, "endoscopy"),
        ("image", 0, False, False, "mr"),
        ("objects", 0, False, False, "mr"),
    ],
)
def test_the_modality_is_told_by_the_name_or_the_intensities(
    name: str, low: float, colour: bool, flat: bool, expected: str
) -> None:
    assert _modality(name, low, colour, flat)[0] == expected


def test_the_region_is_what_the_images_show(cohort: Callable[..., Facts]) -> None:
    inside = ball(8, (10, 12, 14)) > 0
    stripped = cohort([np.where(inside, noise(), 0)] * 2, truth=None)
    assert (stripped.mask, stripped.mask_reason) == ("nonzero", "2 of 2 images are 0 around what they show")
    assert cohort([noise()], truth=None).mask == "none"
    assert cohort([np.where(inside, noise(40), -1000)], name="CT", truth=None).mask == "body"


def test_a_region_that_leaves_a_lesion_out_is_not_proposed(cohort: Callable[..., Facts]) -> None:
    inside = ball(6, (10, 8, 8)) > 0
    facts = cohort([np.where(inside, noise(40), -1000)], [ball(2, (10, 20, 24))], name="CT")
    reason = "the mask `body` leaves the centre of 1 of 1 lesions out, so every voxel counts"
    assert (facts.mask, facts.mask_reason) == ("none", reason)


def test_colour_pictures_and_their_grey_rimmed_masks(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    cases = []
    for number in range(2):
        pixels = random.integers(0, 255, (40, 50, 3)).astype(np.uint8)
        image, mask = tmp_path / f"{number}.png", tmp_path / f"{number}_mask.png"
        sitk.WriteImage(sitk.GetImageFromArray(pixels, isVector=True), str(image))
        drawn = np.zeros((40, 50), np.uint8)
        drawn[9:21, 9:21], drawn[10:20, 10:20] = 60, 255
        sitk.WriteImage(sitk.GetImageFromArray(drawn), str(mask))
        cases.append(FoundCase(f"c{number}", f"p{number}", {"image": image}, mask))
    facts = examine(FoundCases("made up", tuple(cases), "lesion_mask"))
    assert (facts.flat, facts.channels["image"].modality, facts.channels["image"].colour) == (True, "endoscopy", True)
    assert (facts.labels, facts.mask_threshold, facts.unit) == ("binary", 128, "px")
    assert facts.diameters_mm == pytest.approx([2 * np.sqrt(100 / np.pi)] * 2), "of the disc of 10 by 10 pixels"


def test_numbers_of_lesions_in_pictures_stay_numbers(tmp_path: Path) -> None:
    cases = []
    for number in range(2):
        image, mask = tmp_path / f"{number}.png", tmp_path / f"{number}_mask.png"
        sitk.WriteImage(sitk.GetImageFromArray(np.arange(2000, dtype=np.uint16).reshape(40, 50)), str(image))
        drawn = np.zeros((40, 50), np.uint8)
        drawn[5:10, 5:10], drawn[10:20, 10:20] = 1, 2  # they touch
        sitk.WriteImage(sitk.GetImageFromArray(drawn), str(mask))
        cases.append(FoundCase(f"c{number}", f"p{number}", {"image": image}, mask))
    facts = examine(FoundCases("made up", tuple(cases), "lesion_mask"))
    assert (facts.labels, facts.mask_threshold) == ("instances", None)
    assert facts.diameters_mm == pytest.approx([2 * np.sqrt(25 / np.pi), 2 * np.sqrt(100 / np.pi)] * 2)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.nii.gz", tmp_path / "bad.nii.gz"
    write_volume(good, Volume(noise().astype(np.float32)))
    bad.write_bytes(b"no image")
    cases = tuple(FoundCase(path.stem, path.stem, {"image": path}) for path in (good, bad))
    facts = examine(FoundCases("made up", cases, None))
    assert facts.examined == 1
    assert [problem.startswith(str(bad)) for problem in facts.problems] == [True]
    with pytest.raises(HakkenError, match="no case can be read, so nothing can be proposed: "):
        examine(FoundCases("made up", cases[1:], None))


def test_the_columns_of_a_table_with_images_are_channels(tmp_path: Path) -> None:
    table = tmp_path / "cases.csv"
    table.write_text("case_id,patient,scanner,T1,label\na,p,A,x/T1.nii.gz,none\nb,q,B,y/T1.nii.gz,tumour\n")
    found = cases_of_table(table)
    assert (found.channels, found.truth) == (("T1",), "label")
    assert [case.truth for case in found.cases] == ["none", "tumour"]
    assert found.cases[0].channels["T1"] == tmp_path / "x/T1.nii.gz"
    table.write_text("case_id,patient,FLAIR,T1\na,p,,x/T1.nii.gz\nb,q,y/F.nii.gz,y/T1.nii.gz\n")
    found = cases_of_table(table)
    assert (found.channels, dict(found.lacking)) == (("T1", "FLAIR"), {"T1": 0, "FLAIR": 1})
    assert list(found.cases[0].channels) == ["T1"]
    table.write_text("case_id,patient,FLAIR,T1\na,p,,x/T1.nii.gz\nb,q,y/F.nii.gz,\n")
    with pytest.raises(
        HakkenError, match=r"no column of images \(FLAIR, T1\) is filled in every row; a study needs one"
    ):
        cases_of_table(table)
    table.write_text("case_id,patient,score\na,p,0.5\n")
    with pytest.raises(HakkenError, match="no column holds paths of images; there are case_id, patient, score"):
        cases_of_table(table)
