"""``nextoffer serve``: the application under uvicorn."""

import socket

import uvicorn

from service.app import create_app
from service.database import refuse_outdated_schema
from service.errors import DomainError
from service.logs import server_log_config
from service.settings import Settings

DRAIN_SECONDS = 20


class AddressInUse(DomainError):
    """The address can't be bound, most likely because something listens there already."""

    code = "address-in-use"

    def __init__(self, settings: Settings, error: OSError) -> None:
        address = f"{settings.host}:{settings.port}"
        super().__init__(f"{address} can't be bound: {error.strerror}. Choose another port: NEXTOFFER_PORT=8001")


def serve() -> None:
    """Answer over HTTP on NEXTOFFER_HOST and NEXTOFFER_PORT (127.0.0.1:8000)."""
    settings = Settings()
    refuse_outdated_schema(settings.database_url)
    with listen(settings) as listener:
        config = uvicorn.Config(
            create_app(settings),
            log_config=server_log_config(settings.log_level),
            access_log=False,  # the application logs requests itself, without personal data
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        uvicorn.Server(config).run(sockets=[listener])


def listen(settings: Settings) -> socket.socket:
    """Bind the address before anything is loaded; raises AddressInUse."""
    try:
        return socket.create_server((settings.host, settings.port), backlog=2048)
    except OSError as error:
        raise AddressInUse(settings, error) from error
