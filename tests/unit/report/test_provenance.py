"""Digests of code: what a stage does counts, how it is written does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hakken.runs import identity as provenance
from hakken.runs.identity import code_digest

SOURCE = {
    "hakken": '"""The package."""\n',
    "hakken.stages": "",
    "hakken.stages.trial": '"""A stage."""\n\nimport os\n\nfrom hakken.training import loop\n\n\n'
    'def trial():\n    """Run."""\n    return loop.train() + 1\n',
    "hakken.training": "",
    "hakken.training.loop": "from hakken import seeds\n\n\ndef train():\n    return seeds.derive(1)\n",
    "hakken.core.seeds": "def derive(seed):\n    return seed * 2\n",
    "hakken.figures": "COLOUR = 1\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Path]]:
    """A package of a few modules in place of the real one, by name of the module."""
    paths = {}
    for name, text in SOURCE.items():
        is_package = any(other.startswith(f"{name}.") for other in SOURCE)
        path = tmp_path / Path(*name.split("."), "__init__.py" if is_package else "")
        path = path if is_package else path.with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        paths[name] = path
    monkeypatch.setattr(provenance, "_source", paths.get)
    forget()
    yield paths
    forget()


def forget() -> None:
    for function in (provenance.code_digest, provenance._imports, provenance._meaning):
        function.cache_clear()


def digest_after(path: Path, old: str, new: str) -> str:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    forget()
    return code_digest("hakken.stages.trial")


def test_comments_docstrings_and_layout_do_not_count(package: dict[str, Path]) -> None:
    before, stage = code_digest("hakken.stages.trial"), package["hakken.stages.trial"]
    assert digest_after(stage, '"""A stage."""', '"""A stage of the workflow, in other words."""') == before
    assert digest_after(stage, '    """Run."""\n', '    """Run it."""\n') == before
    assert digest_after(stage, "def trial", "# a comment\ndef trial") == before
    assert digest_after(stage, "loop.train() + 1", "(\n        loop.train()\n        + 1\n    )") == before


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("hakken.stages.trial", "+ 1", "+ 2"),
        ("hakken.training.loop", "derive(1)", "derive(2)"),
        ("hakken.core.seeds", "seed * 2", "seed * 3"),
        ("hakken", '"""The package."""\n', '"""The package."""\n\nTHREADS = 1\n'),
        ("hakken.training", "", "import math\n"),
    ],
)
def test_code_counts_however_deep_it_is_imported(package: dict[str, Path], module: str, old: str, new: str) -> None:
    before = code_digest("hakken.stages.trial")
    assert digest_after(package[module], old, new) != before


def test_a_module_that_is_not_imported_does_not_count(package: dict[str, Path]) -> None:
    before = code_digest("hakken.stages.trial")
    assert digest_after(package["hakken.figures"], "COLOUR = 1", "COLOUR = 2") == before


def test_an_import_inside_a_function_counts(package: dict[str, Path]) -> None:
    stage = package["hakken.stages.trial"]
    with_figures = digest_after(stage, '    """Run."""\n', "    from hakken import figures\n")
    assert digest_after(package["hakken.figures"], "COLOUR = 1", "COLOUR = 2") != with_figures


def test_a_template_counts_for_the_module_that_names_it(package: dict[str, Path]) -> None:
    before, stage = code_digest("hakken.stages.trial"), package["hakken.stages.trial"]
    template = stage.parent / "templates" / "page.html.j2"
    template.parent.mkdir()
    template.write_text("<p>")
    forget()
    assert code_digest("hakken.stages.trial") == before
    named = digest_after(stage, "import os\n", 'PAGE = "page.html.j2"\n')
    template.write_text("<div>")
    forget()
    assert code_digest("hakken.stages.trial") != named


def test_stages_of_the_package_know_what_they_run() -> None:
    forget()
    closure = provenance._closure("hakken.stages.unseal")
    assert {"hakken.stages.unseal", "hakken.report.seal", "hakken.core.files", "hakken.core.errors"} <= closure
    assert not any(name.startswith("hakken.training") for name in closure)
    assert len(code_digest("hakken.stages.unseal")) == 16
    assert code_digest("hakken.stages.unseal") != code_digest("hakken.stages.freeze")
