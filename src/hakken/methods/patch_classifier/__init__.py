"""Method `patch_classifier`: whether a lesion is at the centre of a patch, asked at every place of a case.

Its network is convolutions of the patch whose structure is itself made of parameters; what it says of the places of a
case is a map of probabilities, whose peaks are candidates.
"""

from hakken.methods import Needs
from hakken.study.parameters import Balanced, ByProbability, Convolutional, Dense, Optimised, Patched

NEEDS = Needs(patches=True, learns_from="lesions")
OUTCOMES = ("candidates",)
AVERAGED = "the probability at each point of the lattice"


class Parameters(Optimised, Patched, Balanced, Convolutional, Dense):
    """What a search of a patch classifier may vary."""


class Inference(ByProbability):
    """How a patch classifier is used on a case."""
