"""Mini-batches made ahead of time by several threads, and handed over in their order.

Threads do: reading mapped files, numpy's copies and torch's operations let the others run meanwhile, nothing has to be
sent from process to process, and what goes wrong in a thread is raised where its mini-batch is asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import torch

T = TypeVar("T")


def iterated(sample: Callable[[int], T], start: int, *, workers: int, stride: int) -> Iterator[T]:
    """Yield ``sample(start)``, ``sample(start + stride)``, and so on without end.

    With ``workers`` so many threads make the next ones while one is used; without, each is made when it is asked for.
    What ``sample`` raises is raised in place of its value.
    """
    if not workers:
        while True:
            yield sample(start)
            start += stride
    pool = _pool(workers)
    try:
        coming = deque(pool.submit(sample, start + place * stride) for place in range(workers + 1))
        while True:
            ready = coming.popleft().result()
            coming.append(pool.submit(sample, start + (workers + 1) * stride))
            start += stride
            yield ready
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(workers: int) -> ThreadPoolExecutor:
    """Return threads in which an operation of torch takes one core each; those of this thread stay as many as before.

    torch keeps one number of threads for each thread, and another one that a new thread begins with: asking for the
    former ends its beginning. A GPU is a thread's own choice as well: without it all would pin memory for the first.
    """
    begun, before = Barrier(workers + 1), torch.get_num_threads()
    initialised = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    gpu = torch.cuda.current_device() if initialised else None

    def begin() -> None:
        if gpu is not None:
            torch.cuda.set_device(gpu)
        torch.get_num_threads()
        torch.set_num_threads(1)
        begun.wait()

    pool = ThreadPoolExecutor(workers, thread_name_prefix="samples", initializer=begin)
    for _ in range(workers):
        pool.submit(int)
    begun.wait()
    torch.set_num_threads(before)
    return pool
