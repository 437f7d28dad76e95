"""Nuclides of PET: their half-lives, and the codes that DICOM has for them.

Half-lives are those of ICRP Publication 107 (2008); codes are those of DICOM PS3.16, context group 4020 (SNOMED CT and
DICOM's own), and the older SNOMED RT ones that scanners still write.
"""

from __future__ import annotations

import math

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
SAME = 0.05
"""So much may a half-life differ from that of its nuclide: scanners round."""
HALF_LIVES = {
    "C-11": 20.39 * MINUTE,
    "N-13": 9.965 * MINUTE,
    "O-14": 70.606,
    "O-15": 122.24,
    "F-18": 109.77 * MINUTE,
    "Na-22": 2.6019 * 365.2422 * DAY,
    "K-38": 7.636 * MINUTE,
    "Sc-43": 3.891 * HOUR,
    "Sc-44": 3.97 * HOUR,
    "Ti-45": 184.8 * MINUTE,
    "Mn-51": 46.2 * MINUTE,
    "Mn-52": 5.591 * DAY,
    "Mn-52m": 21.1 * MINUTE,
    "Fe-52": 8.275 * HOUR,
    "Co-55": 17.53 * HOUR,
    "Cu-60": 23.7 * MINUTE,
    "Cu-61": 3.333 * HOUR,
    "Cu-62": 9.673 * MINUTE,
    "Cu-64": 12.7 * HOUR,
    "Zn-62": 9.186 * HOUR,
    "Ga-66": 9.49 * HOUR,
    "Ga-68": 67.71 * MINUTE,
    "Ge-68": 270.95 * DAY,
    "As-70": 52.6 * MINUTE,
    "As-72": 26.0 * HOUR,
    "Se-73": 7.15 * HOUR,
    "Br-75": 96.7 * MINUTE,
    "Br-76": 16.2 * HOUR,
    "Br-77": 57.036 * HOUR,
    "Rb-82": 1.273 * MINUTE,
    "Y-86": 14.74 * HOUR,
    "Y-90": 64.1 * HOUR,
    "Zr-89": 78.41 * HOUR,
    "Nb-90": 14.6 * HOUR,
    "Tc-94m": 52.0 * MINUTE,
    "I-124": 4.176 * DAY,
    "Tb-152": 17.5 * HOUR,
}
"""Half-lives in s."""
CODES = {
    "40565003": "C-11",
    "21576001": "N-13",
    "424875009": "O-14",
    "129504001": "O-15",
    "77004003": "F-18",
    "71633006": "Na-22",
    "423764008": "K-38",
    "126605": "Sc-43",
    "126600": "Sc-44",
    "75696008": "Ti-45",
    "126601": "Mn-51",
    "37225000": "Mn-52",
    "126607": "Mn-52m",
    "69089000": "Fe-52",
    "425364008": "Cu-60",
    "71425003": "Cu-61",
    "422934004": "Cu-62",
    "3932008": "Cu-64",
    "65054007": "Zn-62",
    "79477007": "Ga-66",
    "35337001": "Ga-68",
    "53315004": "Ge-68",
    "126602": "As-70",
    "2705002": "As-72",
    "87437000": "Se-73",
    "17910003": "Br-75",
    "79523006": "Br-76",
    "86521004": "Br-77",
    "79197006": "Rb-82",
    "10738001": "Y-86",
    "14691008": "Y-90",
    "63360001": "Zr-89",
    "126603": "Nb-90",
    "424079002": "Tc-94m",
    "40937006": "I-124",
    "126606": "Tb-152",
    "C-105A1": "C-11",
    "C-107A1": "N-13",
    "C-1018C": "O-14",
    "C-B1038": "O-15",
    "C-111A1": "F-18",
    "C-155A1": "Na-22",
    "C-135A4": "K-38",
    "C-166A2": "Ti-45",
    "C-149A1": "Mn-52",
    "C-130A1": "Fe-52",
    "C-127A4": "Cu-60",
    "C-127A1": "Cu-61",
    "C-127A5": "Cu-62",
    "C-127A2": "Cu-64",
    "C-141A1": "Zn-62",
    "C-131A1": "Ga-66",
    "C-131A3": "Ga-68",
    "C-128A2": "Ge-68",
    "C-115A2": "As-72",
    "C-116A2": "Se-73",
    "C-113A1": "Br-75",
    "C-113A2": "Br-76",
    "C-113A3": "Br-77",
    "C-159A2": "Rb-82",
    "C-162A3": "Y-86",
    "C-162A7": "Y-90",
    "C-168A4": "Zr-89",
    "C-163AA": "Tc-94m",
    "C-114A5": "I-124",
}


def misfit(half_life_s: float, code: str) -> str | None:
    """Return in words how a half-life fits no nuclide of PET, or not the one that a ``code`` names; None if it does.

    >>> misfit(6588, "77004003")
    >>> misfit(109.77, "")
    '109.8 s is that of no nuclide of PET; it is that of F-18 in minutes'
    >>> misfit(4062.6, "77004003")
    '4063 s is not that of F-18, which the header names (6586 s)'
    """
    named = CODES.get(code)
    if named is not None:
        known = HALF_LIVES[named]
        if math.isclose(half_life_s, known, rel_tol=SAME):
            return None
        hint = _as_minutes(half_life_s)
        return f"{half_life_s:.4g} s is not that of {named}, which the header names ({known:.4g} s){hint}"
    if any(math.isclose(half_life_s, known, rel_tol=SAME) for known in HALF_LIVES.values()):
        return None
    return f"{half_life_s:.4g} s is that of no nuclide of PET{_as_minutes(half_life_s)}"


def _as_minutes(half_life_s: float) -> str:
    for name in ("F-18", "C-11", "Ga-68"):
        if math.isclose(half_life_s * MINUTE, HALF_LIVES[name], rel_tol=SAME):
            return f"; it is that of {name} in minutes"
    return ""
