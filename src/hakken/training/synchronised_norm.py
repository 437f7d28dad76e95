"""Batch normalisation over the mini-batches of all processes.

PyTorch's own `SyncBatchNorm` does it on GPUs alone; this one does it wherever gradients can travel.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import distributed, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm


class SynchronisedNorm(_BatchNorm):
    """Batch normalisation (b, c, ...) whose mean and variance are those of the mini-batches of all processes.

    It has the weights and running averages of the `torch.nn.BatchNorm` that it replaces, under the same names.
    """

    def _check_input_dim(self, input: torch.Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"expected an input of at least two axes, got {input.ndim}")

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the input (b, c, ...) normalised; in evaluation mode by the running averages."""
        if not self.training or not distributed.is_initialized():
            return super().forward(input)
        axes = [0, *range(2, input.ndim)]
        shape = [1, -1, *[1] * (input.ndim - 2)]
        values = input if input.dtype == torch.float64 else input.float()
        own = values.new_tensor(float(input.numel() // input.shape[1]))
        sums = _summed(torch.cat([own[None], values.sum(axes)]))
        count, mean = sums[0], sums[1:] / sums[0]
        deviation = values - mean.view(shape)
        variance = _summed(deviation.square().sum(axes)) / count
        self._remember(mean.detach(), variance.detach(), float(count))
        scaled = deviation * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            scaled = scaled * self.weight.view(shape) + self.bias.view(shape)
        return scaled.to(input.dtype)

    def _remember(self, mean: torch.Tensor, variance: torch.Tensor, count: float) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_((variance * count / max(count - 1, 1)).to(self.running_var.dtype), share)


def synchronised(network: nn.Module) -> nn.Module:
    """Replace every batch normalisation in ``network`` by a `SynchronisedNorm` with the same weights, and return it."""
    if isinstance(network, _BatchNorm):
        like = next((value for value in network.state_dict().values() if value.is_floating_point()), torch.zeros(()))
        replaced = SynchronisedNorm(
            network.num_features,
            network.eps,
            network.momentum,
            network.affine,
            network.track_running_stats,
            like.device,
            like.dtype,
        )
        replaced.load_state_dict(network.state_dict())
        return replaced
    for name, child in network.named_children():
        setattr(network, name, synchronised(child))
    return network


def _summed(values: torch.Tensor) -> torch.Tensor:
    """Return the sum over all processes, through which gradients travel."""
    return cast(torch.Tensor, all_reduce(values))  # type: ignore[no-untyped-call]
