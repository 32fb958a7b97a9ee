"""Rounds of load: one kind of request each, in turn, so that all of them meet the same conditions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.load import Outcome, load
from benchmarks.servers import Server

ROUNDS = 5
SECONDS = 3.0
LOAD_SHARE = 0.6


@dataclass
class Job:
    """One kind of request, and what each round of it saw."""

    name: str
    server: Server
    requests: Sequence[bytes]
    connections: int = 16
    is_in_one_write: bool = False
    full: list[Outcome] = field(default_factory=list)
    partial: list[Outcome] = field(default_factory=list)

    def run(self) -> None:
        """As fast as it goes, then at 60 % of that."""
        self.run_full()
        rate = LOAD_SHARE * self.full[-1].per_second
        self.partial.append(self._load(connections=64, rate=rate))

    def run_full(self) -> None:
        """As fast as it goes."""
        self.full.append(self._load(connections=self.connections))

    def _load(self, *, connections: int, rate: float | None = None) -> Outcome:
        return load(
            self.server.port,
            self.requests,
            seconds=SECONDS,
            connections=connections,
            rate=rate,
            pids=self.server.pids,
            is_in_one_write=self.is_in_one_write,
        )


def check(rounds: Sequence[Outcome]) -> None:
    """A failed answer makes every figure worthless."""
    if failed := [outcome.failures for outcome in rounds if outcome.failures]:
        raise RuntimeError(f"answers failed: {failed}")


def middle(rounds: Sequence[Outcome], figure: Callable[[Outcome], float]) -> float:
    return median(figure(outcome) for outcome in rounds)
