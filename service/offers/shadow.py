"""A candidate artifact beside the live one: it answers a share of the traffic, and nobody sees its answers."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Final

from service.base.arbitration_options import DEFAULT_OPTIONS, ArbitrationOptions
from service.base.telemetry import Telemetry
from service.offers.decide import decide
from service.offers.gathering import gather
from service.offers.request import OfferRequest
from service.sync.loaded_artifact import LoadedArtifact

MAX_QUEUE: Final = 1000
MAX_REST_SECONDS: Final = 0.2


class Shadow:
    """Compares what a candidate artifact would have offered with what was offered, and tells telemetry alone.

    share: of the answers, between 0 and 1. They are queued, and answered again in a thread of their own; what does
    not fit into the queue is skipped and counted.
    """

    def __init__(
        self, live: LoadedArtifact, share: float, telemetry: Telemetry, options: ArbitrationOptions = DEFAULT_OPTIONS
    ) -> None:
        self.live = live
        self._share = share
        self._telemetry = telemetry
        self._options = options
        self._random = Random()  # noqa: S311  Which requests are drawn is no secret.
        self._queue: deque[tuple[OfferRequest, list[str], datetime]] = deque()
        self._stopping = threading.Event()

    def consider(self, request: OfferRequest, offered: list[str], now: datetime) -> None:
        """Draw an answer that was given now, or pass it over. offered: product identifiers, in order."""
        if self._random.random() >= self._share:
            return
        if len(self._queue) >= MAX_QUEUE:
            self._telemetry.shadow_answers.labels("skipped").inc()
            return
        self._queue.append((request, offered, now))

    def run(self) -> None:
        """Answer what was drawn until ``stop``."""
        while not self._stopping.wait(0 if self._queue else MAX_REST_SECONDS):
            if self._queue:
                self._compare(*self._queue.popleft())

    def stop(self) -> None:
        """End the thread soon."""
        self._stopping.set()

    def _compare(self, request: OfferRequest, offered: Sequence[str], now: datetime) -> None:
        begun = time.perf_counter()
        try:
            live = self.live
            facts = gather(live.state, [request], self._options, now=now)
            proposed = [offer["product_id"] for offer in decide(facts).offers]
        except Exception:  # A candidate that fails is what a shadow is there to find.
            self._telemetry.shadow_answers.labels("failed").inc()
            return
        self._telemetry.shadow_seconds.observe(time.perf_counter() - begun)
        self._telemetry.shadow_answers.labels("same" if proposed == offered else "different").inc()
        self._telemetry.shadow_overlap.observe(overlap(proposed, offered))


def overlap(offered: Sequence[str], others: Sequence[str]) -> float:
    """The share of products that are in both lists, of those in the longer one; 1 for two empty lists."""
    longer = max(len(offered), len(others))
    return len(set(offered) & set(others)) / longer if longer else 1.0
