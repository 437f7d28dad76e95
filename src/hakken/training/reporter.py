"""What a running training tells: a line at each measurement, and in between every few seconds."""

from __future__ import annotations

import time

from hakken.core.console import progress
from hakken.training.loop import Run

QUIET_SECONDS = 15.0


class Reporter:
    """Shows the state of a training of ``steps`` under the name ``label``; is called by the loop after each step.

    ``objective`` is in words what the training maximises.
    """

    def __init__(self, label: str, steps: int, objective: str = "partial AUC") -> None:
        self.label = label
        self.steps = steps
        self.objective = objective
        self._measured = -1
        self._spoken = time.monotonic()

    def __call__(self, run: Run) -> None:
        """Say something if there is something new or it has been quiet for long."""
        if self._measured < 0:  # a resumed training has told of its earlier measurements
            self._measured = len(run.curve) if run.curve and run.curve[-1].step < run.step else 0
        if len(run.curve) > self._measured:
            self._measured = len(run.curve)
            self._say(f"{self.line(run)}, {run.seconds:.0f} s")
        elif time.monotonic() - self._spoken > QUIET_SECONDS:
            self._say(f"{self.label}: step {run.step}/{self.steps}, loss {run.mean_loss:.3f}, {run.seconds:.0f} s")

    def line(self, run: Run) -> str:
        """Return the last measurement in words."""
        point = run.curve[-1]
        best = f" (best {run.objective:.3f})" if run.keep == "best" else ""
        measured = f"loss {point.loss:.3f}, {self.objective} {point.objective:.3f}{best}"
        return f"{self.label}: step {point.step}/{self.steps}, {measured}"

    def _say(self, text: str) -> None:
        progress(text)
        self._spoken = time.monotonic()
