from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hakken.inference.detect import detect_prepared
from hakken.networks.patch_cnn import PatchClassifier

from ..tasks.helpers import prepare_case, study


def test_scores_that_are_not_finite_are_an_error(tmp_path: Path) -> None:
    settings = study()
    network = PatchClassifier(2, 3, settings.parameters).eval()
    with torch.no_grad():
        next(network.parameters()).fill_(np.nan)
    with pytest.raises(FloatingPointError, match="the network's scores are not finite"):
        detect_prepared(network, prepare_case(tmp_path, "a", [(8, 9, 10)]), settings.inference)
