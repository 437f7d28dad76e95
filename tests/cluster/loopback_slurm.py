"""A real Slurm on this machine for the tests: its own key, controller and nodes on loopback, with GPUs that are none.

The nodes share the machine's processors; what they declare (processors, memory, GPUs) is what jobs may ask for and not
what there is. A GPU is a character device that works like /dev/null: Slurm hands it out as it does real ones.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import stat
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = "slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")
SITE = Path("/etc/slurm")
LINKED = ("slurm.conf", "gres.conf")
LOCK = Path("/run/lock/hakken-test-slurm")
NULL_DEVICE = os.makedev(1, 3)

CONFIGURATION = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A job that goes back into the queue waits until its old credential has expired: 2 minutes, if nobody says otherwise.
AuthInfo=socket={folder}/munge/socket,cred_expire=20
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/pid/slurmctld
SlurmdPidFile={folder}/pid/slurmd-%n
SlurmctldLogFile={folder}/log/slurmctld.txt
SlurmdLogFile={folder}/log/slurmd-%n.txt
# One machine plays all nodes, and nothing here needs control groups.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SlurmdParameters=config_overrides
ReturnToService=1
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
# A job that can never start is refused, and one that uses more memory than it asked for is killed.
EnforcePartLimits=ALL
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
KillWait=3
# Minutes by which a job may be over its limit: this machine can be so slow that a training begins late in its job.
OverTimeLimit=1
SlurmctldTimeout=30
SlurmdTimeout=30
# Finished jobs stay known to `scontrol show job` while the tests last; every end of a job is written to a file.
MinJobAge=7200
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/log/ended.txt
AccountingStorageType=accounting_storage/none
TaskProlog={folder}/etc/task_prolog
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} Boards=1 SocketsPerBoard=1 "
    "CoresPerSocket={cpus} ThreadsPerCore=1 RealMemory={memory_mb} Gres=gpu:fake:{gpus} State=UNKNOWN\n"
)
# `LLN`: the least loaded node comes first, so that jobs spread over the nodes.
PARTITIONS = (
    "PartitionName=gpu Nodes=ALL MaxTime=1-00:00:00 DefaultTime=10 State=UP Default=YES LLN=YES\n"
    "PartitionName=short Nodes=ALL MaxTime=2 DefaultTime=1 State=UP\n"
)
# What every task of every job finds when it starts: the job, its step, the node, the GPUs that it sees.
TASK_PROLOG = """\
#!/bin/sh
echo "$SLURM_JOB_ID ${{SLURM_STEP_ID:-batch}} $SLURMD_NODENAME ${{CUDA_VISIBLE_DEVICES-none}}" >> {folder}/log/tasks.txt
"""


class CannotStart(Exception):  # noqa: N818 - the name says what happened
    """Slurm cannot be started here; the message says why and what to do."""


def missing() -> str:
    """Return what this machine lacks for a Slurm of its own, in a sentence, or an empty text."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"no {', '.join(absent)} here; `apt-get install --no-install-recommends {PACKAGES}` as root"
    if os.geteuid() != 0:
        return "Slurm's daemons must be started by root"
    real = [name for name in LINKED if (SITE / name).exists() and not (SITE / name).is_symlink()]
    if real:
        return f"{SITE / real[0]} is a real one: this machine has a Slurm, which the tests leave alone"
    return ""


