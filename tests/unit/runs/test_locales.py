"""What a stage depends on is the same in every locale, and what is said can be shown in each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from locales import LOCALES, variables

DIGESTS = """
from hakken import plugins
from hakken.runs.identity import code_digest
from pathlib import Path
import hakken.stages
for path in sorted(Path(hakken.stages.__file__).parent.glob("[a-z]*.py")):
    for kind, names in {"figures": plugins.names("figures"), "methods": plugins.names("methods")}.items():
        print(path.stem, kind, [code_digest(path.stem, {kind: [name]}) for name in names])
"""
SAYS = f"from hakken.cli import main; raise SystemExit(main(['check', {'/症例/発見 ünïté 🧠.csv'!a}]))"


def said(program: str, locale: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """What a program says in a locale."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    return subprocess.run(
        [sys.executable, "-c", program], env=environment | variables(locale, folder), capture_output=True, check=False
    )


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The digests of all stages with all figures and methods in UTF-8."""
    run = said(DIGESTS, "C.UTF-8", tmp_path_factory.mktemp("usual"))
    assert run.returncode == 0, run.stderr[-2000:]
    assert len(run.stdout.splitlines()) > 30
    return run.stdout


@pytest.mark.xdist_group("locales")
@pytest.mark.parametrize("locale", LOCALES)
def test_digests_are_the_same_in_every_locale(locale: str, usual: bytes, tmp_path: Path) -> None:
    run = said(DIGESTS, locale, tmp_path)
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout == usual


@pytest.mark.xdist_group("locales")
@pytest.mark.parametrize("locale", LOCALES)
def test_a_message_of_letters_that_the_locale_lacks_is_shown(locale: str, tmp_path: Path) -> None:
    run = said(SAYS, locale, tmp_path)
    assert run.returncode == 2
    assert b"Traceback" not in run.stderr
    assert run.stderr.startswith(b"hakken check: ")
    assert b"has no letter" in run.stderr
    assert b"rename it, or set LC_ALL=C.UTF-8 (the locale that names files in UTF-8) and try again" in run.stderr
