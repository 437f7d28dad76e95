"""What the file of a model holds, checked and to the byte, without any of the code that uses the model.

A stage that only passes a model on knows this alone, so that what a method does is not part of its own code.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from hakken.core.errors import HakkenError
from hakken.core.files import replacing
from hakken.study import Study

FORMAT = "hakken model 3"
EARLIER = ("hakken detector 1", "hakken model 2")
DIGEST = "digest"
MEMBERS, SOURCE = "members", "sha256"
"""What the file of an average holds: the content of each of its models' files, with the SHA-256 of that."""
OF_USE = ("inference", "outcomes")
"""Sections of its study that say how a model is used, and not what it has learnt."""
ANEW = "copy it anew from where it was made, or train again"


def save_used_as(path: Path, source: Path, study: Study) -> None:
    """Write the model in the file ``source`` to ``path``, used as another version of its study uses it."""
    content, used = read_content(source), study.model_dump(mode="json", include=set(OF_USE))
    if MEMBERS in content:
        held = [one | {"study": one["study"] | used} for one in content[MEMBERS]]
        write_content(path, content | {MEMBERS: held})
    else:
        write_content(path, content | {"study": content["study"] | used})


def write_content(path: Path, content: Mapping[str, Any]) -> None:
    """Write what a model holds, with the digest of it, to ``path``."""
    buffer = io.BytesIO()
    torch.save({**content, DIGEST: digest_of(content)}, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def read_content(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Return what a model's file holds; raises HakkenError where it is none, of another version, or damaged."""
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise HakkenError(f"{path}: no such model") from None
    except Exception:
        raise HakkenError(f"{path}: damaged, or no model of hakken; {ANEW}") from None
    found = content.get("format") if isinstance(content, dict) else None
    if found in EARLIER:
        raise HakkenError(
            f"{path}: was written by an earlier hakken, whose models this version does not use; train again"
        )
    if found != FORMAT:
        raise HakkenError(f"{path}: not a model of this version of hakken (found {found!r}, expected {FORMAT!r})")
    if content.pop(DIGEST, None) != digest_of(content):
        raise HakkenError(f"{path}: damaged: its checksum is not that of what it holds; {ANEW}")
    return dict(content)


def digest_of(content: Any) -> str:
    """Return the SHA-256 of all that a model's file holds: names, plain values, and tensors to the last bit."""
    digest = hashlib.sha256()
    for part in _parts(content):
        digest.update(part)
    return digest.hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, Mapping):
        for key in sorted(value):
            yield f"{key}:".encode()
            yield from _parts(value[key])
    elif isinstance(value, torch.Tensor):
        tensor = value.detach().cpu().contiguous()
        yield f"{tensor.dtype} {tuple(tensor.shape)}".encode()
        yield tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
    elif isinstance(value, list | tuple):
        for one in value:
            yield b"-"
            yield from _parts(one)
    else:
        yield f"{type(value).__name__} {value!r}".encode()
