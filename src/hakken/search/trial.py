"""What the proposer knows of one training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from hakken.core.errors import HakkenError
from hakken.core.names import nearest

Value = bool | int | float | str
State = Literal["complete", "running", "failed", "pruned", "paused"]
STATES: tuple[State, ...] = get_args(State)
FINISHED: tuple[State, ...] = ("complete", "failed", "pruned", "paused")


@dataclass(frozen=True)
class Trial:
    """One training: its number in the sweep, its parameters, its state and its objective.

    ``value`` counts only where it is finite and the state `complete`, `pruned` or `paused` (at a rung); a trial whose
    objective is missing or not finite is treated as failed. Raises HakkenError for an unknown state.
    """

    number: int
    parameters: Mapping[str, Value]
    state: State
    value: float | None = None

    def __post_init__(self) -> None:
        if self.state not in STATES:
            hint = nearest(str(self.state), STATES)
            raise HakkenError(f"trial {self.number}: unknown state `{self.state}`{hint}; known: {', '.join(STATES)}")

    @property
    def pending(self) -> bool:
        """Whether the result is still to come."""
        return self.state == "running"

    @property
    def measured(self) -> bool:
        """Whether there is a finite objective to learn from."""
        finished = self.state in ("complete", "pruned", "paused")
        return finished and self.value is not None and math.isfinite(self.value)
