"""One loss on patches: the patch classifier, with a hinge in the place of the cross-entropy."""

from pydantic import Field

from hakken.methods import Needs
from hakken.study.parameters import ByProbability, Convolutional, Dense, Optimised, Patched

NEEDS = Needs(patches=True, learns_from="lesions")
OUTCOMES = ("candidates",)
AVERAGED = "the probability at each point of the lattice"


class Parameters(Optimised, Patched, Convolutional, Dense):
    """What a search may vary."""

    margin: float = Field(default=1.0, gt=0, description="Margin of the hinge.")


class Inference(ByProbability):
    """How the network is used on a case."""
