"""From the numbers of a PET series in DICOM to standardised uptake values by body weight (SUV).

SUV = activity concentration [Bq/ml] * weight [g] / dose [Bq], where the dose has decayed to the time to which the
concentration was corrected (water has 1 g/ml, so the SUV has no unit). The steps follow the QIBA pseudo-code for
vendor-neutral SUV ("happy path" and the fallbacks for GE and Philips); attributes and their terms are those of DICOM
PS3.3, C.8.9.1 and C.8.9.2. Every number is questioned: one that no patient has is refused.

Nothing that names a patient is shown: messages hold file names, attributes and units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.imaging.dicom_values import number, private_number, read_header, tag_of
from hakken.imaging.dicom_values import text as term
from hakken.imaging.injection import REMEDY, elapsed
from hakken.imaging.nuclides import misfit

TRACER = "RadiopharmaceuticalInformationSequence"
PHILIPS, PHILIPS_SUV, PHILIPS_BQML = (0x7053, "Philips PET Private Group"), 0x00, 0x09
CORRECTIONS = {"ATTN": ("ATTN",), "DECY": ("DECY", "DECAY")}
"""Terms of Corrected Image (0028,0051); `DECAY` is none of the standard, and plain enough where somebody writes it."""
OF_THE_SERIES = (
    "Units",
    "SUVType",
    "DecayCorrection",
    "CorrectedImage",
    "PatientWeight",
    "SeriesDate",
    "SeriesTime",
)
OF_THE_TRACER = (
    "RadionuclideTotalDose",
    "RadionuclideHalfLife",
    "RadiopharmaceuticalStartDateTime",
    "RadiopharmaceuticalStartTime",
)
WEIGHTS = (0.3, 400.0)
"""kg: from a premature child to the heaviest patients."""
DOSES = (1e6, 1e10)
"""Bq: from a child's fluorine to water with oxygen-15."""
EARLY, LASTING = 600.0, 3000.0
"""s: between injection and scan, and half-lives of tracers that are given time (F-18, Ga-68, not O-15 or C-11)."""
LEAST_SUV, MOST_MEAN = 0.1, 50.0
MOST_OF_DOSE = 1.5
"""Of the injected activity; an image cannot hold more than all of it, but for noise and an offset."""


@dataclass(frozen=True)
class Uptake:
    """What an SUV needs: body weight in kg, injected dose in Bq, half-life and time since the injection in s.

    ``elapsed_s`` is 0 where the image is decay-corrected to the injection.
    """

    weight_kg: float
    dose_bq: float
    half_life_s: float
    elapsed_s: float

    @property
    def factor(self) -> float:
        """SUV of 1 Bq/ml.

        >>> round(Uptake(weight_kg=70, dose_bq=370e6, half_life_s=6586.2, elapsed_s=6586.2).factor * 185e6)
        70000
        """
        decayed = self.dose_bq * math.exp(-math.log(2) * self.elapsed_s / self.half_life_s)
        return self.weight_kg * 1000 / decayed


def suv_factor(paths: Sequence[Path]) -> float:
    """Return what the rescaled values of a PET series, one file a slice, are to be multiplied by to become SUV.

    Units may be BQML (Bq/ml), GML (SUV already) or CNTS with a factor of Philips. Raises HakkenError, naming the
    attribute and the remedy, for other units, for what is missing, empty, no number or implausible, for slices that say
    different things, for an image that is not corrected for attenuation and decay, and for an injection that lies after
    the scan or too long before it.
    """
    headers = [read_header(path) for path in paths]
    _check_alike(headers, paths)
    header = headers[0]
    units = term(header, "Units")
    if units == "GML":
        return _already_suv(header, paths[0])
    if units == "CNTS":
        if given := private_number(header, PHILIPS, PHILIPS_SUV, paths[0]):
            return given
        concentration = private_number(header, PHILIPS, PHILIPS_BQML, paths[0])
        if not concentration:
            raise HakkenError(f"{paths[0]}: counts (Units CNTS) without a factor of Philips (7053,1000); {REMEDY}")
        return concentration * _uptake(headers, paths).factor
    if units != "BQML":
        raise HakkenError(f"{paths[0]}: PET in units `{units or 'none'}` (0054,1001), not BQML; {REMEDY}")
    return _uptake(headers, paths).factor


def early_scan(paths: Sequence[Path]) -> list[str]:
    """Return a remark where a tracer that lasts was scanned right after its injection: one of both times is wrong, or
    the frames of a dynamic scan are no SUV at rest.

    Raises HakkenError as `suv_factor`, which is asked first.
    """
    headers = [read_header(path) for path in paths]
    if term(headers[0], "Units") != "BQML" or term(headers[0], "DecayCorrection") != "START":
        return []
    uptake = _uptake(headers, paths)
    if uptake.half_life_s < LASTING or uptake.elapsed_s >= EARLY:
        return []
    return [f"was scanned {uptake.elapsed_s / 60:.0f} min after the injection: a time may be wrong, or no uptake yet"]


