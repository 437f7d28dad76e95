from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from hakken.core.console import console
from hakken.training import reporter
from hakken.training.loop import CurvePoint, Run
from hakken.training.reporter import Reporter


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[str]]]:
    def said() -> list[str]:
        return capsys.readouterr().err.splitlines()

    with console("trial", None):
        yield said


def test_a_line_at_each_measurement(lines: Callable[[], list[str]]) -> None:
    say = Reporter("trial 07", 120)
    run = Run(step=39, seconds=2.0)
    say(run)
    run.step, run.seconds = 40, 3.4
    run.curve.append(CurvePoint(40, 0.312, 0.54))
    say(run)
    run.step = 41
    say(run)
    run.step, run.seconds = 80, 6.2
    run.curve.append(CurvePoint(80, 0.21, 0.5))
    say(run)
    assert lines() == [
        "[trial] trial 07: step 40/120, loss 0.312, partial AUC 0.540 (best 0.540), 3 s",
        "[trial] trial 07: step 80/120, loss 0.210, partial AUC 0.500 (best 0.540), 6 s",
    ]


def test_where_the_last_weights_are_kept_the_best_is_not_told(lines: Callable[[], list[str]]) -> None:
    say = Reporter("trial 07", 120, "mean Dice")
    run = Run(keep="last", step=39)
    say(run)
    run.step = 40
    run.curve.append(CurvePoint(40, 0.312, 0.54))
    say(run)
    assert lines() == ["[trial] trial 07: step 40/120, loss 0.312, mean Dice 0.540, 0 s"]


def test_a_resumed_training_does_not_repeat_itself(lines: Callable[[], list[str]]) -> None:
    say = Reporter("trial 07", 120)
    say(Run(step=41, curve=[CurvePoint(40, 0.3, 0.5)]))
    assert lines() == []


def test_a_line_in_between_when_it_was_quiet_for_long(
    lines: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("hakken.training.reporter.time.monotonic", lambda: now[0])
    say = Reporter("trial 07", 120)
    losses = {"critic": [torch.tensor(0.5), torch.tensor(0.25)], "drawer": [torch.tensor(9.0)]}
    run = Run(step=5, losses=losses, seconds=16.0)
    say(run)
    now[0] = reporter.QUIET_SECONDS + 1
    say(run)
    say(run)
    assert lines() == ["[trial] trial 07: step 5/120, loss 0.375, 16 s"]
    run.losses["critic"].append(torch.tensor(torch.nan))
    now[0] *= 3
    say(run)
    assert lines() == ["[trial] trial 07: step 5/120, loss nan, 16 s"], (
        "the loop decides what follows, not its reporter"
    )
