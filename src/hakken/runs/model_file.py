"""A trained model as one file: weights, values and all that is needed to use them on a new case.

The file is what `torch.save` writes, tensors and plain values only, and is read with ``weights_only=True``. A baseline
is kept in the same way: it has no networks. So is an average of several models, which holds each of them whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import hakken
from hakken import plugins
from hakken.core.errors import HakkenError
from hakken.core.files import sha256_file
from hakken.imaging.cases import Case
from hakken.runs.learner import learner_of
from hakken.runs.model_content import FORMAT, MEMBERS, OF_USE, SOURCE, read_content, write_content
from hakken.study import Study
from hakken.training.method import Averaged, Fitted, Method
from hakken.training.players import Model

Answer = Mapping[str, NDArray[Any]]
Weights = Mapping[str, Mapping[str, torch.Tensor]]


@dataclass(frozen=True, eq=False)
class Trained:
    """A model in evaluation mode, the study that it was trained for with its own parameters, and where it comes from.

    ``baseline`` is the name of the baseline that it is, None for a method. The ``members`` of an average are models
    themselves; its study is that of the first.
    """

    study: Study
    model: Model
    metadata: Mapping[str, Any]
    learner: Method | Fitted | None
    baseline: str | None = None
    members: tuple[Trained, ...] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels of a prepared case, in their order there."""
        return self.study.layers

    def predict(self, case: Case, wanted: Collection[str]) -> Mapping[str, Any]:
        """Return what the model says of a case for the outcomes that are ``wanted`` and that it knows."""
        if self.members:
            return concluded(self, mean_of(answer_of(one, case) for one in self.members), case, wanted)
        if self.learner is not None:
            return self.learner.predict(self.model, case, wanted)
        found: Mapping[str, Any] = plugins.load("baselines", str(self.baseline)).predict(
            self.model.values, case, self.study
        )
        return found

    def used_as(self, study: Study) -> Trained:
        """Return the model with the settings of inference and the outcomes of another version of its study."""
        changed = self.study.model_copy(update={key: getattr(study, key) for key in OF_USE})
        return replace(
            self,
            study=changed,
            learner=None if self.learner is None else learner_of(changed),
            members=tuple(one.used_as(study) for one in self.members),
        )


def answer_of(trained: Trained, case: Case) -> Answer:
    """Return what a model says of a case before anything is concluded; raises HakkenError where it has no such thing.

    See `hakken.training.method.Averaged`.
    """
    return _averaged(trained).answer(trained.model, case)


def concluded(trained: Trained, answer: Answer, case: Case, wanted: Collection[str]) -> Mapping[str, Any]:
    """Return what follows from an answer, by the settings of a model; raises HakkenError as `answer_of`."""
    return _averaged(trained).conclude(answer, case, wanted)


def mean_of(answers: Iterable[Answer]) -> Answer:
    """Return the mean of the answers of several models, in their own precision; that of one is itself.

    Raises HakkenError where they are not of one shape.
    """
    total: dict[str, NDArray[Any]] = {}
    kinds: dict[str, np.dtype[Any]] = {}
    count = 0
    for answer in answers:
        count += 1
        if count == 1:
            kinds = {name: array.dtype for name, array in answer.items()}
            total = {name: array.astype(np.float64) for name, array in answer.items()}
            continue
        if {name: array.shape for name, array in answer.items()} != {name: one.shape for name, one in total.items()}:
            raise HakkenError("the models answer in different shapes, so they cannot be averaged")
        for name, array in answer.items():
            total[name] += array
    return {name: (array / count).astype(kinds[name]) for name, array in total.items()}


def _averaged(trained: Trained) -> Averaged:
    if not isinstance(trained.learner, Averaged):
        raise HakkenError(f"models of the method `{trained.study.method}` cannot be averaged")
    return trained.learner


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
    write_content(path, content)


def save_average(path: Path, members: Sequence[Path], metadata: Mapping[str, Any]) -> None:
    """Write the average of the models in the files ``members``, each with the SHA-256 of its file, to ``path``."""
    held = [read_content(member) | {SOURCE: sha256_file(member)} for member in members]
    content = {"format": FORMAT, "hakken": hakken.__version__, MEMBERS: held, "metadata": dict(metadata)}
    write_content(path, content)


def load_model(path: Path, device: torch.device | str = "cpu") -> Trained:
    """Return the model of a file; raises HakkenError when it is missing or no model of this version."""
    content = read_content(path, device)
    if MEMBERS not in content:
        return _trained(path, content, device)
    members = tuple(_trained(path, one, device) for one in content[MEMBERS])
    first = members[0]
    return Trained(first.study, Model(), content["metadata"], first.learner, members=members)


def _trained(path: Path, content: Mapping[str, Any], device: torch.device | str) -> Trained:
    """Return the model that the content of a file, or a member of one, describes."""
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


def _restored(learner: Method | Fitted, content: Mapping[str, Any], device: torch.device | str) -> Model:
    if isinstance(learner, Fitted):
        return Model(values=content["values"])
    model = learner.restore(content["values"], list(content["weights"]))
    for name, network in model.networks.items():
        network.load_state_dict(content["weights"][name])
        network.to(device)
    return model.eval()
