"""Generated clients call a running service, and those of the last release read what later ones will answer."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import httpx2
import pytest

from service.base.settings import Settings
from service.server.app import create_app
from service.server.openapi import document
from tests.contracts.stored import load
from tests.service.clients.generators import (
    PYTHON,
    SCRIPTS,
    TOOLS,
    need,
    openapi_generator,
    openapi_python_client,
    run,
    write_contract,
)
from tests.service.conftest import make_key
from tests.service.processes import serving
from tests.shop import AS_OF, Shop

pytestmark = pytest.mark.slow
Generate = Callable[[dict[str, Any], Path], None]
GENERATORS = [
    pytest.param(openapi_generator, "call_openapi_generator.py", id="openapi-generator"),
    pytest.param(openapi_python_client, "call_openapi_python_client.py", id="openapi-python-client"),
]


class Served(NamedTuple):
    """A running service, a key that opens everything, and what its paths may name."""

    url: str
    key: str
    parameters: dict[str, str]


GOAL = {
    "name": "Line 1", "scope": {"lines": ["line-1"]}, "measure": "units", "target": 10, "period": {"year": "2024"},
}  # fmt: skip


@pytest.fixture
def served(shop: Shop) -> Iterator[Served]:
    url = f"sqlite:///{shop.database}"
    key = make_key(url, "admin", now=AS_OF)
    with serving(url, shop.artifacts) as server:
        with httpx2.Client(base_url=server.url, headers={"X-API-Key": key}) as client:
            relationships = client.get("/v1/relationships").json()["items"]
            artifacts = client.get("/v1/artifacts").json()["items"]
            orders = client.get("/v1/orders", params={"limit": 1}).json()["items"]
            goal = client.post("/v1/goals", json=GOAL).json()
            note = client.post("/v1/accounts/a-1/notes", json={"kind": "goal", "text": "Grow."}).json()
            client.put("/v1/lever-weights/lines/line-1", json={"percent": 10})
        named = {
            "account_id": "a-1",
            "product_id": "p-1",
            "segment_id": "all.accounts",
            "row": "line-1",
            "order_id": orders[0]["order_id"],
            "relationship_id": relationships[0]["relationship_id"],
            "version": artifacts[0]["version"],
            "policy_id": "built-in.owned",
            "goal_id": goal["goal_id"],
            "note_id": note["note_id"],
            "kind": "lines",
            "name": "line-1",
        }
        yield Served(server.url, key, named)


@pytest.mark.parametrize(("generate", "script"), GENERATORS)
def test_a_generated_python_client_asks_writes_and_reads(
    served: Served, generate: Generate, script: str, tmp_path: Path
) -> None:
    contract = document(create_app(Settings()))
    generate(contract, tmp_path)

    called = run(
        PYTHON, SCRIPTS / script, served.url, served.key, tmp_path / "contract.json", json.dumps(served.parameters),
        folder=tmp_path,
    )  # fmt: skip

    n_gets = sum("get" in operations for operations in contract["paths"].values())
    assert called.count("called ") == n_gets


@pytest.mark.parametrize(("generate", "script"), GENERATORS)
def test_a_client_of_the_last_release_reads_an_answer_that_has_grown(
    served: Served, generate: Generate, script: str, tmp_path: Path
) -> None:
    generate(load(), tmp_path)

    with later_release(served) as url:
        run(
            PYTHON, SCRIPTS / script, url, served.key, tmp_path / "contract.json", json.dumps(served.parameters),
            "only recommendations", folder=tmp_path,
        )  # fmt: skip


def test_a_typescript_client_compiles(tmp_path: Path) -> None:
    typescript, compiler = TOOLS / "node_modules/.bin/openapi-typescript", TOOLS / "node_modules/.bin/tsc"
    need("node", typescript, compiler)
    contract = write_contract(document(create_app(Settings())), tmp_path)
    (tmp_path / "use.ts").write_text(
        'import type { components, paths } from "./schema";\n'
        'const request: components["schemas"]["RecommendationRequest"] = { basket: ["p-1"], limit: null };\n'
        'type Answer = paths["/v1/recommendations"]["post"]["responses"]["200"]["content"]["application/json"];\n'
        "export function first(answer: Answer): string | undefined { return answer.offers[0]?.reasons[0]?.code; }\n"
        "export { request };\n",
        encoding="utf-8",
    )

    # Otherwise it makes every field of a request that has a default mandatory.
    run(typescript, contract, "--default-non-nullable", "false", "-o", tmp_path / "schema.ts", folder=tmp_path)
    run(compiler, "--noEmit", "--strict", "--target", "es2022", "use.ts", "schema.ts", folder=tmp_path)


class later_release:  # noqa: N801 - used as a function
    """A later release: it answers recommendations with a field and with codes that today's does not know."""

    def __init__(self, served: Served) -> None:
        headers = {"X-API-Key": served.key}
        request = {"basket": [served.parameters["product_id"]]}
        answer = httpx2.post(f"{served.url}/v1/recommendations", json=request, headers=headers).json()
        answer |= {"source": "a-new-source", "a_new_field": {"of": ["any", "kind"]}}
        answer["withheld"]["a-new-reason"] = 1
        for offer in answer["offers"]:
            offer |= {"relation": "a_new_relation", "another": 1.5}
            offer["reasons"][0]["code"] = "a-new-code"
        body = json.dumps(answer).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
