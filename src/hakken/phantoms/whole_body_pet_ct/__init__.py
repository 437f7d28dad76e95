"""Phantom `whole_body_pet_ct`: FDG PET/CT from vertex to thigh, channels of the modalities `ct` and `pet`.

Training cases are normal; half of the cases held out are, so that as many normal as abnormal ones can show how well the
deviations are calibrated. Weight, time after injection and the place of the arms are facts of a case, and columns of
its case table where a study asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from hakken.phantoms import Law, PhantomCase
from hakken.phantoms._options import Sized
from hakken.phantoms.whole_body_pet_ct.facts import facts_of
from hakken.study import Spacing, Study

LAW = Law(
    images="two channels, CT and PET from vertex to thigh, told apart by their modality",
    channels=2,
    lesion_free=0.5,
    lesion_counts=(0.6, 0.25, 0.1, 0.05),
    normal_training=True,
)


class Options(Sized):
    """Keys of this phantom."""

    shape_mm: Spacing = Field(
        default=(520.0, 320.0, 1000.0), description="Size of the images x, y, z in mm; z, from vertex to thigh, scales."
    )
    spacing_mm: float = Field(default=4.0, ge=1, le=8, description="Voxel size of CT in mm; that of PET is 1.5 times.")


def columns(case: PhantomCase, study: Study) -> Mapping[str, str]:
    """Return what else is known of a case, as its row of the case table says it."""
    return facts_of(case, study.seed).cells
