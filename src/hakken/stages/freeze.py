"""Stage `freeze`: the models, the operating point and the hashes of all that led to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hakken.console import progress
from hakken.errors import HakkenError
from hakken.files import read_json, sha256_file, sha256_json, write_json
from hakken.stages import stage


@stage
def freeze(
    *,
    study: dict[str, Any],
    selected: Path,
    models: list[Path],
    evaluations: list[Path],
    separated: Path,
    table: Path,
    codes: dict[str, str],
    output: Path,
    apart: list[Path] = [],  # noqa: B006 - never changed
    baselines: list[Path] = [],  # noqa: B006
) -> None:
    """Seal the study: nothing that a later stage uses may differ from what is written here.

    ``models`` and ``evaluations`` are files named `<model>.pt` and `<model>.json`; ``apart`` are the records of trials
    that are models of their own, named by their sweeps; ``baselines`` are files of what is no network. Raises
    HakkenError when a model has no operating point on validation.
    """
    measured = {path.stem: read_json(path) for path in evaluations}
    chosen = read_json(selected)["models"] | {record["sweep"]: record for record in map(read_json, apart)}
    for name, evaluation in measured.items():
        if evaluation["operating_point"].get("threshold") is None:
            raise HakkenError(f"model `{name}` has no candidate on validation, so no operating point; train longer")
    sealed = {
        path.stem: {
            "sha256": sha256_file(path),
            "sweep": chosen[path.stem]["sweep"],
            "trial": chosen[path.stem]["number"],
            "parameters": chosen[path.stem]["parameters"],
            "operating_point": measured[path.stem]["operating_point"],
        }
        for path in models
    }
    write_json(
        output,
        {
            "study": study["name"],
            "scale": study["scale"],
            "models": sealed,
            "hashes": {
                "study": sha256_json(study),
                "case_table": sha256_file(table),
                "development_images": sha256_file(separated),
                "selection": sha256_file(selected),
                "validation": {path.stem: sha256_file(path) for path in evaluations},
                "code": codes,
                **({"baselines": {path.name: sha256_file(path) for path in baselines}} if baselines else {}),
            },
        },
    )
    point = sealed["selected"]["operating_point"]
    progress(f"trial {sealed['selected']['trial']} is frozen with the threshold {point['threshold']:.4g}")
