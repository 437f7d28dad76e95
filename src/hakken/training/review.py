"""Reviews in the middle of a training: the networks are asked once, and a source of mini-batches is told the answer.

What was found is part of every later checkpoint. A training that is killed after the step of a review but before its
next checkpoint asks the same networks again, which say the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hakken.core.console import log
from hakken.training.players import Found, Model, Player
from hakken.training.team import Team


@dataclass(frozen=True, eq=False)
class Reviewed:
    """What a review has ``found`` after so many steps, and how many seconds that took."""

    step: int
    seconds: float
    found: Found


Reviews = dict[str, Reviewed]
"""The reviews of a training by the names of their players."""


def tell_again(player: Player, reviews: Mapping[str, Reviewed]) -> None:
    """Tell the source of a player what its review has found in an earlier job of the training."""
    if player.review is not None and player.name in reviews:
        player.review.tell(reviews[player.name].found)


def is_due(player: Player, reviews: Mapping[str, Reviewed], step: int, steps: int) -> bool:
    """Whether the review of a player is to be made before ``step`` of ``steps``."""
    review = player.review
    return review is not None and player.name not in reviews and step >= review.after * steps


def made(player: Player, model: Callable[[], Model], step: int, team: Team) -> Reviewed:
    """Make the review of a player and tell its source, in all processes of a ``team`` what the first one has found."""
    review, start = player.review, time.monotonic()
    assert review is not None
    asked = model()
    found = team.told(lambda: review.find(asked, step))
    review.tell(found)
    seconds = time.monotonic() - start
    log(f"{review.name}: found out after {step} steps, in {seconds:.1f} s")
    return Reviewed(step, seconds, found)


def summed_up(players: Sequence[Player], reviews: Mapping[str, Reviewed]) -> dict[str, dict[str, Any]]:
    """Return what a record says of the reviews that were made: the step, the seconds and what each found."""
    return {
        player.review.name: {
            "step": done.step,
            "seconds": round(done.seconds, 3),
            **player.review.sum_up(done.found),
        }
        for player in players
        if player.review is not None and (done := reviews.get(player.name)) is not None
    }
