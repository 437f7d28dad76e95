"""Two players: an autoencoder of vectors, and a critic that tells vectors from what it makes of them."""

from pydantic import Field

from hakken.methods import Needs
from hakken.study import Section

NEEDS = Needs(cases=("items",), learns_from="normal")
OUTCOMES = ("case_scores",)


class Parameters(Section):
    """What a search may vary."""

    learning_rate: float = Field(default=1e-2, gt=0, description="Learning rate of both.")
    code: int = Field(default=2, ge=1, description="Numbers in the code.")
    adversary: float = Field(default=0.01, ge=0, description="Weight of what the critic says.")
    critic_updates: int = Field(default=2, ge=1, description="Updates of the critic in a round.")
    batch_size: int = Field(default=8, ge=2, description="Vectors in a mini-batch.")


class Inference(Section):
    """How it is used on a case: nothing to set."""
