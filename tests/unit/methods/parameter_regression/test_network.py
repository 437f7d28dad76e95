from __future__ import annotations

import pytest
import torch
from torch import nn

from hakken.methods.parameter_regression.network import Perceptron


@pytest.mark.parametrize(("layers", "weights"), [(0, 11 * 3 + 3), (2, (11 * 64 + 64) + (64 * 64 + 64) + (64 * 3 + 3))])
def test_the_number_of_weights_is_that_of_the_layers(layers: int, weights: int) -> None:
    network = Perceptron(11, 3, layers, 64)
    assert sum(weight.numel() for weight in network.parameters()) == weights
    assert network(torch.zeros(5, 11)).shape == (5, 3)


def test_between_layers_stands_silu_and_the_answer_is_linear() -> None:
    kinds = [type(layer) for layer in Perceptron(2, 1, 2, 4).layers]
    assert kinds == [nn.Linear, nn.SiLU, nn.Linear, nn.SiLU, nn.Linear]
