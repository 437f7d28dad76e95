"""Figure `segmentations`: test cases with the outlines of truth and masks, from the worst to the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hakken.figures import Drawing, Files, Table, cells
from hakken.figures._pictures import images_of, named
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes.masks import Mask, names_of, truth_of
from hakken.plots.segmentations import Outline, SegmentationsInput, draw_segmentations
from hakken.runs.measurement import table_of
from hakken.runs.predictions import part_of, read_predictions
from hakken.study import Study

INPUTS = {
    "predictions": "predictions/test/selected",
    "test": "measurements/test/selected",
    "cases": "cases/test",
}
CAPTION = "Test cases with the outlines of the truth and of the selected model's masks, worst first."
COLUMNS = ("case_id", "mask", "dice")
SHOWN = 12
PERCENTILES = (0.5, 99.5)
COLOURS = ("red", "green", "blue")

Dice = Mapping[str, Mapping[str, float]]
"""The Dice of each mask, NaN where undefined: by name of the mask, then by case id."""


def draw(study: Study, files: Files) -> Drawing:
    """Draw test cases at even steps of the rank by Dice of the first mask, with the first mask and the last.

    A volume is shown in the slice that holds most of truth and mask.
    """
    cohort = {case.case_id: case for case in images_of(files.all("cases"))}
    part = part_of(study, "masks", tuple(cohort.values()))
    masks: dict[str, dict[str, Mask]] = read_predictions(files.one("predictions"), "masks", part)
    dice = dice_by_name(files, "masks", "mask")
    names = names_of(masks)
    first, last = names[0], names[-1]
    chosen = spread_over(dice[first], SHOWN)
    given = SegmentationsInput(
        cases=tuple(_outline(study, cohort[name], masks[name], dice) for name in chosen),
        names=(_found(first), _found(last) if last != first else None),
        reading=f"{len(chosen)} of {len(cohort)} test cases, at even steps of the rank by Dice"
        f"{f' at {first}' if first else ''}, worst first.",
        origin=files.origin,
    )
    rows = [(case, name, dice[name][case]) for case in chosen for name in dict.fromkeys((first, last))]
    words = f"{len(chosen)} of {len(cohort)} test cases"
    return Drawing(draw_segmentations(given), Table(COLUMNS, cells(rows)), words)


def spread_over(values: Mapping[str, float], count: int) -> list[str]:
    """Return at most ``count`` names at even steps of the rank of their values, lowest first; undefined ones are last.

    >>> spread_over({"a": 0.9, "b": 0.1, "c": float("nan"), "d": 0.5, "e": 0.6}, 3)
    ['b', 'e', 'c']
    """
    ranked = sorted(values, key=lambda name: (np.isnan(values[name]), values[name], name))
    places = np.unique(np.linspace(0, len(ranked) - 1, min(count, len(ranked))).round().astype(int))
    return [ranked[place] for place in places]


def dice_by_name(files: Files, outcome: str, column: str) -> dict[str, dict[str, float]]:
    """Return the Dice of the test cases, NaN where undefined: by the name in a ``column``, then by case id."""
    table = table_of(files.one("test"), outcome, "cases", ("case_id", column, "dice"))
    found: dict[str, dict[str, float]] = {}
    values = table.numbers("dice", empty=True).tolist()
    for case_id, name, value in zip(table.text("case_id"), table.cells[column], values, strict=True):
        found.setdefault(name, {})[case_id] = value
    return found


def _found(name: str) -> str:
    return f"found, {name}" if name else "found"


def _outline(study: Study, case: PreparedCase, masks: Mapping[str, Mask], dice: Dice) -> Outline:
    """Cut the slice of one case that holds most of truth and first mask."""
    names = list(masks)
    known = [dice[name][case.case_id] for name in dict.fromkeys((names[0], names[-1]))]
    words = "no lesion, none found" if np.isnan(known[0]) else f"Dice {_words(known)}"
    return cut(
        partial(picture_of, study, case),
        case.geometry.spacing,
        truth_of(case),
        masks[names[0]],
        f"{named(case)}  {words}",
        smallest=masks[names[-1]] if len(names) > 1 else None,
    )


def cut(
    picture: Callable[[int], NDArray[np.float32]],
    spacing: Sequence[float],
    truth: Mask,
    largest: Mask,
    caption: str,
    *,
    smallest: Mask | None = None,
) -> Outline:
    """Return the slice that holds most of ``truth`` and the ``largest`` mask (z, y, x), with their outlines.

    ``picture`` gives a slice by its number; ``spacing`` is x, y, z in mm.
    """
    plane = int(np.argmax((truth.astype(int) + largest).sum((1, 2))))
    rows, columns = truth.shape[1:]
    return Outline(
        picture=picture(plane),
        width_mm=columns * spacing[0],
        height_mm=rows * spacing[1],
        truth=truth[plane],
        largest=largest[plane],
        smallest=None if smallest is None else smallest[plane],
        caption=caption,
    )


def _words(values: Sequence[float]) -> str:
    """Return the Dice of the first mask and, where there is another, of the last.

    >>> _words([0.8]), _words([0.8, 0.7])
    ('0.80', '0.80 (0.70)')
    """
    return " (".join(f"{value:.2f}" for value in values) + (")" if len(values) > 1 else "")


def picture_of(study: Study, case: PreparedCase, plane: int) -> NDArray[np.float32]:
    """Return a slice in colours where the case has all three, else the reference channel; values 0 to 1."""
    coloured = all(name in case.channels and name not in case.missing for name in COLOURS)
    chosen = [case.channels.index(name) for name in (COLOURS if coloured else (study.reference,))]
    shown = np.moveaxis(case.intensities()[chosen, plane], 0, -1)
    inside = case.mask()[plane] > 0
    low, high = np.percentile(shown[inside], PERCENTILES) if inside.any() else (0.0, 1.0)
    scaled = np.clip((shown - low) / max(float(high - low), 1e-6), 0, 1)
    return np.asarray(scaled if coloured else scaled[..., 0], np.float32)
