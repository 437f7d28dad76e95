from __future__ import annotations

import pytest
import torch

from hakken.training import device
from hakken.training.device import choose_device, choose_layout, loading_threads, peak_memory_mb
from hakken.training.layout import Layout


def test_the_gpu_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, kind in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert choose_device().type == kind


def test_auto_is_bfloat16_on_a_gpu_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda")
    for able, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda able=able: able)
        assert choose_layout("auto", gpu) == Layout(precision=expected)
    assert choose_layout("float32", gpu) == Layout()


def test_auto_is_what_was_found_for_this_host_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, found = torch.device("cpu"), Layout(2, 1, True, "bfloat16")
    monkeypatch.setattr(device, "read_layout", lambda: None)
    assert choose_layout("auto", cpu) == Layout()
    monkeypatch.setattr(device, "read_layout", lambda: found)
    assert choose_layout("auto", cpu) == found
    assert choose_layout("bfloat16", cpu) == Layout(precision="bfloat16")


def test_the_peak_memory_of_this_process_is_plausible() -> None:
    held = torch.ones(40 * 2**20, dtype=torch.uint8)
    assert held.numel() / 2**20 < peak_memory_mb(torch.device("cpu")) < 100_000


def test_mini_batches_are_made_by_all_threads_while_a_gpu_learns_and_in_between_on_the_cpu() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert (loading_threads(torch.device("cuda")), loading_threads(torch.device("cpu"))) == (3, 0)
    finally:
        torch.set_num_threads(before)
