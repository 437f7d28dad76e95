"""No cases at all: the area of a quarter of a circle by random points, and what it costs."""

from pydantic import Field

from hakken.methods import Needs
from hakken.study import Section

NEEDS = Needs(cases=("none",), learns_from="nothing", gradient=False)
OUTCOMES = ("records",)


class Parameters(Section):
    """What a search may vary."""

    points: int = Field(default=1000, ge=1, description="Random points.")


class Inference(Section):
    """How it is used: nothing to set."""
