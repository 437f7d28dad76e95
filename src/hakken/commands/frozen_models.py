"""What may be asked of a frozen model: its operating points, and nothing of test cases that are sealed for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hakken.core.errors import HakkenError

if TYPE_CHECKING:
    from hakken.cohort.case import Case
    from hakken.study import Study


def frozen_points(model: Path, study: Study) -> Mapping[str, Any]:
    """Return the operating points of a model by outcome, from the freeze of its study or from where it was exported.

    A study without cases freezes nothing. Raises HakkenError where the model was not frozen, or is not the one that
    was.
    """
    from hakken.core.files import sha256_file
    from hakken.seal.freeze import read_exported, read_freeze

    digest = sha256_file(model)
    exported = read_exported(model)
    if exported is not None and exported["sha256"] == digest:
        return dict(exported["points"])
    freeze = model.resolve().parent.parent / "freeze.json"
    if freeze.is_file():
        content = read_freeze(freeze)
        entries = [entry for entry in content["models"].values() if entry["sha256"] == digest]
        if entries:
            return dict(entries[0]["points"])
        if not content["models"]:
            return {}  # each fold has models of its own, the plan is frozen
    if study.cohort.kind == "none":
        return {}
    raise HakkenError(
        f"{model}: was not frozen, or is not what was frozen "
        f"({freeze if freeze.is_file() else 'there is no freeze.json'}); "
        "take models/selected.pt of a study that has come to its freeze, or what `hakken export` made of it"
    )


def require_no_sealed_case(model: Path, study: Study, images: Mapping[str, Path]) -> None:
    """Raise HakkenError where an image is one of a test case of the model's study that was not opened for this model.

    Pixels are compared: the same image in another file is the same image.
    """
    results = model.resolve().parent.parent
    if study.cohort.table is None:
        return
    places = [place for place in (Path(), *results.parents) if (place / study.cohort.table).is_file()]
    if not places or _is_open(model, study, results, places[0]):
        return
    given = {digest: images[name] for name, digest in _digests(study, images).items()}
    kind = ("--file", "a file") if study.cohort.kind == "items" else ("--image", "an image")
    for case in _test_cases(study, places[0]):
        for digest in _digests(study, case.channels).values():
            if digest in given:
                raise HakkenError(
                    f"{kind[0]} {given[digest]}: is {kind[1]} of case {case.case_id}, a test case of study "
                    f"{study.name}, whose test set is sealed for this model; let the workflow open it first"
                )


def _is_open(model: Path, study: Study, results: Path, project: Path) -> bool:
    """Whether the test set was opened for a model, or for what it was exported from; of folds, for their plan.

    Raises HakkenError where the ledger, or the opening that results rest on, is not sound.
    """
    from hakken.cohort.parts import openings_folder
    from hakken.core.files import sha256_file
    from hakken.seal.freeze import read_exported
    from hakken.seal.openings import read_openings
    from hakken.seal.receipts import receipts_of

    digests = {sha256_file(model), (read_exported(model) or {}).get("source")}
    known = [*read_openings(project / openings_folder(study)), *receipts_of(results)]
    plans = [one for one in known if not one.models and (one.study, one.scale) == (study.name, study.scale)]
    return bool(plans) or any(digests & set(one.models.values()) for one in known)


def _test_cases(study: Study, project: Path) -> tuple[Case, ...]:
    """Return the test cases, as the case table of the study says now; none where with it the study would not run."""
    from hakken.cohort.parts import openings_folder
    from hakken.cohort.split import assign_parts
    from hakken.cohort.table import read_table

    table = project / str(study.cohort.table)
    moved = {"table": str(table), "openings": str(project / openings_folder(study))}
    here = study.model_copy(update={"cohort": study.cohort.model_copy(update=moved)})
    try:
        return assign_parts(read_table(table, here, files_exist=False), here).part("test")
    except HakkenError:
        return ()


def _digests(study: Study, images: Mapping[str, Path]) -> dict[str, str]:
    """Return the digest of the pixels of each image that is there, of a file of an item that of its bytes.

    Raises HakkenError where one cannot be read.
    """
    from hakken.core.files import sha256_file
    from hakken.imaging.files import read_volume
    from hakken.imaging.fingerprint import content_digest

    found = {}
    if study.cohort.kind == "items":
        return {name: sha256_file(path) for name, path in images.items() if path.is_file()}
    for name in (name for name in study.channels if name in images and images[name].exists()):
        try:
            volume = read_volume(images[name], study.channels[name].colour, study.cohort.pixel_mm)
        except PermissionError:
            raise HakkenError(f"{images[name]}: cannot be read; let the workflow open the test set first") from None
        found[name] = content_digest(volume)
    return found
