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
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.imaging.dicom_values import number, private_number, private_text, read_header, tag_of
from hakken.imaging.nuclides import misfit

DAY = timedelta(days=1)
LONGEST = 4.0
"""Half-lives between injection and scan: a sixteenth of the tracer is left then."""
DATED = 6 * 3600.0
"""s: of nuclides with a longer half-life the time of day alone does not say when they were injected."""
LATEST = timedelta(hours=2)
"""Between the time of a series and its first image."""
SAME_FACTOR = 0.05
TRACER = "RadiopharmaceuticalInformationSequence"
GE, GE_SCANNED = (0x0009, "GEMS_PETD_01"), 0x0D
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
REMEDY = "export the series with it, or give the channel as NIfTI in SUV"
WEIGHTS = (0.3, 400.0)
"""kg: from a premature child to the heaviest patients."""
DOSES = (1e6, 1e10)
"""Bq: from a child's fluorine to water with oxygen-15."""
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
    units = _term(header, "Units")
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


def _term(header: pydicom.Dataset, keyword: str) -> str:
    return str(header.get(keyword, "") or "").strip()


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
    kind = _term(header, "SUVType") or "BW"
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
    tracers: Sequence[pydicom.Dataset] = header.get(TRACER) or []
    if len(tracers) != 1:
        raise HakkenError(f"{path}: {len(tracers) or 'no'} items in {TRACER} (0054,0016), not one; {REMEDY}")
    weight = _positive(header, "PatientWeight", path)
    dose = _positive(tracers[0], "RadionuclideTotalDose", path)
    half_life = _positive(tracers[0], "RadionuclideHalfLife", path)
    _check_plausible(path, weight, dose)
    if reason := misfit(half_life, _code(tracers[0])):
        raise HakkenError(f"{path}: RadionuclideHalfLife {tag_of('RadionuclideHalfLife')} of {reason}; {REMEDY}")
    return Uptake(weight, dose, half_life, _elapsed(headers, tracers[0], half_life, paths))


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


def _elapsed(
    headers: Sequence[pydicom.Dataset], tracer: pydicom.Dataset, half_life: float, paths: Sequence[Path]
) -> float:
    """Return the seconds from the injection to the time to which the image is decay-corrected."""
    kind = _term(headers[0], "DecayCorrection")
    if kind == "ADMIN":
        return 0.0
    if kind != "START":
        raise HakkenError(f"{paths[0]}: DecayCorrection (0054,1102) is `{kind or 'missing'}`, not START; {REMEDY}")
    scanned = _scanned(headers, paths)
    injected = _injected(tracer, scanned, half_life, paths[0])
    seconds = (scanned - injected).total_seconds()
    if seconds < 0:
        raise HakkenError(
            f"{paths[0]}: the injection lies {-seconds / 3600:.1f} h after the start of the scan; correct the times, "
            f"or {REMEDY}"
        )
    if seconds > LONGEST * half_life:
        raise HakkenError(
            f"{paths[0]}: the injection lies {seconds / 3600:.1f} h before the scan, {seconds / half_life:.1f} "
            f"half-lives; correct the times, or {REMEDY}"
        )
    _check_reference_time(headers, paths, seconds, half_life)
    return seconds


def _check_reference_time(
    headers: Sequence[pydicom.Dataset], paths: Sequence[Path], seconds: float, half_life: float
) -> None:
    """Raise HakkenError where the factors of decay are those of a correction to the injection, whatever is said.

    Of the slice that was acquired first the factor is about 1 where the correction is to the start of the scan.
    """
    factors = [number(header, "DecayFactor", path) for header, path in zip(headers, paths, strict=True)]
    known = [factor for factor in factors if factor is not None]
    to_injection = 2 ** (seconds / half_life)
    if known and to_injection > 1 + 4 * SAME_FACTOR and abs(min(known) / to_injection - 1) < SAME_FACTOR:
        raise HakkenError(
            f"{paths[0]}: DecayCorrection (0054,1102) is START, but DecayFactor (0054,1321) is {min(known):.3g} and "
            f"more, as of a correction to the injection; correct one of them, or {REMEDY}"
        )


