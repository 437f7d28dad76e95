"""The sweeps of a study: its search, its untuned default, and those that compare numbers of slots.

Each has a folder `results/<study>/<scale>/sweeps/<name>`. The search proposes over the study's space; `default` trains
the study's own parameters once; `apart-3` trains them once at three levels alone, for comparison with a network of
several depths (`training.sizes`), and `processes-4` with four processes (`scaling`); `n4-r1` is a search of its own
with four trainings at once, repeat 1 of the comparison, and `random-r0` is random search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hakken.errors import HakkenError
from hakken.names import nearest
from hakken.search import Space
from hakken.search.settings import Settings
from hakken.seeds import derive_seed
from hakken.study import Search, Study
from hakken.training.warm_start import SourceTrial, best_points, own_point, prior_trials

SEARCH = "search"
DEFAULT = "default"
RANDOM = "random"
APART = "apart-"
PROCESSES = "processes-"
ONCE = (DEFAULT, APART, PROCESSES)


@dataclass(frozen=True)
class Sweep:
    """One sweep: its name, how many trainings it has, how many run at once, who proposes, and when it gives up.

    ``layout`` is over how many machines each training goes and how many processes each machine takes, where that is
    not the study's own.
    """

    name: str
    trials: int
    slots: int
    sampler: str
    stop_after_failures: int = 10
    layout: tuple[int, int] | None = None

    @property
    def stream(self) -> str:
        """What its random numbers derive from."""
        return stream_of(self.name)


def sweep_of(study: Study, name: str) -> Sweep:
    """Return the sweep ``name`` of a study; raises HakkenError naming the sweeps that there are."""
    kinds = (main_sweeps, apart_sweeps, scaling_sweeps, comparison_sweeps)
    sweeps = {sweep.name: sweep for kind in kinds for sweep in kind(study)}
    if name not in sweeps:
        raise HakkenError(
            f"study `{study.name}` has no sweep `{name}`{nearest(name, sweeps)}; there are {', '.join(sweeps)} "
            "(key `search.comparison` adds those that compare numbers of slots)"
        )
    return sweeps[name]


def stream_of(name: str) -> str:
    """Return what the random numbers of a sweep derive from: its name, or its repeat within the comparison.

    Repeat r begins with the same points and trains with the same seeds whatever the slots, so that a difference between
    numbers of slots is none between their luck.

    >>> stream_of("n8-r1"), stream_of("random-r1"), stream_of("search")
    ('r1', 'r1', 'search')
    """
    head, _, repeat = name.rpartition("-")
    return repeat if head else name


def main_sweeps(study: Study) -> tuple[Sweep, Sweep]:
    """Return the search and the sweep that trains the untuned default; they share the slots of the search."""
    search = study.search
    untuned = Sweep(DEFAULT, 1, search.slots, RANDOM, search.stop_after_failures)
    return Sweep(SEARCH, search.trials, search.slots, search.sampler, search.stop_after_failures), untuned


def apart_sweeps(study: Study) -> tuple[Sweep, ...]:
    """Return the sweeps that train each of several depths apart; none where the study names no two depths.

    Each has the seed, the steps and the parameters of the untuned default, of which it is a part.
    """
    levels, search = study.training.sizes.levels, study.search
    depths = sorted(levels) if len(levels) > 1 else ()
    return tuple(Sweep(f"{APART}{depth}", 1, search.slots, RANDOM, search.stop_after_failures) for depth in depths)


def scaling_sweeps(study: Study) -> tuple[Sweep, ...]:
    """Return the sweeps that time the untuned default with several numbers of processes; none without `scaling`.

    They share one slot: each is to have the machine to itself.
    """
    if study.scaling is None:
        return ()
    limit = study.search.stop_after_failures
    layouts = {number: study.scaling.layout(number) for number in study.scaling.processes}
    return tuple(
        Sweep(f"{PROCESSES}{number}", 1, 1, RANDOM, limit, layout=layout) for number, layout in layouts.items()
    )


def laid_out(study: Study, sweep: Sweep) -> Study:
    """Return the study with the machines and processes of the sweep, which then does all its steps."""
    if sweep.layout is None:
        return study
    nodes, each = sweep.layout
    whole = {"nodes": nodes, "gpus_per_node": each, "patience": study.training.steps}
    training = study.training.model_copy(update=whole)
    return study.model_copy(update={"training": training})


def as_trained(study: Study, name: str) -> Study:
    """Return the study as the sweep ``name`` trains it: a sweep of `apart_sweeps` knows one size alone."""
    if not name.startswith(APART):
        return study
    levels = int(name.removeprefix(APART))
    sizes = study.training.sizes.model_copy(update={"levels": (levels,), "features": (1.0,), "distillation": False})
    return study.model_copy(
        update={
            "parameters": study.parameters.model_copy(update={"poolings": levels - 1}),
            "training": study.training.model_copy(update={"sizes": sizes}),
        }
    )


def comparison_sweeps(study: Study) -> tuple[Sweep, ...]:
    """Return all sweeps of `search.comparison`, those of random search last; none where the study has no such key.

    Random search has as many slots as the widest of the others: how many run at once changes nothing but its time.
    """
    wanted, limit = study.search.comparison, study.search.stop_after_failures
    if wanted is None:
        return ()
    widest = max(wanted.slots)
    sweeps = [(f"n{slots}", slots, study.search.sampler) for slots in wanted.slots] + [(RANDOM, widest, RANDOM)]
    return tuple(
        Sweep(f"{name}-r{repeat}", wanted.trials, slots, sampler, limit)
        for name, slots, sampler in sweeps
        for repeat in range(wanted.repeats)
    )


def settings_of(study: Study, name: str, source: Sequence[SourceTrial] = ()) -> Settings:
    """Return all that the proposals of a sweep depend on; ``source`` are the trials of the study that it starts from.

    Sweeps that train once have nothing to search. Only `search` begins with the study's own parameters and with the
    ``source``: the sweeps of the comparison are to show what N trainings at once do to the search alone.
    """
    searched, defaults = study.search, as_trained(study, name).parameters.model_dump(mode="json")
    network = study.training.network
    seed = derive_seed(study.seed, stream_of(name))
    if name.startswith(ONCE):
        own = {key: defaults[key] for key in searched.space}
        return Settings({}, seed, RANDOM, first=(own,), defaults=defaults, network=network)
    keys = {key: parameter.model_dump(mode="json", exclude_defaults=True) for key, parameter in searched.space.items()}
    sampler = RANDOM if name.startswith(f"{RANDOM}-") else searched.sampler
    settings = Settings(keys, seed, sampler, searched.startup, defaults=defaults, network=network)
    return _begun(settings, searched, source) if name == SEARCH else settings


def _begun(settings: Settings, searched: Search, source: Sequence[SourceTrial]) -> Settings:
    """Return the settings of a search with what it begins with."""
    space, defaults, start = Space.from_mapping(settings.space), settings.defaults, searched.warm_start
    own = own_point(space, defaults) if searched.default_first else None
    first = [] if own is None else [own]
    if start is not None and start.mode == "first":
        first += [point for point in best_points(source, space, defaults, start.top) if point != own]
    prior = prior_trials(source, space, defaults) if start is not None and start.mode == "prior" else []
    return replace(settings, first=tuple(first), prior=tuple(prior))
