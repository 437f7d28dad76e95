"""The comparison as tables: regrets, ratios to hakken, the cost of a proposal, and which goals are met."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from search_ask import KNOWN, Ask
from search_simulation import Run

FLOOR = 1e-3  # of the regret of random search: what lies below counts as that
SLOTS = 8
OURS = "hakken"
Key = tuple[str, str, int]  # objective, sampler, slots


@dataclass(frozen=True)
class Ratio:
    """Our regret over that of a peer: a geometric mean over the seeds both have, and the standard error of its log."""

    value: float
    error: float


@dataclass(frozen=True)
class Results:
    """Sweeps by objective, sampler, slots and seed; ``floors`` by objective."""

    runs: Mapping[Key, Mapping[int, Run]]
    floors: Mapping[str, float]

    @classmethod
    def of(cls, runs: Iterable[Run]) -> Results:
        """Sort the sweeps; the random ones give the floors."""
        sorted_runs: dict[Key, dict[int, Run]] = {}
        for run in runs:
            case = run.case
            sorted_runs.setdefault((case.objective, case.sampler, case.slots), {})[case.seed] = run
        chance: dict[str, list[float]] = {}
        for (objective, sampler, _), seeds in sorted_runs.items():
            if sampler == "random":
                chance.setdefault(objective, []).extend(run.regret[-1] for run in seeds.values())
        floors = {objective: FLOOR * _geometric_mean(values) for objective, values in chance.items()}
        return cls(sorted_runs, floors)

    @property
    def objectives(self) -> list[str]:
        """The objectives, in the order of the first sweep of each."""
        return list(dict.fromkeys(objective for objective, _, _ in self.runs))

    def samplers(self, slots: int) -> list[str]:
        """Return the samplers that have sweeps with ``slots``."""
        return list(dict.fromkeys(sampler for _, sampler, count in self.runs if count == slots))

    def regrets(self, objective: str, sampler: str, slots: int) -> dict[int, float]:
        """Return the final regrets by seed, none below the floor."""
        seeds = self.runs.get((objective, sampler, slots), {})
        return {seed: max(run.regret[-1], self.floors[objective]) for seed, run in seeds.items()}

    def regret(self, objective: str, sampler: str, slots: int) -> float | None:
        """Return the geometric mean of the final regrets over the seeds, None where there is no sweep."""
        regrets = self.regrets(objective, sampler, slots)
        return _geometric_mean(regrets.values()) if regrets else None

    def ratios(self, peer: str, slots: int = SLOTS, peer_slots: int = SLOTS) -> dict[str, Ratio]:
        """Return our regret with ``slots`` over that of ``peer`` with ``peer_slots``, for each objective."""
        found = {}
        for objective in self.objectives:
            ours, theirs = self.regrets(objective, OURS, slots), self.regrets(objective, peer, peer_slots)
            logs = [math.log(ours[seed] / theirs[seed]) for seed in sorted(set(ours) & set(theirs))]
            if logs:
                error = float(np.std(logs, ddof=1)) / math.sqrt(len(logs)) if len(logs) > 1 else math.inf
                found[objective] = Ratio(math.exp(float(np.mean(logs))), error)
        return found


def _geometric_mean(values: Iterable[float]) -> float:
    return float(np.exp(np.mean(np.log(np.maximum(list(values), 1e-300)))))


def overall(ratios: Mapping[str, Ratio]) -> Ratio:
    """Return the geometric mean of the ratios over the objectives."""
    error = math.sqrt(sum(ratio.error**2 for ratio in ratios.values())) / len(ratios)
    return Ratio(_geometric_mean(ratio.value for ratio in ratios.values()), error)


def report(results: Results, asks: Sequence[Ask]) -> str:
    """Return all tables as Markdown."""
    seeds = {len(found) for found in results.runs.values()}
    counted = f"{min(seeds)}" if len(seeds) == 1 else f"{min(seeds)} to {max(seeds)}"
    parts = [
        f"Simple regret after the last trial, geometric mean over {counted} seeds; a regret below a thousandth of that "
        "of random search with as many trials (its geometric mean over the seeds) counts as that.",
        _regret_table(results),
    ]
    if any(results.ratios(peer) for peer in results.samplers(SLOTS) if peer != OURS):
        parts += [
            f"hakken's regret over the peer's at N = {SLOTS} (below 1: hakken is better), over the seeds both have; "
            "below them the geometric mean over the objectives with its standard error as a factor, and the worst.",
            _ratio_table(results),
        ]
    parts += [
        f"CPU seconds of a proposal in these sweeps at N = {SLOTS}, mean over trials and seeds.",
        _sweep_time_table(results),
    ]
    if asks:
        parts += [
            "CPU seconds of one proposal (one thread, median) after n results with 7 trials running, 9 parameters.",
            _ask_table(asks),
        ]
    return "\n\n".join(parts)


def _regret_table(results: Results) -> str:
    slots = sorted({count for _, _, count in results.runs})
    samplers = list(dict.fromkeys(sampler for _, sampler, _ in results.runs))
    rows = []
    for objective in results.objectives:
        for count in slots:
            cells = [results.regret(objective, sampler, count) for sampler in samplers]
            rows.append([objective, str(count), *(_number(cell) for cell in cells)])
    return _markdown(["objective", "N", *samplers], rows)


def _ratio_table(results: Results) -> str:
    peers = [peer for peer in results.samplers(SLOTS) if peer != OURS and results.ratios(peer)]
    ratios = {peer: results.ratios(peer) for peer in peers}
    rows = [
        [objective, *(_number(ratios[peer][objective].value) if objective in ratios[peer] else "" for peer in peers)]
        for objective in results.objectives
    ]
    means = [overall(ratios[peer]) for peer in peers]
    rows.append(["geometric mean", *(f"{mean.value:.2g} (factor {math.exp(mean.error):.2f})" for mean in means)])
    rows.append(["worst", *(_number(max(ratio.value for ratio in ratios[peer].values())) for peer in peers)])
    return _markdown(["objective", *peers], rows)


def _sweep_time_table(results: Results) -> str:
    samplers = results.samplers(SLOTS)
    rows = []
    for objective in results.objectives:
        found = [results.runs.get((objective, sampler, SLOTS), {}).values() for sampler in samplers]
        means = [float(np.mean([np.mean(run.asking) for run in runs])) if runs else None for runs in found]
        rows.append([objective, *(_number(mean) for mean in means)])
    return _markdown(["objective", *samplers], rows)


def _ask_table(asks: Sequence[Ask]) -> str:
    seconds = {(ask.sampler, ask.known): ask.seconds for ask in asks}
    samplers = list(dict.fromkeys(ask.sampler for ask in asks))
    rows = [[sampler, *(_number(seconds.get((sampler, known))) for known in KNOWN)] for sampler in samplers]
    return _markdown(["sampler", *(f"n = {known}" for known in KNOWN)], rows)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
