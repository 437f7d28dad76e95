"""Regions of the body in which candidates and lesions lie, those of urine counted apart.

The rule: a lesion is of the region that its centre lies in, a candidate of the region of its own point. Lesions in a
region apart do not count in the FROC, and neither do candidates there, unless they hit a lesion that counts. Each
region, those apart among them, has a FROC of its own: its lesions, and its candidates beside those from elsewhere that
hit one of its lesions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hakken.evaluation.findings import Findings, Flags
from hakken.evaluation.matching import Fate, Rules, match_findings
from hakken.imaging.body_regions import region_at
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates
from hakken.study import BODY_REGIONS, Study

Names = NDArray[np.str_]


def counted_alone(findings: Findings, rules: Rules, study: Study, regions: tuple[Names, Names]) -> Findings:
    """Return the findings that count: without those apart; ``regions`` are those of lesions and of candidates."""
    assert study.body_regions is not None
    apart_lesion, apart_mark = (np.isin(names, study.body_regions.apart) for names in regions)
    return _without(findings.including(findings.lesions.included & ~apart_lesion), rules, apart_mark)


def by_region(findings: Findings, rules: Rules, regions: tuple[Names, Names]) -> Iterator[tuple[str, Findings]]:
    """Yield the findings of each region in which there is a lesion or a candidate, from head to thighs."""
    lesion, mark = regions
    for name in BODY_REGIONS:
        if name in lesion or name in mark:
            own = findings.including(findings.lesions.included & (lesion == name))
            yield name, _without(own, rules, mark != name)


def names_of(found: Mapping[str, Candidates], cases: Sequence[PreparedCase]) -> tuple[Names, Names]:
    """Return the regions of all lesions and of all candidates, in the order of `hakken.evaluation.findings`."""
    lesions: list[str] = []
    marks: list[str] = []
    for case in cases:
        labels = case.body_regions()
        centres = np.array([lesion.centre for lesion in case.lesions], float).reshape(-1, 3)
        lesions += region_at(labels, case.geometry.to_voxel(centres)) if len(centres) else []
        marks += region_at(labels, found[case.case_id].voxel)
    return np.array(lesions, np.str_), np.array(marks, np.str_)


def _without(findings: Findings, rules: Rules, foreign: Flags) -> Findings:
    """Return the findings without the ``foreign`` candidates that hit nothing."""
    false = np.asarray(match_findings(findings, rules).fate == Fate.FALSE)
    return findings.of_findings(np.ones(len(findings.lesions.case), bool), ~(foreign & false))