def _scanned(headers: Sequence[pydicom.Dataset], paths: Sequence[Path]) -> datetime:
    """Return when the scan began: the series' time, unless the series was made after the acquisition.

    A series that was made later has the time of the scan where GE writes it, or that of its first acquisition.
    """
    series = _moment(headers[0], "Series", paths[0])
    first = min(_moment(header, "Acquisition", path) for header, path in zip(headers, paths, strict=True))
    if series <= first:
        if first - series > LATEST:
            hours = (first - series).total_seconds() / 3600
            raise HakkenError(
                f"{paths[0]}: the first image was acquired {hours:.1f} h after the time of the series, to which its "
                f"decay is corrected; correct the times, or {REMEDY}"
            )
        return series
    written = private_text(headers[0], GE, GE_SCANNED)
    return _parse(written, paths[0], "(0009,100d)") if written else first


def _injected(tracer: pydicom.Dataset, scanned: datetime, half_life: float, path: Path) -> datetime:
    """Return when the tracer was injected; a time without a date is the last such time before the scan.

    Raises HakkenError where that is so long ago that the two clocks rather differ, and for a time without a date of a
    nuclide that may have been injected days before.
    """
    exact = _term(tracer, "RadiopharmaceuticalStartDateTime")
    if exact:
        return _parse(exact, path, "RadiopharmaceuticalStartDateTime")
    time = _term(tracer, "RadiopharmaceuticalStartTime")
    if not time:
        raise HakkenError(f"{path}: RadiopharmaceuticalStartTime (0018,1072) is missing; {REMEDY}")
    if half_life > DATED:
        raise HakkenError(
            f"{path}: RadiopharmaceuticalStartDateTime (0018,1078) is missing, and a tracer with a half-life of "
            f"{half_life / 3600:.0f} h may have been injected days before; {REMEDY}"
        )
    injected = _parse(f"{scanned:%Y%m%d}{time}", path, "RadiopharmaceuticalStartTime")
    if injected <= scanned:
        return injected
    days_before = (scanned - (injected - DAY)).total_seconds()
    if days_before > LONGEST * half_life:
        raise HakkenError(
            f"{path}: the injection at {injected:%H:%M:%S} lies after the start of the scan at {scanned:%H:%M:%S}, and "
            f"on the day before it would be {days_before / half_life:.1f} half-lives ago; correct the times (clocks "
            f"may differ), or {REMEDY}"
        )
    return injected - DAY


def _moment(header: pydicom.Dataset, prefix: str, path: Path) -> datetime:
    date, time = (_term(header, f"{prefix}{part}") for part in ("Date", "Time"))
    if not date or not time:
        raise HakkenError(f"{path}: {prefix}{'Time' if date else 'Date'} is missing; {REMEDY}")
    return _parse(date + time, path, f"{prefix}Date and {prefix}Time")


def _parse(text: str, path: Path, name: str) -> datetime:
    """Return the moment of a DICOM date and time, YYYYMMDDHHMMSS.FFFFFF; the offset of a time zone is left out."""
    digits, _, fraction = text.strip().partition("&")[0].partition("+")[0].partition(".")
    seconds = fraction.partition("-")[0]
    try:
        found = datetime.strptime(digits.partition("-")[0][:14].ljust(14, "0"), "%Y%m%d%H%M%S")
        return found + timedelta(seconds=float(f"0.{seconds or 0}"))
    except (ValueError, OverflowError):
        raise HakkenError(f"{path}: {name} is no date and time; {REMEDY}") from None


def _positive(dataset: pydicom.Dataset, keyword: str, path: Path) -> float:
    value = number(dataset, keyword, path)
    if value is None or not value > 0:
        raise HakkenError(f"{path}: {keyword} {tag_of(keyword)} is missing or 0; {REMEDY}")
    return value
