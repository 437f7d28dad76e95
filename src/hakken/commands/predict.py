"""`hakken predict`: what a frozen model says of a new case."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hakken import plugins
from hakken.commands.clicks import clicked, given_clicks
from hakken.commands.frozen_models import frozen_points, require_no_sealed_case
from hakken.commands.parser import add_command
from hakken.core.case_ids import REMEDY, shortened, tidy, why_no_id
from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.names import nearest

if TYPE_CHECKING:
    from SimpleITK import Transform

    from hakken.cohort.items import Item
    from hakken.commands.parser import Subparsers
    from hakken.core.volume import Volume
    from hakken.imaging.pieces import Mask
    from hakken.imaging.prepared import PreparedCase
    from hakken.study import Study

DISCLAIMER = "research use only: no medical device, no basis for a diagnosis"


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "predict",
        "find the candidates, the mask or the numbers of a new case with a frozen model (research use only)",
        "hakken predict --model results/brain_metastasis/tiny/models/selected.pt \\\n"
        "      --image T1POST=new/t1post.nii.gz --image T1=new/t1_dicom_folder --output candidates.csv",
        run,
    )
    parser.add_argument("--model", type=Path, required=True, metavar="PT", help="model of a finished study")
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="CHANNEL=PATH",
        help="the image of a channel: NIfTI, MetaImage, PNG or a folder of DICOM files; once for each channel of the "
        "study but those that are optional there, the path alone where it has one channel",
    )
    parser.add_argument(
        "--file",
        action="append",
        default=[],
        metavar="COLUMN=PATH",
        help="instead of images, where the cases of the study are items: the file of a column of its case table, once "
        "for each but that of the truth",
    )
    parser.add_argument(
        "--scalar",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what the case has of a scalar of the study, such as weight=72: once for each that no DICOM header tells",
    )
    parser.add_argument(
        "--click",
        action="append",
        default=[],
        metavar="X,Y,Z,SIZE",
        help="where a lesion is, in mm (LPS, in the space of the reference channel), and its longest extent in mm: for "
        "models that segment what is clicked on; once for each lesion, with a sign of equality: --click=-12.5,30,4,18",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("candidates.csv"),
        metavar="CSV",
        help="table to write (default: candidates.csv); an image (.nii.gz) where the model gives masks or regions, "
        "arrays (.npz) where it gives numbers",
    )
    parser.add_argument(
        "--case-id", type=tidy, default="case", metavar="NAME", help="name of the case in the table (default: case)"
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
    clicks = given_clicks(options.click, study)
    points = frozen_points(options.model, study)
    given = _given_files(options.image, options.file, study)
    require_no_sealed_case(options.model, study, given)
    with tempfile.TemporaryDirectory() as folder:
        case = _case(study, given, options.case_id, Path(folder), scalar_cells(options.scalar, study))
        case = clicked(case, clicks)
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


def _case(
    study: Study, files: Mapping[str, Path], case_id: str, folder: Path, scalars: Mapping[str, str]
) -> Item | PreparedCase:
    """Return the new case: its images prepared in ``folder``, or its files as they are."""
    from hakken.cohort.items import Item
    from hakken.core.files import sha256_file

    if study.cohort.kind == "items":
        return Item(case_id, "", {}, dict(files), {column: sha256_file(path) for column, path in files.items()})
    return prepared_case(study, files, case_id, folder, scalars)


def scalar_cells(given: Sequence[str], study: Study) -> dict[str, str]:
    """Return what is given of the scalars of ``study`` from texts `NAME=VALUE`, as cells of a case table hold it.

    Raises HakkenError naming an unknown or repeated one.
    """
    found: dict[str, str] = {}
    for text in given:
        name, _, value = text.partition("=")
        if name not in study.scalars:
            there = (
                f"the scalars of this study are {', '.join(study.scalars)}" if study.scalars else "the study has none"
            )
            raise HakkenError(f"--scalar {text}: unknown scalar `{name}`; {there}{nearest(name, study.scalars)}")
        if name in found:
            raise HakkenError(f"--scalar {text}: `{name}` is given twice; give it once")
        found[name] = value.strip()
    return found


def _given_files(images: Sequence[str], files: Sequence[str], study: Study) -> dict[str, Path]:
    """Return the image of each channel, or the file of each column where cases are items.

    Raises HakkenError where the other kind is given, and as `channel_images` and `column_files`.
    """
    if study.cohort.kind == "items":
        if images:
            raise HakkenError(f"--image {images[0]}: the cases of this study are no images; {_columns(study)}")
        return column_files(files, study)
    if files:
        known = _named(list(study.channels))
        raise HakkenError(f"--file {files[0]}: the cases of this study are images; give --image CHANNEL=PATH; {known}")
    return channel_images(images, study)


def column_files(given: Sequence[str], study: Study) -> dict[str, Path]:
    """Return the file of each column of the items of ``study`` from texts `COLUMN=PATH`; not that of the truth.

    Raises HakkenError naming an unknown, repeated or missing column, or a file that does not exist.
    """
    truths = {getattr(settings, "truth", None) for settings in study.outcomes.values()}
    columns = [name for name in study.cohort.files if name not in truths]
    found: dict[str, Path] = {}
    for text in given:
        name, _, path = text.partition("=")
        if name not in columns:
            raise HakkenError(f"--file {text}: unknown column `{name}`; {_columns(study)}{nearest(name, columns)}")
        if name in found:
            raise HakkenError(f"--file {text}: column `{name}` is given twice; give it once")
        if not Path(path).is_file():
            raise HakkenError(f"--file {text}: no such file; correct the path")
        found[name] = Path(path)
    if missing := [name for name in columns if name not in found]:
        raise HakkenError(f"the file of column `{missing[0]}` is missing; {_columns(study)}")
    return found


def _columns(study: Study) -> str:
    return f"give --file COLUMN=PATH; the columns of files of this study are {', '.join(study.cohort.files)}"


def channel_images(given: Sequence[str], study: Study) -> dict[str, Path]:
    """Return the image of each channel of ``study`` from texts `CHANNEL=PATH` (`PATH` where there is one channel).

    Optional channels may be left out. Raises HakkenError naming an unknown, repeated or missing channel, or a path that
    does not exist.
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
    missing = [name for name in channels if name not in found and name not in study.optional]
    if missing:
        raise HakkenError(f"channel `{missing[0]}` is missing; add --image {missing[0]}=PATH; {_named(channels)}")
    return found


