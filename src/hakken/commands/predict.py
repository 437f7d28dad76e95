"""`hakken predict`: what a frozen model says of a new case."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hakken import plugins
from hakken.commands.parser import add_command
from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.names import nearest

if TYPE_CHECKING:
    from SimpleITK import Transform

    from hakken.commands.parser import Subparsers
    from hakken.core.volume import Volume
    from hakken.imaging.prepared import PreparedCase
    from hakken.study import Study

DISCLAIMER = "research use only: no medical device, no basis for a diagnosis"


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "predict",
        "find the candidates or the mask of a new case with a frozen model (research use only)",
        "hakken predict --model results/brain_metastasis/tiny/models/selected.pt \\\n"
        "      --image T1POST=new/t1post.nii.gz --image T1=new/t1_dicom_folder --output candidates.csv",
        run,
    )
    parser.add_argument("--model", type=Path, required=True, metavar="PT", help="model of a finished study")
    parser.add_argument(
        "--image",
        action="append",
        required=True,
        metavar="CHANNEL=PATH",
        help="the image of a channel: NIfTI, MetaImage, PNG or a folder of DICOM files; once for each channel of the "
        "study, the path alone where it has one channel",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("candidates.csv"),
        metavar="CSV",
        help="table to write (default: candidates.csv); an image (.nii.gz) where the model gives masks",
    )
    parser.add_argument(
        "--case-id", default="case", metavar="NAME", help="name of the case in the table (default: case)"
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: 1, as the study)")


def run(options: argparse.Namespace) -> None:
    """Write what the model says of the case, and print it in a few lines."""
    if not options.model.is_file():
        raise HakkenError(f"{options.model}: no such model; {_models_there()}")
    if options.threads < 1:
        raise HakkenError(f"--threads {options.threads}: use 1 or more")
    _check_case_id(options.case_id)
    import torch

    from hakken.runs.model_file import load_model
    from hakken.training.device import choose_device

    torch.set_num_threads(options.threads)
    trained = load_model(options.model, choose_device())
    study = trained.study
    outcome = _outcome_of(study, options.output)
    points = frozen_points(options.model, study)
    images = channel_images(options.image, study)
    require_no_sealed_case(options.model, study, images)
    with tempfile.TemporaryDirectory() as folder:
        case = prepared_case(study, images, options.case_id, Path(folder))
        said = trained.predict(case, tuple(study.outcomes))
        lines = list(
            plugins.load("outcomes", outcome).save_one(options.output, said[outcome], case, points.get(outcome))
        )
    for name in (name for name in said if name != outcome):
        lines += getattr(plugins.load("outcomes", name), "spoken", lambda found, point: [])(
            said[name], points.get(name)
        )
    print(
        f"model of study {study.name} at scale {study.scale}, trained on: {study.images}", *lines, DISCLAIMER, sep="\n"
    )


def _outcome_of(study: Study, output: Path) -> str:
    """Return the outcome that goes into a file of this name; raises HakkenError where the model gives none."""
    from hakken.imaging.files import suffix

    known = {name: getattr(plugins.load("outcomes", name), "ENDINGS", ()) for name in study.outcomes}
    found = next((name for name, endings in known.items() if suffix(output) in endings), None)
    if found is None:
        ways = [f"{name} into a file that ends in {' or '.join(endings)}" for name, endings in known.items() if endings]
        raise HakkenError(f"--output {output}: this model gives {' and '.join(ways) or 'nothing for a single case'}")
    return found


def channel_images(given: Sequence[str], study: Study) -> dict[str, Path]:
    """Return the image of each channel of ``study`` from texts `CHANNEL=PATH` (`PATH` where there is one channel).

    Raises HakkenError naming an unknown, repeated or missing channel, or a path that does not exist.
    """
    channels = list(study.channels)
    found: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if len(channels) == 1 and name not in channels and (not equals or Path(text).exists()):
            name, path = channels[0], text
        elif not equals:
            raise HakkenError(f"--image {text}: say which channel it is, as CHANNEL={text}; {_named(channels)}")
        if name not in channels:
            raise HakkenError(f"--image {text}: unknown channel `{name}`; {_named(channels)}{nearest(name, channels)}")
        if name in found:
            raise HakkenError(f"--image {text}: channel `{name}` is given twice; give it once")
        if not Path(path).exists():
            raise HakkenError(f"--image {text}: no such file or folder; correct the path")
        found[name] = Path(path)
    missing = [name for name in channels if name not in found]
    if missing:
        raise HakkenError(f"channel `{missing[0]}` is missing; add --image {missing[0]}=PATH; {_named(channels)}")
    return found


def prepared_case(study: Study, images: Mapping[str, Path], case_id: str, folder: Path) -> PreparedCase:
    """Return the case whose channels are ``images``, treated as the study treated its own; kept in ``folder``.

    The seeds derive from the pixels, so a case of the study gets what the study said of it, whatever it is called.
    Raises HakkenError listing every problem of the images.
    """
    from hakken.imaging.channels import read_channels
    from hakken.imaging.preparation import prepare_case
    from hakken.imaging.prepared import save_prepared

    _check_images(images, case_id, study)
    volumes = read_channels(images, study)
    prepared = prepare_case(volumes, _transforms(volumes, study), None, study, case_id=case_id)
    progress(f"prepared on a grid of {prepared.case.geometry}")
    if prepared.case.doubt:
        progress(f"warning: {prepared.case.doubt}; look at the image")
    return save_prepared(folder, prepared.case, prepared.image, prepared.mask, prepared.labels)


def frozen_points(model: Path, study: Study) -> Mapping[str, Any]:
    """Return the operating points of a model by outcome, from the freeze of its study or from where it was exported.

    A study without cases freezes nothing. Raises HakkenError where the model was not frozen, or is not the one that
    was.
    """
    from hakken.core.files import sha256_file
    from hakken.seal.freeze import read_exported, read_freeze

    digest = sha256_file(model)
    exported = read_exported(model)
    if exported is not None and exported["sha256"] == digest:
        return dict(exported["points"])
    freeze = model.resolve().parent.parent / "freeze.json"
    if freeze.is_file():
        content = read_freeze(freeze)
        entries = [entry for entry in content["models"].values() if entry["sha256"] == digest]
        if entries:
            return dict(entries[0]["points"])
        if not content["models"]:
            return {}  # each fold has models of its own, the plan is frozen
    if study.cohort.kind == "none":
        return {}
    raise HakkenError(
        f"{model}: was not frozen, or is not what was frozen "
        f"({freeze if freeze.is_file() else 'there is no freeze.json'}); "
        "take models/selected.pt of a study that has come to its freeze, or what `hakken export` made of it"
    )


def require_no_sealed_case(model: Path, study: Study, images: Mapping[str, Path]) -> None:
    """Raise HakkenError where an image is one of a test case of the model's study, whose test set is not open."""
    results = model.resolve().parent.parent
    if study.cohort.table is None or (results / "test/opening.json").is_file():
        return
    places = [place for place in (Path(), *results.parents) if (place / study.cohort.table).is_file()]
    if not places:
        return
    try:
        sealed = list(_test_files(study, places[0]))
    except HakkenError:
        return  # another table stands there now: with this one the study would not run
    for case, path in sealed:
        for given in images.values():
            if _same_image(given, path):
                raise HakkenError(
                    f"--image {given}: is an image of case {case}, a test case of study {study.name}, whose test set "
                    "is sealed; let the workflow open it first"
                )


