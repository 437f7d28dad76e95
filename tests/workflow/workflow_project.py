"""A copy of the workflow in a folder of its own, for tests that run it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STUDIES = Path(__file__).parent / "studies"


@dataclass(frozen=True)
class Project:
    """A copy of the workflow in a folder of its own; the package is the installed one."""

    folder: Path

    def path(self, name: str) -> Path:
        return self.folder / name

    def at_home(self) -> None:
        """Let results that were copied with their project stand where they were made, as far as they know."""
        for path in self.folder.glob("results/*/*/versions.json"):
            known = json.loads(path.read_text(encoding="utf-8"))
            path.write_text(
                json.dumps({key: value for key, value in known.items() if key != "place"}), encoding="utf-8"
            )

    def environment(self) -> dict[str, str]:
        scripts = Path(sys.executable).parent
        return os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}

    def snakemake(
        self, *arguments: str, timeout: float = 600, variables: Mapping[str, str] | None = None, umask: int = -1
    ) -> subprocess.CompletedProcess[str]:
        """Run the workflow with the project's configuration; both streams come back as one text."""
        return subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
            cwd=self.folder,
            env=self.environment() | dict(variables or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
            umask=umask,
        )

    def at_once(
        self, *arguments: str, variables: Mapping[str, str] | None = None, umask: int = -1
    ) -> list[dict[str, Any]]:
        """Run the jobs of the targets in one process and return what was run; see at_once.py."""
        run = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("at_once.py")), str(self.folder), *arguments],
            env=self.environment() | dict(variables or {}),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            umask=umask,
        )
        assert run.returncode == 0, run.stderr[-6000:]
        return [json.loads(line) for line in run.stdout.splitlines() if line.startswith('{"rule"')]

    def hakken(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command of the package in the project's folder."""
        return subprocess.run(
            [sys.executable, "-m", "hakken.cli", *arguments],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


def new_project(folder: Path, config: str = "studies: {smoke: tiny}\ncases_per_job: 8\n") -> Project:
    """Copy the workflow and the studies into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("workflow", "profiles"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "config", folder / "config")
    shutil.copy(ROOT / "Snakefile", folder)
    for study in STUDIES.glob("*.yaml"):
        shutil.copy(study, folder / "config" / "studies")
    (folder / "config" / "config.yaml").write_text(config)
    return Project(folder)
