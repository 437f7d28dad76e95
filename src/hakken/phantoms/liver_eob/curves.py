"""Enhancement curves: what tissues and lesions show in the five phases. The liver before contrast agent is 1.

A lesion's curve is what it adds to the liver around it. Its mean depends on the class; a level that all phases share
and a deviation of each phase overlap the classes, so that a single phase says little and the curve much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import qmc

from hakken.phantoms import Levels
from hakken.phantoms.liver_eob import CLASSES, PHASES

Curve = NDArray[np.float64]


@dataclass(frozen=True)
class Look:
    """How frequent a class is, and the mean of its curve by phase."""

    share: float
    mean: tuple[float, float, float, float, float]


LOOKS: Mapping[str, Look] = dict(
    zip(
        CLASSES,
        (
            Look(0.30, (-0.10, 0.30, 0.00, -0.20, -0.35)),  # arterial enhancement, washed out
            Look(0.25, (-0.20, -0.05, -0.15, -0.25, -0.40)),  # takes up little
            Look(0.15, (-0.30, 0.05, 0.20, 0.05, -0.30)),  # fills in with the blood
            Look(0.20, (-0.20, -0.22, -0.42, -0.47, -0.57)),  # takes up nothing: the liver leaves it behind
            Look(0.10, (-0.25, -0.25, -0.05, 0.10, -0.10)),  # fibrous: enhances late
        ),
        strict=True,
    )
)
LEVEL_SD, PHASE_SD = 0.25, 0.12

COVARIANCE = LEVEL_SD**2 + PHASE_SD**2 * np.eye(len(PHASES))

LESION_SIGNS = np.array([1.0, 1.0, -1.0, -1.0, 1.0])
MIMIC_SIGNS = np.array([1.0, -1.0, -1.0, 1.0, 1.0])
"""With `random_sign` the signs of a curve by phase; a coin turns all five."""

MEDIAN_CONTRAST, CONTRAST_SD, UNEVEN = 0.34, 0.25, 0.2
"""The contrast of `random_sign`: median, SD of its logarithm, and by how much it differs from phase to phase."""


def class_at(level: float) -> str:
    """Return the class at a quantile of the classes, in the order of `CLASSES`.

    >>> class_at(0.01), class_at(0.31), class_at(0.95)
    ('hcc', 'metastasis', 'scar')
    """
    ends = np.cumsum([look.share for look in LOOKS.values()])
    return CLASSES[int(np.searchsorted(ends[:-1], level))]


def class_curve(name: str, level: float, random: Generator) -> Curve:
    """Draw what a lesion of a class adds to the liver by phase; ``level`` is the quantile of what all phases share."""
    shared = LEVEL_SD * ndtri(level)
    return np.asarray(np.array(LOOKS[name].mean) + shared + random.normal(0, PHASE_SD, len(PHASES)))


def signed_curve(signs: Curve, bright: bool, level: float, random: Generator) -> Curve:
    """Draw a curve of these ``signs``, or of all the opposite ones; ``level`` is the quantile of its contrast."""
    size = MEDIAN_CONTRAST * np.exp(CONTRAST_SD * ndtri(level))
    uneven = np.exp(random.normal(0, UNEVEN, len(PHASES)))
    return np.asarray((1 if bright else -1) * size * signs * uneven)


def lesion_curve(contrast: str, level: Levels, random: Generator) -> tuple[str, Curve]:
    """Draw the class of a lesion ('' with `random_sign`) and its curve."""
    if contrast == "random_sign":
        return "", signed_curve(LESION_SIGNS, level.kind < 0.5, level.look, random)
    name = class_at(level.kind)
    return name, class_curve(name, level.look, random)


def log_posterior(curves: Curve) -> Curve:
    """Return the logarithm of how probable each class (n, 5) is of ``curves`` (n, 5), but for a constant of each."""
    inverse = np.linalg.inv(COVARIANCE)
    away = curves[:, None] - np.array([look.mean for look in LOOKS.values()])
    distance = np.einsum("nki,ij,nkj->nk", away, inverse, away)
    return np.asarray(np.log([look.share for look in LOOKS.values()]) - distance / 2)


def bayes_accuracy(log2_points: int = 15) -> float:
    """Return the share of lesions that who knows the law and the exact curve names rightly: no reader does better.

    The curves of each class are normal; the integral over them is the mean over 2 ** ``log2_points`` points of a Sobol
    sequence.
    """
    points = ndtri(qmc.Sobol(len(PHASES), rng=0).random_base2(log2_points)) @ np.linalg.cholesky(COVARIANCE).T
    right = [
        look.share * float((log_posterior(points + np.array(look.mean)).argmax(1) == number).mean())
        for number, look in enumerate(LOOKS.values())
    ]
    return sum(right)


def draw_tissues(random: Generator) -> dict[str, Curve]:
    """Draw what each tissue of `hakken.anatomy.abdomen.TISSUES`, and ``duct``, shows by phase.

    ``timing`` is how late the arterial phase is, -1 to 1; ``uptake`` how well the hepatocytes work.
    """
    timing, uptake = random.uniform(-1, 1), random.uniform(0.6, 1.1)
    meal = random.uniform(0.3, 1.9)
    bile = 2.3 if random.random() < 0.4 else 0.5
    sludge = 1.1 if random.random() < 0.25 else 0.4
    rows = {
        "skin": (0.45, 0.46, 0.48, 0.48, 0.48),
        "muscle": (0.70, 0.75, 0.88, 0.90, 0.88),
        "rib": (0.25, 0.26, 0.28, 0.28, 0.28),
        "fat": (0.40, 0.41, 0.43, 0.43, 0.43),
        "lung": (0.06, 0.07, 0.08, 0.08, 0.07),
        "stomach": (meal, meal, meal, meal, meal),
        "spleen": (0.62, 1.50, 1.45, 1.20, 1.00),
        "kidney": (0.65, 1.70, 1.90, 1.60, 1.30),
        "vertebra": (0.50, 0.58, 0.70, 0.70, 0.66),
        "canal": (0.35, 0.35, 0.36, 0.37, 0.37),
        "liver": (1.00, 1.12 + 0.06 * timing, 1.50, 1 + 0.64 * uptake, 1 + 0.92 * uptake),
        "aorta": (0.55, 2.60 - 0.2 * timing, 2.00, 1.60, 1.15),
        "cava": (0.55, 0.80 + 0.1 * timing, 1.95, 1.60, 1.15),
        "hepatic": (0.55, 0.62 + 0.08 * timing, 1.90, 1.55, 1.12),
        "portal": (0.55, 0.95 + 0.35 * timing, 2.05, 1.60, 1.12),
        "gall_bladder": (sludge, sludge, sludge, sludge + 0.1 * bile, max(sludge, bile)),
        "duct": (0.50, 0.50, 0.55, 0.95, 2.50),
    }
    return {name: np.array(row) for name, row in rows.items()}