def check_suv(path: Path, values: NDArray[np.float32], voxel_mm3: float) -> None:
    """Raise HakkenError where SUVs (z, y, x) cannot be: nowhere any uptake, or more than was injected.

    A voxel of SUV s holds s * volume [ml] / weight [g] of the dose, so that all of them together hold its share in the
    field of view, 1 at most.
    """
    highest, mean = float(np.nanmax(values)), float(np.nanmean(values, dtype=np.float64))
    reason = None
    if not highest >= LEAST_SUV:
        reason = f"the highest SUV is {highest:.3g}"
    elif mean > MOST_MEAN:
        reason = f"the mean SUV is {mean:.3g}"
    else:
        weight = read_header(path).get("PatientWeight")
        kilogram = float(weight) if weight else math.nan
        share = mean * values.size * voxel_mm3 / 1000 / (kilogram * 1000)
        if share > MOST_OF_DOSE:
            reason = f"the image holds {share:.1f} times the injected activity"
    if reason:
        raise HakkenError(
            f"{path.parent}: {reason}, which cannot be: weight, dose, units or times in its header are wrong; correct "
            "them, or give the channel as NIfTI in SUV"
        )


def _check_alike(headers: Sequence[pydicom.Dataset], paths: Sequence[Path]) -> None:
    """Raise HakkenError where a slice has another number of the series or of its tracer than the first."""
    wanted = _facts(headers[0])
    for header, path in zip(headers[1:], paths[1:], strict=True):
        for keyword, value in _facts(header).items():
            if value != wanted[keyword]:
                raise HakkenError(
                    f"{path}: {keyword} {tag_of(keyword)} is another one than in {paths[0].name}, so these slices are "
                    "not of one series; export the series again"
                )


def _facts(header: pydicom.Dataset) -> dict[str, str]:
    tracers = header.get(TRACER) or [pydicom.Dataset()]
    found = {keyword: _as_text(header, keyword) for keyword in OF_THE_SERIES}
    return found | {keyword: _as_text(tracers[0], keyword) for keyword in OF_THE_TRACER}


def _as_text(dataset: pydicom.Dataset, keyword: str) -> str:
    """Return a value as it stands, whether or not it is what it should be."""
    try:
        return str(dataset.get(keyword, "") or "")
    except (ValueError, TypeError, OverflowError):
        return str(dataset.get_item(keyword).value)


def _already_suv(header: pydicom.Dataset, path: Path) -> float:
    kind = term(header, "SUVType") or "BW"
    if kind != "BW":
        raise HakkenError(f"{path}: SUV of type {kind} (0054,1006), not by body weight; export it as BQML")
    return 1.0


def _uptake(headers: Sequence[pydicom.Dataset], paths: Sequence[Path]) -> Uptake:
    header, path = headers[0], paths[0]
    corrected = header.get("CorrectedImage") or ()
    corrected = (corrected,) if isinstance(corrected, str) else corrected
    missing = [name for name, terms in CORRECTIONS.items() if not set(terms) & set(corrected)]
    if missing:
        raise HakkenError(f"{path}: not corrected for {' and '.join(missing)} (CorrectedImage 0028,0051); {REMEDY}")
    tracer = tracer_of(header, path)
    weight = _positive(header, "PatientWeight", path)
    dose = _positive(tracer, "RadionuclideTotalDose", path)
    half_life = _positive(tracer, "RadionuclideHalfLife", path)
    _check_plausible(path, weight, dose)
    if reason := misfit(half_life, _code(tracer)):
        raise HakkenError(f"{path}: RadionuclideHalfLife {tag_of('RadionuclideHalfLife')} of {reason}; {REMEDY}")
    return Uptake(weight, dose, half_life, elapsed(headers, tracer, half_life, paths))


def tracer_of(header: pydicom.Dataset, path: Path) -> pydicom.Dataset:
    """Return the one tracer of a header; raises HakkenError for none and for several."""
    tracers: Sequence[pydicom.Dataset] = header.get(TRACER) or []
    if len(tracers) != 1:
        raise HakkenError(f"{path}: {len(tracers) or 'no'} items in {TRACER} (0054,0016), not one; {REMEDY}")
    return tracers[0]


def _check_plausible(path: Path, weight: float, dose: float) -> None:
    if not WEIGHTS[0] <= weight <= WEIGHTS[1]:
        grams = " (it may be in g)" if WEIGHTS[0] <= weight / 1000 <= WEIGHTS[1] else ""
        reason = f"PatientWeight {tag_of('PatientWeight')} is {weight:g} kg{grams}, which no patient has"
        raise HakkenError(f"{path}: {reason}; {REMEDY}")
    if not DOSES[0] <= dose <= DOSES[1]:
        mega = " (it may be in MBq)" if DOSES[0] <= dose * 1e6 <= DOSES[1] else ""
        reason = f"RadionuclideTotalDose {tag_of('RadionuclideTotalDose')} is {dose:g} Bq{mega}, which nobody injects"
        raise HakkenError(f"{path}: {reason}; {REMEDY}")


def _code(tracer: pydicom.Dataset) -> str:
    """Return the code of the nuclide, empty where none is written."""
    codes = tracer.get("RadionuclideCodeSequence") or []
    return str(codes[0].get("CodeValue", "") or "").strip() if codes else ""


def _positive(dataset: pydicom.Dataset, keyword: str, path: Path) -> float:
    value = number(dataset, keyword, path)
    if value is None or not value > 0:
        raise HakkenError(f"{path}: {keyword} {tag_of(keyword)} is missing or 0; {REMEDY}")
    return value
