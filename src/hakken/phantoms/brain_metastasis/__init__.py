"""Phantom `brain_metastasis`: T1-weighted MR of the head with and without contrast agent, and metastases."""

from __future__ import annotations

from hakken.phantoms import Law
from hakken.phantoms._options import Moved

LAW = Law(
    images="two channels, the reference with contrast agent and one without",
    channels=2,
    lesion_free=0.17,
    lesion_counts=(0.16, 0.16, 0.15, 0.14, 0.12, 0.11, 0.09, 0.07),
)


class Options(Moved):
    """Keys of this phantom."""
