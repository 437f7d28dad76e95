"""A trained model as one file: weights, values and all that is needed to use them on a new case.

The file is what `torch.save` writes, tensors and plain values only, and is read with ``weights_only=True``. A baseline
is kept in the same way: it has no networks.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import hakken
from hakken import plugins
from hakken.core.errors import HakkenError
from hakken.core.files import replacing
from hakken.imaging.cases import Case
from hakken.runs.learner import learner_of
from hakken.study import Study
from hakken.training.method import Fitted, Method
from hakken.training.players import Model

FORMAT = "hakken model 2"
EARLIER = "hakken detector 1"

Weights = Mapping[str, Mapping[str, torch.Tensor]]


@dataclass(frozen=True, eq=False)
class Trained:
    """A model in evaluation mode, the study that it was trained for with its own parameters, and where it comes from.

    ``baseline`` is the name of the baseline that it is, None for a method.
    """

    study: Study
    model: Model
    metadata: Mapping[str, Any]
    learner: Method | Fitted | None
    baseline: str | None = None

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels, in the order of the model's input."""
        return tuple(self.study.channels)

    def predict(self, case: Case, wanted: Collection[str]) -> Mapping[str, Any]:
        """Return what the model says of a case for the outcomes that are ``wanted`` and that it knows."""
        if self.learner is not None:
            return self.learner.predict(self.model, case, wanted)
        found: Mapping[str, Any] = plugins.load("baselines", str(self.baseline)).predict(
            self.model.values, case, self.study
        )
        return found

    def used_as(self, study: Study) -> Trained:
        """Return the model with the settings of inference and the outcomes of another version of its study."""
        changed = self.study.model_copy(update={"inference": study.inference, "outcomes": study.outcomes})
        return Trained(
            changed, self.model, self.metadata, None if self.learner is None else learner_of(changed), self.baseline
        )


def save_model(
    path: Path,
    weights: Weights,
    values: Mapping[str, Any],
    *,
    study: Study,
    metadata: Mapping[str, Any],
    baseline: str | None = None,
) -> None:
    """Write a model to ``path``; ``study`` has the model's own parameters, ``metadata`` and ``values`` are plain."""
    content = {
        "format": FORMAT,
        "hakken": hakken.__version__,
        "study": study.model_dump(mode="json"),
        "weights": {name: {key: tensor.cpu() for key, tensor in one.items()} for name, one in weights.items()},
        "values": dict(values),
        "metadata": dict(metadata),
        **({"baseline": baseline} if baseline else {}),
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def load_model(path: Path, device: torch.device | str = "cpu") -> Trained:
    """Return the model of a file; raises HakkenError when it is missing or no model of this version."""
    content = _content(path, device)
    try:
        study = Study.model_validate(content["study"])
    except ValueError as error:
        first = next(iter(str(error).splitlines()), "")
        raise HakkenError(
            f"{path}: was written by hakken {content.get('hakken')}, and its study is none here: {first}"
        ) from None
    if "baseline" in content:
        plugins.module_name("baselines", content["baseline"])
        return Trained(study, Model(values=content["values"]), content["metadata"], None, content["baseline"])
    learner = learner_of(study)
    return Trained(study, _restored(learner, content, device), content["metadata"], learner)


def _content(path: Path, device: torch.device | str) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise HakkenError(f"{path}: no such model") from None
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = next(iter(str(error).splitlines()), "it is empty or cut off")
        raise HakkenError(f"{path}: no model that can be read ({reason})") from None
    found = content.get("format") if isinstance(content, dict) else None
    if found == EARLIER:
        raise HakkenError(f"{path}: was written by hakken 0.1, whose models this version does not use; train again")
    if found != FORMAT:
        raise HakkenError(f"{path}: not a model of this version of hakken (found {found!r}, expected {FORMAT!r})")
    return dict(content)


def _restored(learner: Method | Fitted, content: Mapping[str, Any], device: torch.device | str) -> Model:
    if isinstance(learner, Fitted):
        return Model(values=content["values"])
    model = learner.restore(content["values"], list(content["weights"]))
    for name, network in model.networks.items():
        network.load_state_dict(content["weights"][name])
        network.to(device)
    return model.eval()
