#!/usr/bin/env python3
"""A stand-in for PBS (qsub, qstat, qdel) and PJM (pjsub, pjstat, pjdel) that runs jobs on this machine at once.

It answers in the documented formats. The name that it is called by says which command it is; the folder named by
STAND_IN_SCHEDULER holds a file for each job: its arguments, its process, and its exit status once it has ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

QUEUES = """\
Queue: workq
    queue_type = Execution
    resources_max.walltime = 24:00:00
    enabled = True
    started = True
Queue: gpuq
    queue_type = Execution
    resources_max.ngpus = 2
    resources_max.walltime = 06:00:00
    enabled = True
    started = True
"""
GROUPS = "RSCGRP    STATUS\nshort     [ENABLE,START]\nshare     [ENABLE,START]"
STATE = Path(os.environ["STAND_IN_SCHEDULER"])


def submit(arguments: list[str]) -> int:
    """Start a job and return its number."""
    number = len(list(STATE.glob("*.job"))) + 1
    while True:
        try:
            with (STATE / f"{number}.job").open("x") as stream:
                json.dump(arguments, stream)
            break
        except FileExistsError:
            number += 1
    command = f'/bin/sh "{arguments[-1]}" > "{STATE}/{number}.out" 2>&1; echo $? > "{STATE}/{number}.exit"'
    nowhere = subprocess.DEVNULL  # else whoever reads what this prints would wait for the job
    job = subprocess.Popen(
        ["/bin/sh", "-c", command], stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True
    )
    (STATE / f"{number}.pid").write_text(str(job.pid))
    return number


def exit_status(number: str) -> str | None:
    """Return the exit status of a job, None while it runs."""
    path = STATE / f"{number}.exit"
    return path.read_text().strip() if path.exists() else None


def cancel(numbers: list[str]) -> None:
    """Kill jobs with all that they have started."""
    for number in numbers:
        os.killpg(int((STATE / f"{number}.pid").read_text()), signal.SIGKILL)
        (STATE / f"{number}.exit").write_text("137")


def qstat(arguments: list[str]) -> int:
    """Describe a job, or with -Qf the queues, as OpenPBS does."""
    if arguments == ["-Qf"]:
        print(QUEUES, end="")
        return 0
    number = arguments[-1].partition(".")[0]
    if not (STATE / f"{number}.job").exists():
        print(f"qstat: Unknown Job Id {arguments[-1]}", file=sys.stderr)
        return 153
    status = exit_status(number)
    print(f"Job Id: {arguments[-1]}\n    Job_Name = hakken\n    job_state = {'R' if status is None else 'F'}")
    if status is not None:
        print(f"    Exit_status = {status}")
    return 0


def pjstat(arguments: list[str]) -> int:
    """List a job as PJM does: those that have ended only with -H; or with --rsc the names of the resource groups."""
    if arguments == ["--rsc"]:
        print(GROUPS)
        return 0
    number = next(word.removeprefix("jid=") for word in arguments if word.startswith("jid="))
    status = exit_status(number)
    print("ST  EC")
    if status is None and "-H" not in arguments:
        print("RUN 0")
    elif status is not None and "-H" in arguments:
        print(f"EXT {status}")
    return 0


def main(name: str, arguments: list[str]) -> int:
    """Do what the command of this name does."""
    if name == "qsub":
        print(f"{submit(arguments)}.server")
    elif name == "pjsub":
        print(f"[INFO] PJM 0000 pjsub Job {submit(arguments)} submitted.")
    elif name in ("qdel", "pjdel"):
        cancel([argument.partition(".")[0] for argument in arguments])
    else:
        return qstat(arguments) if name == "qstat" else pjstat(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[0]).name, sys.argv[1:]))
