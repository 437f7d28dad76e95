"""Stage `figure_segmentations`: test cases with the outlines of truth and masks, from the worst to the best."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hakken.core.console import progress
from hakken.plots.publish import publish
from hakken.plots.segmentations import Outline, SegmentationsInput, draw_segmentations
from hakken.plots.style import Origin
from hakken.imaging.prepared import PreparedCase, prepared_cases
from hakken.baselines.colour_threshold import intensities
from hakken.outcomes.masks import Mask
from hakken.networks.unet import Size
from hakken.report.figure import provenance
from hakken.report.masks import read_masks, read_measure
from hakken.report.seal import read_openings
from hakken.stages import stage
from hakken.study import Study

SHOWN = 12
PERCENTILES = (0.5, 99.5)


@stage
def figure_segmentations(
    *,
    study: Study,
    predictions: Path,
    prepared: list[Path],
    cases: Path,
    table: Path,
    openings: Path,
    code: str,
    output: list[Path],
) -> None:
    """Draw test cases at even steps of the rank by Dice of the largest size; ``cases`` is the table of their measures.

    A volume is shown in the slice that holds most of truth and mask.
    """
    cohort = {case.case_id: case for folder in prepared for case in prepared_cases(folder)}
    masks = read_masks(predictions, list(cohort.values()))
    largest, smallest = next(iter(masks)), list(masks)[-1]
    by_size = read_measure(cases)
    dice = {size: dict(zip(found.cases, found.values, strict=True)) for size, found in by_size.items()}
    chosen = spread_over(dice[largest], SHOWN)
    shown = tuple(_outline(study, cohort[name], masks, (largest, smallest), dice) for name in chosen)
    opened = len(read_openings(openings))
    given = SegmentationsInput(
        cases=shown,
        names=(f"found, {largest.words}", f"found, {smallest.words}" if smallest != largest else None),
        reading=f"{len(shown)} of {len(cohort)} test cases, at even steps of the rank by Dice at {largest.words}, "
        "worst first.",
        origin=Origin(study.title or study.name, study.scale, study.data, opened),
    )
    facts = provenance(study, figure="segmentations", inputs=[predictions, cases, table], code=code, openings=opened)
    publish(draw_segmentations(given), output, facts)
    progress(f"{len(shown)} of {len(cohort)} test cases")


def spread_over(values: dict[str, float], count: int) -> list[str]:
    """Return at most ``count`` names at even steps of the rank of their values, lowest first; undefined ones are last.

    >>> spread_over({"a": 0.9, "b": 0.1, "c": float("nan"), "d": 0.5, "e": 0.6}, 3)
    ['b', 'e', 'c']
    """
    ranked = sorted(values, key=lambda name: (np.isnan(values[name]), values[name], name))
    places = np.unique(np.linspace(0, len(ranked) - 1, min(count, len(ranked))).round().astype(int))
    return [ranked[place] for place in places]


def _outline(
    study: Study,
    case: PreparedCase,
    masks: dict[Size, dict[str, Mask]],
    sizes: tuple[Size, Size],
    dice: dict[Size, dict[str, float]],
) -> Outline:
    truth = case.labels() > 0
    found = [masks[size][case.case_id] for size in sizes]
    plane = int(np.argmax((truth.astype(int) + found[0]).sum((1, 2))))
    sx, sy, _ = case.geometry.spacing
    rows, columns = truth.shape[1:]
    words = [f"{dice[size][case.case_id]:.2f}" for size in sizes[: 1 + (sizes[0] != sizes[1])]]
    undefined = np.isnan(dice[sizes[0]][case.case_id])
    return Outline(
        picture=_picture(study, case, plane),
        width_mm=columns * sx,
        height_mm=rows * sy,
        truth=truth[plane],
        largest=found[0][plane],
        smallest=found[1][plane] if sizes[0] != sizes[1] else None,
        caption=f"{case.case_id[:24]}  no lesion, none found"
        if undefined
        else f"{case.case_id[:24]}  Dice {words_of(words)}",
    )


def words_of(values: Sequence[str]) -> str:
    """Return the Dice of the largest and, where there is one, of the smallest size."""
    return " (".join(values) + (")" if len(values) > 1 else "")


def _picture(study: Study, case: PreparedCase, plane: int) -> NDArray[np.float32]:
    """Return a slice in colours where the case has all three, else the reference channel; values 0 to 1."""
    image = intensities(case)[:, plane]
    inside = case.mask()[plane] > 0
    colours = [name for name in ("red", "green", "blue") if name in case.channels]
    chosen = colours if len(colours) == 3 else [study.reference]
    shown = np.stack([image[case.channels.index(name)] for name in chosen], -1)
    low, high = np.percentile(shown[inside], PERCENTILES) if inside.any() else (0.0, 1.0)
    scaled = np.clip((shown - low) / max(float(high - low), 1e-6), 0, 1)
    return np.asarray(scaled if len(chosen) == 3 else scaled[..., 0], np.float32)
