"""The search spaces of the benchmark's trainings and tables."""

from __future__ import annotations

from typing import Any


def _real(low: float, high: float, scale: str = "linear", **more: Any) -> dict[str, Any]:
    return {"type": "real", "low": low, "high": high, "scale": scale, **more}


def _integer(low: int, high: int, scale: str = "linear", **more: Any) -> dict[str, Any]:
    return {"type": "integer", "low": low, "high": high, "scale": scale, **more}


def _choice(*choices: Any, **more: Any) -> dict[str, Any]:
    return {"type": "categorical", "choices": list(choices), **more}


TRAINING9: dict[str, Any] = {
    "learning_rate": _real(1e-5, 1e-1, "log"),
    "weight_decay": _real(1e-6, 1e-1, "log"),
    "optimizer": _choice("sgd", "adam"),
    "momentum": _real(0.5, 0.99, when={"optimizer": "sgd"}),
    "batch_size": _integer(8, 128, "log"),
    "dropout": _real(0.0, 0.7),
    "layers": _integer(2, 6),
    "base_features": _integer(8, 64, "log"),
    "batch_norm": _choice(True, False),
}
TRAINING17: dict[str, Any] = {
    "learning_rate": _real(1e-5, 1e-1, "log"),
    "learning_rate_decay": _real(0.001, 1.0, "log"),
    "weight_decay": _real(1e-6, 1e-1, "log"),
    "momentum": _real(0.5, 0.99),
    "batch_size": _integer(8, 128, "log"),
    "dropout": _real(0.0, 0.7),
    "negative_ratio": _real(0.5, 10, "log"),
    "patch_size": _integer(12, 32),
    "augmentation": _real(0.0, 1.0),
    "convolutions": _integer(2, 6),
    "base_features": _integer(8, 64, "log"),
    "growth": _real(1.0, 2.0, when={"poolings": [1, 2]}),
    "kernel": _choice(3, 5),
    "poolings": _integer(0, 2),
    "dense_layers": _integer(0, 2),
    "dense_units": _integer(8, 256, "log", when={"dense_layers": [1, 2]}),
    "batch_norm": _choice(True, False),
}

# The tables hold every combination of these; what is ordered is searched by its place in the order.
FCNET_COUNTS = (
    ("activation_fn_1", 2),
    ("activation_fn_2", 2),
    ("batch_size", 4),
    ("dropout_1", 3),
    ("dropout_2", 3),
    ("init_lr", 6),
    ("lr_schedule", 2),
    ("n_units_1", 6),
    ("n_units_2", 6),
)
FCNET: dict[str, Any] = {
    **{name: _integer(0, count - 1) for name, count in FCNET_COUNTS},
    "activation_fn_1": _choice("relu", "tanh"),
    "activation_fn_2": _choice("relu", "tanh"),
    "lr_schedule": _choice("cosine", "const"),
}
MLP_COUNTS = (("alpha", 10), ("batch_size", 10), ("depth", 3), ("learning_rate_init", 10), ("width", 10))
MLP: dict[str, Any] = {name: _integer(0, count - 1) for name, count in MLP_COUNTS}
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
CELLS_COUNTS = tuple((f"edge_{edge}", len(OPERATIONS)) for edge in range(6))
CELLS: dict[str, Any] = {name: _choice(*OPERATIONS) for name, _ in CELLS_COUNTS}
