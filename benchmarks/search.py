"""How good are the proposals? hakken against random search and against other optimisers, on known objectives.

    python benchmarks/search.py --proposers hakken optuna-tpe optuna-gp --cache sweeps.jsonl --output search.md

N trainings run at once in virtual time, a trial asks for its parameters when it starts, and everything that is random
about an objective depends on the seed alone, so that all proposers meet the same problems. Objectives belong to
`development`, on which hakken may be tuned, or are `held-out`, which were fixed before anything was tuned. How regrets
are compared stands in `search_statistics.py`.

Every finished sweep is a line of the cache, and is not run again until the code of its proposer or what its objective
answers changes: the comparison may be stopped at any time, and goes on where it was. Other optimisers and objectives
come with `pip install '.[benchmark]'`; what is not installed is named and left out.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is loaded: CPU seconds of one thread are compared

from search_ask import KNOWN, Ask, ask_key, measure_ask
from search_cache import Cache
from search_goals import cost_goals, goals
from search_objectives import GROUPS, OBJECTIVES, chosen
from search_peers import PEERS
from search_simulation import Case, Run, key, simulate, warm_up
from search_statistics import CHANCE, SCALE_SEEDS, SLOTS, Results
from search_table import ask_table, explanation, report


def cases(options: argparse.Namespace) -> list[Case]:
    """Return the sweeps to run: cheap proposers first, then seed by seed, so that what is done is always balanced.

    Random search is always among them: its regret is the scale on which the others are judged.
    """
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    names = [name for name in chosen(options.objectives) if OBJECTIVES[name].there]
    wanted = [
        Case(objective, proposer, slots, seed, options.trials * PEERS[proposer].lengthen)
        for proposer in dict.fromkeys([CHANCE, *options.proposers])
        if not PEERS[proposer].missing
        for seed in sorted({*seeds, *(SCALE_SEEDS if proposer == CHANCE else ())})
        for objective in names
        for slots in options.slots
    ]
    return sorted(wanted, key=lambda case: (PEERS[case.proposer].rank, case.seed))


def run(wanted: Sequence[Case], jobs: int, cache: Cache, cached_only: Iterable[str], minutes: float) -> list[Run]:
    """Read the sweeps that are in the cache, run the others, and say when each of these is done.

    Those of the proposers ``cached_only`` are not run, and none begins later than after so many ``minutes``.
    """
    keys = {case: key(case) for case in wanted}
    runs = {case: Run.from_stored(found) for case in wanted if (found := cache.get(keys[case]))}
    missing = [case for case in wanted if case not in runs and case.proposer not in set(cached_only)]
    until = time.time() + 60 * minutes
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(run_until, case, until) for case in missing]):
            result = done.result()
            if result is None:
                continue
            cache.put(keys[result.case], result.stored)
            runs[result.case] = Run.from_stored(cache.get(keys[result.case]))
            case, regret, seconds = result.case, result.regret[-1], sum(result.asking)
            where = f"{case.objective} {case.proposer} N={case.slots} seed {case.seed}"
            message = f"{len(runs)}/{len(wanted)} {where}: regret {regret:.3g}, {seconds:.1f} s of proposals"
            print(message, file=sys.stderr, flush=True)
    return [runs[case] for case in wanted if case in runs]


def run_until(case: Case, until: float) -> Run | None:
    """Run a sweep, or none when it is too late."""
    if time.time() > until:
        return None
    warm_up(case.proposer)
    return simulate(case)


def measure(proposers: Sequence[str], cache: Cache) -> list[Ask]:
    """Time proposals, of one proposer after the other in a process of its own, or read what was timed."""
    pairs = [(name, known) for name in proposers for known in KNOWN if PEERS[name].rank and not PEERS[name].missing]
    asks = []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        for pair in pairs:
            stored = cache.get(ask_key(*pair))
            ask = Ask(**stored) if stored else pool.submit(measure_ask, *pair).result()
            if not stored:
                cache.put(ask_key(*pair), asdict(ask))
            asks.append(ask)
    return asks


def text_of(results: Results, asks: Sequence[Ask], options: argparse.Namespace) -> str:
    """Return the tables of each group, its goals below them, and what was left out."""
    names = chosen(options.objectives)
    missing = {name: PEERS[name].missing for name in options.proposers if PEERS[name].missing}
    parts = [explanation(options.trials)]
    for group in dict.fromkeys(OBJECTIVES[name].group for name in names):
        of_group = results.of_objectives(name for name in names if OBJECTIVES[name].group == group)
        if of_group.objectives:
            parts += [report(of_group, group, missing, slots) for slots in of_group.slots]
            parts.append("\n".join([f"Goals, on objectives of the group {group}:", "", *map(str, goals(of_group))]))
    if asks:
        parts += [ask_table(asks), "\n".join(map(str, cost_goals(asks)))]
    absent = [f"{name} (needs {OBJECTIVES[name].needs})" for name in names if not OBJECTIVES[name].there]
    if absent:
        parts.append(f"Objectives left out, because what they need is not installed: {', '.join(absent)}.")
    return "\n\n".join(parts)


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = (*GROUPS, *OBJECTIVES)
    line.add_argument("--objectives", nargs="+", choices=known, default=GROUPS, metavar="NAME", help="or groups")
    line.add_argument("--proposers", nargs="+", choices=PEERS, default=["sobol", "hakken"], metavar="NAME")
    line.add_argument("--slots", nargs="+", type=int, default=[SLOTS], metavar="N", help="trainings at once")
    line.add_argument("--seeds", type=int, default=10, help="how many")
    line.add_argument("--first-seed", type=int, default=0)
    line.add_argument("--trials", type=int, default=50)
    line.add_argument("--jobs", type=int, default=1, help="sweeps at once")
    line.add_argument("--cache", type=Path, help="file of finished sweeps, JSON lines")
    line.add_argument("--cached", nargs="+", choices=PEERS, default=[], metavar="NAME", help="from the cache alone")
    line.add_argument("--minutes", type=float, default=1e6, help="no sweep begins later")
    line.add_argument("--ask", action="store_true", help="also measure the CPU seconds of a proposal")
    line.add_argument("--output", type=Path, help="Markdown file of the tables; else they are printed")
    line.add_argument("--figure", type=Path, help=f"svg, pdf or png: regret against trials with {SLOTS} at once")
    return line


def main() -> None:
    """Run the comparison, then print or write its tables and draw its figure."""
    options = parser().parse_args()
    cache = Cache(options.cache)
    results = Results.of(run(cases(options), options.jobs, cache, options.cached, options.minutes), options.trials)
    asks = measure(options.proposers, cache) if options.ask else []
    text = text_of(results, asks, options)
    if options.output:
        options.output.write_text(text + "\n")
    else:
        print(text)
    if options.figure:
        from search_figure import draw

        names = chosen(options.objectives)
        groups = {group: [name for name in names if OBJECTIVES[name].group == group] for group in GROUPS}
        draw(results, {group: members for group, members in groups.items() if members}, options.figure)


if __name__ == "__main__":
    main()
