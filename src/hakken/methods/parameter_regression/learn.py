"""Learning diffusion parameters from drawn signals, and answering with those of a case."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from hakken.cohort.items import Item
from hakken.core.errors import HakkenError
from hakken.core.seeds import derive_seed
from hakken.imaging.diffusion import normalised, ranges_of, signals
from hakken.methods.parameter_regression import Inference, Parameters
from hakken.methods.parameter_regression.network import Perceptron
from hakken.training.method import Averaged, Data, Method
from hakken.training.players import Loss, Model, Networks, Player
from hakken.training.sources import DrawnSource, Tensors

NETWORK = "network"
SIGNALS, SHARES = "signals", "shares"
QUANTITIES = "quantities"
BLOCK = 65_536
"""Voxels that go through the network at once."""


class Learner(Averaged, Method):
    """How the perceptron learns, and what it answers."""

    parameters: Parameters
    inference: Inference

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The range of each quantity, in the order of the outputs."""
        return ranges_of(self.parameters.ranges, self.parameters.signal)

    def networks(self) -> dict[str, nn.Module]:
        """Return the untrained network."""
        own = self.parameters
        return {NETWORK: Perceptron(len(own.b_values), len(self.ranges), own.hidden_layers, own.hidden_units)}

    def players(self, networks: Networks, data: Data, seed: int, device: torch.device) -> Sequence[Player]:
        """Return the one player, on signals that are drawn for each mini-batch, or once for all of them."""
        own = self.parameters
        draw = self._fresh
        if own.samples:
            pool = self._drawn(own.samples, torch.Generator(device).manual_seed(derive_seed(seed, "pool")))

            def draw(random: torch.Generator) -> Tensors:
                place = torch.randint(own.samples, (own.batch_size,), generator=random, device=random.device)
                return {name: values[place] for name, values in pool.items()}

        source = DrawnSource(draw, derive_seed(seed, "signals"), device)
        return [Player("network", (NETWORK,), source, own.optimisation)]

    def loss(self, player: str, networks: Networks, batch: Any, draw: torch.Generator) -> Loss:
        """Return the squared error of the parameters, scaled to their ranges, or of the signals that they predict."""
        answers = networks[NETWORK](batch[SIGNALS])
        if self.parameters.loss == "parameters":
            return Loss(functional.mse_loss(answers, batch[SHARES]))
        return Loss(functional.mse_loss(self._signals(answers), batch[SIGNALS]))

    def answer(self, model: Model, case: Item) -> Mapping[str, NDArray[Any]]:
        """Return the quantities (q, n) of the voxels of a case."""
        b, measured, _ = read_signals(case, self.inference.signals, self.parameters.b_values)
        shares = normalised(b, measured)
        network, device = model.networks[NETWORK], model.device
        found = []
        with torch.inference_mode():
            for start in range(0, len(shares), BLOCK):
                block = torch.as_tensor(shares[start : start + BLOCK], dtype=torch.float32, device=device)
                found.append(network(block).cpu().double().numpy())
        values = [
            low + (high - low) * column
            for (low, high), column in zip(self.ranges.values(), np.vstack(found).T, strict=True)
        ]
        return {QUANTITIES: np.array(values)}

    def conclude(self, answer: Mapping[str, NDArray[Any]], case: Item, wanted: Collection[str]) -> Mapping[str, Any]:
        """Return the quantities (n,) of the voxels of a case, and whether each is flagged (0 or 1).

        A voxel is flagged whose signals lie further from those that its answers predict than `flagged_above` times the
        noise: it is not what the network was trained for. Without a ratio in the file, that of the training is taken.
        """
        b, measured, snr = read_signals(case, self.inference.signals, self.parameters.b_values)
        shares, values = normalised(b, measured), list(answer[QUANTITIES])
        residual = np.sqrt(((signals(self.parameters.signal, b, values) - shares) ** 2).mean(1))
        expected = 1 / (snr if snr is not None else (self.parameters.snr or np.inf))
        flagged = (residual > self.inference.flagged_above * expected).astype(float)
        return {"numbers": dict(zip(self.ranges, values, strict=True)) | {"flagged": flagged}}

    def _fresh(self, random: torch.Generator) -> Tensors:
        return self._drawn(self.parameters.batch_size, random)

    def _drawn(self, count: int, random: torch.Generator) -> dict[str, torch.Tensor]:
        """Return ``count`` noisy, normalised signals (n, k) and their parameters (n, p) in shares of the ranges."""
        own, device = self.parameters, random.device
        shares = torch.rand((count, len(self.ranges)), generator=random, device=device)
        clean = self._signals(shares)
        if own.snr is None:
            return {SIGNALS: clean, SHARES: shares}
        exponent = 2 * torch.rand((count, 1), generator=random, device=device) - 1
        sigma = 1 / (own.snr * own.snr_spread**exponent)
        real, imaginary = torch.randn((2, *clean.shape), generator=random, device=device) * sigma
        noisy = torch.hypot(clean + real, imaginary)
        zero = torch.tensor([value == 0 for value in own.b_values], device=device)
        return {SIGNALS: noisy / noisy[:, zero].mean(1, keepdim=True), SHARES: shares}

    def _signals(self, shares: torch.Tensor) -> torch.Tensor:
        """Return the signals (n, k) of parameters (n, p) that are given as shares of their ranges."""
        b = torch.tensor(self.parameters.b_values, device=shares.device)
        values = [
            low + (high - low) * column for (low, high), column in zip(self.ranges.values(), shares.T, strict=True)
        ]
        found: torch.Tensor = signals(self.parameters.signal, b, values, torch.exp)
        return found


def read_signals(
    case: Item, column: str, wanted: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
    """Return the b values (k,) in the order that is ``wanted``, the signals (n, k) and the ratio (n,), None without.

    Raises HakkenError naming a file that lacks an array or has other b values.
    """
    path = case.file(column)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: np.asarray(arrays[name], float) for name in arrays}
    except (OSError, ValueError, EOFError) as error:
        raise HakkenError(f"{path}: cannot be read as .npz ({error})") from None
    for name in ("b", "signals"):
        if name not in found:
            raise HakkenError(f"{path}: holds no array `{name}`, only {', '.join(found)}")
    b, measured = found["b"].ravel(), found["signals"]
    if measured.ndim != 2 or measured.shape[1] != len(b):
        raise HakkenError(f"{path}: `signals` is {measured.shape}, and not (voxels, {len(b)}) as `b` says")
    if sorted(b.tolist()) != sorted(wanted):
        raise HakkenError(f"{path}: its b values are {sorted(b.tolist())}, the study was made for {sorted(wanted)}")
    order = np.argsort(b, kind="stable")[np.argsort(np.argsort(wanted, kind="stable"))]
    return b[order], measured[:, order], found.get("snr")
