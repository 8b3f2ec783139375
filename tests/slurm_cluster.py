"""A real Slurm of one node: munged, slurmctld and slurmd of this machine in a temporary folder, on free ports.

Nothing outside the folder is read or written, and no daemon outlives the `with` block.
"""

import contextlib
import getpass
import os
import random
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
MISSING = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
CONF = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
MailProg=/bin/true
MpiDefault=none
SwitchType=switch/none
TaskPlugin=task/none
ProctrackType=proctrack/linuxproc
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_min_interval=100000
ReturnToService=2
MinJobAge=86400
NodeName=localhost NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=short Nodes=localhost MaxTime=1
PartitionName=work Nodes=localhost MaxTime=INFINITE
"""


@dataclass(frozen=True)
class Cluster:
    """A running Slurm; `environment` is what a process needs to find it."""

    folder: Path

    @property
    def environment(self):
        """The variables that lead Slurm's commands, and the jobs they start, to this cluster."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": f"{self.folder}/bin{os.pathsep}{PATH}"}

    def ask(self, *command):
        """Return what one of Slurm's commands says."""
        done = subprocess.run(command, env=os.environ | self.environment, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}\n{self.logs()}")
        return done.stdout

    def jobs(self):
        """Return number, state, partition, memory, minutes and comment of every job so far."""
        said = self.ask("squeue", "--noheader", "--states=all", "--sort=i", "--format=%i|%T|%P|%m|%l|%k")
        return [line.split("|") for line in said.splitlines()]

    def logs(self):
        """Return the last lines that each daemon wrote."""
        return "\n".join(
            f"{path.name}:\n" + "\n".join(path.read_text(errors="replace").splitlines()[-15:])
            for path in sorted(self.folder.glob("*.log"))
        )


@contextlib.contextmanager
def slurm_cluster(*, cpus=2, memory=64000):
    """Run a Slurm of one node, which need not have the memory it claims; end its jobs and daemons afterwards."""
    # munged wants a path that everybody may enter, and the name of a socket is short
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    folder.chmod(0o755)
    cluster = Cluster(folder)
    daemons = []
    try:
        _write(folder, cpus=cpus, memory=memory)
        for command in _commands(folder):
            daemons.append(_started(command, cluster))
            if not daemons[1:]:
                _wait(lambda: (folder / "munge.socket").exists(), daemons, cluster)
        _wait(lambda: _state(cluster) == "idle", daemons, cluster)
        yield cluster
    finally:
        _stop(daemons, cluster)
        shutil.rmtree(folder, ignore_errors=True)  # the last job may still be leaving


def _write(folder, *, cpus, memory):
    """Write the configuration, the key, and an srun that finds the configuration."""
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(secrets.token_bytes(128))
    (folder / "munge.key").chmod(0o600)
    conf = CONF.format(folder=folder, user=getpass.getuser(), cpus=cpus, memory=memory, ports=_free_ports(2))
    (folder / "slurm.conf").write_text(conf)
    # Snakemake's plugin hides SLURM_CONF from the srun in a job; on a cluster it is in /etc
    srun = folder / "bin" / "srun"
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun", path=PATH)} "$@"\n')
    srun.chmod(0o755)


def _commands(folder):
    """Return the commands of the three daemons, each in the foreground."""
    files = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    return [
        ["munged", "--foreground", "--num-threads=10", f"--socket={folder}/munge.socket", *files],
        ["slurmctld", "-D", "-i"],
        ["slurmd", "-D", "-N", "localhost"],
    ]


def _started(command, cluster):
    """Start a daemon; what it says on its way up is kept in a log."""
    with open(cluster.folder / f"{command[0]}.log", "w") as said:
        return subprocess.Popen(
            [shutil.which(command[0], path=PATH), *command[1:]],
            env=os.environ | cluster.environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )


def _wait(ready, daemons, cluster, *, seconds=300):
    until = time.monotonic() + seconds
    while not ready():
        if any(daemon.poll() is not None for daemon in daemons) or time.monotonic() > until:
            raise RuntimeError(f"Slurm does not start:\n{cluster.logs()}")
        time.sleep(0.1)


def _state(cluster):
    try:
        return cluster.ask("sinfo", "--noheader", "--partition=work", "--format=%T").strip()
    except (RuntimeError, subprocess.TimeoutExpired):  # not up yet
        return ""


def _stop(daemons, cluster):
    """End all jobs, wait until they are gone, then end the daemons, the last one first."""
    with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
        cluster.ask("scancel", "--user", getpass.getuser())
        until = time.monotonic() + 40
        while cluster.ask("squeue", "--noheader") and time.monotonic() < until:
            time.sleep(0.2)
    for daemon in reversed(daemons):
        daemon.terminate()
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _free_ports(count):
    """Return free ports below those that the system itself gives away, which any program may have got by then."""
    found = []
    for port in random.sample(range(20_000, 30_000), 1000):
        with contextlib.suppress(OSError), socket.socket() as one:
            one.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free ports from 20000 to 29999")
