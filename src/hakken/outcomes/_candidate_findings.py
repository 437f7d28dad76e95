"""Cases, lesions and candidates of a part as evaluation takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hakken.evaluation import findings
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates
from hakken.outcomes import Part

Predictions = Mapping[str, Candidates]


def labels_of(found: Predictions, case: PreparedCase) -> NDArray[np.int64] | None:
    """Return the lesion label (n,) that each candidate of a case lies in, None where the case has no truth."""
    marks = found[case.case_id]
    if marks.lesion is not None:
        return marks.lesion
    return marks.labels(case.labels(mmap=True)) if case.has_truth else None


def cases_of(part: Part) -> findings.Cases:
    """Return the cases of a part as evaluation takes them."""
    return findings.Cases.of(part.case_ids, [case.patient for case in part.cases])


def lesions_of(cases: Sequence[PreparedCase]) -> findings.Lesions:
    """Return the lesions of prepared cases, by index of the case."""
    rows = [(number, lesion) for number, case in enumerate(cases) for lesion in case.lesions]
    return findings.Lesions.of(
        [number for number, _ in rows],
        [lesion.centre for _, lesion in rows],
        [lesion.diameter for _, lesion in rows],
        [lesion.kind == "included" for _, lesion in rows],
        label=[lesion.lesion for _, lesion in rows],
    )


def marks_of(found: Predictions, cases: Sequence[PreparedCase]) -> findings.Candidates:
    """Return the candidates of each case as evaluation takes them, with the lesion that each lies in."""
    marks = [found[case.case_id] for case in cases]
    labels = [labels_of(found, case) for case in cases]
    known = all(label is not None for label in labels)
    return findings.Candidates.of(
        np.repeat(np.arange(len(marks)), [len(one) for one in marks]),
        np.concatenate([one.xyz for one in marks]),
        np.concatenate([one.score for one in marks]),
        np.concatenate([label for label in labels if label is not None]) if known else None,
    )
