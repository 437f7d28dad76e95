"""Fitted without gradients: how much nearer a vector is to the middle of the abnormal ones than of the normal ones."""

from pydantic import Field

from hakken.methods import Needs
from hakken.study import Section

NEEDS = Needs(cases=("items",), learns_from="any", gradient=False)
OUTCOMES = ("case_scores",)


class Parameters(Section):
    """What a search may vary."""

    shrink: float = Field(default=0.0, ge=0, le=1, description="Share by which the middles move towards each other.")


class Inference(Section):
    """How it is used on a case: nothing to set."""
