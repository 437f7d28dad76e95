"""How well a predicted mask covers the true one: overlap, volume, distance of the surfaces, lesion by lesion.

Notation: T and P are the sets of voxels of truth and prediction. Dice = 2 |T and P| / (|T| + |P|), Jaccard =
|T and P| / |T or P|. What an empty mask leaves undefined is None, with the reason beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.decimals import reaches
from hakken.core.errors import HakkenError
from hakken.evaluation.findings import Flags, Ints
from hakken.evaluation.surface import bounding_box, surface_distances

Connectivity = Literal[6, 18, 26]
Labels = NDArray[np.integer[Any]]
ORDERS: dict[int, int] = {6: 1, 18: 2, 26: 3}
"""Along how many axes two neighbouring voxels may differ."""

MISSED_CONNECTIVITY: Connectivity = 18
"""Neighbours of one piece share a face or an edge in false positive and false negative volumes, whatever the rule for
lesions: so the challenge autoPET takes them (Gatidis et al., Nature Machine Intelligence 2024;6:1396-1405)."""

MM3_PER_ML = 1000.0

MEASURES = (
    "dice",
    "jaccard",
    "volume_error_ml",
    "absolute_volume_error_ml",
    "relative_volume_error",
    "hd95_mm",
    "mean_surface_distance_mm",
    "false_positive_ml",
    "false_negative_ml",
    "lesion_sensitivity",
    "lesion_precision",
)
"""The measures of a case, in the order in which they are shown."""

BOTH_EMPTY = "both masks are empty"
NO_TRUTH = "the truth is empty"
NO_PREDICTION = "the prediction is empty"


@dataclass(frozen=True)
class LesionRule:
    """When a lesion is found.

    A lesion is a connected piece of a mask: its voxels share a face (``connectivity`` 6), an edge (18) or a corner
    (26). A true and a predicted lesion match when they share at least one voxel, or, with ``minimum_iou``, when
    their intersection over union is at least that. One lesion may match several.
    """

    connectivity: Connectivity = 26
    minimum_iou: float | None = None

    def __post_init__(self) -> None:
        if self.connectivity not in ORDERS:
            raise HakkenError(f"connectivity {self.connectivity}: use 6 (faces), 18 (edges) or 26 (corners)")
        if self.minimum_iou is not None and not 0 < self.minimum_iou <= 1:
            raise HakkenError(f"overlap {self.minimum_iou:g}: use an intersection over union above 0 and up to 1")

    @property
    def words(self) -> str:
        """The rule as a sentence."""
        enough = "one voxel in common" if self.minimum_iou is None else f"IoU of at least {self.minimum_iou:g}"
        return f"lesions are {self.connectivity}-connected pieces and match with {enough}"


@dataclass(frozen=True)
class LesionCounts:
    """Lesions of the truth and how many of them are found; those of the prediction and how many match a true one."""

    truth: int = 0
    found: int = 0
    predicted: int = 0
    matched: int = 0


@dataclass(frozen=True)
class Overlap:
    """One predicted mask against its truth; volumes in ml, distances in mm; None where ``reasons`` say why.

    The volume error is prediction less truth; the relative one is divided by the truth's volume. The false positive
    volume is that of the pieces of the prediction without a voxel of the truth, the false negative one that of the
    pieces of the truth without a voxel of the prediction (`MISSED_CONNECTIVITY`).
    """

    truth_ml: float
    prediction_ml: float
    dice: float | None
    jaccard: float | None
    relative_volume_error: float | None
    hd95_mm: float | None
    mean_surface_distance_mm: float | None
    false_positive_ml: float
    false_negative_ml: float
    lesions: LesionCounts
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def volume_error_ml(self) -> float:
        """Prediction less truth."""
        return self.prediction_ml - self.truth_ml

    @property
    def absolute_volume_error_ml(self) -> float:
        """The size of the volume error."""
        return abs(self.volume_error_ml)

    @property
    def lesion_sensitivity(self) -> float | None:
        """The share of the true lesions that are found."""
        return self.lesions.found / self.lesions.truth if self.lesions.truth else None

    @property
    def lesion_precision(self) -> float | None:
        """The share of the predicted lesions that match a true one."""
        return self.lesions.matched / self.lesions.predicted if self.lesions.predicted else None

    @property
    def both_empty(self) -> bool:
        """Whether there is nothing in either mask."""
        return not self.lesions.truth and not self.lesions.predicted

    def value(self, measure: str) -> float | None:
        """Return one of `MEASURES`."""
        found: float | None = getattr(self, measure)
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: volumes, every measure, the lesions counted, and the reasons."""
        return {
            "truth_ml": self.truth_ml,
            "prediction_ml": self.prediction_ml,
            **{measure: self.value(measure) for measure in MEASURES},
            "truth_lesions": self.lesions.truth,
            "found_lesions": self.lesions.found,
            "predicted_lesions": self.lesions.predicted,
            "matched_lesions": self.lesions.matched,
            "reasons": self.reasons,
        }


