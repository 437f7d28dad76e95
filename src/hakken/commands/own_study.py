"""A study of one's own: settings as proposed from the images, each with its reason, and nothing of a paper in it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from hakken import plugins
from hakken.commands.own_dense import dense_parameters, dense_scales
from hakken.commands.own_images import ChannelFacts, Facts
from hakken.core.errors import HakkenError
from hakken.core.host import memory_bytes

Content = dict[str, Any]
DENSE = "dense"
TIMES_SIGN = "\N{MULTIPLICATION SIGN}"
Reasons = Mapping[str, str]

BALL = 0.8
"""Share of a lesion within the ball of its size below which the distance to its centre says little."""

PATCH = {2: (32, 128), 3: (12, 32)}
"""Least and largest edges of a patch in voxels, by its axes."""

POSITIVES, NEGATIVES = 4000, 10_000
"""Patches of a cohort, with a lesion and without one of each kind, where it is large enough."""

WHOLE = 112
"""Edge in pixels to which the short side of a flat image is brought where it is seen as a whole."""

METHODS = {"label": "autoencoder", "flat": "dense", "volume": "dense"}

BASELINES: Mapping[str, tuple[str, ...]] = {
    "candidates": ("brightness_peaks", "laplacian_blobs"),
    "case_scores": ("pixel_statistics", "pca_reconstruction"),
    "masks": ("colour_threshold", "mean_shape"),
}
"""Baselines by the outcome that the models are chosen by; of the others those that the outcome names."""

SHARE_OF_MEMORY = 1 / 8
"""What one training may hold of this machine's memory: four run at once, beside other work."""


def scales(method: str, searched: bool) -> Content:
    """Return a look at whether the chain holds, a first answer, and the whole, with the keys that have an effect."""
    gradient = plugins.load("methods", method).NEEDS.gradient
    tiny: Content = {"search": {"trials": 3, "slots": 2}} if searched else {}
    small: Content = {"search": {"trials": 10, "slots": 2}} if searched else {}
    if method == DENSE:
        tiny["training"], small["training"] = ({**dense_scales()[scale]} for scale in ("tiny", "small"))
    elif gradient:
        tiny["training"] = {"steps": 120, "validate_every": 60, "checkpoint_seconds": 10}
        small["training"] = {"steps": 2000, "validate_every": 250}
    return {"tiny": tiny, "small": small, "paper": {}}


