"""The container recipe and the conda file give every version that constraints.txt names."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
RECIPE = (ROOT / "envs" / "hakken.def").read_text()
CONDA = (ROOT / "envs" / "hakken.yaml").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {"imagenet", "optuna"}  # what studies of config/studies can ask for
EXPORT = "PIP_CONSTRAINT=/opt/hakken/constraints.txt"


def sections(recipe: str) -> dict[str, str]:
    """The sections of a recipe by name, and what stands before them as `header`."""
    pieces = re.split(r"^%(\w+)\n", recipe, flags=re.MULTILINE)
    return {"header": pieces[0], **dict(zip(pieces[1::2], pieces[2::2], strict=True))}


def loose(recipe: str) -> Iterator[str]:
    """Ways in which a recipe installs what constraints.txt does not hold."""
    parts = sections(recipe)
    commands = [line.strip() for line in parts["post"].splitlines() if not line.strip().startswith("#")]
    if not any(line.startswith("export ") and EXPORT in line.split() for line in commands[:1]):
        yield "constraints come after the first command, or never"
    if "constraints.txt /opt/hakken/constraints.txt" not in parts["files"]:
        yield "constraints.txt is not in the image"
    for line in commands:
        if re.search(r"\b(conda|apt-get|apt|curl|wget|git)\b", line):
            yield f"not by pip: {line}"
        if "install" in line and ("==" in line or "-c " in line or "/opt/hakken" not in line):
            yield f"not by the project's own requirements: {line}"


def installed(text: str) -> set[str]:
    """The extras that are installed with the package."""
    found = re.search(r"(?:/opt/hakken|\.\.)\[([\w,]+)\]", text)
    assert found is not None
    return set(found[1].split(","))


def test_the_recipe_installs_by_the_pins_alone() -> None:
    assert list(loose(RECIPE)) == []
    assert installed(sections(RECIPE)["post"]) == EXTRAS


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (EXPORT, "PIP_CONSTRAINT="),
        ("    constraints.txt /opt/hakken/constraints.txt\n", ""),
        ("    python -m pip check\n", "    python -m pip install snakemake==9.0\n"),
        ("    python -m pip check\n", "    apt-get install -y python3-numpy\n"),
    ],
)
def test_a_recipe_that_is_loose_is_noticed(old: str, new: str) -> None:
    assert old in RECIPE
    assert list(loose(RECIPE.replace(old, new))) != []


def test_the_conda_file_installs_by_the_pins_alone() -> None:
    content = yaml.safe_load(CONDA)
    *own, last = content["dependencies"]
    assert own == ["python=3.11", "pip"]
    assert last["pip"][0] == "-c ../constraints.txt"
    assert (ROOT / "envs" / "../constraints.txt").resolve() == ROOT / "constraints.txt"
    assert last["pip"][1:] == ["-e ..[imagenet,optuna]"]
    assert installed(CONDA) == EXTRAS


def test_both_have_the_python_that_the_pins_were_resolved_for() -> None:
    assert "From: python:3.11-slim-bookworm" in sections(RECIPE)["header"]
    assert PROJECT["requires-python"] == ">=3.11"


def test_every_requirement_has_a_pin() -> None:
    pins = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines()]
    for pin in pins:
        assert [one.operator for one in pin.specifier] == ["=="], pin
    named = {canonicalize_name(pin.name) for pin in pins}
    optional = [text for extra in EXTRAS for text in PROJECT["optional-dependencies"][extra]]
    wanted = {canonicalize_name(Requirement(text).name) for text in [*PROJECT["dependencies"], *optional]}
    assert wanted <= named
    assert {"snakemake-executor-plugin-slurm-jobstep", "setuptools"} <= named


def test_the_image_says_which_version_it_is() -> None:
    labels = dict(line.split(maxsplit=1) for line in sections(RECIPE)["labels"].splitlines() if line.strip())
    assert labels["org.opencontainers.image.version"] == PROJECT["version"]
    assert labels["org.opencontainers.image.licenses"] == PROJECT["license"]


@pytest.mark.parametrize(
    ("folder", "shown"), [("src/hakken", "{0}/src {0}/.snakemake/matplotlib"), ("data", "none none")]
)
def test_within_a_checkout_its_code_runs(folder: str, shown: str, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir(parents=True)
    if folder != "data":
        (tmp_path / ".snakemake").mkdir()
    script = sections(RECIPE)["environment"] + '\necho "${PYTHONPATH-none} ${MPLCONFIGDIR-none}"\n'
    host = {"PYTHONPATH": "/packages/of/the/host", "PATH": "/usr/bin:/bin"}
    run = subprocess.run(["sh", "-euc", script], cwd=tmp_path, env=host, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == shown.format(tmp_path)


def test_nothing_is_fetched_when_the_image_runs() -> None:
    parts = sections(RECIPE)
    for name in ("environment", "runscript", "test"):
        assert not re.search(r"\b(install|download|curl|wget|git)\b", parts[name]), name
