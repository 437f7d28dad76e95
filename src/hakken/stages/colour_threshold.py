"""Stage `colour_threshold`: the trivial baseline of segmentation, chosen on validation."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from hakken.console import progress
from hakken.files import write_json, write_text
from hakken.imaging.prepared import prepared_cases
from hakken.inference.colour_threshold import choose_threshold
from hakken.inference.masks import mask_table
from hakken.networks.unet import Size
from hakken.stages import stage

NO_NETWORK = Size(0)


@stage
def colour_threshold(*, prepared: list[Path], output: Path, predictions: Path) -> None:
    """Write the rule (JSON) with the highest mean Dice over the cases in ``prepared``, and its masks of them."""
    cases = [case for folder in prepared for case in prepared_cases(folder)]
    rule = choose_threshold(cases)
    write_json(output, asdict(rule))
    write_text(predictions, mask_table({case.case_id: {NO_NETWORK: rule.mask(case)} for case in cases}))
    progress(f"{rule.words}: mean Dice {rule.dice:.3f} on validation")
