"""Names of directed pairs of products."""

from base64 import b64decode, urlsafe_b64encode

import orjson

Pair = tuple[str, str]


def relationship_id_of(source_product_id: str, target_product_id: str) -> str:
    """Name a pair of products so that it fits into a path, whatever their identifiers are."""
    return urlsafe_b64encode(orjson.dumps([source_product_id, target_product_id])).decode().rstrip("=")


def pair_of(relationship_id: str) -> Pair | None:
    """Read the pair that an identifier names, if it names one."""
    try:
        decoded = orjson.loads(
            b64decode(relationship_id + "=" * (-len(relationship_id) % 4), altchars="-_", validate=True)
        )
    except ValueError:
        return None
    is_pair = (
        isinstance(decoded, list) and len(decoded) == 2 and all(isinstance(identifier, str) for identifier in decoded)
    )
    pair = (decoded[0], decoded[1]) if is_pair else None
    return pair if pair and relationship_id_of(*pair) == relationship_id and "\0" not in "".join(pair) else None
