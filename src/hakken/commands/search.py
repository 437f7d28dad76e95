"""`hakken search`: watch a sweep, replay its proposals, write its table; all from the ledger alone."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from hakken.commands.parser import add_command
from hakken.core.errors import HakkenError
from hakken.core.names import nearest

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers
    from hakken.search.entry import Entry, Proposal
    from hakken.search.ledger import Ledger
    from hakken.search.progress import Progress, Running
    from hakken.search.settings import Settings

SWEEPS = "results/*/*/sweeps/*"
EXAMPLE_SWEEP = "results/brain_metastasis/tiny/sweeps/search"
NAMED = 6
WIDTH = 100  # characters of a line
QUIET_SECONDS = 60.0  # a living trial is seen more often


def add(commands: Subparsers) -> None:
    """Add the command and its actions."""
    parser = add_command(
        commands,
        "search",
        "watch a sweep (status), recompute its proposals (replay), write its table (export)",
        f"hakken search status {EXAMPLE_SWEEP}",
        run_status,
    )
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="ACTION", help="status, replay or export; each has its own --help"
    )
    status = _add_action(
        actions, "status", "show how far a sweep is, what is best, and how long it still takes", run_status
    )
    status.add_argument("--json", action="store_true", help="print the numbers as JSON")
    _add_action(actions, "replay", "recompute every proposal of a sweep and name those that differ", run_replay)
    export = _add_action(
        actions, "export", "write one table of a sweep, a row for each trial", run_export, " --output trials.csv"
    )
    export.add_argument("--output", type=Path, metavar="CSV", help="table to write; LaTeX for .tex (default: print it)")


def run_status(options: argparse.Namespace) -> None:
    """Print the status of a sweep."""
    from hakken.search.progress import progress_of

    ledgers = find_ledgers(options.sweep)
    book = ledgers[0]
    entries, settings = book.entries(), book.settings()
    later = {entry.number: book.later_results(entry.number) for entry in entries}
    maximise = settings is None or settings.maximise
    silent, rungs = book.silent(entries), settings.stops if settings else None
    found = progress_of(entries, silent, later, now=book.now(), maximise=maximise, rungs=rungs)
    if options.json:
        numbers = {key: value for key, value in asdict(found).items() if key != "rungs" or value is not None}
        print(json.dumps({"ledger": str(book.folder), **numbers}, indent=2))
        return
    print(options.sweep)
    for heading, line in _status(book, ledgers[1:], found):
        print(fill(f"{heading:<10}{line}", WIDTH, subsequent_indent=" " * 10, break_on_hyphens=False))


def run_replay(options: argparse.Namespace) -> int:
    """Print every proposal that differs or cannot be recomputed; 1 where there is one."""
    from hakken.runs.table import CONFIRM
    from hakken.search.settings import versions

    book = find_ledgers(options.sweep)[0]
    settings = book.settings()
    if settings is None:
        raise HakkenError(f"{book.folder}: settings.json is missing, so its proposals cannot be recomputed")
    if settings.sampler == CONFIRM:
        print(f"{options.sweep}: trains the best of a search again and proposes nothing that could be recomputed")
        return 0
    entries = {entry.number: entry for entry in book.entries()}
    counts = {"same": 0, "differ": 0, "missing": 0}
    what = "trial" if settings.stops is None else "segment"
    for proposal in (entry.proposal for entry in entries.values() if entry.proposal is not None):
        gone, changes = _replayed(settings, proposal, entries)
        if gone:
            print(f"{what} {proposal.number}: cannot be replayed, files of {what} {_listed(gone)} are missing")
        if changes:
            print(f"{what} {proposal.number}, proposed on {proposal.host}: {', '.join(changes)}")
        counts["missing" if gone else "differ" if changes else "same"] += 1
    print(f"{counts['same']} of {sum(counts.values())} proposals are the same when recomputed", end="")
    print(f", {counts['differ']} differ, {counts['missing']} cannot be replayed")
    if counts["differ"]:
        print(_versions(book.versions(), versions()))
    return 1 if counts["differ"] or counts["missing"] else 0


def run_export(options: argparse.Namespace) -> None:
    """Write the table of a sweep to a file, or print it."""
    from hakken.core.tables import table_text, write_table
    from hakken.search.table import AT_RUNGS, sweep_table

    book = find_ledgers(options.sweep)[0]
    entries, settings = book.entries(), book.settings()
    silent = book.silent(entries)
    records = [_record(entry, entry.number in silent, len(book.later_results(entry.number))) for entry in entries]
    rungs = settings is not None and settings.stops is not None
    records = _by_training(entries, records) if rungs else records
    names = dict.fromkeys(settings.space if settings else ())
    names |= dict.fromkeys(name for record in records for name in record["parameters"])
    columns, rows = sweep_table(records, list(names), AT_RUNGS if rungs else ())
    if options.output is None:
        print(table_text(columns, rows), end="")
    else:
        write_table(options.output, columns, rows)
        print(f"{len(records)} trials written to {options.output}")


def find_ledgers(sweep: Path) -> tuple[Ledger, ...]:
    """Return the ledgers of a sweep, the newest first.

    Raises HakkenError naming the nearest sweep where there is none.
    """
    from hakken.search.ledger import generations

    ledgers = generations(sweep)
    if ledgers:
        return ledgers
    candidates = {*Path().glob(SWEEPS), *(sweep.parent.glob("*") if sweep.parent.is_dir() else ())}
    names = sorted(str(path) for path in candidates if generations(path))
    reason = "no trial of a sweep has begun in it" if sweep.is_dir() else "no such folder"
    if not names:
        raise HakkenError(f"{sweep}: {reason}, and no sweep has begun in `results`; is this the project's folder?")
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    raise HakkenError(f"{sweep}: {reason}{nearest(str(sweep), names)}; there are {', '.join(names[:NAMED])}{more}")


def _add_action(
    actions: Subparsers, name: str, summary: str, run: Callable[[argparse.Namespace], int | None], options: str = ""
) -> argparse.ArgumentParser:
    parser = add_command(actions, name, summary, f"hakken search {name} {EXAMPLE_SWEEP}{options}", run)
    parser.add_argument(
        "sweep", type=Path, metavar="SWEEP", help=f"folder of a sweep, as {EXAMPLE_SWEEP}, or a ledger in it"
    )
    return parser


def _status(book: Ledger, older: Sequence[Ledger], found: Progress) -> Iterator[tuple[str, str]]:
    """Yield the lines of the status, each with its heading."""
    if older:
        names = ", ".join(ledger.folder.name for ledger in older)
        yield "ledger", f"{book.folder.name}, the newest; others, of other code or data: {names}"
    yield "trials", _counts(found)
    yield from _lines("failed", (f"{count} {reason}" for reason, count in found.reasons.items()))
    if found.rungs is not None and found.rungs.agreement:
        values = " and ".join(f"{value:.2f}" for value in found.rungs.agreement)
        yield "rungs", f"correlate with the end by {values}" + ("; switched off" if found.rungs.switched_off else "")
    if found.best is not None:
        parameters = ", ".join(f"{name} {_value(value)}" for name, value in found.best.parameters.items())
        yield "best", f"{found.best.objective:.4f}, trial {found.best.number}: {parameters}"
    yield from _lines("running", map(_running, found.running))
    yield from _lines("silent", (f"{_running(trial)}; counts no longer, its result would" for trial in found.silent))
    if found.utilisation is not None:
        yield "slots", f"{100 * found.utilisation:.0f} % of {found.slots} in use since the first trial began"
    if found.remaining_seconds and found.mean_seconds is not None:
        yield "left", f"about {in_words(found.remaining_seconds)}, at {in_words(found.mean_seconds)} a trial"
    for twin in found.twins:
        yield "twins", f"trial {twin.number}: {_objective(twin.objective)} counts, later {_listed(twin.later)}"


def _counts(found: Progress) -> str:
    states = found.states
    if found.rungs is not None:
        parts = [f"{count} {state}" for state, count in states.items() if count and state not in ("running", "silent")]
        parts += [f"{found.rungs.promoted} promoted"] if found.rungs.promoted else []
        spent = f"{found.rungs.spent:.1f} of {found.trials} full trainings spent"
        spent += f" ({', '.join(parts)})" if parts else ""
        return ", ".join([spent, *(f"{states[state]} {state}" for state in ("running", "silent") if states[state])])
    planned = f" of {found.trials}" if found.trials is not None else ""
    parts = [f"{states[state]} {state}" for state in ("complete", "pruned", "failed") if states[state]]
    unfinished = [f"{states[state]} {state}" for state in ("running", "silent") if states[state]]
    to_come = (found.trials or 0) - found.finished - states["running"] - states["silent"]
    unfinished += [f"{to_come} to come"] if to_come > 0 else []
    text = f"{found.finished}{planned} finished" + (f" ({', '.join(parts)})" if parts else "")
    return ", ".join([text, *unfinished])


def _lines(heading: str, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield lines of which the first alone has the heading."""
    yield from ((heading if place == 0 else "", line) for place, line in enumerate(lines))


