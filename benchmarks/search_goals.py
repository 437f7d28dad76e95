"""What hakken's search is to reach on the objectives that are held out, and whether it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search_ask import Ask
from search_statistics import OURS, SLOTS, Estimate, Results

RATIOS = (("optuna-gp", 50, 0.75), ("optuna-tpe", 50, 0.5), ("optuna-tpe", 20, 0.75))  # peer, results, highest ratio
SECONDS = {50: 0.1, 500: 0.35}  # results: highest CPU seconds of a proposal
UNLUCKY = 0.01  # highest share of sweeps above random search's median
SLOWER = 1.5  # highest ratio of the regret at N = 8 to that at N = 1


@dataclass(frozen=True)
class Goal:
    """A goal in words, what was measured, and whether it is met; None where nothing was measured."""

    text: str
    measured: str = "not measured"
    met: bool | None = None

    def __str__(self) -> str:
        verdict = {True: "met", False: "MISSED", None: "open"}[self.met]
        return f"- {verdict}: {self.text}: {self.measured}"


def goals(results: Results) -> list[Goal]:
    """Return the goals of the regret, each with its verdict; the estimate decides, the interval stands beside it."""
    return [
        *(_against(results, peer, count, most) for peer, count, most in RATIOS if count in results.checkpoints),
        _lucky(results),
        _parallel(results),
    ]


def cost_goals(asks: Sequence[Ask]) -> list[Goal]:
    """Return the goals of the CPU seconds of a proposal."""
    return [_seconds(asks, known, most) for known, most in SECONDS.items()]


def _against(results: Results, peer: str, count: int, most: float) -> Goal:
    text = f"mean regret after {count} results at N = {SLOTS} over that of {peer} at most {most:g}"
    return _judged(text, results.ratio(OURS, peer, count), most)


def _parallel(results: Results) -> Goal:
    text = f"mean regret at N = {SLOTS} over that at N = 1 at most {SLOWER:g}"
    return _judged(text, results.ratio(OURS, OURS, results.trials, peer_slots=1), SLOWER)


def _judged(text: str, ratio: Estimate | None, most: float) -> Goal:
    if ratio is None:
        return Goal(text)
    return Goal(text, f"{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]", ratio.value <= most)


def _lucky(results: Results) -> Goal:
    text = f"sweeps above random search's median after {results.trials} results: at most one in a hundred"
    above, count = results.above_chance(OURS, results.trials)
    return Goal(text, f"{above} of {count}", above <= UNLUCKY * count) if count else Goal(text)


def _seconds(asks: Sequence[Ask], known: int, most: float) -> Goal:
    text = f"CPU seconds of a proposal after {known} results at most {most:g}"
    found = [ask.seconds for ask in asks if (ask.proposer, ask.known) == (OURS, known)]
    return Goal(text, f"{found[0]:.3f}", found[0] <= most) if found else Goal(text)
