"""What holds of every figure; that it is drawn twice with the same bytes, tests/workflow/test_small_runs.py tries."""

from __future__ import annotations

import pytest
from made_up import studies, study_with

from hakken import plugins
from hakken.runs.overview import ON_DEMAND


@pytest.mark.parametrize("name", plugins.names("figures"))
def test_plans_read_what_it_needs_without_running_it(name: str) -> None:
    module, said = plugins.load("figures", name), plugins.literals("figures", name)
    assert said["INPUTS"] == module.INPUTS
    assert said["CAPTION"] == module.CAPTION
    assert said["CAPTION"].endswith(".")
    assert set(said.get("NEEDED", ())) == set(getattr(module, "NEEDED", ())) <= set(said["INPUTS"])


@pytest.mark.parametrize("name", [name for name in plugins.names("figures") if name not in ON_DEMAND])
def test_a_study_draws_it(name: str) -> None:
    assert study_with("figures", name) in studies()
