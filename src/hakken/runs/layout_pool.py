"""Processes that train a study's network on made-up patches or images, to be timed.

One pool serves all layouts: a layout of two processes uses the first two and leaves the others asleep. A step is a
whole one, as the training loop takes it: forward, backward, the gradients averaged between the processes, the
optimiser. Reading and augmenting patches and measuring the objective are not part of it.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from torch import distributed

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.cases import Case
from hakken.imaging.lesions import measure_lesions
from hakken.imaging.prepared import PreparedCase, prepared_cases, save_prepared
from hakken.patches import shards
from hakken.patches.sampling import Centres, Kind
from hakken.runs.learner import learner_of
from hakken.runs.required import needs_of
from hakken.study import Study
from hakken.training.layout import Layout, arrange
from hakken.training.method import Data, Method
from hakken.training.optimiser import Optimiser
from hakken.training.team import ALONE, Team, loopback
from hakken.training.update import Turn, learnt

MEETING, PATCHES, CASES = "meeting", "patches", "cases"
MADE_UP = 64
"""Made-up patches of each kind."""
BALL = 8
"""Diameter in voxels of a made-up lesion."""

WAIT_SECONDS = 300.0  # for one answer; a step of a large network on few cores takes some ten seconds
ENDED = "a process of the measurement ended by itself, perhaps for want of memory; close other programs or try a scale"


@dataclass(frozen=True)
class Order:
    """What a process is told to do: so many steps laid out like this."""

    layout: Layout
    steps: int


class Pool:
    """The processes, from `with Pool(...) as pool` to the end of the block; ``seconds`` times a layout."""

    def __init__(self, study: Study, processes: int) -> None:
        self.study, self.count = study, processes
        self._processes: list[BaseProcess] = []
        self._pipes: list[Connection[Order | None, float | str]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="hakken-layout-")
        if needs_of(study).patches:
            made_up_patches(study, Path(self._folder.name) / PATCHES)
        elif study.cohort.kind == "images":
            made_up_case(study, Path(self._folder.name) / CASES)

    def __enter__(self) -> Pool:
        context = multiprocessing.get_context("spawn")  # a fork would share the threads of torch
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # read when torch is loaded, before any code of ours
        for rank in range(self.count):
            mine, theirs = context.Pipe()
            given = (theirs, self.study, Path(self._folder.name), rank, self.count)
            process = context.Process(target=_serve, args=given, daemon=True)
            process.start()
            theirs.close()
            self._processes.append(process)
            self._pipes.append(mine)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for pipe in self._pipes:
            with suppress(OSError):
                pipe.send(None)
        for process in self._processes:
            process.join(0 if error else 5)
            if process.is_alive():
                process.terminate()
                process.join()
        self._folder.cleanup()

    def seconds(self, layout: Layout, steps: int) -> float:
        """Return the seconds of a step, the median of ``steps`` after one that does not count.

        Raises HakkenError where a process says why it cannot, or dies.
        """
        chosen = self._pipes[: layout.processes]
        with suppress(OSError):
            for pipe in chosen:
                pipe.send(Order(layout, steps))
        answers: dict[int, float] = {}
        while len(answers) < len(chosen):
            waiting = [pipe for rank, pipe in enumerate(chosen) if rank not in answers]
            ready = wait(waiting, WAIT_SECONDS)
            if not ready:
                raise HakkenError(f"no answer within {WAIT_SECONDS:.0f} s; the steps of this study are too slow here")
            for pipe in waiting:
                if pipe in ready:
                    answers[chosen.index(pipe)] = _answer(pipe)
        return answers[0]


def _answer(pipe: Connection[Order | None, float | str]) -> float:
    try:
        answer = pipe.recv()
    except (EOFError, OSError):
        raise HakkenError(ENDED) from None
    if isinstance(answer, str):
        raise HakkenError(answer)
    return answer


def _serve(pipe: Connection[float | str, Order | None], study: Study, folder: Path, rank: int, processes: int) -> None:
    """Time what the pipe orders until it orders nothing; runs in a process of its own."""
    try:
        warnings.simplefilter("ignore")  # of the way in which gradients travel; a training says them itself
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback())  # all are on this host
        distributed.init_process_group("gloo", init_method=(folder / MEETING).as_uri(), rank=rank, world_size=processes)
        groups = {count: distributed.new_group(list(range(count))) for count in _counts(processes)}
        while (order := pipe.recv()) is not None:
            pipe.send(_time(study, folder, order, groups[order.layout.processes]))
    except (EOFError, KeyboardInterrupt):
        return
    except Exception as error:  # reported where it is read; the process has nothing else to say it with
        pipe.send(f"{type(error).__name__} while measuring: {error}")


def _counts(processes: int) -> list[int]:
    return [1 << power for power in range(processes.bit_length())]


def _time(study: Study, folder: Path, order: Order, group: distributed.ProcessGroup | None) -> float:
    """Return the median seconds of a step, after one that does not count."""
    layout = order.layout
    torch.set_num_threads(layout.threads)
    team = Team(distributed.get_rank(), layout.processes, group, group)
    stepper, taken = Stepper(study, layout, folder / PATCHES, team, cases=prepared_cases(folder / CASES)), []
    for _ in range(order.steps + 1):
        distributed.barrier(group)
        start = time.perf_counter()
        stepper.step()
        distributed.barrier(group)  # a step of all has ended when the last of them has
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


class Stepper:
    """A study's networks at its own parameters, mini-batches of made-up patches, and the updates of a training.

    It is made anew for each measurement. ``cases`` are what a method learns from that takes no patches.
    """

    def __init__(
        self,
        study: Study,
        layout: Layout,
        patches: Path,
        team: Team = ALONE,
        *,
        cases: Sequence[Case] = (),
        device: torch.device | None = None,
    ) -> None:
        torch.manual_seed(0)
        learner = learner_of(study)
        if not isinstance(learner, Method):
            raise HakkenError(f"the method `{study.method}` of study `{study.name}` learns without gradients")
        place = device or torch.device("cpu")
        networks = {name: one.to(place) for name, one in learner.networks().items()}
        self.networks = {name: arrange(one, layout.channels_last).train() for name, one in networks.items()}
        players = learner.players(self.networks, Data(tuple(cases), patches), 0, place)  # type: ignore[arg-type]
        self.turns = [
            Turn(player, self.networks, learner.loss, team.size, 0, layout.dtype, layout.channels_last, team, 1, number)
            for number, player in enumerate(players)
        ]
        self.optimisers = [Optimiser(learnt(self.networks, player), player.optimisation) for player in players]
        for turn, optimiser in zip(self.turns, self.optimisers, strict=True):
            turn.begin(0, workers=0)
            optimiser.rate = 0.0  # the same arithmetic, and noise cannot make the weights grow without end
        self.number = 0

    def step(self) -> None:
        """Make the updates of one round."""
        for turn, optimiser in zip(self.turns, self.optimisers, strict=True):
            for _ in turn.updates(self.number * turn.minibatches, optimiser):
                pass
        self.number += 1


def made_up_case(study: Study, folder: Path) -> None:
    """Write a case of noise with a ball for a lesion into ``folder``, for methods that learn from whole images.

    It is a little larger than the windows that the study's own parameters ask for; of methods of two axes a slice.
    """
    edge = int(getattr(study.parameters, "patch_size", 32)) + BALL
    shape = (edge if getattr(study.parameters, "axes", 3) == 3 else 1, edge, edge)
    geometry = Geometry(shape, study.preparation.spacing_mm)
    away = np.indices(shape) - np.reshape(shape, (3, 1, 1, 1)) // 2
    labels = ((away**2).sum(0) <= (BALL / 2) ** 2).astype(np.int16)
    image = np.random.default_rng(0).standard_normal((len(study.layers), *shape)).astype(np.float16)
    classes, organs = study.cohort.classes or (None,), len(study.cohort.regions)
    regions = np.indices(shape)[2] * (organs + 1) // edge if organs else None  # side by side
    case = PreparedCase(
        case_id="made_up",
        patient="made_up",
        channels=study.layers,
        geometry=geometry,
        source_geometry=geometry,
        normalisation={},
        pixel_digest="made up",
        has_truth=True,
        lesions=tuple(replace(one, lesion_class=classes[0]) for one in measure_lesions(labels, geometry)),
        optional=dict.fromkeys(study.optional, True),
        has_regions=regions is not None,
        scalars=dict.fromkeys(study.scalars, 0.0),
    )
    folder.mkdir(parents=True)
    save_prepared(folder, case, image, np.ones(shape, np.uint8), labels, regions=regions)


def made_up_patches(study: Study, folder: Path) -> None:
    """Write patches of noise into ``folder``, in the shapes of the study's: channels, edge, targets; half are positive.

    Of each kind there are as many as a mini-batch may take.
    """
    needs, settings = needs_of(study), study.patches
    drawn = ("lesions",) if needs.maps else ()
    channels = (*study.seen, *study.targets, *drawn)
    layout = shards.Layout(
        size_voxel=settings.size_voxel,
        margin_voxel=settings.margin_voxel,
        channels=channels,
        spacing_mm=study.preparation.spacing_mm,
        sampled_study="made up",
        axes=settings.axes,
        targets=len(study.targets) + len(drawn),
        optional=study.optional,
        scalars=len(study.scalars),
    )
    classes = study.cohort.classes or ("",)
    random = np.random.default_rng(0)
    edge = settings.size_voxel + 2 * settings.margin_voxel
    extent = (edge if settings.axes == 3 else 1, edge, edge)
    image = random.standard_normal((len(channels), *extent)).astype(np.float16)
    if drawn:
        image[-1] = image[-1] > 0
    kinds = [kind for kind in Kind for _ in range(MADE_UP)]
    middle = np.tile([place // 2 for place in extent], (len(kinds), 1)).astype(np.int32)
    lesions = np.array([1 + number % len(classes) if kind == Kind.POSITIVE else 0 for number, kind in enumerate(kinds)])
    centres = Centres(middle, np.array(kinds, np.int8), lesions.astype(np.int32))
    case = shards.CutCase("made_up", image, centres, middle.astype(float), dict(enumerate(classes, start=1)))
    shards.write_shards(folder, [case], layout, settings.shard_mb)
