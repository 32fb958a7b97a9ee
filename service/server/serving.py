"""``nextoffer serve``: the application under uvicorn, in one process or in several."""

import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Annotated, Any, NoReturn

import typer
import uvicorn
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from service.base.errors import DomainError, SchemaOutdated
from service.base.logging import server_log_config
from service.base.settings import Settings
from service.base.telemetry import MULTIPROCESS_VARIABLE
from service.offers.smoke import smoke_test
from service.server.app import create_app
from service.server.protocol import DeadlineProtocol
from service.storage.database import refuse_outdated_schema
from service.sync.artifact_store import ArtifactStore

DRAIN_SECONDS = 20
IDLE_SECONDS = 30
"""Longer than callers keep a connection between two page views, shorter than load balancers do."""
WORKER_START_SECONDS = 120
SWITCH_SECONDS = 0.0005
"""How long a background thread may keep the interpreter to itself: a tenth of what Python allows."""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Supervisor(Multiprocess):
    """Uvicorn's supervisor, which notices a worker's death even while it waits for the worker's answer."""

    def keep_subprocess_alive(self) -> None:
        for worker in self.processes:
            # As long as this process holds the worker's end of the pipe too, the pipe outlives the worker: a worker
            # that dies while it starts would be waited for, and neither replaced nor stopped, for WORKER_START_SECONDS.
            worker.child_conn.close()
        super().keep_subprocess_alive()

    @property
    def has_failed(self) -> bool:
        """Tell whether it ended because a worker could not start."""
        return any(worker.exitcode == STARTUP_FAILURE for worker in self.processes)


class AddressInUse(DomainError):
    """The address can't be bound, most likely because something listens there already."""

    code = "address-in-use"

    def __init__(self, settings: Settings, error: OSError) -> None:
        address = f"{settings.host}:{settings.port}"
        super().__init__(
            f"{address} can't be bound: {error.strerror}. Choose another address with --host and --port, or with "
            "NEXTOFFER_HOST and NEXTOFFER_PORT."
        )


def serve(
    host: Annotated[str | None, typer.Option(help="Address to bind; NEXTOFFER_HOST or 127.0.0.1 unless set.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to bind; NEXTOFFER_PORT or 8000 unless set.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes that answer; 1 unless set.")] = None,
    shadow: Annotated[str | None, typer.Option(help="A candidate artifact that answers unseen, for telemetry.")] = None,
    shadow_share: Annotated[float | None, typer.Option(min=0, max=1, help="Share of the answers it compares.")] = None,
) -> None:
    """Answer over HTTP, on 127.0.0.1:8000 unless --host and --port or the settings say otherwise.

    Options come before the settings in the environment.
    """
    options = {"host": host, "port": port, "workers": workers, "shadow_version": shadow, "shadow_share": shadow_share}
    given = {name: value for name, value in options.items() if value is not None}
    settings = Settings.model_validate(given)
    for number in (signal.SIGINT, signal.SIGTERM):
        # Uvicorn takes them over, and gives them back once all requests are answered: then this is what they do.
        signal.signal(number, leave)
    refuse_outdated_schema(settings.database_url)
    if settings.shadow_version:
        ArtifactStore(settings.artifacts_dir, smoke_test).open(settings.shadow_version)
    with listen(settings) as listener:
        if settings.workers == 1:
            prepare_process(settings)
            uvicorn.Server(uvicorn.Config(create_app(settings, owns_process=True), **server_options(settings))).run(
                sockets=[listener]
            )
        else:
            serve_with_workers(settings, listener, given)


def leave(*_: object) -> NoReturn:
    """End as one who was asked to: with code 0."""
    sys.exit(0)


def serve_with_workers(settings: Settings, listener: socket.socket, given: Mapping[str, object]) -> None:
    """Run workers that share the socket and the artifact's pages; one that dies is replaced.

    given: settings that are not in the environment; the workers' own processes read them there.
    """
    folder = tempfile.mkdtemp(prefix="nextoffer-telemetry-")
    os.environ |= {f"NEXTOFFER_{name.upper()}": str(value) for name, value in given.items()}
    os.environ |= {MULTIPROCESS_VARIABLE: folder, **ONE_THREAD}
    try:
        config = uvicorn.Config(
            "service.server.serving:make_worker_app",
            factory=True,
            workers=settings.workers,
            timeout_worker_healthcheck=WORKER_START_SECONDS,
            **server_options(settings),
        )
        supervisor = Supervisor(config, sockets=[listener])
        supervisor.run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if supervisor.has_failed:
        sys.exit(STARTUP_FAILURE)


def make_worker_app() -> FastAPI:
    """Make one worker's application, from the environment that ``serve`` has checked.

    A worker that dies while the database is away, or is being upgraded, must not end the others: it waits here, then
    ends with a code that has the supervisor try again. (For one that fails later in its start, the supervisor stops
    them all.)
    """
    settings = Settings()
    prepare_process(settings)
    deadline = time.monotonic() + DRAIN_SECONDS
    has_warned = False
    while True:
        try:
            refuse_outdated_schema(settings.database_url)
        except (OperationalError, SchemaOutdated) as error:
            if not has_warned:
                logging.getLogger("uvicorn.error").warning("worker waits: %s", type(error).__name__)
            has_warned = True
            if time.monotonic() > deadline:
                sys.exit(os.EX_TEMPFAIL)
            time.sleep(1)
        else:
            return create_app(settings, owns_process=True)


def prepare_process(settings: Settings) -> None:
    """Set what is set for a whole process."""
    sys.setswitchinterval(SWITCH_SECONDS)
    DeadlineProtocol.set_header_timeout(settings.header_timeout_seconds)


def server_options(settings: Settings) -> dict[str, Any]:
    """How uvicorn serves, in one process or in several."""
    return {
        "http": DeadlineProtocol,
        "ws": "none",
        "log_config": server_log_config(settings.log_level),
        "access_log": False,  # the application logs requests itself, without personal data
        "server_header": False,
        "proxy_headers": False,  # the limits of public keys alone ask for the client's address: see ClientAddresses
        "timeout_keep_alive": IDLE_SECONDS,
        "timeout_graceful_shutdown": DRAIN_SECONDS,
        "backlog": 2048,
    }


def listen(settings: Settings) -> socket.socket:
    """Bind the address before anything is loaded; raises AddressInUse."""
    is_v6 = ":" in settings.host
    family = socket.AF_INET6 if is_v6 else socket.AF_INET
    dual = is_v6 and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((settings.host, settings.port), family=family, dualstack_ipv6=dual, backlog=2048)
    except OSError as error:
        raise AddressInUse(settings, error) from error
