"""An application on each of the two databases, over an artifact whose accounts have a history."""

from tests.service.over_sold_world import client, key, settings, version

__all__ = ["client", "key", "settings", "version"]
