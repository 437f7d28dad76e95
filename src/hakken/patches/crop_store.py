"""The crops of all lesions of some cases in one file, for trainings that go through them many times.

An ``.npz`` with ``crops`` float16 (m, c, q, q), the lesion of each crop ``lesion`` (m,), and of each of the n lesions
its case, patient, class number, fold, and the mean intensity of each channel within it, ``means`` (n, c).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hakken.errors import HakkenError
from hakken.files import replacing
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.patches.lesion_crops import lesion_crops

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CropStore:
    """Crops and lesions as the module says; ``case`` and ``patient`` are names, ``truth`` numbers of classes."""

    crops: NDArray[np.float16]
    lesion: Ints
    case: NDArray[np.str_]
    patient: NDArray[np.str_]
    truth: Ints
    fold: Ints
    means: NDArray[np.float64]

    @classmethod
    def cut(
        cls,
        lesions: Sequence[tuple[PreparedCase, Lesion]],
        classes: Sequence[str],
        folds: Mapping[str, int],
        edge: int,
    ) -> Self:
        """Cut crops of ``edge`` voxels of ``lesions`` with their cases; ``folds`` are those of the patients."""
        cut = [lesion_crops(case, lesion, edge) for case, lesion in lesions]
        number = {name: place for place, name in enumerate(classes)}
        patients = [case.patient or case.case_id for case, _ in lesions]
        return cls(
            crops=np.concatenate(cut),
            lesion=np.repeat(np.arange(len(cut)), [len(crops) for crops in cut]),
            case=np.array([case.case_id for case, _ in lesions]),
            patient=np.array(patients),
            truth=np.array([number[lesion.lesion_class or ""] for _, lesion in lesions], np.int64),
            fold=np.array([folds[patient] for patient in patients], np.int64),
            means=np.array([_means(case, lesion) for case, lesion in lesions]),
        )

    def save(self, path: Path) -> None:
        """Write the file in one step."""
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **{part.name: getattr(self, part.name) for part in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file; raises HakkenError where it is missing or no such file."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                return cls(**{part.name: stored[part.name] for part in fields(cls)})
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise HakkenError(f"{path}: no crops that can be read ({error}); delete it to cut them again") from None


def _means(case: PreparedCase, lesion: Lesion) -> list[float]:
    """Return the mean of each channel within a lesion."""
    image: NDArray[Any] = case.image()
    inside = case.labels() == lesion.lesion
    return [float(np.asarray(channel[inside], np.float32).mean()) for channel in image]
