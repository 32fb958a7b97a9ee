"""Segments over HTTP."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from service.base.pagination import Page
from service.base.settings import Settings
from service.offers.smoke import smoke_test
from service.segments.answers import next_start
from service.segments.schemas import SegmentAccount, SegmentDetail, SegmentMetrics, SegmentPage
from service.sync.artifact_store import ArtifactStore
from tests.service.conftest import make_key, running, wait_until
from tests.sold import AS_OF_DAY, N_ACCOUNTS, sold_content, write_sold

URL = "/v1/segments"
EPOCH = date(1970, 1, 1).toordinal()


def test_every_segment_is_listed_with_its_figures(client: TestClient, version: str) -> None:
    answer = client.get(URL)

    page = SegmentPage.model_validate(answer.json())
    assert page.artifact_version == version
    assert page.as_of == date(2024, 2, 29)
    assert (page.value_days, page.annual_rate) == (1095, 0.1)
    assert [entry.family for entry in page.families][:3] == ["all", "rfm", "revenue-tier"]
    sizes = {item.segment_id: item.size for item in page.items}
    assert sizes["all.accounts"] == N_ACCOUNTS
    assert sum(size for name, size in sizes.items() if name.startswith("rfm.")) == 50


def test_one_family_can_be_asked_for(client: TestClient) -> None:
    segments = client.get(URL, params={"family": "trend"}).json()["items"]

    assert [segment["segment_id"] for segment in segments] == ["trend.growing", "trend.steady", "trend.falling"]


def test_an_unknown_family_is_named(client: TestClient) -> None:
    answer = client.get(URL, params={"family": "nope"})

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-family")
    assert "trend" in answer.json()["detail"]
    assert client.get(URL, params={"family": "custom"}).json()["items"] == []


def test_a_segment_is_returned_with_all_its_figures(client: TestClient) -> None:
    detail = SegmentDetail.model_validate(client.get(f"{URL}/all.accounts").json())

    content = sold_content()
    spend = content.activity.spend_minor[content.activity.day >= AS_OF_DAY - 365]
    assert detail.revenue_minor == spend.sum()
    assert [(row.line, row.accounts) for row in detail.penetration] == [("coffee", 50), ("machines", 40)]
    assert detail.movement is None


def test_accounts_come_page_by_page_and_all_of_them(client: TestClient) -> None:
    account_ids: list[str] = []
    ahead: list[int] = []
    cursor: str | None = None
    while True:
        parameters = {"limit": "7"} | ({"cursor": cursor} if cursor else {})
        page = Page[SegmentAccount].model_validate(client.get(f"{URL}/all.accounts/accounts", params=parameters).json())
        account_ids += [item.account_id for item in page.items]
        ahead += [item.value_ahead_minor or 0 for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert sorted(account_ids) == sorted(f"a{number}" for number in range(N_ACCOUNTS))
    assert ahead == sorted(ahead, reverse=True)


@pytest.mark.parametrize("cursor", ["x", "bm9uc2Vuc2U", "WyJvdGhlciIsMTBd", "WzEsMl0"])
def test_a_cursor_that_no_page_gave_is_refused(client: TestClient, cursor: str) -> None:
    answer = client.get(f"{URL}/all.accounts/accounts", params={"cursor": cursor})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-cursor")


def test_periods_add_up_to_the_history(client: TestClient) -> None:
    metrics = SegmentMetrics.model_validate(client.get(f"{URL}/all.accounts/metrics?interval=week").json())

    activity = sold_content().activity
    assert sum(period.revenue_minor for period in metrics.periods) == activity.spend_minor.sum()
    assert sum(period.orders for period in metrics.periods) == activity.orders.sum()
    assert [period.is_whole for period in metrics.periods].count(False) == 2
    assert metrics.periods[-1].ends_on == date(2024, 2, 28)
    assert metrics.periods[-1].retention.value is None
    assert [snapshot.as_of for snapshot in metrics.snapshots] == [date(2024, 2, 29)]


def test_periods_can_be_asked_for_by_their_dates(client: TestClient) -> None:
    parameters = {"interval": "month", "from": "2023-05-01", "to": "2023-08-01"}

    metrics = client.get(f"{URL}/all.accounts/metrics", params=parameters).json()

    assert [period["begins_on"] for period in metrics["periods"]] == ["2023-05-01", "2023-06-01", "2023-07-01"]
    assert metrics["snapshots"] == []


@pytest.mark.parametrize(
    ("interval", "begin", "following"),
    [
        ("week", date(2024, 2, 26), date(2024, 3, 4)),
        ("month", date(2023, 12, 1), date(2024, 1, 1)),
        ("quarter", date(2023, 10, 1), date(2024, 1, 1)),
        ("quarter", date(2024, 1, 1), date(2024, 4, 1)),
        ("year", date(2024, 1, 1), date(2025, 1, 1)),
    ],
)
def test_a_period_ends_where_the_next_begins(interval: str, begin: date, following: date) -> None:
    assert next_start(begin.toordinal() - EPOCH, interval) == following.toordinal() - EPOCH


@pytest.mark.parametrize("path", ["", "/rfm.lost", "/rfm.lost/accounts", "/rfm.lost/metrics"])
def test_what_did_not_change_is_not_sent_again(client: TestClient, path: str) -> None:
    first = client.get(URL + path)

    again = client.get(URL + path, headers={"If-None-Match": first.headers["etag"]})

    assert (first.status_code, again.status_code) == (200, 304)
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]


def test_another_artifact_changes_the_answers(client: TestClient, artifacts_dir: Path, version: str) -> None:
    before = client.get(URL)
    later = write_sold(artifacts_dir, AS_OF_DAY - 90)

    ArtifactStore(artifacts_dir, smoke_test).activate(later)

    wait_until(lambda: client.get(URL).json()["artifact_version"] == later)
    assert client.get(URL, headers={"If-None-Match": before.headers["etag"]}).status_code == 200
    assert version != later


def test_an_unknown_segment_is_named(client: TestClient) -> None:
    for path in ("", "/accounts", "/metrics"):
        answer = client.get(f"{URL}/rfm.nobody{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-segment")
        assert "rfm.nobody" in answer.json()["detail"]


def test_without_an_artifact_nothing_is_known(settings: Settings) -> None:
    with running(settings, make_key(settings.database_url, "read")) as client:
        answer = client.get(URL)

    assert (answer.status_code, answer.json()["code"]) == (503, "nothing-learned")


def test_a_key_that_may_not_read_is_refused(settings: Settings, version: str) -> None:
    with running(settings, make_key(settings.database_url, "recommend")) as client:
        assert client.get(URL).status_code == 403


def test_the_test_data_has_accounts_in_more_than_five_segments() -> None:
    codes = sold_content().segments.codes

    assert np.unique(codes[:, 1]).size > 5
