"""Phantom `chest_pet_ct`: FDG PET/CT of the chest, channels of the modalities `ct` and `pet`; normal in training.

45 foci in 34 cases, 1.32 each, as in Nakao et al., Jpn J Radiol 2022;40:730-739; half of the cases held out are normal,
so that as many normal as abnormal ones can show how well the deviations are calibrated.
"""

from __future__ import annotations

from hakken.phantoms import Law
from hakken.phantoms._options import Sized

LAW = Law(
    images="two channels, CT and PET of the chest, told apart by their modality",
    channels=2,
    lesion_free=0.5,
    lesion_counts=(0.75, 0.18, 0.05, 0.02),
    normal_training=True,
)


class Options(Sized):
    """Keys of this phantom."""
