"""What processes ask of the network, noted by a small library that the loader puts before the C library."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


@dataclass(frozen=True)
class Watch:
    """Where the notes go; ``reason`` says why there are none."""

    library: Path
    notes: Path
    reason: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What a process and all that it starts need in their environment to be watched."""
        return {} if self.reason else {"LD_PRELOAD": str(self.library), "SOCKET_WATCH": str(self.notes)}

    def _lines(self) -> list[list[str]]:
        return [line.split(" ", 2) for line in self.notes.read_text(errors="replace").splitlines()]

    @property
    def started(self) -> list[str]:
        """The programs that were watched."""
        return [words[2] for words in self._lines() if words[0] == "started"]

    @property
    def beyond_loopback(self) -> list[str]:
        """Calls that are about another machine, or open a door to it: `connect 192.0.2.1 python`."""
        return [" ".join(words) for words in self._lines() if words[0] != "started" and not _loopback(words[1])]


def new_watch(folder: Path) -> Watch:
    """Build the library in ``folder``; where that cannot be, return a watch that says why."""
    library, notes = folder / "socket_watch.so", folder / "sockets.txt"
    if not sys.platform.startswith("linux"):
        return Watch(library, notes, "the loader of this system takes no LD_PRELOAD")
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return Watch(library, notes, "no C compiler to build the watching library with")
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", str(library), str(SOURCE), "-ldl"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    return Watch(library, notes, f"the watching library does not build: {built.stderr}" if built.returncode else "")


def _loopback(what: str) -> bool:
    """Whether an address, or a name that is looked up, means this machine by its loopback."""
    try:
        address = ipaddress.ip_address(what)
    except ValueError:
        return what == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
