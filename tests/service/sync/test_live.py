"""A write takes effect in the next answer here, elsewhere within a second, and after a restart."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from service.imports.importer import import_file
from service.offers.smoke import smoke_test
from service.orders.live import SALES_CHANGED
from service.readmodel.ownership import Ownership
from service.rows.options import ImportOptions
from service.rows.order_options import OrderOptions
from service.storage.database import create_database_engine
from service.sync.artifact_holder import ArtifactHolder
from service.sync.artifact_store import ArtifactStore
from service.sync.follower import ChangeFollower
from service.sync.queries import all_changes_after
from tests.artifacts import World, write_world
from tests.service.conftest import part_of, wait_until
from tests.service.sync.conftest import URL, is_current, offered, order, post

Another = Callable[[], Any]


def test_what_was_bought_is_not_offered_any_more_from_the_next_answer_on(client: TestClient) -> None:
    post(client, order("o-0", "ann", "beans", "grinder"))
    before = offered(client, "ann")

    post(client, order("o-1", "ann", "filter"))

    assert "filter" in before
    assert offered(client, "ann") == [product for product in before if product != "filter"]


def test_ownership_in_an_artifact_trained_on_files_holds_where_the_database_has_no_orders(
    another: Another, version: str, artifacts_dir: Path, world: World
) -> None:
    ArtifactStore(artifacts_dir, smoke_test).activate(write_world(artifacts_dir, world, as_of="2024-03-01T00:00:00Z"))
    with another() as client:
        before = offered(client, "dee")
        post(client, order("o-1", "dee", "scale"), order("o-2", "dee", "mug", quantity=-1))
        after = offered(client, "dee")

    assert not {"beans", "filter", "kettle", "mug"} & set(before)
    assert set(after) == set(before) - {"scale"}, "the mug was returned: it is not owned, and not offered again so soon"


def test_what_was_cancelled_is_offered_again_and_what_was_returned_is_not(client: TestClient) -> None:
    before = offered(client, "ann")
    post(client, order("o-0", "ann", "beans", "grinder"), order("o-1", "ann", "filter"), order("o-2", "ann", "milk"))
    without = offered(client, "ann")

    post(client, order("o-3", "ann", "filter", quantity=-1), order("o-2", "ann", "milk", status="cancelled"))

    assert not {"filter", "milk"} & set(without)
    assert set(offered(client, "ann")) == set(before) - {"filter"}


def test_an_order_that_moves_to_another_account_changes_the_offers_of_both(client: TestClient) -> None:
    post(client, order("o-1", "ann", "filter"), order("o-2", "bob", "kettle"))

    post(client, order("o-1", "bob", "filter"))

    assert "filter" in offered(client, "ann")
    assert "filter" not in offered(client, "bob")


def test_another_application_follows_the_change_and_a_new_one_starts_with_it(
    client: TestClient, another: Another
) -> None:
    with another() as other:
        assert "filter" in offered(other, "ann")
        sequence = post(client, order("o-1", "ann", "filter"))
        wait_until(lambda: other.get(f"{URL}/ann").json()["sequence"] == sequence)
        assert "filter" not in offered(other, "ann")
    with another() as restarted:
        assert "filter" not in offered(restarted, "ann")


def test_a_running_application_follows_an_imported_file(client: TestClient, engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_text("order_id,account_id,product_id,ordered_at\no-1,ann,filter,2024-03-01\no-2,new,beans,2024-03-01\n")

    import_file(engine, "orders", [path], ImportOptions())

    wait_until(lambda: is_current(client, engine))
    assert "filter" not in offered(client, "ann")
    assert client.get(f"{URL}/new").json()["source"] == "personalized"


def test_an_import_that_moves_an_order_changes_the_offers_of_the_previous_account(
    client: TestClient, engine: Engine, tmp_path: Path
) -> None:
    post(client, order("o-1", "ann", "filter"))
    path = tmp_path / "lines.csv"
    path.write_text("order_id,account_id,product_id,ordered_at\no-1,bob,filter,2024-03-01\n")

    import_file(engine, "orders", [path], ImportOptions(orders=OrderOptions(on_conflict="replace")))

    wait_until(lambda: is_current(client, engine))
    assert "filter" in offered(client, "ann")
    assert "filter" not in offered(client, "bob")


def test_the_same_file_again_changes_nothing(engine: Engine, client: TestClient, tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_text("order_id,account_id,product_id,ordered_at\no-1,ann,filter,2024-03-01\n")
    import_file(engine, "orders", [path], ImportOptions())
    sequence = post(client)

    import_file(engine, "orders", [path], ImportOptions())

    assert post(client) == sequence


def test_a_withdrawn_renamed_or_repriced_product_changes_the_next_answer(client: TestClient, another: Another) -> None:
    assert {"filter", "milk"} <= set(offered(client, "ann"))

    answer = client.post(
        "/v1/products",
        json=[
            {"product_id": "filter", "name": "Paper filters", "active": False},
            {"product_id": "milk", "name": "Oat milk, 1 l", "price_minor": 249, "currency": "EUR"},
        ],
    )

    assert answer.json()["rejected"] == 0, answer.text
    with another() as restarted:
        for application in (client, restarted):
            offers = application.get(f"{URL}/ann?limit=20").json()["offers"]
            assert "filter" not in [offer["product_id"] for offer in offers]
            milk = next(offer for offer in offers if offer["product_id"] == "milk")
            assert (milk["name"], milk["price_minor"]) == ("Oat milk, 1 l", 249)


def test_what_is_switched_off_is_no_reason_and_variants_are_withheld_from_the_next_answer_on(
    client: TestClient, another: Another
) -> None:
    before = client.get(f"{URL}/ann?limit=20").text

    answer = client.post(
        "/v1/products",
        json=[
            {"product_id": "beans", "name": "Coffee beans", "is_merchandise": False},
            {"product_id": "grinder-pro", "name": "Electric grinder", "replaces": "grinder"},
        ],
    )

    assert answer.json()["rejected"] == 0, answer.text
    assert "Coffee beans" in before
    with another() as restarted:
        for application in (client, restarted):
            body = application.get(f"{URL}/ann?limit=20")
            assert "Coffee beans" not in body.text
            assert "grinder-pro" not in {offer["product_id"] for offer in body.json()["offers"]}
            assert body.json()["withheld"]["variant-owned"] == 1


def test_an_account_new_since_the_training_gets_offers_from_what_it_bought(client: TestClient, world: World) -> None:
    unknown = client.get(f"{URL}/new").json()

    post(client, order("o-1", "new", "beans"), order("o-2", "new", "kettle"))

    answer = client.get(f"{URL}/new?limit=3").json()
    scores = {
        product: world.neighbours["beans"].get(product, 0) + world.neighbours["kettle"].get(product, 0)
        for product in ("filter", "grinder", "milk", "scale", "mug")
    }
    expected = sorted(scores, key=lambda product: -scores[product])[:3]
    assert (unknown["account_known"], unknown["source"]) == (False, "popular")
    assert (answer["account_known"], answer["source"]) == (True, "personalized")
    assert [offer["product_id"] for offer in answer["offers"]] == expected
    assert answer["offers"][0]["reasons"][0]["product_ids"] == ["beans", "kettle"]
    assert answer["offers"][0]["reasons"][0]["code"] == "bought-with-owned"


def test_a_guest_s_order_touches_nobody_but_the_sales_of_its_hour(client: TestClient, engine: Engine) -> None:
    before = offered(client, "ann")
    sequence = post(client)

    assert post(client, order("o-1", None, "filter")) > sequence
    assert offered(client, "ann") == before
    with engine.connect() as connection:
        changes = all_changes_after(connection, sequence)
    assert changes.ids_by_kind == {SALES_CHANGED: ["2024-03-01T00"]}


def test_a_new_artifact_prunes_what_it_has_learned_and_rolling_back_brings_it_back(
    client: TestClient, artifacts_dir: Path, world: World
) -> None:
    store = ArtifactStore(artifacts_dir, smoke_test)
    holder: Any = part_of(client, ArtifactHolder)
    first = post(client, order("o-1", "ann", "filter"))
    second = post(client, order("o-2", "bob", "scale"))
    newer = write_world(artifacts_dir, world, as_of="2024-03-01T00:00:00Z", sequence=first)

    store.activate(newer)
    wait_until(lambda: holder.current.version == newer)
    assert set(holder.current.state.part(Ownership).by_account) == {"bob"}
    assert holder.current.state.sequence == second

    store.rollback()
    wait_until(lambda: holder.current.version != newer)
    assert set(holder.current.state.part(Ownership).by_account) == {"ann", "bob"}
    assert "filter" not in offered(client, "ann")


def test_an_artifact_of_a_part_of_the_history_knows_who_ordered_since(
    client: TestClient, another: Another, database_url: str, artifacts_dir: Path, world: World
) -> None:
    post(client, order("o-1", "ann", "filter"), order("o-2", "bob", "scale", ordered_at="2023-01-01"))
    engine = create_database_engine(database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM changes")
    engine.dispose()
    ArtifactStore(artifacts_dir, smoke_test).activate(write_world(artifacts_dir, world, as_of="2024-02-01T00:00:00Z"))

    with another() as restarted:
        assert "filter" not in offered(restarted, "ann")
        restarted_live = part_of(restarted, ArtifactHolder).current
        assert restarted_live is not None
        assert set(restarted_live.state.part(Ownership).by_account) == {"ann"}


def test_a_write_that_is_committed_is_not_denied_when_applying_it_fails(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    catch_up = ChangeFollower.catch_up

    def fail_beside_the_follower_s_thread(follower: ChangeFollower) -> None:
        if threading.current_thread().name != "nextoffer-changefollower":
            raise IndexError("broken")
        catch_up(follower)

    with monkeypatch.context() as patch:
        patch.setattr(ChangeFollower, "catch_up", fail_beside_the_follower_s_thread)
        sequence = post(client, order("o-1", "bob", "filter"))

    assert client.get(f"{URL}/bob", headers={"X-Min-Sequence": str(sequence)}).status_code == 200
    assert "filter" not in offered(client, "bob")
