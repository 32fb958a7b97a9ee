"""Structured logs: one JSON object per line on standard output, without keys or personal data."""

import asyncio
import logging
import sys
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, BinaryIO

import orjson
import structlog
from structlog.typing import FilteringBoundLogger, Processor

ACCESS_FLUSH_SECONDS = 0.1
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

Access = tuple[str, str, int, float, str, str | None, float]
"""Method, route, status, seconds, request id, key id and Unix time of a request."""


class Logs:
    """Where the service writes its log."""

    def __init__(self, level: str, stream: BinaryIO | None = None) -> None:
        self._stream = stream or sys.stdout.buffer
        self._accesses: list[Access] = []
        self._writes_access = LEVELS[level] <= logging.INFO
        self.log = _make_logger(level, self._stream)

    def access(self, method: str, route: str, status: int, seconds: float, request_id: str, key_id: str | None) -> None:
        """Note one request, in values that need no escape. The lines of a tenth of a second are written together.

        Structlog's processors and a write per line would take about as long as a recommendation.
        """
        if not self._writes_access:
            return
        self._accesses.append((method, route, status, seconds, request_id, key_id, time.time()))
        if len(self._accesses) == 1:
            asyncio.get_running_loop().call_later(ACCESS_FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Write the access lines that wait."""
        accesses, self._accesses = self._accesses, []
        if accesses:
            self._stream.write("".join(map(_access_line, accesses)).encode())
            self._stream.flush()


def _access_line(access: Access) -> str:
    method, route, status, seconds, request_id, key_id, timestamp = access
    key = f'"{key_id}"' if key_id else "null"
    return (
        f'{{"event":"request","level":"info","method":"{method}","route":"{route}","status":{status},'
        f'"milliseconds":{seconds * 1000:.3f},"request_id":"{request_id}","key_id":{key},'
        f'"timestamp":"{_to_second(int(timestamp))}.{int(timestamp % 1 * 1_000_000):06d}Z"}}\n'
    )


@lru_cache(maxsize=4)
def _to_second(timestamp: int) -> str:
    # The lines of a second share it, and formatting it is most of what a line costs.
    return datetime.fromtimestamp(timestamp, UTC).isoformat()[:19]


def _make_logger(level: str, stream: BinaryIO) -> FilteringBoundLogger:
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_to_json),
    ]
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.BytesLogger(stream),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
    ).bind()
    return logger


def _to_json(event: Any, **_options: Any) -> bytes:
    return orjson.dumps(event, default=repr)


def server_log_config(level: str) -> dict[str, Any]:
    """Uvicorn's ``log_config``: its messages in the same form. Its access log stays off: it tells paths and queries."""
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": formatter},
        "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}},
        "root": {"handlers": ["stdout"], "level": level.upper()},
    }
