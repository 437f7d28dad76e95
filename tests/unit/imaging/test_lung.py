"""The lungs on CT and MR: nothing that lies in them or at the pleura is cut, and little else is in the mask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.cohort.phantom import phantom_cases
from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry, Volume
from hakken.imaging.doubts import lung_volume_doubt
from hakken.imaging.files import read_volume
from hakken.imaging.lung import find_lung, lung_doubt
from hakken.imaging.masks import find_mask, without_rim
from hakken.imaging.preparation import prepare_case
from hakken.phantoms.lung_nodule.draw import draw_case
from hakken.study import Study
from hakken.study.reading import load_study

PHANTOM: dict[str, Any] = {
    "generator": "lung_nodule",
    "cases": {"train": 1, "validation": 1, "test": 12},
    "shape_mm": [200, 150, 120],
    "spacing_mm": 2.5,
}
ROOT = Path(__file__).resolve().parents[3]
LOBES = range(10, 15)
"""Labels of the five lobes among the 117 classes of TotalSegmentator."""


def dice(one: Any, other: Any) -> float:
    return float(2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)))


@pytest.mark.parametrize(("modality", "name"), [("ct", "lung_nodule_ct"), ("mr", "chest_mr_nodule")])
def test_no_nodule_of_a_phantom_is_cut(modality: Any, name: str) -> None:
    """Not by the rim that the study leaves out either; and the mask is doubted for its size alone."""
    rim = load_study(ROOT / "config" / "studies" / f"{name}.yaml", "tiny").preparation.rim_mm
    content = {"name": "a", "seed": 4, "cohort": {"phantom": PHANTOM}, "channels": {"A": {"modality": modality}}}
    study = Study.model_validate(content | {"reference": "A"})
    for case in [one for one in phantom_cases(study) if one.lesions > 1][:2]:
        drawn = draw_case(case, study)
        found = find_mask(drawn.image, "lung", modality)
        mask = without_rim(found, drawn.image.spacing, rim)
        assert mask[drawn.lesions.array > 0].all()
        assert 0.1 < mask.mean() < 0.45, "the chest's wall and the heart are not lung"
    doubt = lung_doubt(found, drawn.image, modality)
    assert doubt.endswith("both lungs 1,500 to 9,000 ml: it reaches the border of the image, so the chest is partial")


def test_real_lobes_lie_in_the_mask_and_its_air_is_theirs(shared_data: Path) -> None:
    folder = shared_data / "totalsegmentator_tests"
    for image, segmentation, agreement in (
        ("example_ct.nii.gz", "example_seg_fast_force_split.nii.gz", 0.95),
        ("example_ct_sm.nii.gz", "example_seg.nii.gz", 0.96),
    ):
        if not (folder / image).is_file():
            pytest.skip(f"{folder / image}: not there")
        volume, labels = read_volume(folder / image), read_volume(folder / segmentation).array
        lobes = np.isin(labels, LOBES)
        mask = find_lung(volume, "ct")
        assert mask[lobes].mean() > 0.998
        assert dice(mask & (volume.array < -400), lobes) > agreement, "bowels full of gas are left out"
        assert lung_doubt(mask, volume, "ct").endswith("it reaches the border of the image, so the chest is partial")


def test_an_image_without_lungs_is_named() -> None:
    z, y, x = np.indices((30, 40, 40))
    body = (y - 20) ** 2 + (x - 20) ** 2 < 200
    with pytest.raises(HakkenError, match="the lung mask is empty; look at the image"):
        find_mask(Volume(np.where(body, 40.0, -1000.0), (4.0, 4.0, 4.0)), "lung", "ct")
    with pytest.raises(HakkenError, match="the lung mask is empty; look at the image"):
        find_mask(Volume(np.where(body, 300.0 + z, 4.0), (4.0, 4.0, 4.0)), "lung", "mr")


def test_lungs_of_1500_to_9000_ml_are_believed() -> None:
    grid = Geometry((60, 60, 60), (5.0, 5.0, 5.0))
    mask = np.zeros(grid.shape_zyx, bool)
    mask[2:24, 2:24, 2:24] = True
    assert lung_volume_doubt(mask, grid) == "the lung mask holds 1,331 ml, both lungs 1,500 to 9,000 ml"
    mask[2:50, 2:40, 2:40] = True
    assert lung_volume_doubt(mask, grid) == ""
    mask[:] = True
    much = "the lung mask holds 27,000 ml, both lungs 1,500 to 9,000 ml"
    assert lung_volume_doubt(mask, grid) == f"{much}: it reaches the border of the image, so the chest is partial"
    assert lung_volume_doubt(mask, grid, may_be_partial=False) == much


def chest(*lungs: tuple[int, int, int]) -> Volume:
    """Return a trunk of 400 x 240 x 250 mm in HU with boxes of lung from x to x mm, so many mm high and 160 mm deep."""
    hu = np.full((50, 60, 100), -1000.0, np.float32)  # voxels of 5 mm
    hu[:, 6:54, 10:90] = 40.0
    for first, last, high in lungs:
        hu[5 : 5 + high // 5, 14:46, 10 + first // 5 : 10 + last // 5] = -800.0
    return Volume(hu, (5.0, 5.0, 5.0))


@pytest.mark.parametrize(
    ("lungs", "doubt"),
    [
        ([(50, 170, 180), (230, 350, 180)], ""),
        ([(50, 170, 180), (230, 350, 80)], ""),  # one lung collapsed in part
        ([(30, 190, 200)], "100% of it lies on one side of the body, lungs lie on both"),
        (
            [(60, 340, 160)],
            "it is one piece across the middle of the body, 100% as large there as at its largest, and lungs are "
            "parted by heart and spine",
        ),
    ],
)
def test_lungs_lie_on_both_sides_and_apart(lungs: list[tuple[int, int, int]], doubt: str) -> None:
    upright = chest(*lungs)
    lying = Volume(upright.array.transpose(2, 1, 0), (5.0, 5.0, 5.0), direction=(0, 0, 1, 0, 1, 0, 1, 0, 0))
    for image in (upright, lying):
        mask = find_lung(image, "ct")
        assert 1_500 < np.count_nonzero(mask) / 8 < 9_000
        assert lung_doubt(mask, image, "ct") == (f"the lung mask is not as lungs are; {doubt}" if doubt else "")


def test_a_mask_beside_the_body_or_of_nearly_all_of_it_is_doubted() -> None:
    image = chest((30, 170, 200), (230, 370, 200))
    mask = find_lung(image, "ct")
    beside = mask.copy()
    beside[:, :5] = True
    assert lung_doubt(beside, image, "ct").endswith("of it lies outside of the body")
    whole = image.array > -900
    whole[:, :, 48:52] = False
    assert lung_doubt(whole, image, "ct") == (
        "the lung mask holds 22,800 ml, both lungs 1,500 to 9,000 ml; it takes up 95% of the body in its slices, lungs "
        "at most 60%"
    )


@pytest.mark.parametrize("mask_channel", [None, "B"])
def test_a_doubtful_lung_mask_is_named_in_what_is_prepared(
    make_study: Callable[..., Study], mask_channel: str | None
) -> None:
    """Whichever channel the lungs are looked for on: here the reference shows none."""
    image = chest((30, 190, 200))
    slope = Volume.on(image.geometry, np.indices(image.array.shape)[0].astype(np.float32))
    channels = {"A": image} if mask_channel is None else {"A": slope, "B": image}
    study = make_study(
        channels={name: {"modality": "ct" if shown is image else "mr"} for name, shown in channels.items()},
        preparation={"spacing_mm": [5, 5, 5], "mask": "lung", "mask_channel": mask_channel},
    )
    prepared = prepare_case(channels, {}, None, study, case_id="a")
    assert prepared.case.doubt.endswith("100% of it lies on one side of the body, lungs lie on both")


def test_what_is_dark_in_most_of_the_body_is_no_lung() -> None:
    body = np.zeros((40, 60, 80), np.float32)
    body[:, 5:55, 5:75] = 1000.0
    body[:, 9:51, 9:71] = 100.0
    with pytest.raises(HakkenError) as error:
        find_mask(Volume(body, (5.0, 5.0, 5.0)), "lung", "mr")
    assert str(error.value) == (
        "the lungs were not found: what is dark inside the body takes up 80% of it, lungs at most 60%, so the image "
        "shows no chest; look at the image, or give a mask of your own in a column `mask` (`preparation.mask: given`)"
    )


NOT_A_CHEST = (
    ("totalsegmentator_tests/example_mr_sm.nii.gz", "mr", "shows no chest"),
    ("open_ms_longitudinal/study1_FLAIR.nii.gz", "mr", "shows no chest"),
    ("open_ms_longitudinal/study2_FLAIR.nii.gz", "mr", "shows no chest"),
    ("open_ms_longitudinal/study1_T1W.nii.gz", "mr", "the lung mask holds 75 ml"),
    ("open_ms/patient07/T1.nii.gz", "mr", "one piece across the middle"),
    ("open_ms/patient19/T1POST.nii.gz", "mr", "one piece across the middle"),
    ("open_ms/patient26/FLAIR.nii.gz", "mr", "the lung mask is empty"),
    ("totalsegmentator_tests/example_ct_dicom", "ct", "98% of it lies on one side of the body"),
    ("sts_fdgpet/STS_005/CT_image.nii.gz", "ct", "100% of it lies on one side of the body"),
)
"""Real images of abdomens, heads and thighs: what is said of each."""


@pytest.mark.parametrize(("name", "modality", "said"), NOT_A_CHEST)
def test_no_mask_of_a_real_image_without_a_chest_goes_unnamed(
    shared_data: Path, name: str, modality: Any, said: str
) -> None:
    if not (shared_data / name).exists():
        pytest.skip(f"{shared_data / name}: not there")
    volume = read_volume(shared_data / name)
    try:
        verdict = lung_doubt(find_mask(volume, "lung", modality), volume, modality)
    except HakkenError as error:
        verdict = str(error)
    assert said in verdict
