"""The part of a study that says with how many processes one training is timed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from hakken.study.section import Positive, Section

Processes = Annotated[int, Field(ge=1, le=4096)]


class Scaling(Section):
    """The same training, of the same work, with several numbers of processes (strong scaling).

    One process is one GPU, on machines without GPUs one process of the CPU.
    """

    processes: tuple[Processes, ...] = Field(
        default=(1, 2), min_length=2, description="Numbers of processes; the first is what the others are compared to."
    )
    per_node: int = Field(default=8, ge=1, le=64, description="Processes that one machine takes.")
    published: dict[int, Positive] = Field(
        default={}, description="Speeds that the publication reports, by number of processes; the least of them has 1."
    )

    @field_validator("processes")
    @classmethod
    def _rising(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        if list(values) != sorted(set(values)):
            raise ValueError("name each number once, in rising order")
        return values

    @model_validator(mode="after")
    def _fill_their_nodes(self) -> Scaling:
        for number in self.processes:
            if number > self.per_node and number % self.per_node:
                raise ValueError(
                    f"{number} processes do not fill nodes of {self.per_node}; use a multiple of `per_node`, or fewer"
                )
        return self

    def layout(self, processes: int) -> tuple[int, int]:
        """Return over how many nodes so many processes go, and how many each takes."""
        nodes = -(-processes // self.per_node)
        return nodes, processes // nodes
