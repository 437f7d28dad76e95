"""Stage `unseal`: open the test set."""

from __future__ import annotations

from pathlib import Path

from hakken.core.console import progress
from hakken.core.files import read_json, sha256_file, write_json
from hakken.report.seal import append_opening
from hakken.stages import stage


@stage
def unseal(*, freeze: Path, ledger: Path, output: Path) -> None:
    """Append one line to the ledger of openings; from here on the test cases may be read."""
    models = {name: model["sha256"] for name, model in read_json(freeze)["models"].items()}
    opening = append_opening(ledger, sha256_file(freeze), models)
    write_json(output, opening)
    progress(f"the test set is opened; opening number {opening['number']} of this study at this scale")
