"""Stage `reconstruct`: where an autoencoder errs in the most anomalous cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from hakken.console import log, progress
from hakken.errors import HakkenError
from hakken.evaluation.case_scores import CaseScores, score_cases
from hakken.evaluation.findings import Candidates
from hakken.files import replacing, write_json
from hakken.imaging.prepared import prepared_cases
from hakken.inference.anomaly import error_volume
from hakken.inference.model import load_model
from hakken.networks.autoencoder import ConvAutoencoder
from hakken.report.tables import cohort_of, read_candidates
from hakken.stages import stage
from hakken.stages.predict import require_frozen
from hakken.study import Study
from hakken.training.device import choose_device

SHOWN = 6
"""Cases of each kind, the highest scores first."""


@stage
def reconstruct(
    *, study: Study, model: Path, freeze: Path, candidates: Path, prepared: list[Path], output: Path, threads: int = 1
) -> None:
    """Write the error volume of the most anomalous abnormal and normal cases into the folder ``output``.

    `<case>.npy` holds the squared error (z, y, x), float32; `shown.json`, written last, names the cases with the place
    of the highest patch and its size. Raises HakkenError where ``model`` is not the network that ``freeze`` names, or
    does not reconstruct.
    """
    require_frozen(model, freeze)
    torch.set_num_threads(threads)
    detector = load_model(model, choose_device())
    network = detector.network
    if not isinstance(network, ConvAutoencoder):
        raise HakkenError(f"{model}: holds a network that does not reconstruct; task `anomaly` needs conv_autoencoder")
    cohort = sorted((case for folder in prepared for case in prepared_cases(folder)), key=lambda case: case.case_id)
    known, _ = cohort_of(cohort)
    found = read_candidates(candidates, known)
    scored = score_cases(known, [case.abnormal for case in cohort], found)
    shown, settings = [], study.inference
    for number in chosen_cases(scored, found):
        case = cohort[number]
        image = torch.from_numpy(np.array(case.image()))
        errors = error_volume(
            network,
            image,
            stride_voxel=settings.stride_voxel,
            memory_mb=settings.memory_mb,
            mask=case.mask(),
            least_inside=settings.least_inside,
        )
        with replacing(output / f"{case.case_id}.npy") as temporary, temporary.open("wb") as stream:
            np.save(stream, errors, allow_pickle=False)
        rows = np.flatnonzero(found.case == number)
        best = rows[np.argmax(found.score[rows])]
        shown.append(
            {
                "case_id": case.case_id,
                "abnormal": bool(scored.abnormal[number]),
                "score": float(scored.score[number]),
                "xyz": found.xyz[best].tolist(),
                "patch_voxel": list(network.patch_shape),
            }
        )
        log(f"case {case.case_id}: highest error of a patch {scored.score[number]:.4g}")
    write_json(output / "shown.json", {"cases": shown})
    progress(f"errors of {len(shown)} cases")


def chosen_cases(scored: CaseScores, found: Candidates) -> list[int]:
    """Return the numbers of the abnormal, then of the normal cases with the highest scores; all have a candidate."""
    ranked = [number for number in np.argsort(-scored.score, kind="stable").tolist() if (found.case == number).any()]
    abnormal = [number for number in ranked if scored.abnormal[number]]
    normal = [number for number in ranked if not scored.abnormal[number]]
    return [*abnormal[:SHOWN], *normal[:SHOWN]]
