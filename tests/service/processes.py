"""Runs the real service as a process of its own, over a given database: to be stopped, killed and started again."""

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

COMMAND = (str(Path(sys.executable).with_name("nextoffer")), "serve")
MAX_START_SECONDS = 60.0
MAX_STOP_SECONDS = 40.0
PORTS = range(20_000, 32_000)
"""Below the range from which the system gives ports to clients, or one of them could take it before the server does."""


class Server:
    """One run of ``nextoffer serve``. Its log, standard error with it, is in ``stdout_path``."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, stdout_path: Path) -> None:
        self._process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.pid = process.pid
        self.stdout_path = stdout_path

    @property
    def is_running(self) -> bool:
        """Tell whether the process has not ended."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill it and its workers with SIGKILL, as if the machine had failed."""
        # Its process group is its own, so that this reaches workers and nothing else.
        os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(MAX_STOP_SECONDS)

    def terminate(self) -> int:
        """Ask it to stop with SIGTERM, and return its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(MAX_STOP_SECONDS)

    def log(self) -> str:
        """Return what it wrote so far."""
        return self.stdout_path.read_text(encoding="utf-8", errors="replace")


@contextmanager
def serving(
    database_url: str, artifacts_dir: Path, workers: int = 1, *, port: int | None = None, **settings: object
) -> Iterator[Server]:
    """Start the service, wait until it answers, and make sure that it is gone at the end.

    settings: by the names of ``Settings``, such as ``change_poll_seconds=0.05``.
    """
    options = {"database_url": database_url, "artifacts_dir": artifacts_dir, "workers": workers, **settings}
    server = _start(options, port or free_port(), artifacts_dir.parent)
    try:
        _wait_for_answer(server)
        yield server
    finally:
        _end(server)


def _start(options: dict[str, object], port: int, folder: Path) -> Server:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NEXTOFFER_")}
    given = {f"NEXTOFFER_{name.upper()}": str(value) for name, value in {**options, "port": port}.items()}
    handle, path = tempfile.mkstemp(".log", f"serve-{port}-", folder)
    with open(handle, "wb") as log:
        process = subprocess.Popen(
            COMMAND,
            env={**inherited, **given},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Server(process, port, Path(path))


def _end(server: Server) -> None:
    try:
        server.kill()
    except ProcessLookupError:
        return


def _wait_for_answer(server: Server) -> None:
    deadline = time.monotonic() + MAX_START_SECONDS
    while not is_answering(server.port):
        assert server.is_running, f"the server ended at its start:\n{server.log()}"
        assert time.monotonic() < deadline, f"the server does not answer:\n{server.log()}"
        time.sleep(0.02)


def is_answering(port: int) -> bool:
    """Tell whether a server there says that it is alive. Before that it has loaded keys, artifact and changes."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def free_port() -> int:
    """Find a port that nothing listens on."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def call(
    server: Server, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Make one call on a connection of its own; raises OSError or HTTPException if the server goes away meanwhile.

    headers: with ``_`` for ``-``, such as ``idempotency_key="1"``; names come back in lower case.
    """
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer: Any = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()
