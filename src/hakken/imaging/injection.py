"""When a tracer of PET was injected, and the time to which its decay is corrected.

Attributes are those of DICOM PS3.3, C.8.9.1 and C.8.9.2. A time that no examination has is refused, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pydicom

from hakken.core.errors import HakkenError
from hakken.imaging.dicom_values import number, private_text
from hakken.imaging.dicom_values import text as term

DAY = timedelta(days=1)
LONGEST = 4.0
"""Half-lives between injection and scan: a sixteenth of the tracer is left then."""
DATED = 6 * 3600.0
"""s: of nuclides with a longer half-life the time of day alone does not say when they were injected."""
LATEST = timedelta(hours=2)
"""Between the time of a series and its first image."""
SAME_FACTOR = 0.05
OFFSET = re.compile(r"([+-]\d{4})$")
GE, GE_SCANNED = (0x0009, "GEMS_PETD_01"), 0x0D
REMEDY = "export the series with it, or give the channel as NIfTI in SUV"


def elapsed(
    headers: Sequence[pydicom.Dataset], tracer: pydicom.Dataset, half_life: float, paths: Sequence[Path]
) -> float:
    """Return the seconds from the injection to the time to which the image is decay-corrected."""
    kind = term(headers[0], "DecayCorrection")
    if kind == "ADMIN":
        return 0.0
    if kind != "START":
        raise HakkenError(f"{paths[0]}: DecayCorrection (0054,1102) is `{kind or 'missing'}`, not START; {REMEDY}")
    scanned = _scanned(headers, paths)
    injected = _injected(headers[0], tracer, scanned, half_life, paths[0])
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


def minutes_after_injection(
    headers: Sequence[pydicom.Dataset], tracer: pydicom.Dataset, paths: Sequence[Path]
) -> float:
    """Return the minutes from the injection to the start of the scan, whatever time the decay is corrected to.

    Raises HakkenError where a time or the half-life is missing, and for an injection after the scan.
    """
    half_life = number(tracer, "RadionuclideHalfLife", paths[0])
    if not half_life or half_life < 0:
        raise HakkenError(f"{paths[0]}: RadionuclideHalfLife (0018,1075) is missing or 0; {REMEDY}")
    scanned = _scanned(headers, paths)
    minutes = (scanned - _injected(headers[0], tracer, scanned, half_life, paths[0])).total_seconds() / 60
    if minutes < 0:
        raise HakkenError(
            f"{paths[0]}: the injection lies {-minutes:.0f} min after the start of the scan; correct the times"
        )
    return minutes


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


def _injected(
    header: pydicom.Dataset, tracer: pydicom.Dataset, scanned: datetime, half_life: float, path: Path
) -> datetime:
    """Return when the tracer was injected; a time without a date is the last such time before the scan.

    Raises HakkenError where that is so long ago that the two clocks rather differ, and for a time without a date of a
    nuclide that may have been injected days before.
    """
    exact = term(tracer, "RadiopharmaceuticalStartDateTime")
    if exact:
        return _local(_parse(exact, path, "RadiopharmaceuticalStartDateTime"), exact, header, path)
    time = term(tracer, "RadiopharmaceuticalStartTime")
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


def _local(moment: datetime, written: str, header: pydicom.Dataset, path: Path) -> datetime:
    """Return a moment in the time zone of the header, where both say theirs (PS3.3, C.12.1.1.8); else as it is."""
    own, other = OFFSET.search(written.strip()), OFFSET.search(term(header, "TimezoneOffsetFromUTC"))
    if own is None or other is None:
        return moment
    try:
        return moment + _from_utc(other[1]) - _from_utc(own[1])
    except (ValueError, OverflowError):
        raise HakkenError(f"{path}: the time zone of the injection or of the series is none; {REMEDY}") from None


def _from_utc(offset: str) -> timedelta:
    """Return an offset as DICOM writes it, &ZZXX.

    >>> _from_utc("-0930") == -timedelta(hours=9, minutes=30)
    True
    """
    hours, minutes = int(offset[1:3]), int(offset[3:5])
    if hours > 14 or minutes > 59:
        raise ValueError(offset)
    return (-1 if offset[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes)


def _moment(header: pydicom.Dataset, prefix: str, path: Path) -> datetime:
    date, time = (term(header, f"{prefix}{part}") for part in ("Date", "Time"))
    if not date or not time:
        raise HakkenError(f"{path}: {prefix}{'Time' if date else 'Date'} is missing; {REMEDY}")
    return _parse(date + time, path, f"{prefix}Date and {prefix}Time")


def _parse(text: str, path: Path, name: str) -> datetime:
    """Return the moment of a DICOM date and time, YYYYMMDDHHMMSS.FFFFFF; an offset of the time zone is left out."""
    digits, _, fraction = text.strip().partition("&")[0].partition("+")[0].partition(".")
    seconds = fraction.partition("-")[0]
    try:
        found = datetime.strptime(digits.partition("-")[0][:14].ljust(14, "0"), "%Y%m%d%H%M%S")
        return found + timedelta(seconds=float(f"0.{seconds or 0}"))
    except (ValueError, OverflowError):
        raise HakkenError(f"{path}: {name} is no date and time; {REMEDY}") from None
