"""Spares the garbage collector what stays in memory: the artifact and all that is loaded with it.

A full collection looks at every object, which takes a tenth of a second with a large catalogue, and requests wait for
it. Objects that are *frozen* (``gc.freeze``) are not looked at; they are freed as usual when nothing refers to them.
"""

import gc

from service.sync.artifact_holder import ArtifactHolder


class SettledMemory:
    """For a process that serves and does nothing else: what it freezes is of the whole process."""

    def __init__(self, holder: ArtifactHolder) -> None:
        self._holder = holder
        self._settled: object = None

    def settle(self) -> None:
        """Freeze what is in memory, once for each artifact. What was frozen with the one before is collected first."""
        current = self._holder.current
        if current is None or current is self._settled:
            return
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._settled = current
