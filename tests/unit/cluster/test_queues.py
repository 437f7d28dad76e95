"""Queues as schedulers describe them: recorded from Slurm 22.05, and the documented format of PBS."""

from __future__ import annotations

from pathlib import Path

import pytest

from hakken.cluster.queues import (
    Queue,
    Size,
    count_gpus,
    describe,
    parse_minutes,
    parse_pbs,
    parse_pjm,
    parse_slurm,
    read_queues,
)
from hakken.core.errors import HakkenError

SINFO = """\
short|up|2:00|gpu1|64|256000|gpu:fake:4|mixed
gpu*|up|1-00:00:00|gpu1|64|256000|gpu:fake:4|mixed
short|up|2:00|gpu2|64|256000|gpu:fake:4|mixed
gpu*|up|1-00:00:00|gpu2|64|256000|gpu:fake:4|mixed
"""
PARTITION = (
    "PartitionName={name} AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL AllocNodes=ALL Default=YES QoS=N/A "
    "DefaultTime=00:10:00 DisableRootJobs=NO ExclusiveUser=NO GraceTime=0 Hidden=NO MaxNodes={nodes} "
    "MaxTime=1-00:00:00 MinNodes=0 LLN=YES MaxCPUsPerNode={cpus} Nodes=gpu[1-2] PriorityJobFactor=1 PriorityTier=1 "
    "State=UP TotalCPUs=128 TotalNodes=2 SelectTypeParameters=NONE JobDefaults=(null) DefMemPerNode=UNLIMITED "
    "MaxMemPerNode={memory} TRES=cpu=128,mem=500G,node=2,billing=128\n"
)
NO_LIMIT = {"nodes": "UNLIMITED", "cpus": "UNLIMITED", "memory": "UNLIMITED"}
SCONTROL = "".join(PARTITION.format(name=name, **NO_LIMIT) for name in ("gpu", "short"))
NODE = Size(64, 256000, 4)
QSTAT = """\
Queue: workq
    queue_type = Execution
    total_jobs = 3
    state_count = Transit:0 Queued:0 Held:0 Waiting:0 Running:3 Exiting:0 Begun
\t:0
    resources_max.mem = 64gb
    resources_max.ncpus = 16
    resources_max.walltime = 100:00:00
    enabled = True
    started = True
Queue: gpuq
    queue_type = Execution
    resources_max.ngpus = 2
    resources_max.walltime = 86400
    enabled = True
    started = False
Queue: open
    queue_type = Execution
    enabled = True
    started = True
"""


def test_partitions_of_slurm() -> None:
    short, gpu = parse_slurm(SINFO, SCONTROL)
    assert short == Queue("short", True, False, 2, None, (NODE, NODE), 2)
    assert gpu == Queue("gpu", True, True, 1440, None, (NODE, NODE), 2)


def test_a_partition_may_allow_less_than_its_nodes_have() -> None:
    limited = PARTITION.format(name="gpu", nodes="1", cpus="32", memory="128000")
    _, gpu = parse_slurm(SINFO, limited)
    assert (gpu.nodes, gpu.sizes) == (1, (Size(32, 128000, 4),) * 2)


def test_nodes_and_partitions_out_of_use() -> None:
    lines = (
        "a*|up|infinite|n1|8|1000+|(null)|down*",
        "a*|up|infinite|n2|8|1000|(null)|idle",
        "b|drain|1:00:00|n3|8|1|(null)|idle",
    )
    first, second = parse_slurm("\n".join(lines), "")
    assert (first.alive, first.minutes, first.sizes[0]) == (1, None, Size(8, 1000, 0))
    assert not second.open


def test_queues_of_pbs() -> None:
    workq, gpuq, free = parse_pbs(QSTAT)
    assert workq == Queue("workq", True, False, 6000, None, (Size(16, 65536, None),))
    assert gpuq == Queue("gpuq", False, False, 1440, None, (Size(None, None, 2),))
    assert free == Queue("open", True, False, None, None, (Size(),))


def test_resource_groups_of_pjm_are_known_by_name_alone() -> None:
    names = [queue.name for queue in parse_pjm("RSCGRP   STATUS\nshare\n |---- share-short  [ENABLE,START]\n")]
    assert {"share", "share-short"} <= set(names)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("2:00", 2), ("1-00:00:00", 1440), ("2-06", 3240), ("1-01:30", 1530), ("00:30:00", 30), ("UNLIMITED", None)],
)
def test_limits_of_time(text: str, minutes: int | None) -> None:
    assert parse_minutes(text) == minutes


def test_gpus_of_several_kinds() -> None:
    assert count_gpus("gpu:a100:4(S:0-1),gpu:t4:2,shard:8") == 6


def test_queues_in_words() -> None:
    short, gpu = parse_slurm(SINFO, SCONTROL)
    assert describe(short) == "up to 2 minutes; 2 nodes of 64 processors, 256000 MB, 4 GPUs"
    assert describe(gpu) == "up to 1440 minutes; 2 nodes of 64 processors, 256000 MB, 4 GPUs (default)"
    workq, gpuq, free = parse_pbs(QSTAT)
    assert describe(workq) == "up to 6000 minutes; 16 processors, 65536 MB"
    assert describe(gpuq) == "up to 1440 minutes; 2 GPUs; takes no jobs at present"
    assert describe(free) == "no limit of time"


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of commands that are found before any other, and no other."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_the_commands_of_slurm_are_asked(commands: Path) -> None:
    write(commands, "sinfo", f"printf '%s' '{SINFO}'")
    write(commands, "scontrol", f"printf '%s' '{SCONTROL}'")
    assert [queue.name for queue in read_queues("Slurm")] == ["short", "gpu"]


def test_a_scheduler_that_is_not_here(commands: Path) -> None:
    with pytest.raises(HakkenError) as caught:
        read_queues("PBS")
    assert str(caught.value) == "there is no `qstat` on this machine; run this on the login node of the cluster"


def test_a_scheduler_that_does_not_answer(commands: Path) -> None:
    write(commands, "pjstat", "echo 'connecting' >&2; echo '[ERR.] PJM 0061 pjstat cannot connect.' >&2; exit 1")
    with pytest.raises(HakkenError) as caught:
        read_queues("PJM")
    assert str(caught.value) == "`pjstat` fails: [ERR.] PJM 0061 pjstat cannot connect."
