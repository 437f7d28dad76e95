"""`hakken profile`: link the profiles of a checkout to where `snakemake --profile NAME` looks for them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.commands.parser import add_command
from hakken.core.errors import HakkenError

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers

FILE = "profile.v9+.yaml"
NAMES = (FILE, "profile.yaml", "config.v9+.yaml", "config.yaml")
TAKEN_BY_ITSELF = "default"  # the checkout's own profile, which needs no link


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "profile",
        "link the profiles of this checkout to where `snakemake --profile NAME` looks for them",
        "hakken profile install",
        run,
    )
    parser.add_argument("action", choices=["install", "uninstall"], help="make the links, or remove them again")


def run(options: argparse.Namespace) -> None:
    """Make or remove the links and say what was done."""
    profiles, folder = profiles_of(Path.cwd()), config_folder()
    for profile in profiles:
        link = folder / profile.name
        print(install(profile, link) if options.action == "install" else uninstall(profile, link))
    if options.action == "install":
        names = ", ".join(f"`--profile {profile.name}`" for profile in profiles)
        print(f"from this checkout, {names} now work; `hakken profile uninstall` undoes it")


def profiles_of(checkout: Path) -> list[Path]:
    """Return the folders of a checkout's profiles; raises HakkenError where ``checkout`` has none."""
    found = sorted(path.parent for path in (checkout / "profiles").glob(f"*/{FILE}"))
    if not found:
        raise HakkenError(f"{checkout}: has no profiles/; run this in the checkout of hakken")
    return [path for path in found if path.name != TAKEN_BY_ITSELF]


def config_folder() -> Path:
    """Return the user's folder of profiles, as the workflow engine finds it."""
    from platformdirs import user_config_path

    return user_config_path("snakemake", "snakemake")


def find_profile(name: str) -> Path:
    """Return the file of a profile, found as `snakemake --profile` finds it: a path, or a name in the user's or the
    site's configuration; raises HakkenError where there is none.
    """
    from platformdirs import site_config_path

    if Path(name).is_file():
        return Path(name)
    for folder in (Path(), config_folder(), site_config_path("snakemake", "snakemake")):
        for file in NAMES:
            if (folder / name / file).is_file():
                return folder / name / file
    here = Path("profiles") / name / FILE
    remedy = f"run `hakken profile install`, or give --profile {here.parent}" if here.is_file() else "give its folder"
    raise HakkenError(f"there is no profile `{name}`; {remedy}")


def install(profile: Path, link: Path) -> str:
    """Link ``link`` to the folder ``profile`` and say so; raises HakkenError where something else stands there."""
    if link.is_symlink() and link.resolve() == profile.resolve():
        return f"{link}: links to {profile} already"
    if link.exists() or link.is_symlink():
        raise HakkenError(f"{link}: is there already and is no link of this checkout; move it away, or give a path")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(profile.resolve(), target_is_directory=True)
    return f"{link}: links to {profile} now"


def uninstall(profile: Path, link: Path) -> str:
    """Remove ``link`` where it is one to ``profile``, and say what was done."""
    if link.is_symlink() and link.resolve() == profile.resolve():
        link.unlink()
        return f"{link}: removed"
    return f"{link}: is no link of this checkout; left as it is"
