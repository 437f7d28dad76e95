"""What hakken's search is to reach on the objectives that are held out, and whether it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from search_ask import KNOWN, Ask
from search_objectives import OBJECTIVES
from search_table import OURS, SLOTS, Ratio, Results, overall

RATIOS = {
    "optuna-tpe": (0.40, 1.0),
    "optuna-gp": (0.75, 1.15),
    "botorch-qlognei": (0.75, 1.15),
    "skopt-constant-liar": (0.35, None),
}  # peer: highest geometric mean of the ratios, highest single ratio
SECONDS = {10: 0.15, 50: 0.2, 150: 0.7, 500: 5.0}  # results: highest CPU seconds of a proposal
SLOWER = 1.5  # highest ratio of the regret at N = 8 to that at N = 1
FIFTH = 0.2  # highest ratio of the CPU seconds of a proposal to those of a peer with a Gaussian process
BUSY = 0.8  # lowest share of the slots' time


@dataclass(frozen=True)
class Goal:
    """A goal in words, what was measured, and whether it is met; None where nothing was measured."""

    text: str
    measured: str = "not measured"
    met: bool | None = None

    def __str__(self) -> str:
        verdict = {True: "met", False: "MISSED", None: "open"}[self.met]
        return f"- {verdict}: {self.text}: {self.measured}"


def goals(results: Results, asks: Sequence[Ask]) -> list[Goal]:
    """Return every goal with its verdict."""
    return [
        *(_against(results, peer, mean, single) for peer, (mean, single) in RATIOS.items()),
        *(_fifth(asks, peer) for peer in ("optuna-gp", "botorch-qlognei")),
        *(_seconds(asks, known, most) for known, most in SECONDS.items()),
        _random(results),
        _parallel(results),
        _busy(results),
    ]


def _against(results: Results, peer: str, mean: float, single: float | None) -> Goal:
    bound = "" if single is None else f", none above {single:g}"
    text = f"regret at N = {SLOTS} over that of {peer} at most {mean:g}{bound}"
    ratios = results.ratios(peer)
    if not ratios:
        return Goal(text)
    middle = overall(ratios).value
    return Goal(text, _spread(ratios), middle <= mean and (single is None or _worst(ratios)[1] <= single))


def _fifth(asks: Sequence[Ask], peer: str) -> Goal:
    """Judge within the length of the sweeps here; print the longer histories beside it."""
    text = f"CPU seconds of a proposal over those of {peer} at most {FIFTH:g}, after 10 and after 50 results"
    seconds = {(ask.sampler, ask.known): ask.seconds for ask in asks}
    both = [known for known in KNOWN if {(OURS, known), (peer, known)} <= set(seconds)]
    if not both:
        return Goal(text)
    ratios = {known: seconds[OURS, known] / seconds[peer, known] for known in both}
    measured = ", ".join(f"{ratio:.2f} after {known}" for known, ratio in ratios.items())
    return Goal(text, measured, all(ratio <= FIFTH for known, ratio in ratios.items() if known <= 50))


def _seconds(asks: Sequence[Ask], known: int, most: float) -> Goal:
    text = f"CPU seconds of a proposal after {known} results at most {most:g}"
    found = [ask.seconds for ask in asks if (ask.sampler, ask.known) == (OURS, known)]
    return Goal(text, f"{found[0]:.3f}", found[0] <= most) if found else Goal(text)


def _random(results: Results) -> Goal:
    text = f"regret at N = {SLOTS} below that of random search with thrice the trials, on every objective"
    ratios = results.ratios("random-3x")
    return Goal(text, _spread(ratios), _worst(ratios)[1] < 1) if ratios else Goal(text)


def _parallel(results: Results) -> Goal:
    text = f"regret at N = {SLOTS} over that at N = 1 at most {SLOWER:g}"
    ratios = results.ratios(OURS, peer_slots=1)
    return Goal(text, _spread(ratios), overall(ratios).value <= SLOWER) if ratios else Goal(text)


def _busy(results: Results) -> Goal:
    """Judge where durations are log-normal; those of the tables are real, with a heavier tail."""
    text = f"share of the slots' time in use at N = {SLOTS} at least {BUSY:g} (log-normal durations)"
    drawn = [name for name in OBJECTIVES if not name.startswith(("fcnet", "mlp"))]
    shares = [run.busy for name in drawn for run in results.runs.get((name, OURS, SLOTS), {}).values()]
    return Goal(text, f"{np.mean(shares):.2f}", float(np.mean(shares)) >= BUSY) if shares else Goal(text)


def _spread(ratios: dict[str, Ratio]) -> str:
    worst, value = _worst(ratios)
    return f"{overall(ratios).value:.2f}, worst {value:.2f} ({worst})"


def _worst(ratios: dict[str, Ratio]) -> tuple[str, float]:
    name = max(ratios, key=lambda objective: ratios[objective].value)
    return name, ratios[name].value
