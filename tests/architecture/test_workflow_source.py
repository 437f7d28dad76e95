"""The rules of the house that can be read off the Snakefile, the rules and the scripts."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULE_FILES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
STAGE_FILES = [path for path in RULE_FILES if path.stem != "common"]
SCRIPTS = sorted((ROOT / "workflow" / "scripts").glob("*.py"))
OF_ALL_STUDIES = {"overview"}
WILDCARDS = {"study", "scale", "part", "batch", "sweep", "trial", "model", "scope", "cell"}


def rules(path: Path) -> dict[str, str]:
    """The text of each rule of a file."""
    pieces = re.split(r"^rule (\w+):\n", path.read_text(), flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


RULES = {name: text for path in STAGE_FILES for name, text in rules(path).items()}


def test_the_snakefile_is_a_table_of_contents() -> None:
    text = (ROOT / "Snakefile").read_text()
    assert len(text.splitlines()) < 80
    assert not re.search(r"^def ", text, flags=re.MULTILINE)
    included = re.findall(r'include: "workflow/rules/(\w+).smk"', text)
    assert included[0] == "common"
    assert set(included) == {path.stem for path in RULE_FILES}


@pytest.mark.parametrize("path", STAGE_FILES, ids=lambda path: path.stem)
def test_a_rule_file_is_one_short_stage_with_its_contract_on_top(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) < 200
    assert lines[0].startswith("# ")
    assert "Makes" in " ".join(line for line in lines[:6] if line.startswith("#"))
    assert "def " not in path.read_text()


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_is_complete(name: str) -> None:
    text = RULES[name]
    assert re.match(r'    """[A-Z].+\."""\n', text), "one sentence says what the rule does"
    for directive in ("output:", "params:", "log:", "benchmark:", "threads:", "resources:", "script:"):
        assert f"    {directive}" in text, directive
    assert "mem_mb=" in text
    assert "runtime=" in text
    # An edit of `unseal` itself is no reason to open the test set again; what it opens is named by its input.
    assert ("code=code(" in text) == (name != "unseal")


@pytest.mark.parametrize("name", sorted(RULES))
def test_rule_script_log_and_benchmark_share_one_name(name: str) -> None:
    text = RULES[name]
    assert f'"../scripts/{name}.py"' in text
    folder = "results" if name in OF_ALL_STUDIES else "results/{study}/{scale}"
    assert re.search(rf'"{folder}/logs/{name}/[^"]+\.log"', text)
    assert re.search(rf'"{folder}/benchmarks/{name}/[^"]+\.tsv"', text)


@pytest.mark.parametrize("name", sorted(RULES))
def test_paths_are_literal_with_few_known_wildcards(name: str) -> None:
    for path in re.findall(r'"(results/[^"]+)"', RULES[name]):
        wildcards = set(re.findall(r"(?<!{){(\w+)}(?!})", path))
        assert len(wildcards) <= 6
        assert wildcards <= WILDCARDS | {"figure"}


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.stem)
def test_no_forbidden_feature(path: Path) -> None:
    text = path.read_text()
    for word in ("    run:", "checkpoint ", "update(", "keep-incomplete", "lookup("):
        assert word not in text


def test_gpu_rules_ask_for_a_gpu_and_no_other_does() -> None:
    asking = {name for name, text in RULES.items() if re.search(r"\bgpu=(1|gpus)\b", text)}
    assert asking == {"trial", "predict", "reconstruct", "expect", "size_costs", "grid_cell"}
    assert not any("gpus=" in text or "time=" in text.replace("runtime=", "") for text in RULES.values())


def test_every_script_belongs_to_a_rule() -> None:
    assert {path.stem for path in SCRIPTS} == set(RULES)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_one_call_into_the_package(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) < 30
    forbidden = (ast.For, ast.While, ast.FunctionDef, ast.Lambda, ast.ListComp, ast.ClassDef)
    assert not [node for node in ast.walk(tree) if isinstance(node, forbidden)]
    calls = [node for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    assert [ast.unparse(node.value.func) for node in calls] == [path.stem]  # type: ignore[attr-defined]
    assert f"from hakken.stages.{path.stem} import {path.stem}" in text


@pytest.mark.parametrize("profile", sorted((ROOT / "profiles").iterdir()), ids=lambda path: path.name)
def test_profiles_name_rules_that_exist(profile: Path) -> None:
    import yaml

    content = yaml.safe_load((profile / "profile.v9+.yaml").read_text())
    assert set(content.get("set-resources", {})) <= set(RULES)
    assert set(content.get("set-threads", {})) <= set(RULES)
