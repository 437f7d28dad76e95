"""The scalars of a case: what its row of the case table says, or else the DICOM header of its PET series.

Attributes are those of DICOM PS3.3, C.7.1.1 and C.7.2.2 (patient), C.8.9.1 and C.8.9.2 (PET).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pydicom

from hakken.core.errors import HakkenError
from hakken.core.problems import Problem
from hakken.imaging.case_files import CaseFiles
from hakken.imaging.dicom import series_files
from hakken.imaging.dicom_values import number, read_header, tag_of, text
from hakken.imaging.injection import minutes_after_injection
from hakken.imaging.suv import tracer_of
from hakken.study import Study

YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
"""Units of Patient's Age (0010,1010), VR AS of DICOM PS3.5, 6.2."""
AGE = re.compile(r"(\d{3})([DWMY])")
FILL_IN = "fill in the cell"


def read_scalars(
    cells: Mapping[str, str], channels: Mapping[str, Path], study: Study
) -> tuple[dict[str, float], dict[str, HakkenError]]:
    """Return the scalars of a case, and what is wrong with those that it has no usable value of ("reason; remedy")."""
    values: dict[str, float] = {}
    wrong: dict[str, HakkenError] = {}
    for name, scalar in study.scalars.items():
        try:
            cell = cells.get(name, "")
            if not cell and scalar.header is not None:
                cell = header_value(channels[_source(study)], scalar.header)
            values[name] = scalar.read(name, cell)
        except HakkenError as error:
            wrong[name] = error
    return values, wrong


def scalars_of(cells: Mapping[str, str], channels: Mapping[str, Path], study: Study) -> dict[str, float]:
    """Return the scalars of a case; raises HakkenError naming the first that cannot be used."""
    values, wrong = read_scalars(cells, channels, study)
    for name, error in wrong.items():
        raise HakkenError(f"{name}: {error}") from None
    return values


def check_scalars(case: CaseFiles, study: Study) -> list[Problem]:
    """Return what is wrong with the scalars of a case."""
    _, wrong = read_scalars(getattr(case, "columns", {}), case.channels, study)
    parts = ((name, *str(error).rpartition("; ")[::2]) for name, error in wrong.items())
    return [Problem(case.case_id, name, reason, remedy, case.row) for name, reason, remedy in parts]


def header_value(path: Path, what: str) -> str:
    """Return what the DICOM header of a series says, as a cell would; empty where it says nothing.

    ``what`` is one of `weight`, `minutes`, `age` and `sex`. Raises HakkenError, "reason; remedy", for an image that has
    no such header, and for one that says what cannot be.
    """
    files = series_files(path)
    if not files:
        raise HakkenError(f"the cell is empty and {path} has no DICOM header that could tell; {FILL_IN}")
    return READERS[what](files)


def _weight(files: list[Path]) -> str:
    found = number(read_header(files[0]), "PatientWeight", files[0])
    return _required(files[0], "PatientWeight", "" if not found else f"{found:g}")


def _minutes(files: list[Path]) -> str:
    headers = [read_header(file) for file in files]
    return f"{minutes_after_injection(headers, tracer_of(headers[0], files[0]), files):g}"


def _age(files: list[Path]) -> str:
    written = _required(files[0], "PatientAge", text(read_header(files[0]), "PatientAge"))
    parts = AGE.fullmatch(written)
    if parts is None:
        raise HakkenError(f"{files[0]}: PatientAge {tag_of('PatientAge')} is no age such as 063Y; {FILL_IN}")
    return f"{int(parts[1]) * YEARS[parts[2]]:g}"


def _sex(files: list[Path]) -> str:
    return _required(files[0], "PatientSex", text(read_header(files[0]), "PatientSex"))


READERS: Mapping[str, Callable[[list[Path]], str]] = {
    "weight": _weight,
    "minutes": _minutes,
    "age": _age,
    "sex": _sex,
}


def _required(path: Path, keyword: str, value: str) -> str:
    if not value:
        assert pydicom.datadict.tag_for_keyword(keyword)
        raise HakkenError(f"{path}: {keyword} {tag_of(keyword)} is missing, and so is the cell; {FILL_IN}")
    return value


def _source(study: Study) -> str:
    """Return the channel whose header is asked: the first of PET, else the reference."""
    return next((name for name, one in study.channels.items() if one.modality == "pet"), study.reference)
