"""How good are the proposals? hakken against random search and against other optimisers, on known objectives.

    python benchmarks/search.py --held-out --samplers hakken optuna-tpe --slots 1 8 --cache sweeps --output search.md

N slots train at once in virtual time, a trial asks for its parameters when it starts, and everything that is random
about an objective depends on the seed alone, so that all samplers meet the same problems. The simple regret is the
difference between the best possible objective and the noise-free objective of the trial with the best measured one.

Every finished sweep is kept in the cache folder and not run again until its sampler changes, so the comparison may be
stopped at any time. Half of the objectives are held out: nothing of hakken was chosen by looking at them. The others
are for development. The other optimisers come with `pip install '.[benchmark]'`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is loaded: CPU seconds of one thread are compared

from search_ask import KNOWN, Ask, measure_ask
from search_goals import goals
from search_objectives import OBJECTIVES
from search_peers import PEERS
from search_simulation import Case, Run, cached, is_cached
from search_table import SLOTS, Results, report


def cases(options: argparse.Namespace) -> list[Case]:
    """Return the sweeps to run: cheap samplers first, then seed by seed, so that what is done is always balanced.

    Random search is always among them: its regret is the scale on which the others are judged.
    """
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    wanted = [
        Case(objective, sampler, slots, seed, options.trials * PEERS[sampler].lengthen)
        for seed in seeds
        for objective in options.objectives
        for sampler in dict.fromkeys(["random", *options.samplers])
        for slots in options.slots
    ]
    return sorted(wanted, key=lambda case: (PEERS[case.sampler].rank, case.seed))


def run(wanted: Sequence[Case], jobs: int, cache: Path | None) -> list[Run]:
    """Read the sweeps that are in the cache, run the others, and say when each of these is done."""
    missing = [case for case in wanted if not is_cached(case, cache)]
    runs = {case: cached(case, cache) for case in wanted if case not in set(missing)}
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(cached, case, cache) for case in missing]):
            result = done.result()
            runs[result.case] = result
            case, regret, seconds = result.case, result.regret[-1], sum(result.asking)
            where = f"{case.objective} {case.sampler} N={case.slots} seed {case.seed}"
            message = f"{len(runs)}/{len(wanted)} {where}: regret {regret:.3g}, {seconds:.1f} s of proposals"
            print(message, file=sys.stderr, flush=True)
    return [runs[case] for case in wanted]


def measure(samplers: Sequence[str], cache: Path | None) -> list[Ask]:
    """Time proposals, of one sampler after the other in a process of its own."""
    pairs = [(sampler, known) for sampler in samplers for known in KNOWN if PEERS[sampler].rank]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return list(pool.map(measure_ask, *zip(*pairs, strict=True), [cache] * len(pairs)))


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    chosen = line.add_mutually_exclusive_group()
    chosen.add_argument("--objectives", nargs="+", choices=OBJECTIVES, default=held_out(True), metavar="NAME")
    chosen.add_argument("--held-out", dest="objectives", action="store_const", const=held_out(True))
    chosen.add_argument("--development", dest="objectives", action="store_const", const=held_out(False))
    line.add_argument("--samplers", nargs="+", choices=PEERS, default=["sobol", "hakken"], metavar="NAME")
    line.add_argument("--slots", nargs="+", type=int, default=[SLOTS], metavar="N", help="trainings at once")
    line.add_argument("--seeds", type=int, default=10, help="how many")
    line.add_argument("--first-seed", type=int, default=0)
    line.add_argument("--trials", type=int, default=50)
    line.add_argument("--jobs", type=int, default=1, help="sweeps at once")
    line.add_argument("--cache", type=Path, help="folder of finished sweeps")
    line.add_argument("--only-cached", action="store_true", help="run random points only, the rest from the cache")
    line.add_argument("--ask", action="store_true", help="also measure the CPU seconds of a proposal")
    line.add_argument("--output", type=Path, help="Markdown file of the tables; else they are printed")
    line.add_argument("--figure", type=Path, help=f"svg, pdf or png: regret against trials with {SLOTS} at once")
    return line


def held_out(wanted: bool) -> list[str]:
    """Return the objectives that are held out, or those that are not."""
    return [name for name, objective in OBJECTIVES.items() if objective.held_out is wanted]


def main() -> None:
    """Run the comparison, then print or write its tables and draw its figure."""
    options = parser().parse_args()
    if options.cache:
        options.cache.mkdir(parents=True, exist_ok=True)
    wanted = cases(options)
    if options.only_cached:
        wanted = [case for case in wanted if PEERS[case.sampler].rank == 0 or is_cached(case, options.cache)]
    results = Results.of(run(wanted, options.jobs, options.cache))
    asks = measure(options.samplers, options.cache) if options.ask else []
    text = "\n\n".join([report(results, asks), "\n".join(map(str, goals(results, asks)))])
    if options.output:
        options.output.write_text(text + "\n")
    else:
        print(text)
    if options.figure:
        from search_figure import draw

        draw(results, SLOTS, options.figure)


if __name__ == "__main__":
    main()
