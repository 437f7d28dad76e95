"""Figure `regions`: test cases with the outlines of each region, true and found, from the worst to the best."""

from __future__ import annotations

import math
from functools import partial

from hakken.figures import Drawing, Files, Table, cells
from hakken.figures._pictures import images_of, named
from hakken.figures.segmentations import cut, dice_by_name, picture_of, spread_over
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes.regions import Labels, true_region
from hakken.plots.segmentations import Outline, SegmentationsInput, draw_segmentations
from hakken.runs.predictions import part_of, read_predictions
from hakken.study import Study

INPUTS = {
    "predictions": "predictions/test/selected",
    "test": "measurements/test/selected",
    "cases": "cases/test",
}
CAPTION = "Test cases with the outlines of the regions, true and as the selected model finds them, worst first."
COLUMNS = ("case_id", "region", "dice")
SHOWN = 12


def draw(study: Study, files: Files) -> Drawing:
    """Draw test cases at even steps of the rank by Dice, region by region.

    A volume is shown in the slice that holds most of truth and region.
    """
    cohort = {case.case_id: case for case in images_of(files.all("cases"))}
    part = part_of(study, "regions", tuple(cohort.values()))
    found: dict[str, Labels] = read_predictions(files.one("predictions"), "regions", part)
    dice, regions = dice_by_name(files, "regions", "region"), study.cohort.regions
    each = max(1, SHOWN // len(regions))
    chosen = [(name, case) for name in regions for case in spread_over(dice[name], each)]
    given = SegmentationsInput(
        cases=tuple(_outline(study, cohort[case], found[case], name, dice[name][case]) for name, case in chosen),
        names=("found", None),
        reading=f"{min(each, len(cohort))} of {len(cohort)} test cases for each region, at even steps of the rank by "
        "Dice, worst first.",
        origin=files.origin,
    )
    rows = [(case, name, dice[name][case]) for name, case in chosen]
    words = f"{min(each, len(cohort))} of {len(cohort)} test cases for each region"
    return Drawing(draw_segmentations(given), Table(COLUMNS, cells(rows)), words)


def _outline(study: Study, case: PreparedCase, labels: Labels, region: str, dice: float) -> Outline:
    """Cut the slice of one case that holds most of a region, true and found."""
    number = study.cohort.regions.index(region) + 1
    truth, found = true_region(case, number), labels == number
    said = "neither there nor found" if math.isnan(dice) else f"{dice:.2f}"
    picture = partial(picture_of, study, case)
    return cut(picture, case.geometry.spacing, truth, found, f"{named(case, 12)}  {region} {said}")