def measure_overlap(
    truth: Flags, prediction: Flags, spacing_zyx: Sequence[float], rule: LesionRule | None = None
) -> Overlap:
    """Compare two masks (z, y, x) on one grid with ``spacing_zyx`` in mm.

    Both empty: Dice, Jaccard, distances and the lesion shares are None. One empty: Dice and Jaccard are 0, distances
    None. Raises HakkenError when the shapes differ or are not three axes.
    """
    if truth.shape != prediction.shape or truth.ndim != 3:
        raise HakkenError(f"masks of shapes {truth.shape} and {prediction.shape}: one grid (z, y, x) is needed")
    truth, prediction = np.asarray(truth, bool), np.asarray(prediction, bool)
    voxel_ml = float(np.prod(np.asarray(spacing_zyx, float))) / MM3_PER_ML
    true, predicted = int(np.count_nonzero(truth)), int(np.count_nonzero(prediction))
    if not true or not predicted:
        return _of_empty(truth, prediction, voxel_ml, rule or LesionRule())
    box = bounding_box(truth, prediction)
    shared = int(np.count_nonzero(truth[box] & prediction[box]))
    distances = surface_distances(truth, prediction, spacing_zyx)
    return Overlap(
        truth_ml=true * voxel_ml,
        prediction_ml=predicted * voxel_ml,
        dice=2 * shared / (true + predicted),
        jaccard=shared / (true + predicted - shared),
        relative_volume_error=(predicted - true) / true,
        hd95_mm=distances.hd95,
        mean_surface_distance_mm=distances.mean,
        false_positive_ml=voxels_apart(prediction[box], truth[box]) * voxel_ml,
        false_negative_ml=voxels_apart(truth[box], prediction[box]) * voxel_ml,
        lesions=count_lesions(truth[box], prediction[box], rule or LesionRule()),
    )


def count_lesions(truth: Flags, prediction: Flags, rule: LesionRule) -> LesionCounts:
    """Count the lesions of two masks (z, y, x) and those that match under ``rule``."""
    structure = ndimage.generate_binary_structure(3, ORDERS[rule.connectivity])
    one, true = ndimage.label(truth, structure)
    other, predicted = ndimage.label(prediction, structure)
    first, second = _matches(one, other, rule.minimum_iou)
    return LesionCounts(int(true), len(np.unique(first)), int(predicted), len(np.unique(second)))


def voxels_apart(mask: Flags, other: Flags) -> int:
    """Return how many voxels the pieces of a mask (z, y, x) have that share no voxel with the other mask."""
    pieces, count = ndimage.label(mask, ndimage.generate_binary_structure(3, ORDERS[MISSED_CONNECTIVITY]))
    touched = np.zeros(count + 1, bool)
    touched[pieces[other]] = True
    touched[0] = True
    return int(np.bincount(pieces.ravel(), minlength=count + 1)[~touched].sum())


def _matches(one: Labels, other: Labels, minimum_iou: float | None) -> tuple[Ints, Ints]:
    """Return the labels of the true and of the predicted lesion of every pair that matches (pairs,)."""
    shared = (one > 0) & (other > 0)
    stride = int(other.max(initial=0)) + 1
    pairs, voxels = np.unique(one[shared].astype(np.int64) * stride + other[shared], return_counts=True)
    first, second = np.divmod(pairs, stride)
    if minimum_iou is not None:
        union = np.bincount(one.ravel())[first] + np.bincount(other.ravel())[second] - voxels
        enough = reaches(voxels / union, minimum_iou)
        first, second = first[enough], second[enough]
    return first, second


def _of_empty(truth: Flags, prediction: Flags, voxel_ml: float, rule: LesionRule) -> Overlap:
    """Return what can be said where one of the masks, or both, hold nothing."""
    lesions = count_lesions(truth, prediction, rule)
    reasons: dict[str, str] = {}
    if not lesions.truth:
        reasons |= {"relative_volume_error": NO_TRUTH, "lesion_sensitivity": NO_TRUTH}
    if not lesions.predicted:
        reasons |= {"lesion_precision": NO_PREDICTION}
    both = not lesions.truth and not lesions.predicted
    why = BOTH_EMPTY if both else NO_PREDICTION if lesions.truth else NO_TRUTH
    reasons |= {"hd95_mm": why, "mean_surface_distance_mm": why}
    if both:
        reasons |= {"dice": why, "jaccard": why}
    return Overlap(
        truth_ml=int(truth.sum()) * voxel_ml,
        prediction_ml=int(prediction.sum()) * voxel_ml,
        dice=None if both else 0.0,
        jaccard=None if both else 0.0,
        relative_volume_error=-1.0 if lesions.truth else None,
        hd95_mm=None,
        mean_surface_distance_mm=None,
        false_positive_ml=int(prediction.sum()) * voxel_ml,
        false_negative_ml=int(truth.sum()) * voxel_ml,
        lesions=lesions,
        reasons={measure: reasons[measure] for measure in MEASURES if measure in reasons},
    )
