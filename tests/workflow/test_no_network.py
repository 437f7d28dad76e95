"""A whole run asks nothing of any other machine, neither the stages nor the workflow engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from socket_watch import Watch, new_watch
from workflow_project import Project

pytestmark = pytest.mark.xdist_group("finished")
FAR = "('192.0.2.1', 9)"  # an address that is nobody's (RFC 5737)
NEAR = "('127.0.0.1', 9)"
CALLS = {
    "connect": f"s.socket().connect_ex({NEAR}); t = s.socket(); t.settimeout(0.1); t.connect_ex({FAR})",
    "sendto": f"u = s.socket(s.AF_INET, s.SOCK_DGRAM); u.sendto(b'', {NEAR}); u.sendto(b'', {FAR})",
    "sendmsg": f"u = s.socket(s.AF_INET, s.SOCK_DGRAM); u.sendmsg([b''], [], 0, {FAR})",
    "bind": "s.socket().bind(('127.0.0.1', 0)); s.socket().bind(('0.0.0.0', 0))",
    "getaddrinfo": "s.getaddrinfo('localhost', 9); s.getaddrinfo('hakken.invalid', 9)",
    "gethostbyname": "import ctypes; ctypes.CDLL(None).gethostbyname(b'hakken.invalid')",
}
ABOUT = {"bind": "0.0.0.0", "getaddrinfo": "hakken.invalid", "gethostbyname": "hakken.invalid"}


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    made = new_watch(tmp_path)
    if made.reason:
        pytest.skip(made.reason)
    return made


def test_the_whole_run_opens_no_socket_beyond_loopback(finished: tuple[Project, str], sockets: Watch) -> None:
    _, shown = finished
    if sockets.reason:
        pytest.skip(sockets.reason)
    jobs = int(re.findall(r"^total +(\d+)$", shown, flags=re.MULTILINE)[0])
    watched = [program for program in sockets.started if "python" in Path(program).name]
    assert len(watched) >= jobs, "each job is a Python of its own, and all were to be watched"
    assert sockets.beyond_loopback == []


@pytest.mark.parametrize("call", CALLS)
def test_what_goes_beyond_loopback_is_noticed(call: str, watch: Watch) -> None:
    script = f"import socket as s\ntry:\n    {CALLS[call]}\nexcept OSError:\n    pass\n"
    command = ["/bin/sh", "-c", 'exec "$0" -c "$1"', sys.executable, script]
    subprocess.run(command, env=os.environ | watch.environment, check=True, timeout=60)
    assert watch.beyond_loopback == [f"{call} {ABOUT.get(call, '192.0.2.1')} {sys.executable}"]


def test_what_stays_on_this_machine_is_none(watch: Watch) -> None:
    script = (
        "import socket as s\n"
        "door = s.socket(); door.bind(('127.0.0.1', 0)); door.listen()\n"
        "s.create_connection(door.getsockname())\n"
        "one, other = s.socketpair(); one.sendall(b'x')\n"
        "s.socket(s.AF_INET6).bind(('::1', 0)) if s.has_ipv6 and s.if_nameindex() else None\n"
    )
    subprocess.run([sys.executable, "-c", script], env=os.environ | watch.environment, check=False, timeout=60)
    assert watch.started
    assert watch.beyond_loopback == []