@dataclass
class Slurm:
    """A running Slurm whose files stand in ``folder``; the nodes are gpu1, gpu2, …"""

    folder: Path
    nodes: int = 2
    gpus: int = 4
    cpus: int = 64
    memory_mb: int = 256_000
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    lock: int = -1

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"gpu{number}" for number in range(1, self.nodes + 1))

    def start(self) -> None:
        """Start munge, the controller and the nodes; raises CannotStart where one does not come up."""
        self._take_lock()
        self._write_files()
        self._link_site()
        self._daemon(
            *("munged", "--foreground", "--force", "--num-threads=2"),
            *(f"--{what}={self.folder}/munge/{what.split('-')[0]}" for what in ("key-file", "socket", "seed-file")),
            *(f"--pid-file={self.folder}/pid/munged", f"--log-file={self.folder}/log/munged.txt"),
        )
        self._wait("munge", (self.folder / "munge/socket").exists)
        self.start_controller()
        for name in self.names:
            self._daemon("slurmd", "-D", "-N", name, name=name)
        self._wait("the nodes", lambda: self.states() == ["idle"] * self.nodes)

    def stop(self) -> None:
        """Cancel all jobs, end what ``start`` started, and take the links away."""
        if "slurmctld" in self.daemons:
            self.command("scancel", "--user=root", check=False)
            self._wait(
                "the last jobs to end", lambda: not self.command("squeue", "--noheader", check=False), fail=False
            )
        for name in (*self.names, "slurmctld", "munged"):
            self._end(name)
        for name in LINKED:
            if (SITE / name).is_symlink() and (SITE / name).readlink() == self.folder / "etc" / name:
                (SITE / name).unlink()
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1

    def start_controller(self) -> None:
        """Start slurmctld, which reads what it knew from its files, and wait for its answer."""
        self._daemon("slurmctld", "-D")
        self._wait("slurmctld", lambda: "UP" in self.command("scontrol", "ping", check=False))

    def stop_controller(self) -> None:
        """End slurmctld; jobs run on."""
        self._end("slurmctld")

    def command(self, *words: str, check: bool = True, timeout: float = 60) -> str:
        """Run one of Slurm's commands and return what it printed."""
        answer = subprocess.run(words, capture_output=True, text=True, timeout=timeout, check=False)
        assert answer.returncode == 0 or not check, f"{' '.join(words)}: {answer.stderr}"
        return answer.stdout

    def states(self) -> list[str]:
        """Return the state of each node in a word."""
        return self.command("sinfo", "--noheader", "--Node", "--partition=gpu", "--format=%T", check=False).split()

    def _take_lock(self) -> None:
        self.lock = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self.lock)
            self.lock = -1
            raise CannotStart("the tests of another checkout have a Slurm running on this machine") from None

    def _write_files(self) -> None:
        for name in ("etc", "state", "log", "spool", "pid", "munge", "dev"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.ports = free_ports(self.nodes + 1)
        host = socket.gethostname().split(".")[0]
        text = CONFIGURATION.format(host=host, port=self.ports[0], folder=self.folder)
        gpus = ""
        for name, port in zip(self.names, self.ports[1:], strict=True):
            text += NODE.format(
                name=name, host=host, port=port, cpus=self.cpus, memory_mb=self.memory_mb, gpus=self.gpus
            )
            device = self.folder / "dev" / f"{name}-"
            for number in range(self.gpus):
                make_device(Path(f"{device}{number}"))
            gpus += f"NodeName={name} Name=gpu Type=fake File={device}[0-{self.gpus - 1}] AutoDetect=off\n"
        (self.folder / "etc/slurm.conf").write_text(text + PARTITIONS)
        (self.folder / "etc/gres.conf").write_text(gpus)
        prolog = self.folder / "etc/task_prolog"
        prolog.write_text(TASK_PROLOG.format(folder=self.folder))
        prolog.chmod(0o755)
        key = self.folder / "munge/key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)

    def _link_site(self) -> None:
        """Lead Slurm's usual path to these files: Snakemake's job steps drop every variable that could say it."""
        SITE.mkdir(exist_ok=True)
        for name in LINKED:
            (SITE / name).unlink(missing_ok=True)  # `missing` has made sure that it is no real file
            (SITE / name).symlink_to(self.folder / "etc" / name)

    def _daemon(self, *words: str, name: str = "") -> None:
        """Start a daemon in the foreground; it is told to end when the tests die, however they do."""
        name = name or words[0]
        with (self.folder / "log" / f"{name}.out.txt").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *words],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # an interrupt of the terminal is the tests' business
            )

    def _end(self, name: str) -> None:
        daemon = self.daemons.pop(name, None)
        if daemon is None:
            return
        daemon.terminate()
        try:
            daemon.wait(timeout=20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def _wait(self, what: str, there, seconds: float = 30, fail: bool = True) -> None:
        deadline = time.monotonic() + seconds
        while not there():
            if time.monotonic() > deadline:
                if not fail:
                    return
                raise CannotStart(f"{what} did not come up within {seconds:.0f} s; see {self.folder}/log")
            time.sleep(0.1)


def free_ports(count: int) -> tuple[int, ...]:
    """Return ``count`` TCP ports of loopback that nobody uses now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = tuple(one.getsockname()[1] for one in sockets)
    for one in sockets:
        one.close()
    return ports


def make_device(path: Path) -> None:
    """Make a twin of /dev/null; raises CannotStart where this machine does not let root do so."""
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, NULL_DEVICE)
    except PermissionError:
        raise CannotStart(f"this machine lets nobody make a device ({path}), and a fake GPU must be one") from None
