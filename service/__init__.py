"""The online side of nextoffer: a FastAPI application and the `nextoffer` command."""

from starlette.convertors import CONVERTOR_TYPES, PathConvertor


class IdentifierConvertor(PathConvertor):
    """The rest of a path, whatever it holds: Starlette's own stops at a line break, which an identifier may have.

    Stands in for ``path`` before any route is made.
    """

    regex = r"[\s\S]*"


CONVERTOR_TYPES["path"] = IdentifierConvertor()
