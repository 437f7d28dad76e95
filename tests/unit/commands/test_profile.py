"""Profiles where the workflow engine looks for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hakken.cli import main
from hakken.commands.profile import config_folder, find_profile
from hakken.core.errors import HakkenError


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with three profiles, and a home folder of its own."""
    for name in ("default", "cluster", "pbs"):
        (tmp_path / "hakken" / "profiles" / name).mkdir(parents=True)
        (tmp_path / "hakken" / "profiles" / name / "profile.v9+.yaml").write_text("jobs: 1\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.chdir(tmp_path / "hakken")
    return tmp_path / "hakken"


def test_profiles_are_linked_and_unlinked(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = config_folder()
    assert main(["profile", "install"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{folder}/cluster: links to {checkout}/profiles/cluster now",
        f"{folder}/pbs: links to {checkout}/profiles/pbs now",
        "from this checkout, `--profile cluster`, `--profile pbs` now work; `hakken profile uninstall` undoes it",
    ]
    assert (folder / "cluster" / "profile.v9+.yaml").read_text() == "jobs: 1\n"
    assert not (folder / "default").exists()
    assert main(["profile", "install"]) == 0
    assert "links to" in capsys.readouterr().out.splitlines()[0]
    assert main(["profile", "uninstall"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{folder}/cluster: removed", f"{folder}/pbs: removed"]
    assert not list(folder.iterdir())
    assert (checkout / "profiles" / "cluster").is_dir()


def test_what_others_put_there_is_left_alone(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = config_folder() / "cluster"
    own.mkdir(parents=True)
    assert main(["profile", "install"]) == 2
    assert capsys.readouterr().err == (
        f"hakken profile: {own}: is there already and is no link of this checkout; move it away, or give a path\n"
    )
    assert main(["profile", "uninstall"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"{own}: is no link of this checkout; left as it is"
    assert own.is_dir()


def test_elsewhere_there_is_nothing_to_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["profile", "install"]) == 2
    assert capsys.readouterr().err == (
        f"hakken profile: {tmp_path}: has no profiles/; run this in the checkout of hakken\n"
    )


def test_a_profile_is_found_by_path_and_by_name(checkout: Path) -> None:
    file = "profile.v9+.yaml"
    assert find_profile("profiles/pbs") == Path("profiles/pbs") / file
    assert find_profile(f"profiles/pbs/{file}") == Path("profiles/pbs") / file
    assert main(["profile", "install"]) == 0
    assert find_profile("pbs") == config_folder() / "pbs" / file


def test_a_profile_that_is_not_found(checkout: Path) -> None:
    with pytest.raises(HakkenError) as caught:
        find_profile("pbs")
    assert str(caught.value) == (
        "there is no profile `pbs`; run `hakken profile install`, or give --profile profiles/pbs"
    )
    with pytest.raises(HakkenError) as caught:
        find_profile("moon")
    assert str(caught.value) == "there is no profile `moon`; give its folder"
