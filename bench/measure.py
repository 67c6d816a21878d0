"""What a server costs: CPU seconds of its process, read from /proc, and wall time beside it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import attrs

TICKS = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> dict[int, list[str]]:
    """A process and all that descend from it: the fields of /proc/PID/stat from the third on."""
    everybody = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            everybody[int(place.parent.name)] = place.read_text().rpartition(")")[2].split()
    found, parents = {pid: everybody[pid]}, {pid}
    while parents:
        parents = {each for each, fields in everybody.items() if int(fields[1]) in parents}
        found.update({each: everybody[each] for each in parents})
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, of its children, and of those that have ended."""
    return sum(sum(map(int, fields[11:15])) for fields in family(pid).values()) / TICKS


def anonymous_octets(pid: int) -> int:
    """Memory of a process and its children that no file is behind; what several share is counted once."""
    total = 0
    for each in family(pid):
        for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss_Anon:"):
                total += int(line.split()[1]) * 1024
    return total


@attrs.frozen
class Figure:
    """One round of one scenario."""

    operations: int
    octets: int
    cpu: float
    wall: float

    @property
    def cpu_per_thousand(self) -> float:
        return self.cpu / self.operations * 1000

    @property
    def rate(self) -> float:
        return self.operations / self.wall

    @property
    def megabytes(self) -> float:
        return self.octets / self.wall / 1e6


def rounds(pid: int, count: int, operations: int, work: Callable[[], int], warm: bool = True) -> list[Figure]:
    """Run *work* *count* times, after once that does not count where it is to *warm* up.

    It does so many *operations* and answers the octets it moved.
    """
    figures = []
    for number in range(0 if warm else 1, count + 1):
        cpu, began = cpu_seconds(pid), time.perf_counter()
        octets = work()
        figure = Figure(operations, octets, cpu_seconds(pid) - cpu, time.perf_counter() - began)
        if number:
            figures.append(figure)
    return figures


def in_parallel(connections: int, jobs: int, job: Callable[[int], int]) -> int:
    """Run *job* with the numbers below *jobs*, so many at once; answer the sum of what they answer."""
    with ThreadPoolExecutor(connections) as pool:
        return sum(pool.map(job, range(jobs), chunksize=1))


def report(name: str, figures: list[Figure], throughput: bool = False) -> None:
    """One line: medians over the rounds, with minimum and maximum of the CPU figure."""
    cpu = [figure.cpu_per_thousand for figure in figures]
    line = f"{name:<44} {median(cpu):8.3f} CPU s/1000 [{min(cpu):.3f}..{max(cpu):.3f}]"
    line += f"  {median(figure.rate for figure in figures):8.0f}/s"
    if throughput:
        line += f"  {median(figure.megabytes for figure in figures):8.1f} MB/s"
        line += f"  {median(figure.cpu / figure.octets * 1e9 for figure in figures):6.2f} CPU s/GB"
    print(line, flush=True)


COLUMNS = "".join(
    f"{column:>14}" for column in ("CPU s/1000", "min..max", "per s", "MB/s", "CPU s/GB", "ratio")
)
"""What columns() shows."""


def columns(figures: Sequence[Figure], ours: float) -> str:
    """Medians; the last is the CPU time by that of *ours*."""
    cpu = [figure.cpu_per_thousand for figure in figures]
    shown = (
        f"{median(cpu):.2f}",
        f"{min(cpu):.2f}..{max(cpu):.2f}",
        f"{median(figure.rate for figure in figures):.0f}",
        f"{median(figure.megabytes for figure in figures):.1f}",
        f"{median(figure.cpu / figure.octets * 1e9 for figure in figures):.2f}",
        f"{median(cpu) / ours:.1f}",
    )
    return "".join(f"{each:>14}" for each in shown)


class Running(Protocol):
    """A server that is measured."""

    @property
    def name(self) -> str: ...

    @property
    def pid(self) -> int: ...


class Scenario(Protocol):
    """What is done to each of them in a round."""

    @property
    def name(self) -> str: ...

    @property
    def count(self) -> int:
        """Operations."""

    def work(self, server: Any) -> int:
        """Do them; answers the octets that were moved."""


def compare(servers: Sequence[Running], scenarios: Sequence[Scenario], count: int) -> None:
    """Print a table of all *scenarios*, *count* rounds of each; the servers take turns, and the first of them
    is ours."""
    width = max(len(scenario.name) for scenario in scenarios) + 1
    print(f"{'':{width + 12}}{COLUMNS}")
    for scenario in scenarios:
        figures: dict[str, list[Figure]] = {server.name: [] for server in servers}
        for number in range(count):
            for server in servers:
                work = partial(scenario.work, server)
                figures[server.name] += rounds(server.pid, 1, scenario.count, work, warm=not number)
        ours = median(figure.cpu_per_thousand for figure in figures[servers[0].name])
        for name, found in figures.items():
            print(f"{scenario.name:<{width}}{name:<12}{columns(found, ours)}", flush=True)
