from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch


@pytest.fixture(scope="module")
def benchmark(benchmark: Any) -> Any:
    """The benchmark as a module."""
    return benchmark("projection")


def test_both_ways_are_measured_and_agree(
    benchmark: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = torch.get_num_threads()
    monkeypatch.setattr(benchmark, "SAMPLE", 20)
    output = tmp_path / "projection.json"
    small = ["--shape", "8", "10", "9", "--edges", "12", "--strides", "2", "--rounds", "1", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", ["projection.py", *small, "--output", str(output)])
    try:
        benchmark.main()
    finally:
        torch.set_num_threads(threads)
    (row,) = json.loads(output.read_text())["rows"]
    assert (row["edge"], row["stride"], row["points"]) == (12, 2, 4 * 5 * 5)
    assert row["input_ratio"] == pytest.approx(row["input_rate"] / row["naive_input_rate"])
    assert row["score_ratio"] == pytest.approx(row["score_rate"] / row["naive_score_rate"])
    assert row["input_difference"] == 0
    assert row["score_difference"] < 1e-5
    assert capsys.readouterr().out.splitlines()[-1].split()[:3] == ["12", "2", "100"]
