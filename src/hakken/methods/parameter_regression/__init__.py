"""Method `parameter_regression`: parameters of a signal model, learnt from signals that are drawn during training.

After Masutani's synthetic Q-space learning: a small perceptron answers with the diffusion parameters of a voxel, given
its signals at the b values of a protocol; it has seen synthetic signals alone. What it has been shown (signal-to-noise
ratio, ranges of the parameters, number of samples) decides how it errs, so all of that is a parameter of the training.
Masutani, Recent advances in parameter inference for diffusion MRI signal models, Magn Reson Med Sci 2022;21:132-147.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hakken.imaging.diffusion import Model, Range, check_ranges
from hakken.methods import Needs
from hakken.study import Positive, Section, Study
from hakken.study.parameters import Optimisation

NEEDS = Needs(cases=("items",), learns_from="nothing")
OUTCOMES = ("numbers",)
AVERAGED = "each quantity of each voxel"


class Parameters(Section):
    """What a search may vary: the network, its optimiser, and the signals that it is shown."""

    signal: Model = Field(default="ivim", description="Model of the signal: IVIM, or diffusional kurtosis (`dki`).")
    b_values: tuple[Annotated[float, Field(ge=0, le=10_000)], ...] = Field(
        default=(0, 10, 20, 40, 60, 80, 100, 200, 400, 600, 800),
        min_length=3,
        description="b values of the protocol in s/mm², 0 among them.",
    )
    snr: Positive | None = Field(
        default=20.0, description="Signal-to-noise ratio at b = 0 of the training signals; `null`: without noise."
    )
    snr_spread: float = Field(
        default=1.0,
        ge=1,
        le=100,
        description="Each signal has a ratio between snr / spread and snr * spread (log scale).",
    )
    ranges: dict[str, Range] = Field(
        default={}, description="Ranges that training parameters are drawn from, by name; those of tissues by default."
    )
    samples: int = Field(
        default=0, ge=0, le=100_000_000, description="Synthetic samples in all; 0: new ones in each mini-batch."
    )
    hidden_layers: int = Field(default=2, ge=0, le=10, description="Hidden layers.")
    hidden_units: int = Field(default=64, ge=1, le=4096, description="Units of each hidden layer.")
    loss: Literal["parameters", "signal"] = Field(
        default="parameters",
        description="`parameters`: squared error of the parameters, each scaled to its range; `signal`: that of the "
        "signals that the answers predict.",
    )
    learning_rate: float = Field(default=2e-3, gt=0, le=1, description="Initial learning rate.")
    learning_rate_decay: float = Field(
        default=0.01, gt=0, le=1, description="Learning rate at the end, as a fraction of the initial one."
    )
    weight_decay: float = Field(default=0.0, ge=0, le=1, description="Decoupled weight decay.")
    batch_size: int = Field(default=256, ge=2, le=65_536, description="Signals in a mini-batch.")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if 0 not in self.b_values:
            raise ValueError("b_values must hold 0, which signals are normalised by")
        check_ranges(self.ranges, self.signal)
        return self

    @property
    def optimisation(self) -> Optimisation:
        """How the weights move: Adam."""
        return Optimisation(self.learning_rate, self.learning_rate_decay, self.weight_decay)


class Inference(Section):
    """How the network is used on a case."""

    signals: str = Field(
        default="signals",
        description="Column of the case table with a file (.npz) of each case: `b` (k,), `signals` (n, k), `snr` (n,).",
    )
    flagged_above: float = Field(
        default=3.0,
        gt=0,
        description="Voxels whose signals lie this many times the noise from the predicted are flagged.",
    )


def problems(study: Study) -> Iterator[str]:
    """Yield what does not fit: no file of signals."""
    inference = study.inference
    assert isinstance(inference, Inference)
    if inference.signals not in study.cohort.files:
        known = ", ".join(study.cohort.files)
        yield f"inference.signals: `{inference.signals}` is no file of the cases; cohort.files names {known}"
