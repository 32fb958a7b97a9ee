"""What goes ahead of the framework goes nowhere else than it would with it."""

import asyncio
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from service.hot_route import HotPaths
from service.offers.routes import router

URL = "/v1/recommendations"


async def framework(scope: Scope, _receive: Receive, _send: Send) -> None:
    """Stands for everything behind."""
    scope["went"] = "framework"


def found(method: str, path: str, **scope: Any) -> tuple[str | None, dict[str, str] | None]:
    """Which hot route takes a request, and the parameter of its path."""
    asked: dict[str, Any] = {"type": "http", "method": method, "path": path, "root_path": "", **scope}
    paths = HotPaths(framework, router.routes)
    asyncio.run(paths(asked, _nothing, _nothing))  # type: ignore[arg-type]
    if asked.get("went") == "framework":
        return None, None
    return asked["route"].operation_id, asked["path_params"]


async def _nothing(*_: object) -> None:
    """Neither receive nor send anything."""


@pytest.fixture(autouse=True)
def endpoints_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for route in router.routes:
        monkeypatch.setattr(route, "app", _nothing)


@pytest.mark.parametrize(
    ("method", "path", "operation", "parameters"),
    [
        ("GET", f"{URL}/ann", "get_recommendations", {"account_id": "ann"}),
        ("GET", f"{URL}/a/b/", "get_recommendations", {"account_id": "a/b/"}),
        ("GET", f"{URL}/batch", "get_recommendations", {"account_id": "batch"}),
        ("GET", f"{URL}/", "get_recommendations", {"account_id": ""}),
        ("POST", URL, "create_recommendations", {}),
        ("POST", f"{URL}/batch", "create_recommendations_batch", {}),
    ],
)
def test_a_hot_request_goes_to_its_route(method: str, path: str, operation: str, parameters: dict[str, str]) -> None:
    assert found(method, path) == (operation, parameters)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", URL), ("GET", f"{URL}x"), ("POST", f"{URL}/ann"), ("POST", f"{URL}/"), ("PUT", URL), ("GET", "/healthz")],
)
def test_anything_else_goes_the_framework_s_way(method: str, path: str) -> None:
    assert found(method, path) == (None, None)


def test_behind_a_prefix_the_framework_decides() -> None:
    assert found("GET", f"/shop{URL}/ann", root_path="/shop") == (None, None)


def test_both_ways_give_the_same_answers(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", f"{URL}/ann?dry_run=true", {}),
        ("GET", f"{URL}/ann?limit=0", {}),
        ("GET", f"{URL}/", {}),
        ("POST", URL, {"json": {"basket": ["beans"], "dry_run": True}}),
        ("POST", URL, {"content": b"{", "headers": {"Content-Type": "application/json"}}),
        ("POST", URL, {"content": b"{}", "headers": {"Content-Type": "text/plain"}}),
        ("GET", f"{URL}/ann", {"headers": {"Authorization": "Bearer nothing"}}),
    ]

    hot = [client.request(method, url, **options) for method, url, options in asked]
    monkeypatch.setattr(HotPaths, "_find", lambda *_: None)
    cold = [client.request(method, url, **options) for method, url, options in asked]

    varying = ("generated_at", "request_id", "instance")
    for one, other in zip(hot, cold, strict=True):
        assert (one.status_code, one.headers["content-type"]) == (other.status_code, other.headers["content-type"])
        assert {name: value for name, value in one.json().items() if name not in varying} == {
            name: value for name, value in other.json().items() if name not in varying
        }
