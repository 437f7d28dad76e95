"""The last words of a run: what was found, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping

from hakken.outcomes import words_of
from hakken.report.result import (
    StudyResult,
    averaged_words,
    chosen_words,
    confirmed_words,
    is_average,
    measured_table,
    plain,
    rung_words,
    variants_table,
    with_interval,
)
from hakken.runs.table import DEFAULT, SELECTED


def summarise(result: StudyResult) -> str:
    """Return the summary of a finished study as plain text."""
    study = result.study
    lines = [
        "",
        f"{study.title or study.name}",
        f"study {study.name} at scale {study.scale}, data: {study.images}; research use only",
        "",
        *_measured(result),
        *_lacking(result),
        *([f"no baseline: {study.without_baseline}"] if study.without_baseline else []),
        *_opened(result),
        *(f"by fold, {head}: {'; '.join(cells)}" for head, cells in result.by_fold.items()),
        *(f"* warning: {line}" for line in result.warnings),
        *_variants(result),
        "",
        *_selection(result),
        "",
        *_cost(result),
        "",
        *_paths(result),
    ]
    return "\n".join(lines) + "\n"


def _opened(result: StudyResult) -> list[str]:
    """Return which opening of the test set this is, and why opened cases train here."""
    reason = result.study.cohort.reuse_opened
    reused = [f"cases that were test cases of an earlier opening train here: {reason}"] if reason else []
    return [*([f"{result.opening.words}"] if result.opening else []), *reused]


def _lacking(result: StudyResult) -> list[str]:
    """Return how many of the cases that were measured lack each optional channel."""
    counts = {part: result.measurements[part, model].main.counts for part, model in result.main}
    return [
        f"cases without {name}: "
        + ", ".join(f"{found[f'without {name}']}{_of(found)} on {part}" for part, found in counts.items())
        for name in result.study.optional
    ]


def _of(counts: Mapping[str, int]) -> str:
    """Return out of how many cases, where the outcome counts cases.

    >>> _of({"cases": 9}), _of({"lesions": 9})
    (' of 9', '')
    """
    return f" of {counts['cases']}" if "cases" in counts else ""


def _measured(result: StudyResult) -> list[str]:
    """Return the table of what was measured, with 95 % intervals."""
    heads, rows = measured_table(result)
    opened = f"test (opening {result.opening.number})" if result.opening else "test"
    shown = [opened if head == "test" else head for head in heads]
    intervals = result.measurements[result.main[0]].main.intervals
    lines = [(intervals, *shown), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _variants(result: StudyResult) -> list[str]:
    """Return how many variants there are, where their numbers stand, and the objective of those measured on test."""
    names = dict.fromkeys(model for _, model in result.variants)
    if not names:
        return []
    heads, rows = variants_table(result)
    of_test = [(model, cells) for model, *cells in rows if ("test", model) in result.variants]
    named = [
        f"variant {model}: {'; '.join(f'{head} {cell}' for head, cell in zip(heads, cells, strict=True) if cell)}"
        for model, cells in of_test
    ]
    return [f"variants: {len(names)}, measured in {result.folder / 'measured.csv'}", *named]


def _selection(result: StudyResult) -> list[str]:
    """Return the selected trial, how the search went and the selected parameters."""
    lines = []
    for record in result.chosen(SELECTED):
        best, trials = record["trial"], record["trials"]
        states = ", ".join(f"{count} {state}" for state, count in trials.items())
        fold = f" in fold {best['fold']}" if "fold" in best else ""
        lines.append(f"selected{fold}: {chosen_words(record)} ({states})")
        lines += [f"  {line}" for line in (*rung_words(record), *averaged_words(record))]
        if again := confirmed_words(record):
            kept = f"that of seed {record['seed']} is kept" if record["seed"] else "that of the search is kept"
            lines += [f"  trained again with other seeds, chosen by the mean; of its models {kept}:"]
            lines += [f"    {line}" for line in again]
        parameters = [f"{name} {plain(value)}" for name, value in best["parameters"].items()]
        for start in range(0, len(parameters), 4):
            lines.append("  " + "".join(f"{text:<32}" for text in parameters[start : start + 4]).rstrip())
    return [*lines, f"  {_objective(result)}"]


def _objective(result: StudyResult) -> str:
    """Return what the selected trial reached on validation, and what that is worth."""
    average = any(map(is_average, result.chosen(SELECTED)))
    mean = ", mean over seeds" if result.study.search.confirm and not average else ""
    words = [f"validation objective ({words_of(result.study)}{mean}) {result.objectives[SELECTED]:.3f}"]
    if result.optimism is not None:
        words.append(f"corrected for the choice of the best {with_interval(result.optimism['corrected'], 3)}")
    if DEFAULT in result.objectives:
        words.append(f"untuned default {result.objectives[DEFAULT]:.3f}")
    return ", ".join(words)


def _cost(result: StudyResult) -> list[str]:
    jobs = sum(cost.jobs for cost in result.costs)
    return [
        f"cost: {jobs} jobs, {result.cpu_hours:.2f} CPU-hours, {result.gpu_hours:.2f} GPU-hours, "
        f"at most {result.peak_mb:.0f} MB in one job"
    ]


def _paths(result: StudyResult) -> list[str]:
    first, *others = result.study.drawn or ("",)
    named = {f"{first} figure:": f"{result.folder / 'figures' / first}.pdf (.svg, .png)"} if first else {}
    if others:
        named["more figures:"] = f"{', '.join(others)} in {result.folder / 'figures'}"
    named["report:"] = f"{result.folder / 'report.html'}"
    width = max(map(len, named)) + 1
    return [f"{words:<{width}}{where}" for words, where in named.items()]
