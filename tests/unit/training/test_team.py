"""Two processes do what one does: gradients, trainings, and a training that goes on with another number of them."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from hakken.training.checkpoint import checkpoint_files
from hakken.training.loop import Interrupted
from hakken.training.team import ALONE, Team, _bytes, environment_of, largest_team, loopback, torchrun

from . import team_process

pytestmark = pytest.mark.xdist_group("team")  # Its fixtures are made once, on one worker.

PROCESS = Path(__file__).with_name("team_process.py")
Found = list[dict[str, Any]]
LISTENING: set[str] = set()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("team")


@pytest.fixture(scope="module")
def two(folder: Path) -> Found:
    """What each of two processes has found, one of whose trainings was begun by one process."""
    with pytest.raises(Interrupted, match="stopped at step 12 of 24"):
        team_process.trained(ALONE, folder / "begun by one", stop_at=12)
    with (folder / "said.txt").open("w+") as said:
        run = subprocess.Popen(
            [*torchrun(1, 2, folder / "machines"), str(PROCESS), str(folder)],
            env=os.environ | environment_of(1, secrets.token_hex()),
            stderr=said,
        )
        while run.poll() is None:
            LISTENING.update(listening(run.pid))
            time.sleep(0.02)
    assert run.returncode == 0, (folder / "said.txt").read_text()[-3000:]
    return [torch.load(folder / f"rank-{rank}.pt", weights_only=True) for rank in range(2)]


def listening(process: int) -> set[str]:
    """The addresses (hexadecimal, as Linux shows them) at which a process listens, or one that it has started."""
    parents: dict[int, int] = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
    family, inodes = {process}, set()
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    for member in family:
        with suppress(OSError):
            inodes |= {os.readlink(one) for one in Path(f"/proc/{member}/fd").iterdir()}  # noqa: PTH115
    sockets = [line.split() for kind in ("tcp", "tcp6") for line in Path(f"/proc/net/{kind}").read_text().splitlines()]
    return {words[1].partition(":")[0] for words in sockets if words[3] == "0A" and f"socket:[{words[9]}]" in inodes}


@pytest.mark.skipif(not Path("/proc/net/tcp").is_file(), reason="looks at sockets as Linux shows them")
def test_processes_of_one_machine_listen_to_no_other(two: Found) -> None:
    assert {"0100007F"} == LISTENING, "127.0.0.1, byte by byte from its end"


TALK = """
import sys
from pathlib import Path
import torch
from hakken.training.team import joined_team
torch.set_num_threads(1)
with joined_team(torch.device("cpu"), Path(sys.argv[1])) as team:
    told = team.told(lambda: {"from": team.rank, "weights": torch.arange(3)})
    united = team.united({f"case {team.rank}": [team.rank] * (team.rank + 1)})
    shares = team.any(team.rank == 1, False)
    said = (told["from"], told["weights"].sum().item(), united, shares)
    Path(sys.argv[2], f"said-{team.rank}").write_text(repr(said))
