from __future__ import annotations

import pytest
import torch

from hakken.training.device import choose_device, choose_precision, peak_memory_mb


def test_the_gpu_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, kind in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert choose_device().type == kind


def test_auto_is_bfloat16_only_on_a_gpu_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert choose_precision("auto", cpu) == torch.float32
    assert choose_precision("bfloat16", cpu) == torch.bfloat16
    for able, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda able=able: able)
        assert choose_precision("auto", gpu) == expected
    assert choose_precision("float32", gpu) == torch.float32


def test_the_peak_memory_of_this_process_is_plausible() -> None:
    held = torch.ones(40 * 2**20, dtype=torch.uint8)
    assert held.numel() / 2**20 < peak_memory_mb(torch.device("cpu")) < 100_000
