"""`hakken predict`: the candidates or the mask of a new case, by a frozen model."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hakken.commands.parser import add_command
from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.names import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from SimpleITK import Transform

    from hakken.commands.parser import Subparsers
    from hakken.imaging.prepared import PreparedCase
    from hakken.inference.candidates import Candidates
    from hakken.runs.model_file import Detector
    from hakken.study import Study
    from hakken.core.volume import Volume

SHOWN = 10
DISCLAIMER = "research use only: no medical device, no basis for a diagnosis"


@dataclass(frozen=True)
class OperatingPoint:
    """The threshold that was frozen with a model, and in words what it was chosen by."""

    threshold: float
    chosen: str


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
    """Write the table of candidates and print the best ones, or write the mask."""
    if not options.model.is_file():
        raise HakkenError(f"{options.model}: no such model; {_models_there()}")
    if options.threads < 1:
        raise HakkenError(f"--threads {options.threads}: use 1 or more")
    _check_case_id(options.case_id)
    import torch

    from hakken.core.files import write_text
    from hakken.runs.model_file import load_model
    from hakken.outcomes.candidates import candidate_rows, candidate_table
    from hakken.training.device import choose_device

    torch.set_num_threads(options.threads)
    detector = load_model(options.model, choose_device())
    images = channel_images(options.image, detector.study)
    if detector.study.task == "segmentation":
        print("\n".join(write_mask(detector, images, options.case_id, options.output)))
        return
    found = find_candidates(detector, images, options.case_id)
    write_text(options.output, candidate_table(candidate_rows(options.case_id, found)))
    print("\n".join(_report(options, detector.study, found, frozen_point(options.model))))


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


def find_candidates(detector: Detector, images: Mapping[str, Path], case_id: str) -> Candidates:
    """Return the candidates of the case whose channels are ``images``, treated as the study treated its own cases.

    x, y, z are mm, LPS, in the scanner space of the reference channel. The seeds derive from ``case_id``, so a case
    of the study under its own name gets the study's own candidates. Raises HakkenError listing every problem of the
    images.
    """
    from hakken.runs.model_file import predict_case

    case, image, mask = _prepared(detector.study, images, case_id)
    return predict_case(detector, image, mask, case.geometry)


def write_mask(detector: Detector, images: Mapping[str, Path], case_id: str, output: Path) -> list[str]:
    """Write the mask of a new case by the network at its largest size, on the grid of the reference channel.

    Returns the lines to print. Raises HakkenError for an ``output`` that is no image, and listing every problem of the
    images.
    """
    import SimpleITK as sitk

    from hakken.imaging.files import META, NIFTI, suffix, write_volume
    from hakken.imaging.registration import resample
    from hakken.methods.unet.segment import segment
    from hakken.networks.unet import sizes_of
    from hakken.core.volume import Volume

    if suffix(output) not in (*NIFTI, *META):
        raise HakkenError(f"--output {output}: this model gives masks; name a file that ends in .nii.gz")
    study, size = detector.study, sizes_of(detector.study.training.sizes, detector.parameters)[0]
    case, image, inside = _prepared(study, images, case_id)
    found = segment(detector.network, image, inside, study.inference, size)
    mask = resample(
        Volume.on(case.geometry, found.astype("uint8")), case.source_geometry, sitk.Transform(), nearest=True
    )
    write_volume(output, Volume.on(case.source_geometry, mask.array.astype("uint8")))
    voxels = int((mask.array > 0).sum())
    return [
        f"model of study {study.name} at scale {study.scale}, trained on: {study.data}",
        f"{output}: mask of {case_id} by {size.words}, {voxels} voxels of {mask.array.size}; grid of {study.reference}",
        DISCLAIMER,
    ]


def _prepared(
    study: Study, images: Mapping[str, Path], case_id: str
) -> tuple[PreparedCase, NDArray[Any], NDArray[Any]]:
    """Return a new case, treated as the study treated its own: record, image (c, z, y, x) and mask (z, y, x)."""
    import numpy as np

    from hakken.imaging.files import read_volume
    from hakken.imaging.preparation import prepare_case

    _check_images(images, case_id, study)
    volumes = {name: read_volume(images[name], channel.colour) for name, channel in study.channels.items()}
    prepared = prepare_case(volumes, _transforms(volumes, study, case_id), None, study, case_id=case_id)
    progress(f"prepared on a grid of {prepared.case.geometry}")
    stored = prepared.image.astype(np.float16)  # the precision in which the study keeps its prepared cases
    return prepared.case, stored, prepared.mask.astype(np.uint8)


def frozen_point(model: Path) -> OperatingPoint | None:
    """Return the operating point of a model from the freeze file of its study, None where none speaks of this file."""
    from hakken.core.files import read_json, sha256_file
    from hakken.report.operating import chosen_words

    freeze = model.resolve().parent.parent / "freeze.json"
    if not freeze.is_file():
        return None
    digest = sha256_file(model)
    for entry in read_json(freeze)["models"].values():
        if entry["sha256"] == digest:
            return OperatingPoint(entry["operating_point"]["threshold"], chosen_words(entry["operating_point"]))
    return None


def _check_case_id(case_id: str) -> None:
    from hakken.cohort.checks import CASE_ID

    if not CASE_ID.fullmatch(case_id):
        raise HakkenError(f"--case-id {case_id}: use at most 100 letters, digits, `-` and `_`, no other characters")


def _check_images(images: Mapping[str, Path], case_id: str, study: Study) -> None:
    from hakken.cohort.case import Case
    from hakken.imaging.checks import check_case
    from hakken.core.problems import listed

    problems = check_case(Case(case_id, "", None, dict(images)), study)
    if problems:
        raise HakkenError(listed(problems, "images"))


def _transforms(volumes: Mapping[str, Volume], study: Study, case_id: str) -> dict[str, Transform]:
    """Register every channel to the reference channel; the same seeds and settings as in the study."""
    from hakken.imaging.channels import align_channels

    found: dict[str, Transform] = {}
    for aligned in align_channels(study, case_id, volumes):
        found[aligned.channel] = aligned.result.transform
        done = f"{study.registration.method}, {aligned.result.seconds:.1f} s"
        progress(f"{aligned.channel} registered to {study.reference}: {done}")
    return found


def _report(options: argparse.Namespace, study: Study, found: Candidates, point: OperatingPoint | None) -> list[str]:
    """Return the lines to print: the best candidates, how many reach the operating point, and what this is not."""
    lines = [
        f"model of study {study.name} at scale {study.scale}, trained on: {study.data}",
        f"{options.output}: {len(found)} candidates of {options.case_id}; mm, LPS, scanner space of {study.reference}",
    ]
    if len(found):
        lines.append(f"{'candidate':>9}{'x':>9}{'y':>9}{'z':>9}{'score':>9}{'volume_mm3':>12}")
    for number, ((x, y, z), score, volume) in enumerate(
        zip(found.xyz[:SHOWN].tolist(), found.score.tolist(), found.volume_mm3.tolist(), strict=False), start=1
    ):
        lines.append(f"{number:>9}{x:>9.1f}{y:>9.1f}{z:>9.1f}{score:>9.4f}{volume:>12.1f}")
    if len(found) > SHOWN:
        lines.append(f"{'…':>9}  {len(found) - SHOWN} more in the table")
    if point is not None:
        reached = sum(score >= point.threshold for score in found.score.tolist())
        chosen = f"chosen on validation {point.chosen}"
        lines.append(f"{reached} reach the frozen threshold {point.threshold:.4g}, {chosen}")
    return [*lines, DISCLAIMER]


def _models_there() -> str:
    there = sorted(path.as_posix() for path in Path("results").glob("*/*/models/*.pt"))
    return f"there are {', '.join(there)}" if there else "a finished study keeps its own in results/…/models"


def _named(channels: Sequence[str]) -> str:
    return f"the model's channels are {', '.join(channels)}"