"""


def test_two_machines_meet_by_a_file_that_both_see(tmp_path: Path) -> None:
    """Both are this one; each has a `torchrun` of its own."""
    (tmp_path / "talk.py").write_text(TALK)
    environment = os.environ | environment_of(2, secrets.token_hex()) | {"GLOO_SOCKET_IFNAME": loopback()}
    command = [
        *torchrun(2, 1, tmp_path / "machines"),
        str(tmp_path / "talk.py"),
        str(tmp_path / "meeting"),
        str(tmp_path),
    ]
    machines = [subprocess.Popen(command, env=environment) for _ in range(2)]
    assert [machine.wait(120) for machine in machines] == [0, 0]
    said = [(tmp_path / f"said-{rank}").read_text() for rank in range(2)]
    assert said == [repr((0, 3, {"case 0": [0], "case 1": [1, 1]}, [True, False])), repr((0, 3, {}, [True, False]))]


def test_a_message_is_read_only_where_it_is_from_the_one_whose_turn_it_is() -> None:
    team, other = Team(0, 2, secret=b"a"), Team(0, 2, secret=b"b")
    message = _bytes(team._sealed({"x": 1.5}, 3, 1))
    assert team._opened(message, 3, 1) == {"x": 1.5}
    forged = message.clone()
    forged[-2] ^= 1
    for one, given, turn, rank in [
        (other, message, 3, 1),
        (team, message, 4, 1),
        (team, message, 3, 0),
        (team, forged, 3, 1),
    ]:
        with pytest.raises(
            RuntimeError, match=f"a message in the name of process {rank + 1} of this training is not from it"
        ):
            one._opened(given, turn, rank)
    with pytest.raises(RuntimeError, match="processes without a secret"):
        Team(0, 2).told(lambda: 1)


def test_what_another_wrote_is_not_unpickled(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "harm",)

    message = _bytes(Team(0, 2, secret=b"guessed")._sealed(Harm(), 0, 0))
    with pytest.raises(RuntimeError, match="is not from it"):
        Team(1, 2, secret=b"secret")._opened(message, 0, 0)
    assert not (tmp_path / "harm").exists()


@pytest.fixture(scope="module")
def one() -> dict[str, Any]:
    """What one process finds."""
    return team_process.trained(ALONE)


def close(found: dict[str, Any], expected: dict[str, Any], tolerance: float = 1e-6) -> None:
    assert found["weights"].keys() == expected["weights"].keys()
    for name, weight in found["weights"].items():
        torch.testing.assert_close(weight, expected["weights"][name], rtol=0, atol=tolerance)
    for point, wanted in zip(found["curve"], expected["curve"], strict=True):
        assert point == pytest.approx(wanted, abs=tolerance)


def test_two_processes_have_the_gradients_of_one(two: Found) -> None:
    expected = team_process.gradients(ALONE)
    for process in two:
        found = process["gradients"]
        assert found.keys() == expected.keys()
        for name, gradient in found.items():
            assert gradient.dtype == torch.float64
            assert gradient.abs().max() > 1e-4
            torch.testing.assert_close(gradient, expected[name], rtol=0, atol=1e-12)


def test_a_synchronised_normalisation_is_that_of_all_mini_batches_together(two: Found) -> None:
    expected = team_process.gradients(ALONE, norm=True)
    assert any("running" in name for name in expected)
    for process in two:
        assert process["norm"].keys() == expected.keys()
        for name, gradient in process["norm"].items():
            torch.testing.assert_close(gradient, expected[name], rtol=0, atol=1e-12)


def test_a_weight_that_took_part_in_one_process_counts_as_nothing_in_the_other(two: Found) -> None:
    assert [process["partial"] for process in two] == [[1.5, 0.5, None]] * 2


def test_two_processes_train_what_one_does(two: Found, one: dict[str, Any], folder: Path) -> None:
    assert [step for step, _, _ in one["curve"]] == [8, 16, 24]
    for process in two:
        close(process["trained"], one)
    assert checkpoint_files(folder / "anew")[-1].name == "checkpoint-000000024.pt"


def test_two_processes_play_what_one_does_with_a_penalty_on_gradients(two: Found) -> None:
    """But for the running averages of the normalisation, which are the mean of what each process has seen."""
    first, second = (process["played"] for process in two)
    assert all(torch.equal(first["weights"][name], second["weights"][name]) for name in first["weights"])
    expected = team_process.played(ALONE)
    for name, weight in expected["weights"].items():
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            torch.testing.assert_close(first["weights"][name], weight, rtol=0, atol=1e-9)
    assert [loss for _, loss, _ in first["curve"]] == pytest.approx([loss for _, loss, _ in expected["curve"]])


def test_a_flow_begins_and_stays_the_same_in_two_processes(two: Found) -> None:
    """Though each has begun with images of its own; the first weights are those of all images together."""
    first, second = (process["flow"] for process in two)
    expected = team_process.flowing(ALONE)
    for when, tolerance in (("begun", 1e-6), ("weights", 1e-4)):
        assert first[when].keys() == second[when].keys() == expected[when].keys()
        for name, value in first[when].items():
            assert torch.equal(value, second[when][name])
            torch.testing.assert_close(value, expected[when][name], rtol=0, atol=tolerance)
    scales = [name for name in first["begun"] if name.endswith("log_scale")]
    assert all(not torch.equal(first["begun"][name], first["weights"][f"normal.{name}"]) for name in scales)


def test_a_flow_may_be_cut_over_two_processes(two: Found) -> None:
    """Each adds up its own log densities, and has the gradients of its own stage."""
    expected = dict(team_process.cut(ALONE))
    parts = [dict(process["cut"]) for process in two]
    density = parts[0].pop("density") + parts[1].pop("density")
    torch.testing.assert_close(density, expected.pop("density"), rtol=0, atol=1e-10)
    assert not parts[0].keys() & parts[1].keys()
    together = {**parts[0], **parts[1]}
    assert together.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(together[name], gradient, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("name", "drawn"), [("one size", "one"), ("sandwich", "sandwich")])
def test_two_processes_train_a_network_of_several_sizes_as_one_does(two: Found, name: str, drawn: str) -> None:
    """Though each of the two runs at sizes of its own, so that some weights take part in one process alone."""
    first, second = (process[name] for process in two)
    assert all(torch.equal(first["weights"][key], second["weights"][key]) for key in first["weights"])
    expected = team_process.switched(ALONE, drawn)  # type: ignore[arg-type]
    assert expected["weights"].keys() == first["weights"].keys()
    for key, weight in expected["weights"].items():
        torch.testing.assert_close(first["weights"][key], weight, rtol=0, atol=1e-5)


def test_begun_by_two_processes_it_is_finished_by_one(two: Found, one: dict[str, Any], folder: Path) -> None:
    """The last of the two is asked to stop; both stop at the same step, and one goes on from there."""
    assert [process["interrupted"] for process in two] == ["stopped at step 12 of 24"] * 2
    assert checkpoint_files(folder / "begun by two")[-1].name == "checkpoint-000000012.pt"
    close(team_process.trained(ALONE, folder / "begun by two"), one)


def test_begun_by_one_process_it_is_finished_by_two(two: Found, one: dict[str, Any]) -> None:
    for process in two:
        close(process["resumed"], one)


@pytest.mark.parametrize(
    ("minibatches", "most", "expected"), [(1, 8, 1), (8, 1, 1), (8, 3, 2), (8, 8, 8), (6, 4, 3), (7, 6, 1), (4, 0, 1)]
)
def test_a_team_shares_an_update_evenly(minibatches: int, most: int, expected: int) -> None:
    assert largest_team(minibatches, most) == expected
