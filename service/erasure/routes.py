"""Erasure over HTTP."""

from typing import Annotated

from fastapi import Depends, Query, Request, Response

from service.accounts.errors import UnknownAccount
from service.accounts.paths import ACCOUNT_PATH
from service.auth.keys import Scope
from service.base.components import components_of
from service.decisions.decision_log import DecisionLog
from service.erasure.artifacts import artifacts_naming
from service.erasure.queries import erase_account
from service.erasure.schemas import ORDERS_OF_ERASED, ErasureIn, ErasureOut, OrdersOfErased
from service.sync.artifact_store import ArtifactStore
from service.web.parameters import AccountInPath
from service.web.responses import JsonResponse
from service.web.routing import Router
from service.web.unit_of_work import ErasureDep, UnitOfWork

router = Router("accounts")


def write_decisions(request: Request) -> None:
    """Write the decisions that wait in this worker, so that none of the account's is written after the erasure."""
    components_of(request.app).get(DecisionLog).write_queued()


DecisionsWritten = Annotated[None, Depends(write_decisions)]


@router.write_route("DELETE", ACCOUNT_PATH, "Erase an account", "unknown-account", model=ErasureOut, scope=Scope.ADMIN)
def erase_stored_account(
    request: Request,
    account_id: AccountInPath,
    _written: DecisionsWritten,
    writing: ErasureDep,
    orders: Annotated[OrdersOfErased, Query(description=ORDERS_OF_ERASED)] = "keep",
) -> Response:
    """Forget a person: delete the account, its choice about marketing, its deals, its decisions with every answer as it
    was sent, and whatever else the database holds under its identifier. Every worker forgets it within a second. In
    artifacts that were trained before, it is hidden, also after a restart or a rollback; the next one is trained
    without it. For the service the account is then an unknown one, and a second call answers 404.

    What is stored under the same identifier later is a new account. If the erased one objected to marketing, the new
    one does too until it grants: a keyed hash of the identifier is kept for that, and nothing else.

    `POST /v1/erasures` does the same for any identifier, also for one that ends like another path below accounts, such
    as `X/consent`.
    """
    return _erase(request, writing, account_id, orders)


@router.write_route(
    "POST", "/erasures", "Erase an account by its identifier", "unknown-account", model=ErasureOut, scope=Scope.ADMIN
)
def create_erasure(request: Request, erasure: ErasureIn, _written: DecisionsWritten, writing: ErasureDep) -> Response:
    """Forget a person, as `DELETE /v1/accounts/{account_id}` does, but with the identifier in the body: it is not part
    of a path, which servers and proxies write to their logs, and may end like one, such as `X/consent`.
    """
    return _erase(request, writing, erasure.account_id, erasure.orders)


def _erase(request: Request, writing: UnitOfWork, account_id: str, orders: OrdersOfErased) -> Response:
    def work(write: UnitOfWork) -> Response:
        versions = list(artifacts_naming(components_of(request.app).get(ArtifactStore), account_id))
        erased = erase_account(write.connection, account_id, write.now, deletes_orders=orders == "delete")
        if not (erased.is_anything or versions):
            raise UnknownAccount(account_id)
        answer = ErasureOut(
            orders=erased.orders,
            deals=erased.deals,
            decisions=erased.decisions,
            is_objection_kept=erased.is_objecting,
            artifacts=versions,
            sequence=erased.sequence,
        )
        # The unit of work adds the sequence number to every answer.
        return JsonResponse(answer.model_dump_json(exclude={"sequence"}).encode())

    return writing.answer(work)
