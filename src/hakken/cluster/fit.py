"""Does what a job asks for fit the queue that it goes to? Answered before anything is submitted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hakken.cluster.queues import Queue, Size
from hakken.cluster.requests import Request
from hakken.cluster.site import NO_QUEUE, Site


def describe_request(request: Request) -> str:
    """Return what a job asks for, in words."""
    words = [f"{request.minutes} minutes" if request.minutes else "no limit of time", f"{request.threads} processors"]
    words += [f"{request.mem_mb} MB"] if request.mem_mb else []
    words += [f"{request.gpus} GPUs"] if request.gpus else []
    words += [f"{request.nodes} nodes"] if request.nodes > 1 else []
    return ", ".join(words)


def misfits(request: Request, site: Site, queues: Sequence[Queue]) -> list[str]:
    """Return what must be changed before a job of ``request`` can run; nothing where it fits.

    Where the profile names several partitions, one that fits is enough.
    """
    names = site.queue(request).split(",")
    found = [_misfits_of(name, request, site, queues) for name in names]
    return min(found, key=len)


def _misfits_of(name: str, request: Request, site: Site, queues: Sequence[Queue]) -> list[str]:
    known = {queue.name: queue for queue in queues}
    queue = next((one for one in queues if one.default), None) if name == NO_QUEUE else known.get(name)
    if queue is None:
        return [_unknown(name, site, known)]
    if not queue.open:
        return [f"`{queue.name}` takes no jobs at present; ask the site, or name another queue in {site.path}"]
    if queue.alive == 0:
        return [f"every node of `{queue.name}` is out of use at present; ask the site, or wait"]
    return list(_over(request, queue, site))


def _unknown(name: str, site: Site, known: dict[str, Queue]) -> str:
    if name == NO_QUEUE:
        listed = ", ".join(known)
        return f"no partition is named and the site has no default; write `slurm_partition` into {site.path}: {listed}"
    listed = "" if site.scheduler == "PJM" else f"; there are {', '.join(known)}"
    return f"there is no queue `{name}`{listed}; write a name of your site into {site.path}"


def _over(request: Request, queue: Queue, site: Site) -> Iterator[str]:
    """Yield what is more than the queue allows: time, nodes, then what no node of it has."""
    change = f"set `set-resources: {request.stage}: %s` in {site.path}, or send it to another queue"
    if queue.minutes is not None and (request.minutes or 0) > queue.minutes:
        goes_on = " (it goes on in the next job)" if site.attempts(request.stage) else ""
        yield (
            f"asks for {request.minutes} minutes, `{queue.name}` allows {queue.minutes}; "
            + change % f"runtime: {queue.minutes}"
            + goes_on
        )
    most_nodes = min(queue.nodes or len(queue.sizes), len(queue.sizes)) if queue.alive is not None else queue.nodes
    if most_nodes is not None and request.nodes > most_nodes:
        yield f"asks for {request.nodes} nodes, `{queue.name}` allows {most_nodes}; ask for fewer in the study"
    if queue.sizes and sum(_fits(request, size) for size in queue.sizes) < _needed(request, queue):
        yield from _too_large(request, queue, change)


def _needed(request: Request, queue: Queue) -> int:
    """Return how many nodes must be large enough; of a queue whose nodes are not known one entry speaks for all."""
    return min(request.nodes, len(queue.sizes))


def _fits(request: Request, size: Size) -> bool:
    asked = (request.threads, request.mem_mb or 0, request.gpus_of_a_node)
    return all(
        most is None or want <= most for want, most in zip(asked, (size.cpus, size.mem_mb, size.gpus), strict=True)
    )


def _too_large(request: Request, queue: Queue, change: str) -> Iterator[str]:
    """Yield what not even the largest node has; where each alone would fit, that no node has all of it."""
    most = {
        "processors": max((size.cpus for size in queue.sizes if size.cpus is not None), default=None),
        "MB of memory": max((size.mem_mb for size in queue.sizes if size.mem_mb is not None), default=None),
        "GPUs": max((size.gpus for size in queue.sizes if size.gpus is not None), default=None),
    }
    asked = {
        "processors": request.threads,
        "MB of memory": request.mem_mb or 0,
        "GPUs": request.gpus_of_a_node,
    }
    remedies = {
        "processors": f"set `set-threads: {request.stage}: {most['processors']}` in the profile",
        "MB of memory": change % f"mem_mb: {most['MB of memory']}",
        "GPUs": "send it to a queue that has them",
    }
    alone = False
    for what, want in asked.items():
        has = most[what]
        if has is not None and want > has:
            alone = True
            yield f"asks for {want} {what} a node, `{queue.name}` has at most {has}; {remedies[what]}"
    if not alone:
        listed = ", ".join(f"{want} {what}" for what, want in asked.items())
        yield f"asks for {listed} a node; not enough nodes of `{queue.name}` have all of it; ask for less"