def _running(trial: Running) -> str:
    if trial.seconds is None:
        return f"trial {trial.number}: no process has it, last seen {in_words(trial.unseen)} ago"
    last = f", last seen {in_words(trial.unseen)} ago" if trial.unseen > QUIET_SECONDS else ""
    return f"trial {trial.number} on {trial.host} for {in_words(trial.seconds)}{last}"


def _replayed(settings: Settings, proposal: Proposal, entries: Mapping[int, Entry]) -> tuple[list[int], list[str]]:
    """Recompute a proposal; return the numbers whose files are missing for it, and what differs."""
    from hakken.runs.ask import decide_segment, propose_trial
    from hakken.search import segments
    from hakken.search.entry import known_to, missing_for
    from hakken.search.plain import differences, plain

    rungs, segment = settings.stops, proposal.segment
    if rungs is None or segment is None:
        if gone := missing_for(proposal, entries):
            return gone, []
        found = propose_trial(settings, known_to(proposal, entries), proposal.place)
        return [], differences(proposal.parameters, plain(found))
    every = list(entries.values())
    if gone := segments.missing_for(proposal, every):
        return gone, []
    known = segments.as_known_to(rungs, proposal, every)
    again, found = decide_segment(settings, known, segment.job, proposal.trials or 1)
    then = {**asdict(segment), **proposal.parameters}
    return [], differences(plain(then), plain({**asdict(again), **found}))


