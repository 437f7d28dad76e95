"""Planning a study loads nothing that computes: the workflow engine starts anew in each job of a cluster."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "SimpleITK", "matplotlib", "pandas", "sklearn", "skopt")
PROBE = """
import sys
from pathlib import Path
from hakken import plugins
from hakken.runs import configured, jobs, overview
from hakken.study.reading import load_study, scales_of
for kind in ("methods", "phantoms", "outcomes"):
    for name in plugins.names(kind):
        plugins.load(kind, name)
for path in Path("config/studies").glob("*.yaml"):
    load_study(path, next(iter(scales_of(path))))
print(sorted(set(sys.argv[1:]) & set(sys.modules)))
"""


def test_what_a_study_names_loads_nothing_that_computes() -> None:
    from made_up import ROOT

    run = subprocess.run([sys.executable, "-c", PROBE, *HEAVY], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
