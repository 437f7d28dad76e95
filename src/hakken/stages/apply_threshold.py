"""Stage `apply_threshold`: the masks of the test set by the frozen trivial baseline."""

from __future__ import annotations

from pathlib import Path

from hakken.console import progress
from hakken.errors import HakkenError
from hakken.files import read_json, sha256_file, write_text
from hakken.imaging.prepared import prepared_cases
from hakken.inference.colour_threshold import Threshold
from hakken.inference.masks import mask_table
from hakken.stages import stage
from hakken.stages.colour_threshold import NO_NETWORK


@stage
def apply_threshold(*, rule: Path, freeze: Path, prepared: list[Path], output: Path) -> None:
    """Write the masks of all cases in ``prepared``; raises HakkenError where ``rule`` is not the one of the freeze."""
    if read_json(freeze)["hashes"]["baselines"].get(rule.name) != sha256_file(rule):
        raise HakkenError(f"{rule}: is not the baseline that {freeze} names; delete {freeze} to freeze this one")
    threshold = Threshold(**read_json(rule))
    cases = [case for folder in prepared for case in prepared_cases(folder)]
    write_text(output, mask_table({case.case_id: {NO_NETWORK: threshold.mask(case)} for case in cases}))
    progress(f"{len(cases)} cases, {threshold.words}")
