"""The parts of the running application, found by their type: a module asks for what it uses, never for the whole."""

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import Request

Part = TypeVar("Part")


class Components:
    """What the application was composed of at start-up. ``service.server.app`` fills it; nobody changes it later."""

    def __init__(self, *parts: object) -> None:
        self._parts: dict[type, Any] = {type(part): part for part in parts}

    def get(self, kind: type[Part]) -> Part:
        """Return the part of a type; raises KeyError where the application has none."""
        part: Part = self._parts[kind]
        return part

    def find(self, kind: type[Part]) -> Part | None:
        """Return the part of a type, or None where the application runs without one."""
        return self._parts.get(kind)


def components_of(app: Any) -> Components:
    """Return the parts of a running application."""
    components: Components = app.state.components
    return components


def provide(kind: type[Part]) -> Callable[[Request], Any]:
    """Make a FastAPI dependency that returns one part: ``Annotated[Clock, Depends(provide(Clock))]``."""

    async def find_part(request: Request) -> Part:
        return components_of(request.app).get(kind)

    return find_part
