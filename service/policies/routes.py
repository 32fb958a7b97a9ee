"""Policies over HTTP."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, Path, Query, Request, Response

from service.auth.dependencies import require
from service.auth.keys import Principal, Scope
from service.base.clock import Clock
from service.base.components import components_of
from service.base.pagination import IDENTIFIER, Page, cut_page, decode_cursor
from service.base.settings import Settings
from service.policies.answers import describe_policy, describe_version
from service.policies.dependencies import checks_of, state_in_use
from service.policies.errors import PolicyChanged
from service.policies.live import POLICIES_CHANGED
from service.policies.preview import proposal_of, try_out
from service.policies.queries import (
    Stored,
    add_policy,
    all_policies,
    change_policy,
    changed_definition,
    etag_of,
    find_policy,
    id_of,
    is_to_be_checked,
    remove_policy,
)
from service.policies.schemas import (
    PolicyIn,
    PolicyOut,
    PolicyPatch,
    PolicyPreviewIn,
    PolicyPreviewOut,
    PolicyVersionOut,
)
from service.policies.tables import PolicyVersion
from service.readmodel.policies import PolicyType
from service.rows.field_types import MAX_IDENTIFIER, NO_NUL
from service.segments.errors import NothingLearned
from service.storage.turns import POLICY_TURNS, take_turn
from service.storage.versions import page_of_versions
from service.web.decoding import errors_of_body
from service.web.dependencies import ReadSession, open_read_session
from service.web.etag import conditional_response, is_named
from service.web.parameters import DEFAULT_PAGE_ITEMS, Cursor, IfMatch, Limit
from service.web.responses import JsonResponse
from service.web.routing import Router
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep

router = Router("policies")
POLICY_PATH: Final = "/policies/{policy_id}"
PolicyInPath = Annotated[str, Path(max_length=MAX_IDENTIFIER, pattern=NO_NUL, examples=["no-alcohol-abroad"])]
Writer = Annotated[Principal, Depends(require(Scope.WRITE))]


def checked_policy(policy: PolicyIn, request: Request) -> PolicyIn:
    """Check a new policy before the write transaction; raises PolicyRefused or RuleNeverMatches."""
    with open_read_session(request.app) as session:
        checks_of(request, session.connection()).check(policy)
    return policy


def checked_change(policy_id: PolicyInPath, change: PolicyPatch, request: Request) -> PolicyPatch:
    """Check what a change makes of a policy before the write transaction; raises what the change itself does, too."""
    with open_read_session(request.app) as session:
        connection = session.connection()
        before = find_policy(connection, policy_id)
        definition = definition_after(before, change)
        if not before.is_built_in and is_to_be_checked(before.definition, definition):
            checks_of(request, connection).check(PolicyIn.model_validate(definition))
    return change


# Named before UnitOfWorkDep: nobody else's write waits for the checks, which may read what is stored of all accounts.
CheckedPolicy = Annotated[PolicyIn, Depends(checked_policy, scope="function")]
CheckedChange = Annotated[PolicyPatch, Depends(checked_change, scope="function")]


@router.read_route("/policies", "List policies", model=Page[PolicyOut])
def list_policies(
    session: ReadSession,
    policy_type: Annotated[PolicyType | None, Query(alias="type", description="Only policies of this type.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE_ITEMS,
) -> Response:
    """The rules of the service itself first, in the order in which they apply; then those that people stored, in the
    order of their ids.
    """
    list_name = ("policies", policy_type)
    stored = [each for each in all_policies(session.connection()) if policy_type in (None, each.definition["type"])]
    after = decode_cursor(cursor, list_name, IDENTIFIER)
    begin = next((place + 1 for place, each in enumerate(stored) if each.policy_id == after), 0) if after else 0
    items, next_cursor = cut_page(stored[begin : begin + limit + 1], limit, list_name, lambda policy: policy.policy_id)
    page = {"items": [describe_policy(policy) for policy in items], "next_cursor": next_cursor}
    return JsonResponse(orjson.dumps(page, option=orjson.OPT_UTC_Z))


@router.write_route(
    "POST",
    "/policies",
    "Store a policy",
    "policy-exists",
    "too-many-policies",
    "policy-refused",
    "rule-never-matches",
    model=PolicyOut,
    status_code=201,
)
def create_policy(policy: CheckedPolicy, by: Writer, writing: UnitOfWorkDep) -> Response:
    """Say which products may be offered to whom, and when. It takes effect in the next answer, on every worker.

    A rule is an object with one of these keys: `all` and `any` (lists of rules), `not` (a rule); of the account `field`
    (a figure of its profile), `attribute` (what you stored of it; with `"by": "parent"`, of the nearest account above
    that has the attribute), `owns` (`products`, `lines` or `categories`; with `"by": "parent"` any account above it
    owns them, with `"by": "group"` it or any of its subsidiaries) and `in_segment` (ids of segments); of the product
    `product` (`product_id`, `line`, `category`, `family`, `tier`, `price_minor`, `margin_minor`, `margin_rate`) and
    `product_attribute`; of the request `request` (`placement`, `has_account`, `basket_size`) and `context` (a key of
    its `context`). Comparisons have an `op` (`eq`, `ne`, `lt`, `le`, `gt`, `ge`, `in`, `not_in`, `is_known`) and a
    `value`, or `values` for `in` and `not_in`.

    A policy of type `limit` has no rule: it counts the decisions that offered an account something, whether they were
    shown or not, and withholds from the account what it has been offered often enough.

    A comparison with what is not known is neither true nor false, but unknown; so are `all`, `any` and `not` of it,
    unless the rest decides. What is unknown withholds: `country not_in [US]` withholds from an account without a
    country.

    A policy of the type `repurchase` has no rule: its `repurchase` says when products in its scope may be offered to
    accounts that own them, such as `{"mode": "consumable", "after_days": 30}`. It needs training for the intervals that
    it does not give, and its products compete by P(the account buys it again within the horizon).

    Names of products, lines, categories and segments must exist, and each condition on products must be true
    of at least one of them.
    """
    policy_id = id_of(policy)

    def work(write: UnitOfWork) -> Response:
        take_turn(write.connection, POLICY_TURNS)
        stored = add_policy(write.connection, policy_id, policy, by.key_id, write.now)
        return answer_changed(write, stored, 201)

    return writing.answer(work)


@router.read_route(POLICY_PATH, "Show a policy", "unknown-policy", model=PolicyOut, has_etag=True)
def get_policy(request: Request, policy_id: PolicyInPath, session: ReadSession) -> Response:
    """One policy. Send its `ETag` as `If-Match` with a change, so that nobody else's change is lost."""
    stored = find_policy(session.connection(), policy_id)
    return conditional_response(request, encode(stored), etag_of(stored))


