"""What does not fit a queue is said before anything is submitted, with what to change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hakken.cluster.fit import describe_request, misfits
from hakken.cluster.queues import Queue, Size
from hakken.cluster.requests import Request
from hakken.cluster.site import Site, read_site

PATH = Path("profiles/cluster/profile.v9+.yaml")
SLURM = Site(PATH, {"executor": "slurm"})
NODE = Size(64, 256000, 4)
GPU = Queue("gpu", True, True, 1440, None, (NODE, NODE), 2)
SHORT = Queue("short", True, False, 120, 1, (NODE, NODE), 2)
CPU = Queue("cpu", True, False, None, None, (Size(128, 64000, 0),), 1)
QUEUES = (GPU, SHORT, CPU)


def request(partition: str | None = None, **changed: Any) -> Request:
    asked = {"threads": 4, "minutes": 720, "mem_mb": 16000, "gpus": 1, "nodes": 1} | changed
    names = (("slurm_partition", partition),) if partition else ()
    return Request("trial", **asked, names=names)


def said(asked: Request, site: Site = SLURM) -> list[str]:
    return misfits(asked, site, QUEUES)


def test_what_fits() -> None:
    assert said(request()) == []  # the default partition
    assert said(request("gpu", nodes=2, gpus=8)) == []
    assert said(request("cpu", gpus=0, minutes=None)) == []
    assert said(request("short,gpu")) == []  # one of them is enough


def test_too_long() -> None:
    assert said(request("short")) == [
        "asks for 720 minutes, `short` allows 120; set `set-resources: trial: runtime: 120` in "
        "profiles/cluster/profile.v9+.yaml, or send it to another queue"
    ]
    chain = Site(PATH, {"executor": "slurm", "preemptible-rules": ["trial"], "preemptible-retries": 20})
    assert said(request("short"), chain)[0].endswith("or send it to another queue (it goes on in the next job)")


def test_too_large() -> None:
    assert said(request("cpu")) == [
        "asks for 1 GPUs a node, `cpu` has at most 0; send it to a queue that has them",
    ]
    assert said(request("gpu", threads=65, mem_mb=300000, gpus=8)) == [
        "asks for 65 processors a node, `gpu` has at most 64; set `set-threads: trial: 64` in the profile",
        "asks for 300000 MB of memory a node, `gpu` has at most 256000; set `set-resources: trial: mem_mb: 256000` in "
        "profiles/cluster/profile.v9+.yaml, or send it to another queue",
        "asks for 8 GPUs a node, `gpu` has at most 4; send it to a queue that has them",
    ]


def test_too_many_nodes() -> None:
    assert said(request("short", minutes=60, nodes=2, gpus=2)) == [
        "asks for 2 nodes, `short` allows 1; ask for fewer in the study"
    ]
    assert said(request("gpu", nodes=3, gpus=3)) == ["asks for 3 nodes, `gpu` allows 2; ask for fewer in the study"]


def test_no_node_has_all_of_it() -> None:
    mixed = Queue("mixed", True, True, None, None, (Size(64, 64000, 0), Size(8, 32000, 2)), 2)
    assert misfits(request(threads=16), SLURM, (mixed,)) == [
        "asks for 16 processors, 16000 MB of memory, 1 GPUs a node; not enough nodes of `mixed` have all of it; "
        "ask for less"
    ]


def test_queues_that_are_not_there_or_closed() -> None:
    assert said(request("gpus")) == [
        "there is no queue `gpus`; there are gpu, short, cpu; write a name of your site into "
        "profiles/cluster/profile.v9+.yaml"
    ]
    assert misfits(request(), SLURM, (SHORT, CPU)) == [
        "no partition is named and the site has no default; write `slurm_partition` into "
        "profiles/cluster/profile.v9+.yaml: short, cpu"
    ]
    closed, dead = Queue("gpu", False, True), Queue("gpu", True, True, None, None, (NODE,), 0)
    assert misfits(request(), SLURM, (closed,)) == [
        "`gpu` takes no jobs at present; ask the site, or name another queue in profiles/cluster/profile.v9+.yaml"
    ]
    assert misfits(request(), SLURM, (dead,)) == ["every node of `gpu` is out of use at present; ask the site, or wait"]


@pytest.mark.parametrize(
    ("profile", "scheduler", "queue"),
    [("cluster", "Slurm", "default"), ("pbs", "PBS", "gpuq"), ("pjm", "PJM", "share")],
)
def test_the_profiles_of_this_project(profile: str, scheduler: str, queue: str) -> None:
    site = read_site(Path(__file__).parents[3] / "profiles" / profile / "profile.v9+.yaml")
    names = (("cpu_queue", "short"), ("gpu_queue", queue))
    asked = Request("trial", 4, 720, 16000, 1, 1, names)
    assert site.scheduler == scheduler
    assert site.queue(asked) == queue
    assert not site.rates.counted  # a site's own; none is counted unless it is written


def test_a_profile_of_one_machine_is_for_no_scheduler() -> None:
    assert Site(PATH, {"cores": "all"}).scheduler is None
    assert Site(PATH, {"cluster-generic-submit-cmd": "bsub -n 1"}).scheduler is None


def test_requests_in_words() -> None:
    assert describe_request(request(nodes=2, gpus=8)) == "720 minutes, 4 processors, 16000 MB, 8 GPUs, 2 nodes"
    assert describe_request(request(minutes=None, mem_mb=None, gpus=0)) == "no limit of time, 4 processors"
