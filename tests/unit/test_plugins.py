"""The one look-up of names: what a folder holds, what packages bring, and what is said of a name that is none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hakken import plugins
from hakken.core.errors import HakkenError

PACKAGE = Path(plugins.__file__).parent


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_names_are_the_modules_of_a_folder_but_for_its_helpers(kind: plugins.Kind) -> None:
    there = {
        path.stem for path in (PACKAGE / kind).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    own = {name for name in there if not name.startswith("_")}
    assert own <= set(plugins.names(kind))
    assert list(plugins.names(kind)) == sorted(plugins.names(kind))
    assert not any(name.startswith("_") for name in plugins.names(kind))


def test_a_name_is_a_module_or_a_module_in_its_package() -> None:
    assert plugins.module_name("outcomes", "masks") == "hakken.outcomes.masks"
    assert plugins.load("outcomes", "masks").__name__ == "hakken.outcomes.masks"
    assert plugins.load("phantoms", "diffusion", "draw").__name__ == "hakken.phantoms.diffusion.draw"


@pytest.mark.parametrize(
    ("kind", "name", "near"),
    [("methods", "unett", "unet"), ("baselines", "prior", "prior_mean"), ("figures", "frok", "froc")],
)
def test_a_name_that_is_none_answers_with_the_nearest(kind: plugins.Kind, name: str, near: str) -> None:
    with pytest.raises(HakkenError) as caught:
        plugins.load(kind, name)
    known = ", ".join(plugins.names(kind))
    assert str(caught.value) == f"no {kind[:-1]} `{name}`, there are {known}; did you mean `{near}`?"


def test_helpers_of_a_folder_are_no_names() -> None:
    with pytest.raises(HakkenError, match="no phantom `_options`, there are "):
        plugins.load("phantoms", "_options")


class Point:
    """What an installed package says of itself."""

    def __init__(self, name: str, value: str) -> None:
        self.name, self.value = name, value


@pytest.fixture
def brought(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another package brings an outcome of its own, and one that is here already."""
    points = [Point("lengths", "json.tool"), Point("masks", "json.decoder")]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points if group == "hakken.outcomes" else [])
    plugins._modules.cache_clear()
    yield
    plugins._modules.cache_clear()


@pytest.mark.usefixtures("brought")
def test_packages_bring_further_names_and_replace_none() -> None:
    assert "lengths" in plugins.names("outcomes")
    assert "lengths" not in plugins.names("figures")
    assert plugins.module_name("outcomes", "lengths") == "json.tool"
    assert plugins.module_name("outcomes", "masks") == "hakken.outcomes.masks"


def test_reading_a_study_loads_no_torch() -> None:
    code = (
        "import sys\n"
        "from hakken.study.reading import parse_study\n"
        "from hakken import plugins\n"
        "for name in plugins.names('methods'): plugins.load('methods', name)\n"
        "for name in plugins.names('phantoms'): plugins.load('phantoms', name)\n"
        "parse_study({'name': 'a', 'seed': 1, 'method': 'unet', 'cohort': {'table': 'a.csv'}, 'channels': {'T1': "
        "{'modality': 'mr'}}})\n"
        "print(sorted({'torch', 'pandas', 'matplotlib', 'SimpleITK'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