def prepared_case(
    study: Study,
    images: Mapping[str, Path],
    case_id: str,
    folder: Path,
    scalars: Mapping[str, str] = {},
) -> PreparedCase:
    """Return the case whose channels are ``images``, treated as the study treated its own; kept in ``folder``.

    ``scalars`` are what is given of those of the study, as cells of a case table.

    The seeds derive from the pixels, so a case of the study gets what the study said of it, whatever it is called.
    Raises HakkenError listing every problem of the images.
    """
    from hakken.imaging.channels import mask_to_prepare, mask_to_register, read_channels
    from hakken.imaging.preparation import prepare_case
    from hakken.imaging.prepared import save_prepared
    from hakken.imaging.scalar_values import scalars_of

    _check_images(images, case_id, study, scalars)
    volumes = read_channels(images, study)
    found = mask_to_register(study, volumes)
    region = mask_to_prepare(study, found)
    known = scalars_of(scalars, images, study)
    prepared = prepare_case(
        volumes, _transforms(volumes, study, found), None, study, case_id=case_id, region=region, scalars=known
    )
    without = f", without {', '.join(prepared.case.missing)}" if prepared.case.missing else ""
    progress(f"prepared on a grid of {prepared.case.geometry}{without}")
    if prepared.case.doubt:
        progress(f"warning: {prepared.case.doubt}; look at the image")
    return save_prepared(folder, prepared.case, prepared.image, prepared.mask, prepared.labels, body=prepared.body)


def _check_case_id(case_id: str) -> None:
    if reason := why_no_id(case_id):
        raise HakkenError(f"--case-id {shortened(case_id)}: {reason}; {REMEDY}")


def _check_images(images: Mapping[str, Path], case_id: str, study: Study, scalars: Mapping[str, str]) -> None:
    from hakken.cohort.case import Case
    from hakken.core.problems import listed, questions, stopping
    from hakken.imaging.checks import check_case

    problems = check_case(Case(case_id, "", None, dict(images), columns=dict(scalars)), study, truth=False)
    if wrong := stopping(problems):
        raise HakkenError(listed(wrong, "images"))
    for question in questions(problems):
        progress(str(question))


def _transforms(volumes: Mapping[str, Volume], study: Study, mask: Mask | None) -> dict[str, Transform]:
    """Register every channel to the reference channel; the same seeds and settings as in the study."""
    from hakken.imaging.channels import align_channels

    found: dict[str, Transform] = {}
    for aligned in align_channels(study, volumes, mask):
        found[aligned.channel] = aligned.result.transform
        done = f"{study.registration.method}, {aligned.result.seconds:.1f} s"
        progress(f"{aligned.channel} registered to {study.reference}: {done}")
    return found


def _models_there() -> str:
    there = sorted(path.as_posix() for path in Path("results").glob("*/*/models/*.pt"))
    return f"there are {', '.join(there)}" if there else "a finished study keeps its own in results/…/models"


def _named(channels: Sequence[str]) -> str:
    return f"the model's channels are {', '.join(channels)}"