@router.write_route(
    "PATCH",
    POLICY_PATH,
    "Change a policy",
    "unknown-policy",
    "policy-exists",
    "policy-changed",
    "policy-refused",
    "policy-always-on",
    "built-in-policy",
    "rule-never-matches",
    model=PolicyOut,
)
def update_policy(
    policy_id: PolicyInPath, change: CheckedChange, by: Writer, writing: UnitOfWorkDep, if_match: IfMatch = None
) -> Response:
    """Change some fields; the next version takes effect in the next answer. Nothing happens if nothing is different.

    Of a built-in policy `is_enabled` alone can be changed, where that is safe: see `can_be_switched_off`.
    """

    def work(write: UnitOfWork) -> Response:
        take_turn(write.connection, POLICY_TURNS)
        before = find_policy(write.connection, policy_id)
        refuse_stale(before, if_match)
        stored = change_policy(write.connection, before, definition_after(before, change), by.key_id, write.now)
        return answer_changed(write, stored, 200)

    return writing.answer(work)


@router.write_route("DELETE", POLICY_PATH, "Delete a policy", "unknown-policy", "policy-changed", "built-in-policy")
def delete_policy(policy_id: PolicyInPath, by: Writer, writing: UnitOfWorkDep, if_match: IfMatch = None) -> Response:
    """Delete a policy. Its history stays."""

    def work(write: UnitOfWork) -> Response:
        take_turn(write.connection, POLICY_TURNS)
        before = find_policy(write.connection, policy_id)
        refuse_stale(before, if_match)
        remove_policy(write.connection, before, by.key_id, write.now)
        write.changes.touch(POLICIES_CHANGED, [policy_id])
        return Response()

    return writing.answer(work)


@router.read_route(POLICY_PATH + "/history", "List a policy's changes", "unknown-policy")
def list_policy_versions(
    policy_id: PolicyInPath, session: ReadSession, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE_ITEMS
) -> Page[PolicyVersionOut]:
    """Who changed it when, and what it was before and after; the newest change first. Also of a deleted policy."""
    connection = session.connection()
    rows, next_cursor = page_of_versions(connection, PolicyVersion.policy_id, policy_id, cursor, limit)
    if not rows and cursor is None:
        find_policy(connection, policy_id)
    return Page(items=[describe_version(row) for row in rows], next_cursor=next_cursor)


@router.read_route(
    "/policies/preview",
    "Try a policy out",
    "nothing-learned",
    "unknown-policy",
    "policy-exists",
    "policy-refused",
    "policy-always-on",
    "built-in-policy",
    "rule-never-matches",
    model=PolicyPreviewOut,
    method="POST",
    is_live=True,
)
def preview_policy(given: PolicyPreviewIn, session: ReadSession, request: Request) -> Response:
    """Decide for a sample of accounts, with the policies as they are and as they would be. Nothing is stored, counted
    or recorded.
    """
    connection, state, components = session.connection(), state_in_use(request), components_of(request.app)
    if state is None:
        raise NothingLearned
    with errors_of_body():
        proposal = proposal_of(all_policies(connection), given)
    if proposal.definition is not None and not proposal.is_removal:
        checks_of(request, connection).check(proposal.definition)
    options = components.get(Settings).arbitration
    now = components.get(Clock).now()
    result = try_out(state, connection, proposal, given.sample, now, options)
    return JsonResponse(orjson.dumps(result))


def answer_changed(write: UnitOfWork, stored: Stored, status_code: int) -> Response:
    """Note the change of a policy, and answer with the policy."""
    write.changes.touch(POLICIES_CHANGED, [stored.policy_id])
    headers = {"ETag": etag_of(stored)}
    return Response(encode(stored), status_code=status_code, headers=headers, media_type="application/json")


def encode(stored: Stored) -> bytes:
    """Encode a ``PolicyOut``."""
    return orjson.dumps(describe_policy(stored), option=orjson.OPT_UTC_Z)


def definition_after(before: Stored, change: PolicyPatch) -> Mapping[str, Any]:
    """Return what a change makes of a policy; raises RequestValidationError for what is no policy any more."""
    with errors_of_body():
        return changed_definition(before, change)


def refuse_stale(stored: Stored, if_match: str | None) -> None:
    """Raise PolicyChanged unless an If-Match header, if there is one, names the policy's ETag."""
    if if_match is not None and not is_named(etag_of(stored), if_match):
        raise PolicyChanged(stored.policy_id, stored.version)
