"""Starts and stops the servers that are measured."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Server:
    """A running server. seconds_to_ready: from the command to the first good answer."""

    port: int
    process: "subprocess.Popen[bytes]"
    seconds_to_ready: float

    @property
    def pids(self) -> list[int]:
        """The process and what it started, the supervisor included."""
        return family(self.process.pid)

    def pss_mib(self) -> float:
        """Proportional set size of all processes: shared pages are counted once."""
        return sum(pss_mib(pid) for pid in self.pids)


@contextmanager
def hello_server() -> Iterator[Server]:
    port = free_port()
    with running([sys.executable, "-m", "benchmarks.hello", str(port)], port, "/", {}) as server:
        yield server


@contextmanager
def nextoffer_server(home: Path, workers: int = 1, **settings: str) -> Iterator[Server]:
    """Serve the database and artifacts under ``home/var``."""
    port = free_port()
    named = {f"NEXTOFFER_{name.upper()}": value for name, value in settings.items()}
    environment = {
        "NEXTOFFER_DATABASE_URL": f"sqlite:///{home}/var/nextoffer.db",
        "NEXTOFFER_ARTIFACTS_DIR": f"{home}/var/artifacts",
        "NEXTOFFER_PORT": str(port),
        **named,
    }
    with running([str(BIN / "nextoffer"), "serve", "--workers", str(workers)], port, "/readyz", environment) as server:
        yield server


@contextmanager
def running(command: list[str], port: int, path: str, environment: dict[str, str]) -> Iterator[Server]:
    """Start a server, wait until it answers, and end it afterwards."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL)
    try:
        while not answers(port, path):
            if process.poll() is not None or time.perf_counter() - begun > 120:
                raise RuntimeError(f"{' '.join(command)} did not start")
            time.sleep(0.01)
        yield Server(port, process, time.perf_counter() - begun)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def answers(port: int, path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in family(int(child)))]


def pss_mib(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) / 1024
