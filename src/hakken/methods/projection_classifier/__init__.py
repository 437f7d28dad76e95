"""Method `projection_classifier`: a patch classifier that sees maximum-intensity projections in nine directions.

Nakao et al., Deep neural network-based computer-assisted detection of cerebral aneurysms in MR angiography, J Magn
Reson Imaging 2018;47:948-953.
"""

from collections.abc import Iterator

from hakken.methods import Needs
from hakken.study import Study
from hakken.study.parameters import Balanced, ByProbability, Convolutional, Dense, Optimised, Patched

NEEDS = Needs(patches=True, learns_from="lesions")
OUTCOMES = ("candidates",)
AVERAGED = "the probability at each point of the lattice"


class Parameters(Optimised, Patched, Balanced, Convolutional, Dense):
    """What a search of a projection classifier may vary."""


class Inference(ByProbability):
    """How a projection classifier is used on a case."""


def problems(study: Study) -> Iterator[str]:
    """Yield what does not fit: projections are of cubes."""
    if study.patches.axes != 3:
        yield "patches.axes: use 3, for the method `projection_classifier` projects cubes"
