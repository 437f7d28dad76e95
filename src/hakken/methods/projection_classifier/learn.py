"""Learning to tell cubes with a lesion at their centre from others, by their projections."""

from __future__ import annotations

from torch import nn

from hakken.imaging.prepared import PreparedCase
from hakken.inference.detect import pixels_of
from hakken.inference.maps import ScoreMap
from hakken.methods.patch_classifier import learn
from hakken.methods.projection_classifier.network import ProjectionClassifier
from hakken.methods.projection_classifier.score_map import projection_score_map
from hakken.networks.structure import Structure
from hakken.training.patch_player import NETWORK


class Learner(learn.Learner):
    """How a projection classifier learns: as a patch classifier does, with another network."""

    def networks(self) -> dict[str, nn.Module]:
        """Return the untrained network."""
        return {NETWORK: ProjectionClassifier(len(self.facts.inputs), Structure.of(self.parameters))}

    def scores(self, network: nn.Module, case: PreparedCase) -> ScoreMap:
        """Return the probabilities on a lattice inside the mask of a case."""
        assert isinstance(network, ProjectionClassifier)
        stride, memory = self.inference.stride_voxel, self.inference.memory_mb
        return projection_score_map(network, pixels_of(case), stride_voxel=stride, memory_mb=memory, mask=case.mask())