def _versions(recorded: Mapping[str, str], here: Mapping[str, str]) -> str:
    from hakken.search.plain import differences

    changes = differences(recorded, here)
    return f"versions differ: {', '.join(changes)}" if changes else "all library versions are those recorded"


def _record(entry: Entry, silent: bool, later: int) -> dict[str, Any]:
    """Return a row of the table; a trial without a result is `running` or `silent`."""
    proposal = entry.proposal
    record: dict[str, Any] = dict(entry.result or {})
    if proposal is not None and entry.result is None:
        record = {"state": "silent" if silent else "running", "start": entry.since, "host": entry.host}
        record |= {"known": proposal.known, "pending": proposal.pending}
    return {
        **record,
        "number": entry.number,
        "place": entry.place,
        "parameters": entry.parameters or {},
        "later_results": later,
    }


def _by_training(entries: Sequence[Entry], records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of the trainings of which ``entries`` are segments: each by its last one, finished or not."""
    from hakken.runs.trials import trainings_of

    found = {one["number"]: one for one in trainings_of([one for one in records if "segment" in one])}
    for entry, record in zip(entries, records, strict=True):
        if entry.pending and entry.proposal is not None and entry.proposal.segment is not None:
            number = entry.proposal.segment.training
            found[number] = found.get(number, {}) | record | {"number": number, "place": number}
    return list(found.values())


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def _objective(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"


def _listed(values: Iterable[float | None]) -> str:
    return ", ".join(_objective(value) if not isinstance(value, int) else str(value) for value in values)


def in_words(seconds: float) -> str:
    """Return a time in words, as fine as it is short: 2 d 3 h, 5 h 10 min, 12 min, 45 s."""
    whole = round(seconds)
    days, hours, minutes = whole // 86_400, whole % 86_400 // 3_600, whole % 3_600 // 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{whole} s"
