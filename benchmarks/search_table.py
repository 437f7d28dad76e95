"""The comparison as tables in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
from search_ask import KNOWN, Ask
from search_statistics import OURS, SCALE_SEEDS, SLOTS, Estimate, Results, Wins

Missing = Mapping[str, Sequence[str]]  # proposer: libraries that are not installed


def explanation(trials: int) -> str:
    """Say how all numbers are made."""
    return (
        "Regret after n results is the noise-free regret of the trial with the best measured value among the first n "
        f"that finished, over random search's mean regret after {trials} on that objective (seeds {SCALE_SEEDS[0]} to "
        f"{SCALE_SEEDS[-1]}). Means are arithmetic, over seeds and then objectives; in brackets 90 % of two-level "
        "bootstrap resamples, of objectives and of their seeds."
    )


def report(results: Results, title: str, missing: Missing, slots: int = SLOTS) -> str:
    """Return the tables of one group of objectives."""
    counted = f"{len(results.objectives)} objective{'s' if len(results.objectives) != 1 else ''}"
    parts = [
        f"## {title}: {counted}, N = {slots}",
        "Mean regret.",
        _means(results, missing, slots),
        "Median of all sweeps.",
        _by_count(results, slots, lambda name, count: _number(results.median(name, count, slots))),
        "Worst sweep (objective, seed).",
        _by_count(results, slots, lambda name, count: _worst(results, name, count, slots)),
        "Sweeps above random search's median on their objective.",
        _by_count(results, slots, lambda name, count: _above(results, name, count, slots)),
    ]
    if slots == SLOTS:
        parts += ["Mean regret over the peer's, and wins, on the sweeps that both have.", _against(results)]
    return "\n\n".join([*parts, f"Mean regret after {results.trials} by objective.", _by_objective(results, slots)])


def ask_table(asks: Sequence[Ask]) -> str:
    """Return what a proposal costs."""
    seconds = {(ask.proposer, ask.known): ask.seconds for ask in asks}
    proposers = list(dict.fromkeys(ask.proposer for ask in asks))
    rows = [[proposer, *(_number(seconds.get((proposer, known))) for known in KNOWN)] for proposer in proposers]
    head = "CPU seconds of one proposal (one thread, median) after n results with 7 trials running, 9 parameters."
    return f"{head}\n\n{_markdown(['proposer', *(f'n = {known}' for known in KNOWN)], rows)}"


def _means(results: Results, missing: Missing, slots: int) -> str:
    counts = results.checkpoints
    rows = [
        [
            name,
            _sweeps(results, name, slots),
            *(_interval(results.mean(name, count, slots)) for count in counts),
            _cost(results, name, slots),
        ]
        for name in results.proposers(slots)
    ]
    for name, libraries in missing.items():
        rows.append([name, f"not installed ({', '.join(libraries)})", *[""] * (len(counts) + 1)])
    return _markdown(["proposer", "sweeps (seeds)", *map(_after, counts), "CPU s a proposal"], rows)


def _by_count(results: Results, slots: int, cell: Callable[[str, int], str]) -> str:
    """Return a row for each proposer and a column for each number of results."""
    rows = [[name, *(cell(name, count) for count in results.checkpoints)] for name in results.proposers(slots)]
    return _markdown(["proposer", *map(_after, results.checkpoints)], rows)


def _sweeps(results: Results, proposer: str, slots: int) -> str:
    found = [results.sweeps(name, proposer, slots) for name in results.objectives]
    partly = "" if all(found) else f" on {sum(map(bool, found))} objectives"
    seeds = sorted({seed for sweeps in found for seed in sweeps})
    return f"{sum(map(len, found))}{partly} ({seeds[0]} to {seeds[-1]})"


def _cost(results: Results, proposer: str, slots: int) -> str:
    runs = [run for name in results.objectives for run in results.sweeps(name, proposer, slots).values()]
    return _number(float(np.mean([np.mean(run.asking) for run in runs])))


def _worst(results: Results, proposer: str, count: int, slots: int) -> str:
    worst = results.worst(proposer, count, slots)
    return f"{worst.regret:.2g} ({worst.objective}, {worst.seed})" if worst else ""


def _above(results: Results, proposer: str, count: int, slots: int) -> str:
    above, compared = results.above_chance(proposer, count, slots)
    return f"{above} of {compared}"


def _against(results: Results) -> str:
    counts = results.checkpoints
    rows = [
        [f"{ours} / {peer}", *(_pair(results, ours, peer, count) for count in counts)]
        for ours, peer in combinations(_ours_first(results.proposers()), 2)
    ]
    return _markdown(["proposer / peer", *map(_after, counts)], rows)


def _pair(results: Results, ours: str, peer: str, count: int) -> str:
    ratio, wins = results.ratio(ours, peer, count), results.wins(ours, peer, count)
    return f"{_interval(ratio)}, {_wins(wins)}" if ratio and wins else ""


def _ours_first(proposers: Iterable[str]) -> list[str]:
    return sorted(proposers, key=lambda name: not name.startswith(OURS))


def _by_objective(results: Results, slots: int) -> str:
    proposers = results.proposers(slots)
    rows = []
    for name in results.objectives:
        found = [list(results.regrets(name, proposer, results.trials, slots).values()) for proposer in proposers]
        rows.append([name, *(_number(float(np.mean(regrets))) if regrets else "" for regrets in found)])
    return _markdown(["objective", *proposers], rows)


def _wins(wins: Wins) -> str:
    return f"{wins.won} of {wins.pairs}" + (f" ({wins.equal} equal)" if wins.equal else "")


def _after(count: int) -> str:
    return f"after {count}"


def _interval(estimate: Estimate | None) -> str:
    return "" if estimate is None else f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
