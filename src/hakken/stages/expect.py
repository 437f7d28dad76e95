"""Stage `expect`: what a frozen network expects of the cases of a part, and with which deviation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from hakken.console import log, progress
from hakken.errors import HakkenError
from hakken.files import replacing, write_json
from hakken.imaging.prepared import prepared_cases
from hakken.inference.expectation import expected_of
from hakken.inference.model import load_model, require_same_channels
from hakken.networks.expectation import ExpectationUNet
from hakken.stages import stage
from hakken.stages.predict import require_frozen
from hakken.study import Study
from hakken.training.device import choose_device


@stage
def expect(*, study: Study, model: Path, freeze: Path, prepared: list[Path], output: Path, threads: int = 1) -> None:
    """Write mean and sigma of every case in the folders ``prepared`` into the folder ``output``.

    `<case>.npy` holds both (2, z, y, x), float16, in shares of the target's window; `cases.json`, written last, names
    the cases. Raises HakkenError where ``model`` is not the network that ``freeze`` names, or expects nothing.
    """
    require_frozen(model, freeze)
    torch.set_num_threads(threads)
    detector = load_model(model, choose_device())
    network = detector.network
    if not isinstance(network, ExpectationUNet):
        raise HakkenError(f"{model}: holds a network that expects nothing; this figure needs `expectation_unet`")
    used = detector.study.model_copy(update={"inference": study.inference})
    cases = [case for folder in prepared for case in prepared_cases(folder)]
    for case in cases:
        require_same_channels(detector, case)
        found = expected_of(network, case.image(), case.mask(), used, used.seed)
        with replacing(output / f"{case.case_id}.npy") as temporary, temporary.open("wb") as stream:
            np.save(stream, np.stack([found.mean, found.sigma]).astype(np.float16), allow_pickle=False)
        log(f"case {case.case_id}: median sigma {float(np.median(found.sigma)):.4f}")
    write_json(output / "cases.json", {"cases": [case.case_id for case in cases]})
    progress(f"{len(cases)} cases")
