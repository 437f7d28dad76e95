"""The one way to ask: what a trial trains, proposed by the search and known to describe a network.

Whether a patch is large enough for its convolutions is known without training. A proposal that is not is answered at
once as a failed trial, so the proposer learns from it and proposes again, and no slot is spent on it. A point that the
settings name to be tried first is trained as it stands. The result is as replayable as the proposer: it depends on
settings, trials and the place in the order of asking alone. So with one trial at a time a search is repeatable bit for
bit, whichever job comes when.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from hakken import plugins
from hakken.core.errors import InvalidArchitecture
from hakken.core.seeds import derive_seed
from hakken.runs.learner import require
from hakken.runs.table import CONFIRM, DEFAULT, RANDOM, Run
from hakken.runs.warm_start import SourceTrial, best_points, prior_trials, space_keys, tried_first
from hakken.search import Space
from hakken.search.rungs import Known, Segment, decide
from hakken.search.settings import Settings
from hakken.search.trial import Trial, Value
from hakken.study import Section, Study

ATTEMPTS = 32
FIRST_NUMBER = 1_000_000_000  # numbers of answers that are no trials


def settings_of(study: Study, run: Run, source: Sequence[SourceTrial] = ()) -> Settings:
    """Return all that the proposals of a run depend on; ``study`` is the study as the run trains it.

    ``source`` are the trials of the study that a search starts from. Runs that train once have nothing to search. Only
    `search` begins with the study's own parameters and with the ``source``: the runs of the comparison are to show what
    N trainings at once do to the search alone.
    """
    searched, defaults = study.search, study.parameters.model_dump(mode="json")
    seed, method = derive_seed(study.seed, run.stream), str(study.method)
    if run.confirms:
        return Settings({}, seed, CONFIRM, defaults=defaults, method=method)  # proposes nothing: it repeats
    if not run.space:
        own = {key: defaults[key] for key in searched.space}
        return Settings({}, seed, RANDOM, first=(own,), defaults=defaults, method=method)
    settings = Settings(space_keys(study), seed, run.sampler, searched.startup, defaults=defaults, method=method)
    space, start = Space.from_mapping(settings.space), searched.warm_start
    own_first = tried_first(study) if run.begins_with_default else None
    first = [] if own_first is None else [own_first]
    if start is not None and start.mode == "first":
        first += [point for point in best_points(source, space, defaults, start.top) if point != own_first]
    prior = prior_trials(source, space, defaults) if start is not None and start.mode == "prior" else []
    rungs = {"shares": list(run.rungs), "unpaused": own_first} if run.rungs else {}
    return replace(settings, first=tuple(first), prior=tuple(prior), rungs=rungs)


def propose_trial(settings: Settings, trials: Iterable[Trial], place: int) -> dict[str, Value]:
    """Return the parameters of the trial that asks at ``place`` (0: first) given all others, finished and pending.

    The numbers of the other ``trials`` are their places. The parameters are the first proposal that describes a
    network, or the last of `ATTEMPTS`.
    """
    known = list(trials)
    proposal = settings.propose(known, place)
    for attempt in range(ATTEMPTS):
        if proposal in settings.first or describes_network(proposal, settings.defaults, settings.method):
            break
        known.append(Trial(FIRST_NUMBER + attempt, proposal, "failed"))
        proposal = settings.propose(known, place)
    return proposal


def decide_segment(
    settings: Settings, known: Sequence[Known], job: int, budget: int
) -> tuple[Segment, dict[str, Value]]:
    """Return the next segment of a ``job`` of a search with rungs, and its training's parameters.

    ``known`` are all segments in the order of asking, ``budget`` is how many jobs there are.
    """
    assert settings.stops is not None
    return decide(
        settings.stops,
        known,
        job=job,
        budget=budget,
        propose=lambda trials, number: propose_trial(settings, trials, number),
        maximise=settings.maximise,
    )


def describes_network(proposal: Mapping[str, Value], defaults: Mapping[str, object], method: str) -> bool:
    """Return whether the method has such a network: whether the patch is large enough for the layers, above all."""
    try:
        require(method, complete(proposal, defaults, method))
    except InvalidArchitecture:
        return False
    return True


def complete(proposal: Mapping[str, Value], defaults: Mapping[str, object], method: str) -> Section:
    """Return all parameters of a method: those of the proposal, and ``defaults`` for the others."""
    found: Section = plugins.load("methods", method).Parameters.model_validate({**defaults, **proposal})
    return found


def seed_of(study: Study, run: Run, place: int, parameters: Section) -> int:
    """Return the seed of the training that asked at ``place`` (0: first).

    The study's own parameters have the same wherever they are trained.

    A search that begins with them then trains the very network of the untuned default, and cannot end below it; and a
    variant differs from it in its keys alone. Where a fold is held out, each has a seed of its own.
    """
    if run.fold is not None and not run.crossed:
        return derive_seed(study.seed, run.stream, place)
    own = parameters == study.parameters
    stream, place = (DEFAULT, 0) if own else (run.stream, place)
    return derive_seed(study.seed, stream if run.fold is None else f"{stream}/{run.fold}", place)
