"""How a training is laid out on the cores of a host: processes, threads, order of memory, precision.

None of it belongs to a study. The fastest layout differs from host to host and is measured by `hakken tune-cpu`, which
keeps it in one small file a host.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import nn

from hakken.core.errors import HakkenError
from hakken.core.files import read_json, write_json
from hakken.core.tensors import arrange_images

PRECISIONS = ("float32", "bfloat16")
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""What Linux calls a CPU's instructions for bfloat16: those of x86 (two kinds) and of ARM."""
CPUINFO = Path("/proc/cpuinfo")
REMEDY = "run `hakken tune-cpu` again, or remove the file"
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Layout:
    """So many ``processes`` at once, each with ``threads``, that share the gradients of their mini-batches.

    ``channels_last`` keeps the channels of a voxel together in memory; layers compute at ``precision``.
    """

    processes: int = 1
    threads: int = 1
    channels_last: bool = False
    precision: Literal["float32", "bfloat16"] = "float32"

    @property
    def dtype(self) -> torch.dtype:
        """The type in which layers compute."""
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32

    def __str__(self) -> str:
        order = "channels last" if self.channels_last else "channels first"
        return f"{self.processes} x {self.threads}, {order}, {self.precision}"


def arrange(network: Network, channels_last: bool) -> Network:
    """Give the weights of ``network`` the order of memory, in place, and return it; do so before an optimiser is made.

    Networks may mix layers of two and three axes. Names, shapes and values of the weights stay as they are.
    """
    if channels_last:
        for tensor in (*network.parameters(), *network.buffers()):
            tensor.data = arrange_images(tensor.data, channels_last)
    return network


def has_bfloat16(cpuinfo: Path = CPUINFO) -> bool:
    """Whether every core of this host has instructions for bfloat16.

    Without them it is emulated: slower, and no more exact. Where the system does not say (macOS), the answer is no.
    """
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = [line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features"))]
    return bool(flags) and all(BFLOAT16_FLAGS & set(found) for found in flags)


def cpu_name(cpuinfo: Path = CPUINFO) -> str:
    """Return what the system calls the CPU, or nothing where it does not say."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def layout_path(host: str | None = None) -> Path:
    """Return where the layout of a host is kept: the user's configuration folder, in a file of the host's name."""
    from platformdirs import user_config_path

    return user_config_path("hakken", "hakken") / "layouts" / f"{host or socket.gethostname()}.json"


def write_layout(path: Path, layout: Layout, details: Mapping[str, Any]) -> None:
    """Write the layout of a host; ``details`` (how it was found) are plain values for people to read."""
    write_json(path, {"layout": asdict(layout), **details})


def read_layout(path: Path | None = None) -> Layout | None:
    """Return the layout of this host, or of the file ``path``; None where there is no such file.

    Raises HakkenError naming what is wrong in a damaged file, and where it asks for a precision that this CPU lacks.
    """
    path = path or layout_path()
    if not path.is_file():
        return None
    try:
        content = read_json(path)
    except HakkenError as error:
        raise HakkenError(f"{error}; {REMEDY}") from None
    layout = _checked(path, content.get("layout") if isinstance(content, dict) else None)
    if layout.precision == "bfloat16" and not has_bfloat16():
        raise HakkenError(f"{path}: asks for bfloat16, for which this CPU has no instructions; {REMEDY}")
    return layout


def _checked(path: Path, found: Any) -> Layout:
    keys = [field.name for field in fields(Layout)]
    if not isinstance(found, dict) or set(found) != set(keys):
        raise HakkenError(f"{path}: `layout` must hold {', '.join(keys)} and nothing else; {REMEDY}")
    for name in ("processes", "threads"):
        if type(found[name]) is not int or found[name] < 1:
            raise HakkenError(f"{path}: layout.{name} is {found[name]!r}, not a whole number of 1 or more; {REMEDY}")
    if type(found["channels_last"]) is not bool:
        raise HakkenError(f"{path}: layout.channels_last is {found['channels_last']!r}, not true or false; {REMEDY}")
    if found["precision"] not in PRECISIONS:
        raise HakkenError(
            f"{path}: layout.precision is {found['precision']!r}, not {' or '.join(PRECISIONS)}; {REMEDY}"
        )
    return Layout(**found)
