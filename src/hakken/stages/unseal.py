"""Stage `unseal`: open the test set."""

from __future__ import annotations

from pathlib import Path

from hakken.cohort.checked import read_checked
from hakken.cohort.table import read_table
from hakken.core.console import progress
from hakken.core.files import write_json
from hakken.seal.freeze import freeze_key, read_freeze, require_frozen
from hakken.seal.guard import key_of
from hakken.seal.openings import new_opening, open_cases
from hakken.seal.receipts import write_receipt
from hakken.stages import stage
from hakken.study import Study


@stage
def unseal(
    *,
    study: Study,
    table: Path,
    freeze: Path,
    checked: list[Path],
    ledger: Path,
    output: Path,
    models: list[Path] = [],  # noqa: B006 - never changed
) -> None:
    """Write down the opening of the ``checked`` test cases for what was frozen; from here on they may be looked at.

    The same models, operating points, images and truth are no new opening. Raises HakkenError where the frozen file or
    one of the ``models`` is not what it was.
    """
    content = read_freeze(freeze)
    for model in models:
        require_frozen(model, content, freeze)
    known = read_checked(checked)
    cases = read_table(table, study, files_exist=False)
    new = new_opening(
        study=study.name,
        scale=study.scale,
        design=study.evaluation.design,
        freeze=freeze_key(content),
        models={name: model["sha256"] for name, model in content["models"].items()},
        cases=[key_of(cases.case(case_id).patient, one) for case_id, one in known.items()],
    )
    opening = open_cases(ledger, new)
    results = output.parent.parent
    write_receipt(results, opening)
    write_json(output, opening.as_dict())
    progress(f"the test set is open: {opening.words} ({opening.reason})")
