"""Paths of accounts. An identifier may hold slashes, but does not take in what stands below an account."""

from typing import Final

from starlette.convertors import PathConvertor, register_url_convertor

SUB_RESOURCES: Final = ("consent", "decisions", "notes", "notes/[^/]+", "whitespace")
"""Patterns of how paths below an account end."""
LISTS: Final = ("do-not-pitch",)
"""Lists of accounts that stand where an account's identifier would."""


class AccountConvertor(PathConvertor):
    """``{account_id:account}`` at the end of a path: an identifier, unless the whole path is that of something else.

    Otherwise ``DELETE /v1/accounts/X/consent``, a method that consent does not have, would erase the account
    "X/consent". It is refused with 405.
    """

    regex = rf"(?![\s\S]*/(?:{'|'.join(SUB_RESOURCES)})$)(?!(?:{'|'.join(LISTS)})$)[\s\S]*"


register_url_convertor("account", AccountConvertor())

ACCOUNT_PATH: Final = "/accounts/{account_id:account}"
CONSENT_PATH: Final = "/accounts/{account_id:identifier}/consent"
NOTES_PATH: Final = "/accounts/{account_id:identifier}/notes"
NOTE_PATH: Final = NOTES_PATH + "/{note_id}"
