"""How everything here is measured: whole runs in turn, medians, and memory of a process of its own."""

import multiprocessing
import re
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

console = Console(width=120)


def time_in_turn(runs: int, **jobs: Callable[[], object]) -> dict[str, list[float]]:
    """Run each job once per round, so that all of them meet the same conditions; seconds per run."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(runs):
        for name, job in jobs.items():
            begun = time.perf_counter()
            job()
            seconds[name].append(time.perf_counter() - begun)
    return seconds


def peak_memory_mib(job: Callable[..., object], *arguments: Any) -> float:
    """Peak resident memory of a fresh process that runs the job."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run_and_report, args=(sender, job, arguments))
    process.start()
    sender.close()
    peak: float = receiver.recv()
    process.join()
    return peak


def _run_and_report(sender: Any, job: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    job(*arguments)
    # Not getrusage: what that counts is inherited from the process that started this one.
    match = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    sender.send(int(match[1]) / 1024 if match else float("nan"))


def show(title: str, floor: str, rows: list[tuple[str, list[float], list[float], str]]) -> None:
    """Print one table: what, ours and floor in seconds (median), the ratio of each round (median), n, a note."""
    table = Table(title=title, title_justify="left")
    for name in ("job", "ours s", f"{floor} s", "ratio", "n", "note"):
        table.add_column(name, justify="left" if name in ("job", "note") else "right")
    for job, ours, floors, note in rows:
        ratio = median(mine / bare for mine, bare in zip(ours, floors, strict=True))
        table.add_row(job, f"{median(ours):.2f}", f"{median(floors):.2f}", f"{ratio:.2f}", str(len(ours)), note)
    console.print(table)
