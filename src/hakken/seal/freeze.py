"""What was frozen, read back: the file says of itself whether it is what it was, and is compared with its opening."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hakken.core.errors import HakkenError
from hakken.core.files import read_json, sha256_file, sha256_json, write_json

DIGEST = "digest"


def write_sealed(path: Path, content: dict[str, Any]) -> None:
    """Write JSON that says of itself, by a digest, whether it was changed."""
    write_json(path, content | {DIGEST: sha256_json(content)})


def read_sealed(path: Path, remedy: str) -> dict[str, Any]:
    """Return what `write_sealed` wrote; raises HakkenError with the ``remedy`` where it was changed since."""
    content: dict[str, Any] = read_json(path)
    body = {key: value for key, value in content.items() if key != DIGEST}
    if content.get(DIGEST) != sha256_json(body):
        raise HakkenError(f"{path}: was changed since it was written; {remedy}")
    return body


def read_freeze(path: Path) -> dict[str, Any]:
    """Return what was frozen; raises HakkenError where somebody has changed it."""
    return read_sealed(path, "delete it to freeze again, which is another opening of the test set")


def freeze_key(content: dict[str, Any]) -> str:
    """Return the hash of what a test result depends on: each model and its operating points, or else the plan.

    Neither code nor the text of the case table is part of it: the same models at the same points are the same test.
    """
    models = {name: {"sha256": one["sha256"], "points": one["points"]} for name, one in content["models"].items()}
    return sha256_json({"models": models} if models else {"plan": content["plan"]})


def require_frozen(model: Path, content: dict[str, Any], freeze: Path) -> None:
    """Raise HakkenError where a model is not the one that was frozen under its name; folds have models of their own."""
    models = content["models"]
    if models and sha256_file(model) != models.get(model.stem, {}).get("sha256"):
        raise HakkenError(f"{model}: is not the model that {freeze} names; delete {freeze} to freeze this one")


def exported_path(model: Path) -> Path:
    """Return the file beside an exported model that says what it was made of."""
    return model.with_name(f"{model.name}.frozen.json")


def write_exported(model: Path, source: str, points: Mapping[str, Any]) -> None:
    """Write beside an exported ``model`` the SHA-256 of it and of its ``source``, and the operating points of that."""
    write_sealed(exported_path(model), {"sha256": sha256_file(model), "source": source, "points": dict(points)})


def read_exported(model: Path) -> dict[str, Any] | None:
    """Return what `write_exported` wrote beside a model, None where it was not exported."""
    path = exported_path(model)
    return read_sealed(path, "export the model again") if path.is_file() else None
