"""Digests of code: what a stage and the plug-ins of its study do counts; how it is written, and all else, does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from hakken import plugins
from hakken.core.errors import HakkenError
from hakken.runs import identity
from hakken.runs.identity import code_digest

SOURCE = {
    "hakken": '"""The package."""\n',
    "hakken.plugins": "def load(kind, name, part=''):\n    return name\n",
    "hakken.core": "",
    "hakken.core.seeds": "def derive(seed):\n    return seed * 2\n",
    "hakken.study": '"""Sections."""\nfrom hakken import plugins\nplugins.load("phantoms", "heads")\n',
    "hakken.study.training": (
        "from hakken.study import Field, Section\n\n\n"
        'class Training(Section):\n    """One training."""\n\n'
        '    steps: int = Field(default=3, description="Steps.")\n\n'
        "    @property\n    def half(self):\n        return self.steps / 2\n"
    ),
    "hakken.stages": "",
    "hakken.stages.plain": (
        '"""A stage."""\n\nimport os\n\nfrom hakken.training import loop\n\n\n'
        'def plain():\n    """Run."""\n    return loop.train() + 1\n'
    ),
    "hakken.stages.trial": (
        "from hakken import plugins\nfrom hakken.study import training\nfrom hakken.runs import required\n\n\n"
        'def trial(study):\n    return plugins.load("methods", study.method, "learn")\n'
    ),
    "hakken.stages.figure": (
        'from hakken import plugins\n\n\ndef figure(name):\n    return plugins.load("figures", name)\n'
    ),
    "hakken.runs": "",
    "hakken.runs.required": (
        'from hakken.plugins import load\n\n\ndef required(study):\n    return load("outcomes", study.objective)\n'
    ),
    "hakken.training": "",
    "hakken.training.loop": (
        "from hakken import core\nfrom hakken.core import seeds\n\n\ndef train():\n    return seeds.derive(1)\n"
    ),
    "hakken.evaluation": "",
    "hakken.evaluation.froc": "AREA = 1\n",
    "hakken.plots": "COLOUR = 1\n",
    "hakken.methods": "",
    "hakken.methods.glow": "RATE = 1\n",
    "hakken.methods.glow.learn": "from hakken.methods.glow import helper\n",
    "hakken.methods.glow.helper": "SHIFT = 1\n",
    "hakken.methods.glow.network": "WIDTH = 1\n",
    "hakken.methods.other": "RATE = 1\n",
    "hakken.outcomes": "",
    "hakken.outcomes.candidates": "from hakken.evaluation import froc\n",
    "hakken.outcomes.masks": "DICE = 1\n",
    "hakken.figures": "",
    "hakken.figures.curve": "from hakken.figures import _words\n\nCAPTION = 1\n",
    "hakken.figures._words": (
        "from hakken import plots, plugins\n\n\n"
        'def words(study):\n    return plugins.load("outcomes", study.objective)\n'
    ),
    "hakken.figures.other": "CAPTION = 1\n",
    "hakken.phantoms": "",
    "hakken.phantoms.heads": "SIZE = 1\n",
}
NAMED: Mapping[plugins.Kind, tuple[str, ...]] = {
    "methods": ("glow",),
    "outcomes": ("candidates",),
    "phantoms": ("heads",),
    "figures": ("curve",),
}
Package = dict[str, Path]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    """A package of a few modules in place of the real one, by name of the module."""
    paths = {}
    for name, text in SOURCE.items():
        is_package = any(other.startswith(f"{name}.") for other in SOURCE)
        path = tmp_path / Path(*name.split("."), "__init__.py" if is_package else "")
        path = path if is_package else path.with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        paths[name] = path
    monkeypatch.setattr(identity, "_source", paths.get)
    monkeypatch.setattr(plugins, "module_name", lambda kind, name: f"hakken.{kind}.{name}")
    forget()
    yield paths
    forget()


def forget() -> None:
    for name in ("_digest", "_below", "_facts", "_imports", "_meaning"):
        getattr(identity, name).cache_clear()


def change(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    forget()


def digest(stage: str) -> str:
    return code_digest(stage, NAMED)


def test_comments_docstrings_and_layout_do_not_count(package: Package) -> None:
    before, stage = digest("plain"), package["hakken.stages.plain"]
    for old, new in (
        ('"""A stage."""', '"""A stage of the workflow, in other words."""'),
        ('    """Run."""\n', '    """Run it."""\n'),
        ("def plain", "# a comment\ndef plain"),
        ("loop.train() + 1", "(\n        loop.train()\n        + 1\n    )"),
    ):
        change(stage, old, new)
        assert digest("plain") == before
    assert len(before) == 16


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("hakken.stages.plain", "+ 1", "+ 2"),
        ("hakken.training.loop", "derive(1)", "derive(2)"),
        ("hakken.core.seeds", "seed * 2", "seed * 3"),
        ("hakken", '"""The package."""\n', '"""The package."""\n\nTHREADS = 1\n'),
        ("hakken.training", "", "import math\n"),
    ],
)
def test_code_counts_however_deep_it_is_imported(package: Package, module: str, old: str, new: str) -> None:
    before = digest("plain")
    change(package[module], old, new)
    assert digest("plain") != before


def test_a_module_that_is_not_imported_does_not_count(package: Package) -> None:
    before = digest("plain")
    change(package["hakken.plots"], "COLOUR = 1", "COLOUR = 2")
    assert digest("plain") == before


def test_an_import_inside_a_function_counts(package: Package) -> None:
    change(package["hakken.stages.plain"], '    """Run."""\n', "    from hakken import plots\n")
    before = digest("plain")
    change(package["hakken.plots"], "COLOUR = 1", "COLOUR = 2")
    assert digest("plain") != before


def test_a_template_counts_for_the_module_that_names_it(package: Package) -> None:
    before, stage = digest("plain"), package["hakken.stages.plain"]
    template = stage.parent / "templates" / "page.html.j2"
    template.parent.mkdir()
    template.write_text("<p>")
    forget()
    assert digest("plain") == before
    change(stage, "import os\n", 'PAGE = "page.html.j2"\n')
    named = digest("plain")
    template.write_text("<div>")
    forget()
    assert digest("plain") != named


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('description="Steps."', 'description="Mini-batches."'),
        ("default=3", "default=4"),
        ('"""One training."""', '"""A training."""'),
        ("    steps: int", "    version: ClassVar[int] = 2\n    steps: int"),
        ("    steps: int", '    more: int = Field(default=1, description="More.")\n    steps: int'),
    ],
    ids=["description", "default", "docstring", "version", "a new key"],
)
def test_what_a_section_of_a_study_says_is_no_code(package: Package, old: str, new: str) -> None:
    before = digest("trial")
    change(package["hakken.study.training"], old, new)
    assert digest("trial") == before


def test_what_a_section_of_a_study_does_is(package: Package) -> None:
    before = digest("trial")
    change(package["hakken.study.training"], "self.steps / 2", "self.steps // 2")
    assert digest("trial") != before


@pytest.mark.parametrize(
    ("module", "old"),
    [
        ("hakken.methods.glow", "RATE = 1"),
        ("hakken.methods.glow.helper", "SHIFT = 1"),
        ("hakken.methods.glow.network", "WIDTH = 1"),  # that nothing imports: a package counts as a whole
        ("hakken.evaluation.froc", "AREA = 1"),  # that the outcome imports
    ],
)
def test_the_plug_ins_of_the_study_count_with_all_that_they_use(package: Package, module: str, old: str) -> None:
    before = digest("trial")
    change(package[module], old, old.replace("1", "2"))
    assert digest("trial") != before


@pytest.mark.parametrize(
    ("module", "old"),
    [
        ("hakken.methods.other", "RATE = 1"),
        ("hakken.outcomes.masks", "DICE = 1"),
        ("hakken.figures.curve", "CAPTION = 1"),  # named, but no trial loads figures
        ("hakken.phantoms.heads", "SIZE = 1"),  # named, but only the study's model loads it, to read its keys
    ],
)
def test_other_plug_ins_and_other_kinds_do_not_count(package: Package, module: str, old: str) -> None:
    before = digest("trial")
    change(package[module], old, old.replace("1", "2"))
    assert digest("trial") == before


def test_an_added_plug_in_or_a_removed_one_that_is_not_named_changes_nothing(package: Package) -> None:
    before = digest("trial")
    new = package["hakken.methods"].parent / "newest.py"
    new.write_text("RATE = 1\n")
    package["hakken.methods.newest"] = new
    package.pop("hakken.methods.other").unlink()
    forget()
    assert digest("trial") == before


def test_an_added_module_of_a_named_plug_in_counts(package: Package) -> None:
    before = digest("trial")
    new = package["hakken.methods.glow"].parent / "schedule.py"
    new.write_text("RATE = 1\n")
    package["hakken.methods.glow.schedule"] = new
    forget()
    assert digest("trial") != before


def test_a_figure_s_digest_holds_the_outcome_that_it_loads(package: Package) -> None:
    before = digest("figure")
    change(package["hakken.evaluation.froc"], "AREA = 1", "AREA = 2")
    with_outcome = digest("figure")
    assert with_outcome != before
    change(package["hakken.figures.curve"], "from hakken.figures import _words\n", "")
    alone = digest("figure")
    change(package["hakken.evaluation.froc"], "AREA = 2", "AREA = 3")
    assert digest("figure") == alone, "a figure that loads none has none"
    change(package["hakken.figures.other"], "CAPTION = 1", "CAPTION = 2")
    assert digest("figure") == alone


def test_the_names_of_the_plug_ins_decide(package: Package) -> None:
    one = code_digest("trial", {"methods": ("glow",)})
    assert code_digest("trial", {"methods": ["glow"], "figures": ["curve"], "baselines": ()}) == one
    assert code_digest("trial", {"methods": ("other",)}) != one
    assert code_digest("trial", {"methods": ("other", "glow")}) == code_digest("trial", {"methods": ("glow", "other")})
    assert code_digest("plain", {"methods": ("glow",)}) == code_digest("plain", {})


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package from outside with a method in a folder, a module that the method imports, and one that it does not."""
    for name, text in {
        "__init__.py": "",
        "glow/__init__.py": "RATE = 1\n",
        "glow/learn.py": "from stranger import shared\n",
        "shared.py": "SHIFT = 1\n",
        "else.py": "SHIFT = 1\n",
    }.items():
        path = tmp_path / "stranger" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(plugins, "_modules", lambda kind: {"strange_glow": "stranger.glow"})
    identity._source.cache_clear()
    forget()
    yield tmp_path / "stranger"
    identity._source.cache_clear()
    forget()


