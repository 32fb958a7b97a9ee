"""Requests that arrive together are answered together, and each for itself."""

import asyncio
from collections.abc import Sequence

import pytest

from service.auth.keys import Principal
from service.offers.batching import MAX_TOGETHER, Batcher
from service.offers.request import OfferRequest
from service.offers.respond import Call

PRINCIPAL = Principal("key", frozenset({"recommend"}))


def call_of(account_id: str) -> Call:
    return Call(PRINCIPAL, OfferRequest(account_id, 3), b"{}")


class Echo:
    """Answers with the account's identifier; fails for accounts whose identifier names a failure."""

    def __init__(self) -> None:
        self.batches: list[list[str | None]] = []

    def respond_many(self, calls: Sequence[Call]) -> list[bytes | Exception]:
        account_ids = [call.wanted.account_id or "" for call in calls]
        self.batches.append([*account_ids])
        if "raise" in account_ids:
            raise ValueError("raise")
        return [KeyError(account_id) if account_id == "fail" else account_id.encode() for account_id in account_ids]


async def ask_together(batcher: Batcher, account_ids: Sequence[str]) -> list[bytes | BaseException]:
    return await asyncio.gather(*(batcher.respond(call_of(a)) for a in account_ids), return_exceptions=True)


def test_calls_of_one_turn_are_answered_together() -> None:
    responder = Echo()

    answers = asyncio.run(ask_together(Batcher(responder), ["a", "b", "c"]))

    assert answers == [b"a", b"b", b"c"]
    assert responder.batches == [["a", "b", "c"]]


def test_a_call_waits_only_while_each_turn_brings_another() -> None:
    async def arrive_one_by_one(batcher: Batcher) -> None:
        tasks = []
        for account_id in ("a", "b", "c"):
            tasks.append(asyncio.create_task(batcher.respond(call_of(account_id))))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        await batcher.respond(call_of("d"))

    responder = Echo()

    asyncio.run(arrive_one_by_one(Batcher(responder)))

    assert responder.batches == [["a", "b", "c"], ["d"]]


def test_a_batch_has_a_largest_size() -> None:
    responder = Echo()
    account_ids = [str(number) for number in range(2 * MAX_TOGETHER + 5)]

    answers = asyncio.run(ask_together(Batcher(responder), account_ids))

    assert answers == [account_id.encode() for account_id in account_ids]
    assert [len(batch) for batch in responder.batches] == [MAX_TOGETHER, MAX_TOGETHER, 5]


@pytest.mark.parametrize("failing", ["raise", "fail"])
def test_a_call_that_fails_fails_alone(failing: str) -> None:
    answers = asyncio.run(ask_together(Batcher(Echo()), ["a", failing, "b"]))

    assert answers[0::2] == [b"a", b"b"]
    assert isinstance(answers[1], (ValueError, KeyError))


def test_a_failure_that_no_future_takes_leaves_nobody_waiting() -> None:
    class Stops(Echo):
        def respond_many(self, calls: Sequence[Call]) -> list[bytes | Exception]:
            return [StopIteration() if call.wanted.account_id == "stop" else b"ok" for call in calls]

    answers = asyncio.run(asyncio.wait_for(ask_together(Batcher(Stops()), ["stop", "a"]), 5))

    assert isinstance(answers[0], RuntimeError)
    assert answers[1] == b"ok"


def test_a_caller_that_hung_up_is_not_answered() -> None:
    async def hang_up(batcher: Batcher, account_ids: Sequence[str]) -> None:
        left = asyncio.create_task(batcher.respond(call_of("left")))
        tasks = [asyncio.create_task(batcher.respond(call_of(account_id))) for account_id in account_ids]
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.gather(*tasks)
        await asyncio.sleep(0.01)

    responder, lonely = Echo(), Echo()

    asyncio.run(hang_up(Batcher(responder), ["a", "b"]))
    asyncio.run(hang_up(Batcher(lonely), []))

    assert responder.batches == [["a", "b"]]
    assert lonely.batches == []
