"""Locales for tests: those that a machine lacks are made with `localedef` in a folder of the test's own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

MADE = {"ja_JP.eucJP": ("ja_JP", "EUC-JP"), "en_US.iso88591": ("en_US", "ISO-8859-1")}
LOCALES = ("C", *MADE)


def variables(locale: str, folder: Path) -> dict[str, str]:
    """Return the environment of a process in ``locale``; C is the one of ASCII, without Python's own remedies."""
    if locale in MADE:
        source, charset = MADE[locale]
        if shutil.which("localedef") is None:
            pytest.skip("this machine has no `localedef` to make a locale with")
        made = subprocess.run(
            ["localedef", "-i", source, "-f", charset, str(folder / locale)], capture_output=True, check=False
        )
        if made.returncode:
            pytest.skip(f"`localedef` has no sources of {locale} here")
        return {"LC_ALL": locale, "LOCPATH": str(folder)}
    plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"} if locale == "C" else {}
    return {"LC_ALL": locale} | plain
