from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from hakken.core.console import console
from hakken.training.checkpoint import Checkpoints, clear_checkpoints

CPU = torch.device("cpu")


def content(value: float) -> dict[str, object]:
    return {"weights": torch.full((3,), value), "step": int(value), "curve": [(1, 0.5, 0.25)]}


def saved(folder: Path, *steps: int) -> Checkpoints:
    store = Checkpoints(folder, "identity", 1000)
    for step in steps:
        store.save(step, content(step))
    return store


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def loaded_step(store: Checkpoints) -> object:
    found = store.load(CPU)
    return None if found is None else found["step"]


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    found = saved(tmp_path, 8).load(CPU)
    assert found is not None
    assert torch.equal(found["weights"], torch.full((3,), 8.0))
    assert (found["step"], found["curve"]) == (8, [(1, 0.5, 0.25)])


def test_the_last_two_are_kept_and_nothing_else(tmp_path: Path) -> None:
    assert loaded_step(saved(tmp_path, 5, 10, 15, 100)) == 100
    assert names(tmp_path) == ["checkpoint-000000015.pt", "checkpoint-000000100.pt"]


@pytest.mark.parametrize("damage", ["flipped", "truncated", "empty", "rubbish"])
def test_a_damaged_one_is_recognised_and_the_one_before_is_used(tmp_path: Path, damage: str) -> None:
    store = saved(tmp_path / "work", 5, 10)
    path = tmp_path / "work" / "checkpoint-000000010.pt"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes({"flipped": bytes(data), "truncated": data[:-9], "empty": b"", "rubbish": b"x\ny"}[damage])
    with console("trial", tmp_path / "log", quiet=True):
        assert loaded_step(store) == 5
    assert "checkpoint checkpoint-000000010.pt is damaged; the one before is used" in (tmp_path / "log").read_text()


def test_when_all_are_damaged_there_is_none(tmp_path: Path) -> None:
    store = saved(tmp_path, 5, 10)
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    assert store.load(CPU) is None


def test_those_of_another_training_are_not_used(tmp_path: Path) -> None:
    saved(tmp_path, 5)
    assert Checkpoints(tmp_path, "another", 1000).load(CPU) is None


def test_nothing_there_is_no_error(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "missing", "identity", 1).load(CPU) is None


def test_where_another_process_writes_nothing_is_saved(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path, "identity", 1000, mine=lambda: False)
    store.save(5, content(5))
    assert names(tmp_path) == []


def test_a_save_that_is_killed_leaves_the_old_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = saved(tmp_path, 5)

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        store.save(10, content(10))
    assert loaded_step(store) == 5


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (os.system, ("touch should-not-exist",))

    store = Checkpoints(tmp_path, "identity", 1000)
    store.save(5, {"evil": Evil()})
    with pytest.raises(Exception, match=r"(?i)weights.only"):
        store.load(CPU)


def test_the_timer_starts_again_with_each_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("hakken.training.checkpoint.time.monotonic", lambda: now[0])
    store = Checkpoints(tmp_path, "identity", 60)
    assert not store.due
    now[0] = 160.0
    assert store.due
    store.save(5, content(5))
    assert not store.due


def test_clearing_removes_them(tmp_path: Path) -> None:
    saved(tmp_path, 5, 10)
    (tmp_path / "model.pt").touch()
    clear_checkpoints(tmp_path)
    assert names(tmp_path) == ["model.pt"]


def test_later_ones_of_another_training_do_not_push_out_new_ones(tmp_path: Path) -> None:
    saved(tmp_path, 800, 900)
    store = Checkpoints(tmp_path, "another", 1000)
    for step in (5, 10):
        store.save(step, content(step))
    assert loaded_step(store) == 10
    assert names(tmp_path) == ["checkpoint-000000005.pt", "checkpoint-000000010.pt"]
