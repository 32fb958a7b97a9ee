"""Starting, stopping, request ids, logs, health and telemetry."""

import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from service.base.errors import SchemaOutdated
from service.base.settings import Settings
from service.offers.respond import Recommender
from service.server.app import create_app
from service.storage.database import create_database_engine
from tests.service.conftest import make_key, make_settings, part_of, running

ROOT = Path(__file__).parents[3]
URL = "/v1/recommendations/ann"


def test_an_outdated_schema_is_refused_with_the_command_to_run(database_url: str, artifacts_dir: Path) -> None:
    engine = create_database_engine(database_url)
    with engine.begin() as connection:
        current = connection.scalar(text("SELECT version_num FROM alembic_version"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    try:
        with (
            pytest.raises(SchemaOutdated, match="nextoffer db upgrade"),
            TestClient(create_app(make_settings(database_url, artifacts_dir))),
        ):
            pass
    finally:
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :current"), {"current": current})
        engine.dispose()


def test_serving_imports_nothing_that_only_training_needs() -> None:
    script = (
        "import sys, service.server.app\n"
        "heavy = {'implicit', 'sklearn', 'scipy', 'pyarrow', 'duckdb', 'pandas', 'narwhals', 'pyspark'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "print(sorted(name for name in sys.modules if name.startswith('models.') "
        "and not name.startswith(('models.artifact', 'models.arrays', 'models.currencies', 'models.exchange'))))\n"
    )

    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    assert result.stdout.splitlines() == ["[]", "[]"]


def test_nothing_is_opened_before_the_application_starts(tmp_path: Path) -> None:
    create_app(Settings(database_url=f"sqlite:///{tmp_path / 'new' / 'x.db'}", artifacts_dir=tmp_path / "artifacts"))

    assert list(tmp_path.iterdir()) == []


def test_an_application_starts_again_after_it_stopped(settings: Settings, version: str) -> None:
    key = make_key(settings.database_url, "admin")
    app = create_app(settings)

    for _ in range(2):
        with TestClient(app, headers={"X-API-Key": key}) as client:
            assert client.get(URL).status_code == 200


def test_the_frameworks_own_pages_are_not_served(client: TestClient) -> None:
    assert client.get("/redoc").status_code == 404
    assert "cdn" not in client.get("/docs").text


def test_health_needs_no_key_and_no_data(settings: Settings) -> None:
    with running(settings) as client:
        answer = client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_readiness_names_each_check(client: TestClient, version: str) -> None:
    answer = client.get("/readyz", headers={"Authorization": ""})

    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert [(check["name"], check["state"]) for check in answer.json()["checks"]] == [
        ("database", "ok"),
        ("artifact", "ok"),
        ("offers", "ok"),
    ]
    assert version in answer.json()["checks"][1]["detail"]


def test_an_empty_installation_is_not_ready_and_says_what_is_missing(database_url: str, artifacts_dir: Path) -> None:
    with running(make_settings(database_url, artifacts_dir)) as client:
        answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["code"]) == (503, "not-ready")
    assert [(check["name"], check["state"]) for check in answer.json()["checks"]] == [
        ("database", "ok"),
        ("artifact", "failing"),
        ("offers", "failing"),
    ]
    assert "train one" in answer.json()["checks"][1]["detail"]


@pytest.mark.parametrize("given", ["abc", "a" * 128, "7f3c:ABC/x.y_z=+@-"])
def test_a_request_id_is_echoed(client: TestClient, given: str) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", [b"", b"a" * 129, b"a b", b"\xff", b'"quoted"', b"<script>", b"a\tb", b"caf\xe9"])
def test_a_strange_request_id_is_replaced(client: TestClient, given: bytes) -> None:
    made = client.get("/healthz", headers=[(b"X-Request-ID", given)]).headers["x-request-id"]

    assert made.encode() != given
    assert len(made) == 32
    assert client.get("/nowhere").headers["x-request-id"] != made


def test_logs_are_json_and_tell_neither_keys_nor_personal_data(settings: Settings, version: str) -> None:
    stream = io.BytesIO()
    key = make_key(settings.database_url, "recommend")
    wrong = key[:-4] + "0000"
    with running(settings, key, log_stream=stream) as client:
        client.get("/v1/recommendations/jane.doe@example.org?limit=3&fields=hush-hush")
        client.post("/v1/recommendations", json={"account_id": "jane.doe@example.org", "basket": ["private-thing"]})
        client.post("/v1/recommendations", json={"account_id": ["jane.doe@example.org"]})
        client.get("/no/such/jane.doe@example.org")
        client.get(URL, headers={"Authorization": f"Bearer {wrong}"})
        client.get(URL, headers={"X-API-Key": "jane.doe@example.org"})

    log = stream.getvalue().decode()
    lines = [json.loads(line) for line in log.splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    for secret in (key, key[17:], wrong, wrong[17:], "jane", "example.org", "hush", "private-thing"):
        assert secret not in log
    assert [(line["route"], line["status"]) for line in requests] == [
        ("/v1/recommendations/{account_id}", 200),
        ("/v1/recommendations", 200),
        ("/v1/recommendations", 422),
        ("unmatched", 404),
        ("/v1/recommendations/{account_id}", 401),
        ("/v1/recommendations/{account_id}", 401),
    ]
    assert requests[0]["key_id"] == key[4:16]
    assert all(line["milliseconds"] > 0 and len(line["request_id"]) == 32 for line in requests)


def test_a_crash_is_logged_with_its_trace_under_the_request_id(
    settings: Settings, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.BytesIO()
    with running(settings, make_key(settings.database_url, "admin"), log_stream=stream) as client:
        monkeypatch.setattr(part_of(client, Recommender), "_holder", None)
        answer = client.get(URL)

    crash = next(line for line in map(json.loads, stream.getvalue().splitlines()) if line["level"] == "error")
    assert crash["request_id"] == answer.json()["request_id"]
    assert "AttributeError" in crash["exception"]


def test_telemetry_observes_every_status_by_route_template(client: TestClient) -> None:
    client.get(URL)
    client.get(f"{URL}?limit=0")
    client.get("/no/such/place")
    client.request("BREW", "/healthz")

    metrics = client.get("/metrics").text

    route = "/v1/recommendations/{account_id}"
    assert f'nextoffer_requests_total{{method="GET",route="{route}",status="200"}} 1.0' in metrics
    assert f'nextoffer_requests_total{{method="GET",route="{route}",status="422"}} 1.0' in metrics
    assert f'nextoffer_request_seconds_count{{method="GET",route="{route}"}} 2.0' in metrics
    assert 'nextoffer_requests_total{method="GET",route="unmatched",status="404"} 1.0' in metrics
    assert 'nextoffer_requests_total{method="other",route="/healthz",status="405"} 1.0' in metrics
    assert 'nextoffer_request_seconds_bucket{le="0.025"' in metrics


def test_telemetry_tells_the_age_of_the_data(client: TestClient) -> None:
    metrics = client.get("/metrics").text

    # The data ends on 29 February 2024 at noon, and the test's clock stands at noon of the next day.
    values = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#"))
    assert float(values["nextoffer_artifact_age_seconds"]) == 24 * 3600
    as_of = datetime(2024, 2, 29, 12, tzinfo=UTC)
    assert float(values["nextoffer_artifact_as_of_timestamp_seconds"]) == as_of.timestamp()


def test_each_application_counts_for_itself(settings: Settings, version: str) -> None:
    key = make_key(settings.database_url, "admin")
    with running(settings, key) as first, running(settings, key) as second:
        first.get(URL)

        assert "nextoffer_answers_total{" not in second.get("/metrics").text
