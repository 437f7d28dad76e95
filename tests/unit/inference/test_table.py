from __future__ import annotations

import numpy as np

from hakken.inference.candidates import Candidates
from hakken.outcomes.candidates import candidate_rows, candidate_table

FOUND = Candidates(
    xyz=np.array([(1.5, -2.25, 1 / 3), (4.0, 5.0, 6.0)]),
    score=np.array([0.9, 0.125]),
    volume_mm3=np.array([27.0, 13.5]),
    voxel=np.zeros((2, 3)),
)


def test_the_table_holds_every_digit_and_the_lesion() -> None:
    text = candidate_table(candidate_rows("a", FOUND, [2, 0]))
    assert text == (
        "case_id,candidate,x,y,z,score,volume_mm3,lesion\n"
        "a,1,1.5,-2.25,0.3333333333333333,0.9,27.0,2\n"
        "a,2,4.0,5.0,6.0,0.125,13.5,0\n"
    )


def test_where_the_truth_is_unknown_the_lesion_is_empty() -> None:
    assert candidate_table(candidate_rows("a", FOUND)).splitlines()[1].endswith(",27.0,")


def test_no_candidates_is_a_table_with_its_heading() -> None:
    assert candidate_table([]) == "case_id,candidate,x,y,z,score,volume_mm3,lesion\n"
