"""Method `autoencoder`: patches of normal cases are to be reconstructed; a case is as abnormal as its worst patch.

Sato et al., A primitive study on unsupervised anomaly detection with an autoencoder in emergency head CT volumes, Proc.
SPIE 10575 (2018): the network sees patches of normal cases alone, so that what it cannot reconstruct is abnormal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from hakken.methods import Needs
from hakken.study import Study
from hakken.study.parameters import Convolutional, Optimised, Patched, Scanning

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEEDS = Needs(patches=True, learns_from="normal", optional=False)  # what is missing cannot be reconstructed
OUTCOMES = ("case_scores", "candidates", "score_maps")
FIGURES = ("roc", "search", "learnt", "anomalies")


class Parameters(Optimised, Patched, Convolutional):
    """What a search of an autoencoder may vary: `poolings` levels of `convolutions` each, and the size of the code."""

    dense_units: int = Field(default=32, ge=1, le=4096, description="Feature maps of the code.")


class Inference(Scanning):
    """How an autoencoder is used on a case; errors of reconstruction have no threshold of their own."""

    least_inside: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of a patch that must lie inside the mask for its error to be judged; 1 takes patches that "
        "lie wholly inside, and where a patch is as large as the image, the image as a whole.",
    )


def places(study: Study, mask: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where patches are taken (z, y, x): where the largest patch would be judged."""
    from hakken.methods.autoencoder.judged import judged_voxels

    assert isinstance(study.inference, Inference)
    edge = study.patches.size_voxel
    patch = (1 if study.patches.axes == 2 else edge, edge, edge)
    return judged_voxels(mask > 0, patch, study.inference.least_inside)
