"""Figure `lesion_outlines`: lesions that were clicked on with the outlines of truth and mask, from the worst on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hakken.figures import Drawing, Files, Table, cells
from hakken.figures._pictures import images_of
from hakken.figures.segmentations import cut, spread_over
from hakken.imaging.prepared import PreparedCase
from hakken.inference.clicks import VolumeOfInterest, between, exact_clicks
from hakken.outcomes.masks import Runs, mask_of
from hakken.plots.segmentations import Outline, SegmentationsInput, draw_segmentations
from hakken.runs.measurement import table_of
from hakken.runs.predictions import part_of, read_predictions
from hakken.study import Study

INPUTS = {
    "predictions": "predictions/test/selected",
    "test": "measurements/test/selected",
    "cases": "cases/test",
}
CAPTION = "Lesions of the test cases with the outlines of the truth and of the selected model's masks, worst first."
COLUMNS = ("case_id", "lesion", "group", "dice")
SHOWN = 12
EDGE = 2.0
"""How many times as wide as the lesion is long what is shown is."""


def draw(study: Study, files: Files) -> Drawing:
    """Draw lesions of each group at even steps of the rank by Dice, in the slice that holds most of truth and mask."""
    table = table_of(files.one("test"), "lesion_masks", "lesions", COLUMNS)
    dice = table.numbers("dice", empty=True).tolist()
    named = list(zip(table.text("case_id"), table.cells["lesion"], table.cells["group"], strict=True))
    groups = sorted(set(table.cells["group"]))
    keys: list[str] = []
    for group in groups:
        own = {str(place): dice[place] for place, one in enumerate(named) if one[2] == group}
        keys += spread_over(own, max(1, SHOWN // len(groups)))
    chosen = [(*named[int(key)], dice[int(key)]) for key in keys]
    wanted = {case_id for case_id, *_ in chosen}
    cohort = {case.case_id: case for case in images_of(files.all("cases"))}
    part = part_of(study, "lesion_masks", tuple(cohort.values()))
    found = read_predictions(files.one("predictions"), "lesion_masks", part)
    images = {case_id: cohort[case_id] for case_id in wanted}
    given = SegmentationsInput(
        cases=tuple(
            _outline(study, images[case_id], int(lesion), found[case_id], f"{group or case_id}  Dice {value:.2f}")
            for case_id, lesion, group, value in chosen
        ),
        names=("found", None),
        reading=f"{len(chosen)} of {len(named)} lesions, of each kind at even steps of the rank by Dice, worst first.",
        origin=files.origin,
    )
    words = f"{len(chosen)} of {len(named)} lesions"
    return Drawing(draw_segmentations(given), Table(COLUMNS, cells(chosen)), words)


def _outline(study: Study, case: PreparedCase, lesion: int, found: Mapping[int, Runs], caption: str) -> Outline:
    """Cut the slice around one lesion that holds most of truth and mask."""
    volume = VolumeOfInterest.around(exact_clicks(case)[lesion], EDGE, 2, case.geometry)
    truth = np.asarray(case.labels(mmap=True)[volume.box] == lesion)
    mask = mask_of(found[lesion], case.geometry.shape_zyx)[volume.box]
    values = np.asarray(case.image()[case.channels.index(study.reference)][volume.box], np.float32)
    return cut(between(values).__getitem__, case.geometry.spacing, truth, mask, caption)
