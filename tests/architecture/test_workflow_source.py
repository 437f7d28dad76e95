"""The rules of the architecture that can be read off the Snakefile, the rules and the script."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

import pytest
import yaml

from hakken import plugins
from hakken.runs.jobs import CHAIN

ROOT = Path(__file__).resolve().parents[2]
RULE_FILES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
STAGE_FILES = [path for path in RULE_FILES if path.stem != "common"]
OF_ALL_STUDIES = {"overview"}
WILDCARDS = {"study", "scale", "part", "batch", "sweep", "trial", "model", "scope", "data", "set", "figure"}
SCRIPT = '''\
"""Adapter of every rule: `params.stage` names the stage, which gets the job's named files and parameters."""

from typing import TYPE_CHECKING

from hakken.stages import run

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

run(snakemake)
'''


def rules(path: Path) -> dict[str, str]:
    """The text of each rule of a file."""
    pieces = re.split(r"^rule (\w+):\n", path.read_text(), flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


RULES = {name: text for path in STAGE_FILES for name, text in rules(path).items()}


def test_the_snakefile_is_a_table_of_contents() -> None:
    text = (ROOT / "Snakefile").read_text()
    assert len(text.splitlines()) < 80
    assert not re.search(r"^def ", text, flags=re.MULTILINE)
    assert tuple(re.findall(r'include: "workflow/rules/(\w+).smk"', text)) == CHAIN


def test_rule_files_are_short_with_their_contract_on_top() -> None:
    for path in STAGE_FILES:
        lines = path.read_text().splitlines()
        assert len(lines) < 120, path
        assert "Makes" in " ".join(line for line in lines[:6] if line.startswith("#")), path
        assert "def " not in path.read_text(), path
    assert len((ROOT / "workflow/rules/common.smk").read_text().splitlines()) <= 120


def test_the_chain_names_no_plug_in() -> None:
    names = {name for kind in plugins.KINDS for name in plugins.names(kind)}
    for path in [ROOT / "Snakefile", *(path for path in RULE_FILES if path.stem in CHAIN)]:
        without_sections = re.sub(r"study\(.*\)", "", path.read_text())
        quoted = set(re.findall(r'"([a-z_]+)"', without_sections))
        assert names & quoted <= {"comparison", "scaling"}, path  # targets of their own


def test_rules_of_a_system_begin_with_its_name() -> None:
    for path in STAGE_FILES:
        if path.stem not in CHAIN:
            for name, text in rules(path).items():
                assert name.startswith(path.stem)
                outputs = text.partition("output:")[2].partition("log:")[0]
                assert all(found == path.stem for found in re.findall(r"\{scale\}/(\w+)/", outputs))


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_is_complete(name: str) -> None:
    text = RULES[name]
    assert re.match(r'    """[A-Z].+\."""\n', text), "one sentence says what the rule does"
    for directive in ("output:", "params:", "log:", "benchmark:", "threads:", "resources:", "script:"):
        assert f"    {directive}" in text, directive
    for words in ("mem_mb=", "runtime=", f'stage="{name}",', '"../scripts/stage.py"'):
        assert words in text, words
    # An edit of `unseal` itself is no reason to open the test set again; what it opens is named by its input.
    assert (f'code=code("{name}")' in text) == (name != "unseal")
    folder = "results" if name in OF_ALL_STUDIES else "results/{study}/{scale}"
    assert re.search(rf'"{folder}/logs/{name}/[^"]+\.log"', text)
    assert re.search(rf'"{folder}/benchmarks/{name}/[^"]+\.tsv"', text)
    for path in re.findall(r'"(results/[^"]+)"', text):
        wildcards = set(re.findall(r"(?<!{){(\w+)}(?!})", path))
        assert len(wildcards) <= 6
        assert wildcards <= WILDCARDS


def test_no_forbidden_feature() -> None:
    for path in RULE_FILES:
        for word in ("    run:", "checkpoint ", "update(", "keep-incomplete", "lookup("):
            assert word not in path.read_text(), path


def test_gpu_rules_ask_for_a_gpu_and_no_other_does() -> None:
    asking = {name for name, text in RULES.items() if re.search(r"\bgpu=", text)}
    assert asking == {"trial", "average", "predict", "unet_costs"}
    assert not any(re.search(r"\bgpus=|\btime=", text) for text in RULES.values())


def test_the_script_is_one_call_that_never_changes() -> None:
    (script,) = (ROOT / "workflow" / "scripts").glob("*.py")
    assert script.read_text() == SCRIPT  # an edited line would re-run every job of every study
    assert len(SCRIPT.splitlines()) <= 10
    assert ast.parse(SCRIPT)


@pytest.mark.parametrize("profile", sorted((ROOT / "profiles").iterdir()), ids=lambda path: path.name)
def test_profiles_name_rules_that_exist(profile: Path) -> None:
    content = yaml.safe_load((profile / "profile.v9+.yaml").read_text())
    derived = (re.findall(r"^use rule \w+ as (\w+) with:", path.read_text(), re.MULTILINE) for path in RULE_FILES)
    known = {*RULES, *itertools.chain.from_iterable(derived)}
    assert set(content.get("set-resources", {})) <= known
    assert set(content.get("set-threads", {})) <= known
    assert set(content.get("preemptible-rules") or ()) <= known
