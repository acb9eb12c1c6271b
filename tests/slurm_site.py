"""A Slurm of this machine alone, with nodes that exist only in its configuration; for tests, as root.

Everything lies in one temporary folder, the keys, the sockets and the logs too; a Slurm of the machine's own is neither
used nor touched.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
CLIENTS = ("sbatch", "srun", "scontrol", "squeue", "scancel", "sinfo")
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
START_SECONDS = 120.0
END_SECONDS = 60.0

CONFIGURATION = """\
ClusterName=clbench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmdSpoolDir={folder}/%n
# seconds, so that tests do not wait for a scheduler
SchedulerParameters=sched_interval=2,batch_sched_delay=0,sched_min_interval=0,requeue_delay=1
KillWait=60
ReturnToService=2
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Return why no Slurm can be started here, or ""."""
    lacking = [name for name in (*DAEMONS, *CLIENTS) if shutil.which(name, path=PATH) is None]
    if lacking:
        return f"Slurm is not installed ({', '.join(lacking)}); Debian has it as slurm-wlm"
    return "" if os.geteuid() == 0 else "the daemons of Slurm are started as root"


@contextmanager
def slurm(*, nodes: int = 2, cpus: int = 2) -> Iterator[dict[str, str]]:
    """Start a Slurm with `nodes` nodes n1, n2, ... of `cpus` CPUs each, and yield the environment its commands need.

    All jobs and daemons are stopped at the end, whatever happens inside.
    """
    with ExitStack() as stack:
        # a folder of its own and not pytest's: addresses of sockets may have 107 characters
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True)))
        folder.chmod(0o711)
        (folder / "state").mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        control, *ports = _free_ports(nodes + 1)
        host = socket.gethostname()
        lines = [
            f"NodeName=n{number} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} State=UNKNOWN"
            for number, port in enumerate(ports, 1)
        ]
        file = folder / "slurm.conf"
        file.write_text(CONFIGURATION.format(host=host, port=control, folder=folder, nodes="\n".join(lines)))
        environment = os.environ | {"PATH": PATH, "SLURM_CONF": str(file)}
        munge = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "log", "pid", "seed")]
        commands = {
            "munged": ["munged", "--foreground", f"--socket={folder}/munge.socket", *munge],
            "slurmctld": ["slurmctld", "-D", "-f", str(file)],
            **{f"n{number}": ["slurmd", "-D", "-f", str(file), "-N", f"n{number}"] for number in range(1, nodes + 1)},
        }
        for name, command in commands.items():
            stack.enter_context(_daemon(command, environment, log=folder / f"{name}.log"))
        stack.callback(_end_jobs, environment)
        _wait_for_nodes(nodes, environment, folder)
        yield {"PATH": PATH, "SLURM_CONF": str(file)}


@contextmanager
def _daemon(command: list[str], environment: dict[str, str], *, log: Path) -> Iterator[None]:
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_jobs(environment: dict[str, str]) -> None:
    """Kill what still runs: jobs outlive the daemons that started them."""

    def told(*words: str) -> str:
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False).stdout

    deadline = time.monotonic() + END_SECONDS
    while told("squeue", "--noheader") and time.monotonic() < deadline:
        told("scancel", "--user=root", "--full", "--signal=KILL")
        told("scancel", "--user=root")
        time.sleep(0.5)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in sockets]


def _wait_for_nodes(nodes: int, environment: dict[str, str], folder: Path) -> None:
    command = ["sinfo", "--noheader", "--states=idle", "--format=%D"]
    deadline = time.monotonic() + START_SECONDS
    while True:
        said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        if said.stdout.strip() == str(nodes):
            return
        if time.monotonic() > deadline:
            logs = "\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in sorted(folder.glob("*.log")))
            raise RuntimeError(f"Slurm did not start: {said.stdout}{said.stderr}\n{logs}")
        time.sleep(0.5)