def _test_files(study: Study, project: Path) -> Iterator[tuple[str, Path]]:
    """Yield case id and path of each image of a test case, as the case table of the study says now."""
    from hakken.cohort.parts import openings_folder
    from hakken.cohort.split import assign_parts
    from hakken.cohort.table import read_table

    table = str(project / str(study.cohort.table))
    moved = {"table": table, "openings": str(project / openings_folder(study))}
    here = study.model_copy(update={"cohort": study.cohort.model_copy(update=moved)})
    for case in assign_parts(read_table(Path(table), here, files_exist=False), here).part("test"):
        yield from ((case.case_id, path) for path in case.channels.values() if path.exists())


def _same_image(one: Path, other: Path) -> bool:
    from hakken.cohort.checked import outside_of, state_of

    return outside_of(one)[0] == outside_of(other)[0] and state_of(one).sha256 == state_of(other).sha256


def _check_case_id(case_id: str) -> None:
    from hakken.cohort.checks import CASE_ID

    if not CASE_ID.fullmatch(case_id):
        raise HakkenError(f"--case-id {case_id}: use at most 100 letters, digits, `-` and `_`, no other characters")


def _check_images(images: Mapping[str, Path], case_id: str, study: Study) -> None:
    from hakken.cohort.case import Case
    from hakken.core.problems import listed, questions, stopping
    from hakken.imaging.checks import check_case

    problems = check_case(Case(case_id, "", None, dict(images)), study, truth=False)
    if wrong := stopping(problems):
        raise HakkenError(listed(wrong, "images"))
    for question in questions(problems):
        progress(str(question))


def _transforms(volumes: Mapping[str, Volume], study: Study) -> dict[str, Transform]:
    """Register every channel to the reference channel; the same seeds and settings as in the study."""
    from hakken.imaging.channels import align_channels

    found: dict[str, Transform] = {}
    for aligned in align_channels(study, volumes):
        found[aligned.channel] = aligned.result.transform
        done = f"{study.registration.method}, {aligned.result.seconds:.1f} s"
        progress(f"{aligned.channel} registered to {study.reference}: {done}")
    return found


def _models_there() -> str:
    there = sorted(path.as_posix() for path in Path("results").glob("*/*/models/*.pt"))
    return f"there are {', '.join(there)}" if there else "a finished study keeps its own in results/…/models"


def _named(channels: Sequence[str]) -> str:
    return f"the model's channels are {', '.join(channels)}"
