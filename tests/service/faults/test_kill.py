"""kill -9 in the middle of writes: what was acknowledged is there, whole, and once."""

import json
import os
import threading
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from service.offers.smoke import smoke_test
from service.orders.tables import Order, OrderLine
from service.storage.database import create_database_engine
from service.sync.artifact_store import ArtifactStore
from tests.artifacts import World, write_world
from tests.service.conftest import make_key, wait_until
from tests.service.processes import Server, call, serving

ROUNDS = int(os.environ.get("NEXTOFFER_FAULT_ROUNDS", "2"))
LINES = 3
BULK = 200


class Client(threading.Thread):
    """Posts orders of its own, one request after the other; what was not answered is posted again with its key."""

    def __init__(self, name: str, orders_per_request: int, key: str) -> None:
        super().__init__()
        self.client_name = name
        self.orders_per_request = orders_per_request
        self.key = key
        self.n_requests = 0
        self.acknowledged: list[str] = []
        self.pending: tuple[str, list[dict[str, Any]]] | None = None
        self.server: Server | None = None
        self.replays = 0

    def attempt(self, server: Server) -> "Client":
        """A thread that goes on where this one was cut off."""
        following = Client(self.client_name, self.orders_per_request, self.key)
        following.n_requests, following.acknowledged = self.n_requests, self.acknowledged
        following.pending, following.server, following.replays = self.pending, server, self.replays
        return following

    def run(self) -> None:
        assert self.server is not None
        while True:
            if self.pending is None:
                self.pending = self._next_request()
            idempotency_key, orders = self.pending
            headers = {"x_api_key": self.key, "idempotency_key": idempotency_key, "content_type": "application/json"}
            try:
                status, answered, body = call(self.server, "POST", "/v1/orders", json.dumps(orders).encode(), **headers)
            except (OSError, HTTPException):
                return
            assert status == 200, body
            assert json.loads(body)["accepted"] == len(orders)
            self.replays += "idempotency-replayed" in answered
            self.acknowledged += [order["order_id"] for order in orders]
            self.pending = None

    def _next_request(self) -> tuple[str, list[dict[str, Any]]]:
        self.n_requests += 1
        orders = [
            {
                "order_id": f"{self.client_name}-{self.n_requests}-{number}",
                "account_id": f"account-{number % 7}",
                "ordered_at": "2024-03-01",
                "lines": [{"product_id": f"product-{line}", "quantity": 2} for line in range(LINES)],
            }
            for number in range(self.orders_per_request)
        ]
        return f"{self.client_name}-{self.n_requests}", orders


def stored(engine: Engine) -> dict[str, int]:
    """The lines of each stored order."""
    query = select(Order.order_id, func.count(OrderLine.product_id)).outerjoin(OrderLine).group_by(Order.order_id)
    with engine.connect() as connection:
        return {order_id: n_lines for order_id, n_lines in connection.execute(query)}  # noqa: C416


@pytest.mark.slow
def test_after_kill_9_every_acknowledged_order_is_there_whole_and_once(
    database_url: str, artifacts_dir: Path, world: World
) -> None:
    ArtifactStore(artifacts_dir, smoke_test).activate(write_world(artifacts_dir, world, sequence=0))
    engine = create_database_engine(database_url)
    key = make_key(database_url, "write")
    clients = [Client("bulk", BULK, key), Client("one", 1, key), Client("other", 1, key)]

    for _ in range(ROUNDS):
        with serving(database_url, artifacts_dir) as server:
            before = [len(client.acknowledged) for client in clients]
            clients = [client.attempt(server) for client in clients]
            for client in clients:
                client.start()
            wait_until(
                lambda before=before, clients=clients: all(  # type: ignore[misc]
                    len(client.acknowledged) > n for client, n in zip(clients, before, strict=True)
                ),
                seconds=60,
            )
            server.kill()
            for client in clients:
                client.join()
        stored_orders = stored(engine)
        acknowledged = {order_id for client in clients for order_id in client.acknowledged}
        in_flight = {order["order_id"] for client in clients if client.pending for order in client.pending[1]}
        assert acknowledged <= set(stored_orders)
        assert set(stored_orders) <= acknowledged | in_flight
        assert set(stored_orders.values()) == {LINES}
        for client in clients:
            if client.pending:
                its_own = {order["order_id"] for order in client.pending[1]}
                assert its_own <= set(stored_orders) or not its_own & set(stored_orders), "a request is half there"

    assert sum(len(client.acknowledged) for client in clients) == len({o for c in clients for o in c.acknowledged})
    with engine.connect() as connection:
        quantity = connection.scalar(select(func.sum(OrderLine.quantity)))
    assert quantity == 2 * LINES * len(stored(engine))
    engine.dispose()
