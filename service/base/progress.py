"""Progress on a terminal: one line with a bar per step, and plain lines where no terminal is attached."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

console = Console(stderr=True)


class Steps:
    """Shows named steps one after the other; calling it begins the next."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._step = ""
        self._begun = time.monotonic()

    def __call__(self, step: str, done: float | None = None) -> None:
        """Begin a step, or tell how much of the current one is done (0 to 1)."""
        if step != self._step:
            self.finish()
            self._step, self._begun = step, time.monotonic()
            if self._progress:
                self._task = self._progress.add_task(step, total=None)
        if self._progress and self._task is not None and done is not None:
            self._progress.update(self._task, total=1.0, completed=done)

    def finish(self) -> None:
        """End the current step."""
        if self._progress and self._task is not None:
            self._progress.update(self._task, total=1.0, completed=1.0)
            self._progress.stop_task(self._task)
        elif self._step:
            console.print(f"{self._step} ({time.monotonic() - self._begun:.1f} s)", highlight=False)
        self._step, self._task = "", None


@contextmanager
def show_steps() -> Iterator[Steps]:
    """Steps on standard error, with bars where it is a terminal."""
    if not console.is_terminal:
        steps = Steps(None)
        yield steps
        steps.finish()
        return
    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        steps = Steps(progress)
        yield steps
        steps.finish()
