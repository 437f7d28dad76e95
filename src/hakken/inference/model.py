"""A trained detector as one file: weights and all that is needed to use them on a new case.

The file is what `torch.save` writes, tensors and plain values only, and is read with ``weights_only=True``.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import nn

from hakken.errors import HakkenError
from hakken.files import replacing
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates
from hakken.inference.detect import detect
from hakken.inference.expectation import find_foci
from hakken.networks.build import build_classifier, build_network
from hakken.networks.expectation import ExpectationUNet
from hakken.networks.unet import Size, UNet, sub_network
from hakken.study import Hyperparameters, Study
from hakken.volume import Geometry

FORMAT = "hakken detector 1"


@dataclass(frozen=True, eq=False)
class Detector:
    """A network in evaluation mode, the study that it was trained for, and where it comes from (``metadata``)."""

    network: nn.Module
    study: Study
    parameters: Hyperparameters
    dimensions: int
    metadata: Mapping[str, Any]

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels, in the order of the network's input."""
        return tuple(self.study.channels)


def save_model(
    path: Path,
    weights: Mapping[str, torch.Tensor],
    *,
    study: Study,
    parameters: Hyperparameters,
    dimensions: int,
    metadata: Mapping[str, Any],
    widths: Sequence[int] | None = None,
) -> None:
    """Write a detector to ``path``; ``metadata`` holds plain values.

    ``widths`` are the feature maps of each level of a `unet` that are not those of its ``parameters``.
    """
    content = {
        "format": FORMAT,
        "weights": {name: tensor.cpu() for name, tensor in weights.items()},
        "parameters": parameters.model_dump(mode="json"),
        "dimensions": dimensions,
        "study": study.model_dump(mode="json"),
        "metadata": dict(metadata),
        **({"widths": list(widths)} if widths is not None else {}),
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def load_model(path: Path, device: torch.device | str = "cpu") -> Detector:
    """Return the detector of a file; raises HakkenError when it is missing or no detector of this version."""
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise HakkenError(f"{path}: no such model") from None
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = next(iter(str(error).splitlines()), "it is empty or cut off")
        raise HakkenError(f"{path}: no model that can be read ({reason})") from None
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise HakkenError(f"{path}: not a model of this version of hakken (found {found!r}, expected {FORMAT!r})")
    try:
        study = Study.model_validate(content["study"])
        parameters = Hyperparameters.model_validate(content["parameters"])
    except ValidationError as error:
        raise HakkenError(f"{path}: was written by another version of hakken: {error.errors()[0]['msg']}") from None
    dimensions, widths = content["dimensions"], content.get("widths")
    network = _network(study, dimensions, parameters, widths)
    network.load_state_dict(content["weights"])
    return Detector(network.to(device).eval(), study, parameters, dimensions, content["metadata"])


def save_size(path: Path, detector: Detector, size: Size) -> UNet:
    """Write a detector's network at one size to ``path``, as a network of its own, and return it.

    Its output equals that of the large network at this size bit for bit. Raises HakkenError where the network has no
    sizes, and InvalidArchitecture for a size that it has not.
    """
    if not isinstance(detector.network, UNet):
        raise HakkenError(f"the network `{detector.study.training.network}` has no sizes; `unet` has")
    small = sub_network(detector.network, size.levels, size.features)
    sizes = detector.study.training.sizes.model_copy(update={"levels": (size.levels,), "features": (1.0,)})
    training = detector.study.training.model_copy(update={"sizes": sizes})
    parameters = small.hyperparameters
    save_model(
        path,
        small.state_dict(),
        study=detector.study.model_copy(update={"training": training, "parameters": parameters}),
        parameters=parameters,
        dimensions=detector.dimensions,
        metadata={**detector.metadata, "exported": {"levels": size.levels, "features": size.features}},
        widths=small.widths,
    )
    return small


def _network(study: Study, dimensions: int, parameters: Hyperparameters, widths: Sequence[int] | None) -> nn.Module:
    if study.task == "classification":
        return build_classifier(study.training, len(study.inputs), len(study.cohort.classes), parameters)
    return build_network(study.training.network, len(study.inputs), dimensions, parameters, widths)


def predict_case(
    detector: Detector, image: NDArray[Any], mask: NDArray[Any], geometry: Geometry, study: Study | None = None
) -> Candidates:
    """Return the candidates of one prepared case: ``image`` (c, z, y, x), ``mask`` (z, y, x) on ``geometry``.

    ``study`` gives other settings of inference than those of the training. Raises HakkenError when the channels do not
    fit.
    """
    _check_channels(detector, len(image))
    if isinstance(detector.network, ExpectationUNet):
        return find_foci(detector.network, image, mask, geometry, study or detector.study)
    return detect(detector.network, image, mask, geometry, (study or detector.study).inference)


def require_same_channels(detector: Detector, case: PreparedCase) -> None:
    """Raise HakkenError where the channels of a prepared case are not those of the training."""
    if case.channels != detector.channels:
        expected, found = ", ".join(detector.channels), ", ".join(case.channels)
        raise HakkenError(f"case {case.case_id}: has the channels {found}, the model was trained on {expected}")


def _check_channels(detector: Detector, channels: int) -> None:
    if channels != len(detector.channels):
        names = ", ".join(detector.channels)
        raise HakkenError(f"image with {channels} channels: the model was trained on {len(detector.channels)}: {names}")