@pytest.mark.parametrize(("module", "counts"), [("glow/__init__.py", True), ("shared.py", True), ("else.py", False)])
def test_a_package_from_outside_counts_as_far_as_its_plug_in_uses_it(stranger: Path, module: str, counts: bool) -> None:
    named: Mapping[plugins.Kind, tuple[str, ...]] = {"methods": ("strange_glow",)}
    before = code_digest("trial", named)
    (stranger / module).write_text("CHANGED = 2\n")
    forget()
    assert (code_digest("trial", named) != before) == counts


def test_a_plug_in_that_is_not_there_is_told(stranger: Path) -> None:
    with pytest.raises(HakkenError, match="no method `strange_glo`, there are strange_glow; did you mean"):
        code_digest("trial", {"methods": ("strange_glo",)})


def test_stages_of_the_package_know_what_they_run() -> None:
    forget()
    closure = identity._closure("hakken.stages.unseal")
    assert {"hakken.stages.unseal", "hakken.seal.openings", "hakken.core.files", "hakken.core.errors"} <= closure
    assert not any(name.startswith("hakken.training") for name in closure)
    assert code_digest("unseal", {}) != code_digest("freeze", {})


KINDS: Mapping[str, set[plugins.Kind]] = {
    "check": set(),
    "prepare": set(),
    "patches": {"methods"},
    "phantom": {"phantoms"},
    "baseline": {"baselines", "methods"},
    "predict": {"baselines", "methods", "outcomes"},
    "measure": {"methods", "outcomes"},
    "optimism": {"outcomes"},
    "average": {"baselines", "methods", "outcomes"},
    "figure": {"figures", "outcomes"},
    "select": set(),
    "freeze": {"outcomes"},
}


@pytest.mark.parametrize("stage", KINDS)
def test_which_kinds_the_stages_of_the_package_load(stage: str) -> None:
    assert identity._kinds(identity._closure(f"hakken.stages.{stage}")) == KINDS[stage]
