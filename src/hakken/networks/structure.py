"""What convolutional networks are built from; which of it a network uses, its own module says."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Structure:
    """The structure of a network of patches: edge of the patch, layers, feature maps, normalisation, dropout.

    ``base_features`` are the maps of the first layer, ``growth`` multiplies them at each pooling; ``batch_norm`` stands
    for the normalisation of the network, whatever it is.
    """

    patch_size: int = 16
    convolutions: int = 3
    base_features: int = 16
    growth: float = 2.0
    kernel: int = 3
    poolings: int = 1
    batch_norm: bool = True
    dropout: float = 0.2
    dense_layers: int = 1
    dense_units: int = 32

    @classmethod
    def of(cls, parameters: object) -> Structure:
        """Return the structure that ``parameters`` have under the same names; what they lack takes its default."""
        known = {field.name for field in fields(cls) if hasattr(parameters, field.name)}
        return cls(**{name: getattr(parameters, name) for name in known})
