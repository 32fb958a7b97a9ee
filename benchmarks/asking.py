"""Single requests on one connection, with the processor time that the server takes for each."""

import json
from http.client import HTTPConnection
from typing import Any, NamedTuple

from benchmarks.load import cpu_seconds
from benchmarks.servers import Server


class TimedResponse(NamedTuple):
    """The answer to one request. cpu_ms: processor time of all threads of the server meanwhile."""

    status: int
    etag: str
    cpu_ms: float


class TimedClient:
    """A client with one connection."""

    def __init__(self, server: Server, key: str) -> None:
        self._pids = server.pids
        self._connection = HTTPConnection("127.0.0.1", server.port, timeout=600)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: Any = None) -> TimedResponse:
        """Raises RuntimeError where the answer is not good."""
        content = None if body is None else json.dumps(body)
        before = sum(map(cpu_seconds, self._pids))
        self._connection.request(method, path, content, self._headers)
        answer = self._connection.getresponse()
        received = answer.read()
        taken = sum(map(cpu_seconds, self._pids)) - before
        if answer.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {answer.status} {received[:200]!r}")
        return TimedResponse(answer.status, answer.headers.get("ETag", ""), taken * 1000)

    def define(self, url: str, name: str, rule: Any) -> TimedResponse:
        """Define a segment, anew if there is one."""
        segment = {"name": name, "rule": rule}
        try:
            return self.ask("PUT", f"{url}/custom.{name.lower()}", segment)
        except RuntimeError:
            return self.ask("POST", url, segment)


def post(port: int, key: str, path: str, body: Any) -> None:
    """Post something that must be accepted; raises RuntimeError where it is not."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status >= 300 or (b'"rejected":0' not in text and path == "/v1/accounts"):
        raise RuntimeError(text.decode()[:1000])
