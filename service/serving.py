"""``nextoffer serve``: the application under uvicorn."""

import os
import socket

import uvicorn

from service.app import create_app
from service.errors import DomainError
from service.settings import Settings

DRAIN_SECONDS = 20


class AddressInUse(DomainError):
    """Something listens there already."""

    code = "address-in-use"

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            f"Something listens on {settings.host}:{settings.port} already. Choose another port: NEXTOFFER_PORT=8001"
        )


def serve() -> None:
    """Answer over HTTP on NEXTOFFER_HOST and NEXTOFFER_PORT (127.0.0.1:8000)."""
    settings = Settings()
    # Scoring is numpy on small arrays: a second BLAS thread only makes the slowest answers slower.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with listen(settings) as listener:
        config = uvicorn.Config(
            create_app(settings),
            log_config=None,  # the application logs requests itself, without personal data
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        uvicorn.Server(config).run(sockets=[listener])


def listen(settings: Settings) -> socket.socket:
    """Bind the address before anything is loaded; raises AddressInUse."""
    try:
        return socket.create_server((settings.host, settings.port), backlog=2048)
    except OSError as error:
        raise AddressInUse(settings) from error
