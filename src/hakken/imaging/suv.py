"""From the numbers of a PET series in DICOM to standardised uptake values by body weight (SUV).

SUV = activity concentration [Bq/ml] * weight [g] / dose [Bq], where the dose has decayed to the time to which the
concentration was corrected (water has 1 g/ml, so the SUV has no unit). The steps follow the QIBA pseudo-code for
vendor-neutral SUV ("happy path" and the fallbacks for GE and Philips); attributes are those of DICOM PS3.3, C.8.9.1.

Nothing that names a patient is shown: messages hold file names, attributes and units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pydicom
from pydicom.errors import InvalidDicomError

from hakken.core.errors import HakkenError

DAY = timedelta(days=1)
LONGEST = timedelta(hours=24)
TRACER = "RadiopharmaceuticalInformationSequence"
TIMES = ["SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime"]
GE, GE_SCANNED = (0x0009, "GEMS_PETD_01"), 0x0D
PHILIPS, PHILIPS_SUV, PHILIPS_BQML = (0x7053, "Philips PET Private Group"), 0x00, 0x09
CORRECTIONS = ("ATTN", "DECAY")
REMEDY = "export the series with it, or give the channel as NIfTI in SUV"


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
    attribute and the remedy, for other units, for what is missing, empty or 0, for an image that is not corrected for
    attenuation and decay, and for an injection that does not lie in the day before the scan.
    """
    header = _read(paths[0])
    units = str(header.get("Units", "")).strip()
    if units == "GML":
        return _already_suv(header, paths[0])
    if units == "CNTS":
        given = _private(header, PHILIPS, PHILIPS_SUV)
        if given:
            return given
        concentration = _private(header, PHILIPS, PHILIPS_BQML)
        if not concentration:
            raise HakkenError(f"{paths[0]}: counts (Units CNTS) without a factor of Philips (7053,1000); {REMEDY}")
        return concentration * _uptake(header, paths).factor
    if units != "BQML":
        raise HakkenError(f"{paths[0]}: PET in units `{units or 'none'}` (0054,1001), not BQML; {REMEDY}")
    return _uptake(header, paths).factor


def _already_suv(header: pydicom.Dataset, path: Path) -> float:
    kind = str(header.get("SUVType", "") or "BW")
    if kind != "BW":
        raise HakkenError(f"{path}: SUV of type {kind} (0054,1006), not by body weight; export it as BQML")
    return 1.0


def _uptake(header: pydicom.Dataset, paths: Sequence[Path]) -> Uptake:
    path = paths[0]
    corrected = header.get("CorrectedImage") or ()
    missing = [name for name in CORRECTIONS if name not in corrected]
    if missing:
        raise HakkenError(f"{path}: not corrected for {' and '.join(missing)} (CorrectedImage 0028,0051); {REMEDY}")
    tracers: Sequence[pydicom.Dataset] = header.get(TRACER) or []
    if len(tracers) != 1:
        raise HakkenError(f"{path}: {len(tracers) or 'no'} items in {TRACER} (0054,0016), not one; {REMEDY}")
    return Uptake(
        weight_kg=_positive(header, "PatientWeight", path),
        dose_bq=_positive(tracers[0], "RadionuclideTotalDose", path),
        half_life_s=_positive(tracers[0], "RadionuclideHalfLife", path),
        elapsed_s=_elapsed(header, tracers[0], paths),
    )


def _elapsed(header: pydicom.Dataset, tracer: pydicom.Dataset, paths: Sequence[Path]) -> float:
    """Return the seconds from the injection to the time to which the image is decay-corrected."""
    kind = str(header.get("DecayCorrection", ""))
    if kind == "ADMIN":
        return 0.0
    if kind != "START":
        raise HakkenError(f"{paths[0]}: DecayCorrection (0054,1102) is `{kind or 'missing'}`, not START; {REMEDY}")
    scanned = _scanned(header, paths)
    injected = _injected(tracer, scanned, paths[0])
    if not timedelta(0) <= scanned - injected <= LONGEST:
        hours = (scanned - injected).total_seconds() / 3600
        raise HakkenError(
            f"{paths[0]}: the injection lies {hours:.1f} h before the scan; correct the times, or {REMEDY}"
        )
    return (scanned - injected).total_seconds()


def _scanned(header: pydicom.Dataset, paths: Sequence[Path]) -> datetime:
    """Return when the scan began: the series' time, unless the series was made after the acquisition.

    A series that was made later has the time of the scan where GE writes it, or that of its first acquisition.
    """
    series = _moment(header, "Series", paths[0])
    first = min(_moment(_read(path, TIMES), "Acquisition", path) for path in paths)
    if series <= first:
        return series
    written = _private_text(header, GE, GE_SCANNED)
    return _parse(written, paths[0], "(0009,100d)") if written else first


def _injected(tracer: pydicom.Dataset, scanned: datetime, path: Path) -> datetime:
    """Return when the tracer was injected; a time without a date is the last such time before the scan."""
    exact = str(tracer.get("RadiopharmaceuticalStartDateTime", "") or "")
    if exact:
        return _parse(exact, path, "RadiopharmaceuticalStartDateTime")
    time = str(tracer.get("RadiopharmaceuticalStartTime", "") or "")
    if not time:
        raise HakkenError(f"{path}: RadiopharmaceuticalStartTime (0018,1072) is missing; {REMEDY}")
    injected = _parse(f"{scanned:%Y%m%d}{time}", path, "RadiopharmaceuticalStartTime")
    return injected - DAY if injected > scanned else injected


def _moment(header: pydicom.Dataset, prefix: str, path: Path) -> datetime:
    date, time = (str(header.get(f"{prefix}{part}", "") or "") for part in ("Date", "Time"))
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
    except ValueError:
        raise HakkenError(f"{path}: {name} is no date and time; {REMEDY}") from None


def _positive(dataset: pydicom.Dataset, keyword: str, path: Path) -> float:
    value = dataset.get(keyword)
    if value is None or str(value).strip() == "" or not float(value) > 0:
        tag = pydicom.datadict.tag_for_keyword(keyword) or 0
        raise HakkenError(f"{path}: {keyword} ({tag >> 16:04x},{tag & 0xFFFF:04x}) is missing or 0; {REMEDY}")
    return float(value)


def _private(header: pydicom.Dataset, block: tuple[int, str], element: int) -> float | None:
    text = _private_text(header, block, element)
    return float(text) if text else None


def _private_text(header: pydicom.Dataset, block: tuple[int, str], element: int) -> str:
    """Return a private element as text, empty where there is none; of unknown type it is bytes."""
    try:
        value: Any = header.private_block(*block)[element].value
    except KeyError:
        return ""
    return (value.decode("ascii", "ignore") if isinstance(value, bytes) else str(value)).strip(" \x00")


def _read(path: Path, keywords: list[str] | None = None) -> pydicom.Dataset:
    try:
        return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=keywords)
    except (InvalidDicomError, OSError):
        raise HakkenError(f"{path}: no readable DICOM image; copy the file anew from its source") from None
