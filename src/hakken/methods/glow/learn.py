"""Learning the density of normal cases, and of a mixture, and the scores of a case by them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hakken.core.console import log
from hakken.core.errors import HakkenError, InvalidArchitecture
from hakken.core.seeds import derive_seed
from hakken.imaging.cases import Cases, image
from hakken.imaging.prepared import PreparedCase
from hakken.inference.dense import exactly
from hakken.methods.glow import Inference, Parameters
from hakken.methods.glow.scores import Choice, Seen, choose, compressed_bits, recorded
from hakken.methods.glow.windows import Box, FlowSource, Shape
from hakken.networks.flow.density import bits_per_dimension, dequantised, quantised
from hakken.networks.flow.glow import Encoded, Glow
from hakken.study import Section
from hakken.training.method import Data, Method
from hakken.training.players import Loss, Model, Networks, Player
from hakken.training.sources import Samples

NORMAL, MIXTURE = "normal", "mixture"
"""The two flows, and the players that move them."""
CHOSEN, MEAN_OF_NORMAL = "score", "validation_bits_of_normal"
RESAMPLES = 1000


class Learner(Method):
    """How one or two flows learn, and how they score a case."""

    parameters: Parameters
    inference: Inference

    @classmethod
    def require(cls, parameters: Section) -> None:
        """Raise InvalidArchitecture where a window cannot be halved on every level."""
        assert isinstance(parameters, Parameters)
        multiple = 2**parameters.levels
        if parameters.patch_size % multiple:
            raise InvalidArchitecture(
                f"patch_size {parameters.patch_size}: {parameters.levels} levels need a multiple of {multiple}"
            )

    def networks(self) -> dict[str, nn.Module]:
        """Return the untrained flow, and that of the mixture where there is one."""
        self.require(self.parameters)
        chosen = self.parameters
        names = (NORMAL, MIXTURE) if chosen.mixture else (NORMAL,)
        return {
            name: Glow(
                len(self.facts.inputs),
                chosen.axes,
                levels=chosen.levels,
                depth=chosen.depth,
                width=chosen.width,
                backward=chosen.backward,
            )
            for name in names
        }

    def players(self, networks: Networks, data: Data, seed: int, device: torch.device) -> Sequence[Player]:
        """Return a player for each flow, whose first mini-batch has set what is set by data, in all processes alike.

        Raises HakkenError where no training case is normal.
        """
        every = data.images()
        normal = [case for case in every if not case.abnormal]
        if not normal:
            raise HakkenError(
                f"none of the {len(every)} training cases is normal, and a flow learns from these; add some to the "
                "part `train`"
            )
        cases = {NORMAL: normal, MIXTURE: [*every]}
        return [self._player(name, networks[name], cases[name], seed, device) for name in networks]

    def _player(
        self, name: str, flow: nn.Module, cases: Sequence[PreparedCase], seed: int, device: torch.device
    ) -> Player:
        chosen = self.parameters
        source = FlowSource(cases, chosen, derive_seed(seed, f"windows of {name}"), device)
        assert isinstance(flow, Glow)
        draw = torch.Generator(device).manual_seed(derive_seed(seed, f"first noise of {name}"))
        flow.initialise(_noisy(source.batch(0), draw))
        return Player(name, (name,), source, chosen.optimisation, clip=chosen.clip, average=chosen.average or None)

    def loss(self, player: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
        """Return the bits per dimension of a mini-batch, with new noise within its grey levels."""
        images = _noisy(batch, draw)
        bits = batch["bits"].flatten()
        return Loss(bits_per_dimension(networks[player](images), images[0].numel(), bits).mean())

    def calibrate(self, model: Model, cases: Cases) -> Mapping[str, Any]:
        """Return which score is best on the validation cases, where that is asked for, and what it is measured from.

        That is the mean likelihood of the normal ones. How much the choice flatters the best is recorded with it.
        Raises HakkenError where a choice is to be made and the cases are all normal or all abnormal.
        """
        condition = max(flow.condition for flow in model.networks.values() if isinstance(flow, Glow))
        log(f"largest condition number of a mixing of channels: {condition:.1f}")
        if self.parameters.score not in ("chosen", "distance"):
            return {}
        every = [image(case) for case in cases]
        seen = [self._seen(model, case) for case in every]
        normal = [one.likelihood for one, case in zip(seen, every, strict=True) if not case.abnormal]
        if not 0 < len(normal) < len(every):
            raise HakkenError("the validation cases are all normal or all abnormal, so there is no score to choose")
        mean = float(np.mean(normal))
        found: dict[str, Any] = {"condition": condition, MEAN_OF_NORMAL: mean}
        choice = self._choice(every, [one.scores(mean) for one in seen])
        if self.parameters.score == "chosen":
            found[CHOSEN] = choice.best
            log(_said(choice))
        return found | recorded(choice)

    def _choice(self, cases: Sequence[PreparedCase], scores: Sequence[Mapping[str, float]]) -> Choice:
        patients = np.array([case.patient or case.case_id for case in cases])
        return choose(
            {name: np.array([one[name] for one in scores]) for name in scores[0]},
            np.array([case.abnormal for case in cases]),
            np.unique(patients, return_inverse=True)[1].astype(np.int64),
            resamples=RESAMPLES,
            seed=derive_seed(self.facts.seed, "choice of the score"),
        )

    def predict(self, model: Model, case: PreparedCase, wanted: Collection[str]) -> Mapping[str, Any]:
        """Return the score of a case, all scores there are, and bits per voxel where a map is wanted.

        The map (z, y, x) is of the flow of normal cases, less those by the flow of the mixture where there is one;
        0 outside the mask, and where no window was looked at.
        """
        found: dict[str, Any] = {}
        if {"case_scores", "alternative_scores"} & set(wanted):
            scores = self._seen(model, case).scores(model.values.get(MEAN_OF_NORMAL))
            found |= {"case_scores": scores[self._used(model)], "alternative_scores": scores}
        if "score_maps" in wanted:
            found["score_maps"] = self._map(model, case)
        return found

    def _used(self, model: Model) -> str:
        """Return the score that counts; before there is a choice, the one that needs none."""
        known: str = model.values.get(CHOSEN, self.parameters.score)
        unset = known == "chosen" or (known == "distance" and MEAN_OF_NORMAL not in model.values)
        return ("two_flows" if self.parameters.mixture else "compression") if unset else known

    def _seen(self, model: Model, case: PreparedCase) -> Seen:
        """Return what the flows say of a case; the noise is drawn by the seed and the pixels of the case alone."""
        each = [self._window_seen(model, levels, draw) for levels, _, draw in self._windows(case, model.device)]
        return Seen.over_windows(each, self.inference.windows)

    def _window_seen(self, model: Model, levels: Tensor, draw: torch.Generator) -> Seen:
        values = levels.numel()
        encoded = self._encoded(model, levels, draw)
        bits = {
            name: float(bits_per_dimension(one.log_density, values, self.parameters.bits).double().mean())
            for name, one in encoded.items()
        }
        squares = [float(latent.double().square().sum()) for latent in encoded[NORMAL].latents]
        return Seen(
            likelihood=bits[NORMAL],
            two_flows=bits[NORMAL] - bits[MIXTURE] if MIXTURE in bits else None,
            latent=sum(squares) / (values * self.inference.draws),
            compression=bits[NORMAL] - compressed_bits(levels.cpu().numpy().astype(np.uint8)),
        )

    def _map(self, model: Model, case: PreparedCase) -> NDArray[np.float32]:
        shape, window = case.geometry.shape_zyx, Shape.of(self.parameters).window
        total, count = np.zeros(shape), np.zeros(shape)
        for levels, box, draw in self._windows(case, model.device):
            inner = tuple(slice(0, min(one.stop, extent) - one.start) for one, extent in zip(box, shape, strict=True))
            for name, encoded in self._encoded(model, levels, draw).items():
                spent = bits_per_dimension(encoded.positions, 1, self.parameters.bits * levels.shape[1]).mean(0)
                sign = 1 if name == NORMAL else -1
                total[box] += sign * spent.cpu().numpy().reshape(window)[inner]
            count[box] += 1
        return np.where(case.mask() > 0, total / np.maximum(count, 1), 0).astype(np.float32)

    def _encoded(self, model: Model, levels: Tensor, draw: torch.Generator) -> dict[str, Encoded]:
        """Return what each flow makes of several draws of a window (1, c, ...), all of them with the same noise."""
        noise = torch.rand((self.inference.draws, *levels.shape[1:]), generator=draw).to(levels.device)
        images = dequantised(levels, self.parameters.bits, noise)
        with torch.inference_mode(), exactly(levels.device, torch.float32):
            return {name: flow.encode(images) for name, flow in model.networks.items() if isinstance(flow, Glow)}

    def _windows(self, case: PreparedCase, device: torch.device) -> Iterator[tuple[Tensor, Box, torch.Generator]]:
        """Yield the grey levels (1, c, ...) of each window of a case, where it lies, and random numbers for it."""
        shape, pixels = Shape.of(self.parameters), case.image()
        draw = torch.Generator().manual_seed(derive_seed(self.facts.seed, "noise", case.pixel_digest))
        for box in shape.lattice(case.mask() > 0, self.inference.overlap):
            cut = shape.cut(pixels, box)[None].to(device)
            yield quantised(cut, self.parameters.bits), box, draw


def _noisy(batch: Samples, draw: torch.Generator) -> Tensor:
    """Return the images of a mini-batch with noise within their grey levels."""
    images, bits = batch["images"], batch["bits"]
    noise = torch.rand(images.shape, generator=draw, device=images.device)
    return dequantised(quantised(images, bits), bits, noise)


def _said(choice: Choice) -> str:
    areas = ", ".join(f"{name} {value:.3f}" for name, value in choice.areas.items())
    naive, corrected = choice.cost.naive.value, choice.cost.corrected.value
    return (
        f"the score `{choice.best}` is the best of {len(choice.areas)} on validation: AUC {naive:.3f}, corrected for "
        f"the choice {corrected:.3f} (all: {areas})"
    )
