"""When a sweep gives up: as many trials in a row have failed as the study allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hakken.core.errors import HakkenError

Record = Mapping[str, Any]
REMEDIES = {
    "diverged": "lower the highest `learning_rate` of search.space",
    "out of memory": "lower the highest `batch_size`, `patch_size` or `base_features`, or take a larger machine",
    "invalid": "allow fewer `convolutions` or `poolings`, or larger patches",
}


def failing_streak(records: Sequence[Record]) -> list[Record]:
    """Return the failed trials since the last that did not fail, in the order in which they ended."""
    streak: list[Record] = []
    for record in sorted(records, key=lambda record: (record["end"], record["number"])):
        streak = [*streak, record] if record["state"] == "failed" else []
    return streak


def require_progress(sweep: str, allowed: int, records: Sequence[Record], logs: Path) -> None:
    """Raise HakkenError where the last trials of a ``sweep`` have all failed, as many as its study has ``allowed``.

    ``records`` are its finished trials, ``logs`` is the folder of their logs. The message counts the reasons and names
    the trials, the logs and what to do.
    """
    streak = failing_streak(records)
    if len(streak) < allowed:
        return
    reasons: dict[str, list[int]] = {}
    for record in streak:
        reasons.setdefault(str(record.get("reason")), []).append(_of_segment(record, "training"))
    lines = [_line(reason, numbers) for reason, numbers in reasons.items()]
    last = f"{logs}/{sweep}-{_of_segment(streak[-1], 'job'):04d}.log"
    raise HakkenError(
        f"the last {len(streak)} trials of the sweep `{sweep}` failed, so no other is started:\n"
        + "\n".join(lines)
        + f"\nTheir logs stand in {logs}, the last of them in {last}.\n"
        f"Nothing is lost. Mend the cause, then raise search.stop_after_failures (now {allowed}) and "
        "start again: the sweep goes on.\nOr copy the study to a new name and change its space there."
    )


def _of_segment(record: Record, key: str) -> int:
    """Return the number of the training or the job of a segment; of a trial, which is both, its own."""
    return int(record["segment"][key] if "segment" in record else record["number"])


def _line(reason: str, numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, sorted(numbers)))
    remedy = next((text for known, text in REMEDIES.items() if reason.startswith(known)), "see the logs")
    return f"  {len(numbers)} {reason} (trial {named}): {remedy}"
