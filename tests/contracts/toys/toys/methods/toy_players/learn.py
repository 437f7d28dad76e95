"""An autoencoder with moving averages, and its critic (Wasserstein with a gradient penalty), which is left behind."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from hakken.core.seeds import derive_seed
from hakken.training.method import Data, Method
from hakken.training.players import Loss, Model, Networks, Optimisation, Player
from hakken.training.sources import CaseSource
from toys.phantoms.toy_vectors import LENGTH


class Learner(Method):
    """How both learn, and how far a vector is from what the autoencoder makes of it."""

    parameters: Any

    def networks(self) -> dict[str, nn.Module]:
        """Return both networks."""
        code = self.parameters.code
        autoencoder = nn.Sequential(nn.Linear(LENGTH, code), nn.Tanh(), nn.Linear(code, LENGTH))
        return {"autoencoder": autoencoder, "critic": nn.Sequential(nn.Linear(LENGTH, 8), nn.Tanh(), nn.Linear(8, 1))}

    def players(self, networks: Networks, data: Data, seed: int, device: torch.device) -> Sequence[Player]:
        """Return the critic, several updates a round, and the autoencoder, each with a source of its own."""
        own = self.parameters
        normal = [case for case in data.items() if not case.abnormal]
        how = Optimisation(own.learning_rate, weight_decay=0.0)

        def source(name: str) -> CaseSource[Any]:
            role = derive_seed(seed, name)
            return CaseSource(normal, _tensors, batch_size=own.batch_size, seed=role, device=device)

        critic = Player("critic", ("critic",), source("critic"), how, updates=own.critic_updates)
        return [critic, Player("autoencoder", ("autoencoder",), source("autoencoder"), how, average=0.9, clip=1.0)]

    def loss(self, player: str, networks: Networks, batch: Any, draw: torch.Generator) -> Loss:
        """Return the loss of one of the two."""
        real, critic = batch["vector"], networks["critic"]
        made = networks["autoencoder"](real)
        if player == "autoencoder":
            error = functional.mse_loss(made, real)
            return Loss(error - self.parameters.adversary * critic(made).mean(), {"error": error})
        share = torch.rand((len(real), 1), generator=draw)
        between = (share * real + (1 - share) * made.detach()).requires_grad_(True)
        slope = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0].norm(dim=1)
        return Loss(critic(made.detach()).mean() - critic(real).mean() + 10 * ((slope - 1) ** 2).mean())

    def export(self, networks: Networks) -> Model:
        """Return the autoencoder alone."""
        return Model({"autoencoder": networks["autoencoder"]})

    def predict(self, model: Model, case: Any, wanted: Collection[str]) -> Mapping[str, Any]:
        """Return the error of a vector."""
        vector = _tensors(case)["vector"]
        with torch.inference_mode():
            return {"case_scores": float(functional.mse_loss(model.networks["autoencoder"](vector), vector))}


def _tensors(case: Any, draw: torch.Generator | None = None) -> dict[str, torch.Tensor]:
    with np.load(case.file("vector")) as arrays:
        return {"vector": torch.as_tensor(arrays["values"], dtype=torch.float32)}
