from __future__ import annotations

import pytest

from hakken.core.names import nearest


@pytest.mark.parametrize(
    ("name", "expected"),
    [("froq", "; did you mean `froc`?"), ("ROC", ""), ("xyz", ""), ("", ""), ("300", "; did you mean `30`?")],
)
def test_the_nearest_name_is_a_question_and_nothing_where_none_is_near(name: str, expected: str) -> None:
    assert nearest(name, ["froc", "roc", 30]) == expected
