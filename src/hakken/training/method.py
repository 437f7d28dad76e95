"""What a method is to the code that trains, predicts and keeps it; see `hakken.methods` for the folder around it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from hakken.cohort.items import Item
from hakken.core.errors import HakkenError
from hakken.imaging.cases import Cases, image, item
from hakken.imaging.prepared import PreparedCase
from hakken.patches.shards import PatchStore
from hakken.study import Section, Study
from hakken.training.players import Loss, Model, Networks, Player


@dataclass(frozen=True)
class Facts:
    """What a method must know of the study beside its own sections.

    ``channels`` are all channels of a prepared case, of which ``inputs`` are seen and ``targets`` predicted; where
    channels are optional, among them those that say where each was measured. ``axes`` are those
    of a patch (2 or 3); ``spacing_mm`` is the prepared voxel size x, y, z; ``seed`` is that of the study; ``labelled``
    says that cases have a class as a whole, and no lesions; ``regions`` are those of the cohort by name, ``apart`` the
    regions of the body that do not count. ``kinds`` is the column of the kinds of cases that are left out, '' where
    none are.
    """

    channels: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    reference: str = ""
    axes: int = 3
    classes: tuple[str, ...] = ()
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    seed: int = 0
    labelled: bool = False
    regions: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    kinds: str = ""

    @classmethod
    def of(cls, study: Study) -> Facts:
        """Return the facts of a study."""
        return cls(
            channels=study.layers,
            inputs=study.seen,
            targets=study.targets,
            reference=study.reference,
            axes=study.patches.axes,
            classes=study.cohort.classes,
            spacing_mm=study.preparation.spacing_mm,
            seed=study.seed,
            labelled=study.cohort.truth == "label",
            regions=study.cohort.regions,
            apart=() if study.body_regions is None else study.body_regions.apart,
            kinds=study.evaluation.leave_out.column if study.evaluation.leave_out is not None else "",
        )


@dataclass(frozen=True, eq=False)
class Data:
    """What a training may learn from: its cases, and the folder of their ``patches`` where patches are cut.

    Where ``train`` names cases, the patches may be those of more of them, and a source takes these alone.
    """

    train: Cases = ()
    patches: Path | None = None

    @property
    def case_ids(self) -> tuple[str, ...] | None:
        """The cases by id; None where all patches are those of training cases."""
        return tuple(case.case_id for case in self.train) or None

    def images(self) -> tuple[PreparedCase, ...]:
        """Return the cases, which are images; raises HakkenError where they are not."""
        return tuple(image(case) for case in self.train)

    def items(self) -> tuple[Item, ...]:
        """Return the cases, which are items; raises HakkenError where they are not."""
        return tuple(item(case) for case in self.train)

    def store(self) -> PatchStore:
        """Return the patches; shards that were touched since they were last read are compared with their checksums."""
        if self.patches is None:
            raise HakkenError("no patches were cut for this method; its NEEDS must say that it takes patches")
        return PatchStore.open(self.patches, verify="touched")


@dataclass(frozen=True, eq=False)
class Sequel:
    """What is learnt once the networks that are kept have been: by players, for a ``share`` of the steps as many more.

    Nothing is measured meanwhile, and the last weights are kept. The record says how it went under ``name``.
    """

    name: str
    players: Sequence[Player]
    share: float


class Method(ABC):
    """A method that learns by gradients.

    It holds no state of its own: networks are handed to it. All randomness comes in by seeds.
    """

    def __init__(self, parameters: Section, inference: Section, facts: Facts) -> None:
        self.parameters, self.inference, self.facts = parameters, inference, facts

    @classmethod  # noqa: B027 - most have nothing to ask for
    def require(cls, parameters: Section) -> None:
        """Raise InvalidArchitecture where ``parameters`` describe no network; nothing is built."""

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """Return all untrained networks by name, drawn from torch's random numbers in their order.

        Raises InvalidArchitecture where the parameters describe none.
        """

    @abstractmethod
    def players(self, networks: Networks, data: Data, seed: int, device: torch.device) -> Sequence[Player]:
        """Return who learns, in the order of their turns, with sources of mini-batches on ``device``."""

    @abstractmethod
    def loss(self, player: str, networks: Networks, batch: Any, draw: torch.Generator) -> Loss:
        """Return the loss of a player's mini-batch; ``draw`` gives random numbers of this step."""

    def sequel(self, model: Model, data: Data, seed: int, device: torch.device) -> Sequel | None:
        """Return what is learnt after the ``model`` that is kept, on its own networks; nothing, unless a method does.

        Its networks stand still but for those of the players, whose loss is `loss` too.
        """
        return None

    def calibrate(self, model: Model, cases: Cases) -> Mapping[str, Any]:
        """Return what a trained ``model`` in evaluation mode is given besides from the validation ``cases``: values.

        They are kept and frozen with it; nothing, unless a method says so.
        """
        return {}

    def export(self, networks: Networks) -> Model:
        """Return what is kept: all networks, unless a method leaves some behind (critics, say)."""
        return Model(dict(networks))

    def restore(self, values: Mapping[str, Any], kept: Collection[str]) -> Model:
        """Return a model whose networks ``kept`` have yet to be given their weights."""
        return Model({name: network for name, network in self.networks().items() if name in kept}, dict(values))

    @abstractmethod
    def predict(self, model: Model, case: Any, wanted: Collection[str]) -> Mapping[str, Any]:
        """Return what a model in evaluation mode says of a case, for each of the outcomes ``wanted``."""


class Averaged(ABC):
    """What a method is besides, where the answers of several of its models mean something on average.

    ``predict`` goes through both steps. Its folder says so in `AVERAGED`. Put it before `Method` or `Fitted`.
    """

    @abstractmethod
    def answer(self, model: Model, case: Any) -> Mapping[str, NDArray[Any]]:
        """Return what a model in evaluation mode says of a case as arrays, such as probabilities.

        Of one case they have the same shapes whatever the parameters, or the models cannot be averaged.
        """

    @abstractmethod
    def conclude(self, answer: Mapping[str, NDArray[Any]], case: Any, wanted: Collection[str]) -> Mapping[str, Any]:
        """Return what follows from an answer, or from the mean of several, for each of the outcomes ``wanted``."""

    def predict(self, model: Model, case: Any, wanted: Collection[str]) -> Mapping[str, Any]:
        """Return what a model in evaluation mode says of a case, for each of the outcomes ``wanted``."""
        return self.conclude(self.answer(model, case), case, wanted)


class Fitted(ABC):
    """A method that is fitted without gradients, in one go."""

    def __init__(self, parameters: Section, inference: Section, facts: Facts) -> None:
        self.parameters, self.inference, self.facts = parameters, inference, facts

    @classmethod  # noqa: B027 - most have nothing to ask for
    def require(cls, parameters: Section) -> None:
        """Raise InvalidArchitecture where ``parameters`` describe nothing that can be fitted."""

    @abstractmethod
    def fit(self, data: Data, seed: int) -> Model:
        """Return the fitted model, whose values are plain or tensors."""

    @abstractmethod
    def predict(self, model: Model, case: Any, wanted: Collection[str]) -> Mapping[str, Any]:
        """Return what the model says of a case, for each of the outcomes ``wanted``."""
