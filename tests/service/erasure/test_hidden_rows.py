"""Lists that are read from an artifact leave out who was erased since it was trained."""

from pathlib import Path

import pyarrow.parquet
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from models.artifact import IdIndex, in_hash_order
from models.artifact.ids import hash_identifier
from service.base.settings import Settings
from service.cli import app as cli
from service.readmodel.visible_accounts import bucket_of, visible_accounts
from service.sync.artifact_holder import ArtifactHolder
from service.tombstones.digests import Digests
from tests.service.conftest import part_of


def items(client: TestClient, url: str, limit: int = 500) -> list[str]:
    """Return the accounts of all pages of a list."""
    accounts: list[str] = []
    cursor = ""
    while True:
        page = client.get(url, params={"limit": limit, **({"cursor": cursor} if cursor else {})}).json()
        accounts += [item["account_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if not cursor:
            return accounts


def lists_of(client: TestClient) -> dict[str, list[str]]:
    """Return the accounts in every list that an artifact answers."""
    segments = [item["segment_id"] for item in client.get("/v1/segments").json()["items"]]
    urls = [f"/v1/segments/{segment_id}/accounts" for segment_id in segments]
    rows = [item["row"] for item in client.get("/v1/whitespace").json()["items"]][:3]
    urls += [f"/v1/whitespace/cells/{row}/all.accounts/accounts" for row in rows]
    urls += ["/v1/products/p-7/targets", "/v1/products/p-30/targets", "/v1/accounts/do-not-pitch"]
    return {url: items(client, url) for url in urls}


def test_every_list_is_as_before_without_the_erased_account(shop_client: TestClient) -> None:
    rule = {"field": "purchase_days", "op": "ge", "value": 3}
    shop_client.post("/v1/segments", json={"name": "Often", "rule": rule})
    before = lists_of(shop_client)
    erased = ["a-11", "a-20", "a-41"]
    assert all(any(account in listed for listed in before.values()) for account in erased)

    for account in erased:
        assert shop_client.delete(f"/v1/accounts/{account}").status_code == 200

    after = lists_of(shop_client)
    assert after == {url: [key for key in listed if key not in erased] for url, listed in before.items()}
    sizes = {item["segment_id"]: item["size"] for item in shop_client.get("/v1/segments").json()["items"]}
    assert sizes["custom.often"] == len(after["/v1/segments/custom.often/accounts"])


@pytest.mark.parametrize("limit", [1, 7])
def test_pages_of_a_segment_go_on_where_they_were_when_an_account_before_is_erased(
    shop_client: TestClient, limit: int
) -> None:
    url = "/v1/segments/all.accounts/accounts"
    everyone = items(shop_client, url)
    first = shop_client.get(url, params={"limit": 10}).json()
    for account in (everyone[2], everyone[10], everyone[15]):
        shop_client.delete(f"/v1/accounts/{account}")

    rest = shop_client.get(url, params={"limit": 500, "cursor": first["next_cursor"]}).json()["items"]

    assert [item["account_id"] for item in rest] == [
        key for place, key in enumerate(everyone) if place > 10 and place != 15
    ]
    assert items(shop_client, url, limit) == [key for place, key in enumerate(everyone) if place not in (2, 10, 15)]


def test_a_segment_that_is_defined_after_an_erasure_is_without_the_account(shop_client: TestClient) -> None:
    shop_client.delete("/v1/accounts/a-20")

    rule = {"field": "purchase_days", "op": "ge", "value": 1}
    preview = shop_client.post("/v1/segments/preview", json={"rule": rule}).json()
    shop_client.post("/v1/segments", json={"name": "Any", "rule": rule})

    listed = items(shop_client, "/v1/segments/custom.any/accounts")
    assert "a-20" not in listed
    assert preview["accounts"] == len(listed)


def test_an_account_has_neither_value_nor_white_space_any_more(shop_client: TestClient) -> None:
    shop_client.delete("/v1/accounts/a-20")
    unknown = shop_client.get("/v1/accounts/a-20/whitespace")
    shop_client.post("/v1/accounts", json=[{"account_id": "a-20"}])

    profile = shop_client.get("/v1/accounts/a-20").json()

    assert unknown.json()["code"] == "unknown-account"
    assert (profile["value"], profile["segments"], profile["interests"], profile["owned"]) == (None, [], [], [])


def test_the_scores_in_a_file_leave_it_out(shop_client: TestClient, tmp_path: Path) -> None:
    shop_client.delete("/v1/accounts/a-20")
    settings, out = part_of(shop_client, Settings), tmp_path / "scores.parquet"
    environment = {
        "NEXTOFFER_DATABASE_URL": settings.database_url, "NEXTOFFER_ARTIFACTS_DIR": str(settings.artifacts_dir),
    }  # fmt: skip

    result = CliRunner().invoke(cli, ["score", "--out", str(out)], env=environment, catch_exceptions=False)

    assert result.exit_code == 0, result.output
    scored = set(pyarrow.parquet.read_table(out)["account_id"].to_pylist())
    assert "a-19" in scored
    assert "a-20" not in scored


def test_the_artifact_itself_is_not_touched(shop_client: TestClient) -> None:
    shop_client.delete("/v1/accounts/a-20")

    current = part_of(shop_client, ArtifactHolder).current
    assert current is not None
    assert "a-20" in current.state.content.account_ids.texts
    assert current.state.content.account_ids.row_of("a-20") is None


def test_a_digest_finds_its_row_among_those_of_its_bucket_and_no_other() -> None:
    names = in_hash_order(f"account {number}" for number in range(20_000))
    accounts, digests = visible_accounts(IdIndex.from_ids(names)), Digests("ab" * 32)
    wanted = ["account 7", "account 19999", names[0], names[-1]]

    rows = digests.matching_rows(accounts, [digests.digest_of(name) for name in (*wanted, "nobody")])

    assert rows == {accounts.row_of(name) for name in wanted}
    assert sum(len(accounts.rows_in_bucket(bucket)) for bucket in range(4096)) == len(names)
    assert all(row in accounts.rows_in_bucket(bucket_of(hash_identifier(names[row]))) for row in range(0, 20_000, 997))


def test_digests_differ_from_one_secret_to_another() -> None:
    first, second = Digests("ab" * 32), Digests("cd" * 32)

    assert first.digest_of("a") != second.digest_of("a")
    assert first.matching(["a", "b"], [second.digest_of("a")]) == set()