def seed_of_name(name: str) -> int:
    """Return a seed that is the study's own."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:7], 16)


def proposed(
    name: str, table: str, facts: Facts, method: str | None = None, memory: float | None = None
) -> tuple[Content, dict[str, str]]:
    """Return the content of a study file for a cohort like this, and the reasons by dotted key.

    ``memory`` is what a training may hold, in bytes: by default a share of this machine's.
    """
    kind = "label" if facts.truth == "label" else "flat" if facts.flat else "volume"
    chosen = method or METHODS[kind]
    module = plugins.load("methods", chosen)
    if "images" not in module.NEEDS.cases:
        raise HakkenError(f"--method {chosen}: it learns from no images; begin with a study that uses it, by --from")
    reasons: dict[str, str] = {"seed": "from the name of the study; any other number is as good"}
    reasons["method"] = "as you asked" if method else _why_method(kind)
    content: Content = {
        "name": name,
        "title": name.replace("_", " "),
        "description": "",
        "data": "own data",
        "seed": seed_of_name(name),
        "method": chosen,
        "cohort": _cohort(table, facts, reasons),
        "channels": {
            key: _channel(key, one, reasons) | _lacking(key, one, facts.cases, module, reasons)
            for key, one in facts.channels.items()
        },
        "registration": _registration(facts, reasons),
    }
    spacing = _spacing(facts, chosen, reasons)
    content["preparation"] = {"spacing_mm": list(spacing), "mask": facts.mask}
    reasons["preparation.mask"] = facts.mask_reason
    if chosen == DENSE:
        held = memory_bytes() * SHARE_OF_MEMORY if memory is None else memory
        content["parameters"] = dense_parameters(facts, held, reasons)
    else:
        axes = 2 if facts.flat or chosen in ("expectation", "imagenet_classifier") else 3
        edge = _edge(facts, spacing, axes, chosen, reasons)
        content["patches"] = _patches(facts, axes, edge, chosen, reasons)
        content["parameters"] = _known(_parameters(edge, axes, chosen, reasons), module)
    content |= {
        "search": _search(module, reasons),
        **({"training": {"steps": 10_000, "validate_every": 500, "patience": 5}} if module.NEEDS.gradient else {}),
        **_measured(facts, chosen, reasons),
        **_baselines(module, reasons),
        "evaluation": {"strata": []},
        "scales": scales(chosen, True),
    }
    reasons["training"] = "a beginning: see where the curves of the logs end"
    reasons["evaluation.strata"] = "name columns of the table, such as scanner or sex, to have them told apart"
    return content, reasons


def _why_method(kind: str) -> str:
    return {
        "label": "the table says which cases are abnormal, not where: it learns from the normal ones",
        "flat": "pictures with lesions: it marks every pixel and reads candidates out of that",
        "volume": "volumes with lesions: it marks every voxel and reads candidates out of that",
    }[kind]


def _cohort(table: str, facts: Facts, reasons: dict[str, str]) -> Content:
    content: Content = {"table": table, "truth": facts.truth or "lesion_mask"}
    if facts.cases:
        reasons["cohort.table"] = f"{facts.cases} cases, the images of {facts.examined} were examined"
    reasons["cohort.truth"] = {
        "label": f"{facts.normal_cases} cases are `none`, the others {', '.join(facts.classes) or 'unknown'}",
        "lesion_mask": "a mask of lesions for each case",
        "lesion_table": "a table of lesions for each case",
    }.get(str(facts.truth), "no truth was found: fill in the column")
    if facts.truth == "lesion_mask":
        content["labels"] = facts.labels
        reasons["cohort.labels"] = facts.labels_reason
    if facts.mask_threshold is not None:
        content["mask_threshold"] = facts.mask_threshold
        reasons["cohort.mask_threshold"] = "pictures, whose edges may be grey: lesion from half of white on"
    return content


def _lacking(name: str, facts: ChannelFacts, cases: int, module: ModuleType, reasons: dict[str, str]) -> Content:
    """Return what a study says of a channel that some cases lack, where its method can do without."""
    if not facts.lacking:
        return {}
    said = "optional" if module.NEEDS.optional else "its method needs all, so remove the channel or the cases"
    reasons[f"channels.{name}"] += f"; {facts.lacking} of {cases} cases lack it: {said}"
    return {"optional": True} if module.NEEDS.optional else {}


def _channel(name: str, facts: ChannelFacts, reasons: dict[str, str]) -> Content:
    content: Content = {"modality": facts.modality}
    reasons[f"channels.{name}"] = f"modality: {facts.reason}"
    if facts.colour:
        content["colour"] = "green"
    if facts.modality in ("mr", "endoscopy"):
        return content | {"normalise": "zscore"}
    low, high = _round(facts.low, down=True), _round(facts.high, down=False)
    if facts.modality in ("pet", "xray"):
        low = min(low, 0.0)
    if low < high:
        reasons[f"channels.{name}"] += f"; 99 % of the intensities lie between {low:g} and {high:g}"
        content |= {"normalise": "window", "range": [low, high]}
    return content


def _registration(facts: Facts, reasons: dict[str, str]) -> Content:
    if len(facts.channels) == 1:
        reasons["registration.method"] = "there is one channel"
        return {"method": "none"}
    if facts.aligned or facts.flat:
        reasons["registration.method"] = "all channels lie on one grid; `rigid` where the patient moved between them"
        return {"method": "none"}
    reasons["registration.method"] = "channels lie on grids of their own"
    return {"method": "rigid"}


def _spacing(facts: Facts, method: str, reasons: dict[str, str]) -> tuple[float, float, float]:
    """Return the common grid: the median voxel; flat images that are seen whole are made smaller."""
    x, y, z = facts.spacing_mm
    size = f" {TIMES_SIGN} ".join(f"{value:g}" for value in facts.spacing_mm[: 2 if facts.flat else 3])
    why = f"median {'pixel' if facts.flat else 'voxel'} {size} {facts.unit} of {facts.examined} images"
    reasons["preparation.spacing_mm"] = why if facts.examined else "a guess, for no image was seen: take your voxels'"
    if facts.flat and method == "autoencoder":
        factor = max(1, round(facts.least_edge_voxel / WHOLE))
        if factor > 1:
            reasons["preparation.spacing_mm"] += f", {factor} pixels in one, so that an image of {WHOLE} is seen whole"
        x, y = float(f"{factor * x:.4g}"), float(f"{factor * y:.4g}")
    return x, y, z


def _edge(facts: Facts, spacing: tuple[float, ...], axes: int, method: str, reasons: dict[str, str]) -> int:
    """Return the largest patch edge in voxels, a multiple of 8 on flat images, an even number else."""
    least, most = PATCH[axes]
    fits = int(facts.least_edge_voxel * facts.spacing_mm[0] / spacing[0])
    if method == "autoencoder" and axes == 2:
        edge = max(16, fits // 16 * 16)
        reasons["patches.size_voxel"] = f"the image as a whole: the smallest has {fits} pixels along its short side"
        return edge
    if not facts.diameters_mm:
        reasons["patches.size_voxel"] = "no lesion was measured: a usual size; it should hold a lesion and what is near"
        return least * 2 if axes == 3 else most // 2
    large = float(np.percentile(facts.diameters_mm, 90))
    fine = min(spacing[:axes])
    step = 16 if axes == 2 else 2
    wanted = math.ceil(2 * large / fine / step) * step
    edge = min(max(wanted, least), most)
    reasons["patches.size_voxel"] = (
        f"twice the diameter that 90 % of {len(facts.diameters_mm)} lesions stay below ({large:.3g} {facts.unit}, "
        f"median {float(np.median(facts.diameters_mm)):.3g} {facts.unit}), between {least} and {most} voxels"
    )
    return edge


def _patches(facts: Facts, axes: int, edge: int, method: str, reasons: dict[str, str]) -> Content:
    content: Content = {"axes": axes, "size_voxel": edge, "margin_voxel": max(2, edge // 8)}
    reasons["patches.axes"] = "flat images" if facts.flat else "volumes" if axes == 3 else "slices of volumes"
    if method in ("patch_classifier", "projection_classifier") and facts.cases:
        lesions = max(1, len(facts.diameters_mm) * facts.cases // facts.examined)
        each = min(max(NEGATIVES // facts.cases, 60), 2000)
        content["positives_per_lesion"] = min(max(POSITIVES // lesions, 8), 40)
        content |= {"easy_negatives_per_case": each, "hard_negatives_per_case": each}
        reasons["patches.positives_per_lesion"] = f"some {POSITIVES:,} of about {lesions} lesions, from 8 to 40 each"
        reasons["patches.easy_negatives_per_case"] = f"some {NEGATIVES:,} of {facts.cases} cases, from 60 to 2000 each"
    if method == "unet":
        content |= {"positives_per_lesion": 8, "jitter_voxel": edge // 3, "clearance_mm": 0}
        reasons["patches.jitter_voxel"] = "every voxel is marked, so a lesion must not always lie in the middle"
        content |= {"easy_negatives_per_case": 8, "hard_negatives_per_case": 0}
    if method == "autoencoder" and axes == 2:
        content |= {"margin_voxel": 0, "easy_negatives_per_case": 1, "hard_negatives_per_case": 0}
    return content


def _parameters(edge: int, axes: int, method: str, reasons: dict[str, str]) -> Content:
    content: Content = {"learning_rate": 0.001, "batch_size": 16 if axes == 2 else 32}
    content["patch_size"] = edge if method in ("unet", "autoencoder", "expectation") else max(10, edge * 3 // 4)
    reasons["parameters.learning_rate"] = "the untuned default that every search is compared with; the search varies it"
    if method in ("unet", "expectation", "autoencoder"):
        poolings = max(1, min(3, int(math.log2(edge)) - 3))
        content |= {"convolutions": 2, "poolings": poolings, "base_features": 16, "growth": 1.5}
        reasons["parameters.poolings"] = f"{edge} voxels become {edge // 2**poolings} at the coarsest level"
    if method == "autoencoder":
        content |= {"dense_units": 16, "dropout": 0}
    return content


def _search(module: ModuleType, reasons: dict[str, str]) -> Content:
    reasons["search.trials"] = "a beginning: more where the figure `learnt` shows that the best lies at a border"
    space: Content = {
        "learning_rate": {"type": "real", "low": 1e-4, "high": 1e-2, "scale": "log"},
        "weight_decay": {"type": "real", "low": 1e-6, "high": 1e-2, "scale": "log"},
        "augmentation": {"type": "real", "low": 0.0, "high": 1.0},
        "penalty": {"type": "real", "low": 1e-2, "high": 1e2, "scale": "log"},
    }
    return {"trials": 30, "slots": 4, "space": _known(space, module)}


def _known(content: Content, module: ModuleType) -> Content:
    """Return what a method has parameters for."""
    return {key: value for key, value in content.items() if key in module.Parameters.model_fields}


def _measured(facts: Facts, method: str, reasons: dict[str, str]) -> Content:
    """Return outcomes where they have something to choose."""
    if method == "autoencoder":
        outcomes: Content = {"case_scores": {}, "score_maps": {}}
        if facts.truth != "label":
            outcomes["candidates"] = {"at": [1, 2, 4], "operating_point": 1}
        return {"outcomes": outcomes}
    if method not in ("patch_classifier", "projection_classifier", "expectation", DENSE):
        return {}
    hit, why = _hit(facts)
    candidates: Content = {"hit": hit, "maximum_fp": 8, "at": [1, 2, 4], "operating_point": 1}
    why += "; operating_point: false positives per case that your readers accept, decide it now"
    if facts.diameters_mm and not facts.flat:
        borders = sorted({float(f"{value:.1g}") for value in np.percentile(facts.diameters_mm, (33, 67))})
        candidates["diameters_mm"] = borders
        why += "; diameters_mm: near the thirds of the measured diameters"
    reasons["outcomes.candidates"] = f"hit: {why}"
    further: Content = {"masks": {}} if method == DENSE and facts.truth == "lesion_mask" else {}
    return {"outcomes": {"candidates": candidates} | further}


def _baselines(module: ModuleType, reasons: dict[str, str]) -> Content:
    """Return the baselines for what the models of a method are chosen by."""
    named = BASELINES.get(module.OUTCOMES[0], ())
    if named:
        reasons["baselines"] = "what has learnt nothing, chosen on the validation cases and drawn beside the models"
    return {"baselines": list(named)} if named else {}


def _hit(facts: Facts) -> tuple[str, str]:
    """Return the hit rule and why: in the mask where lesions are no balls, else near the centre."""
    if facts.truth != "lesion_mask" or not facts.diameters_mm:
        return "distance", "a candidate counts within the radius of a lesion"
    share = f"the median lesion has {facts.filling:.0%} of itself in the ball of its size"
    if facts.filling < BALL:
        return "inside", f"{share}, so a distance to the centre would miss much of it"
    return "distance", f"{share}, so the distance to its centre tells"


def _round(value: float, *, down: bool) -> float:
    """Return a number of two digits that is not above (``down``) or not below ``value``.

    >>> _round(-987.0, down=True), _round(10.17, down=False), _round(0.0, down=True)
    (-990.0, 11.0, 0.0)
    """
    if value == 0 or not math.isfinite(value):
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(f"{(math.floor if down else math.ceil)(value / step) * step:.6g}")
