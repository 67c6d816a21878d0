"""Group commit: the steps of many transactions, taken together so that each directory is synced once.

For all: write and let the disk begin; sync each file; move each to where it is seen; sync each touched
directory. A transaction that fails at any step is undone as a whole; the others do not notice.
Runs in the committer's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import attrs

from mailsuite.durable.files import Files
from mailsuite.durable.parcel import Parcel


@attrs.define(eq=False)
class Job:
    """What is wanted for the parcels of one transaction, and how it ended."""

    parcels: Sequence[Parcel]
    prepare: bool = False
    publish: bool = False
    undo: bool = False
    error: Exception | None = attrs.field(default=None, init=False)
    """Why it failed; then nothing of it is left."""
    left_behind: list[Exception] = attrs.field(factory=list, init=False)
    """What went wrong while it was undone: something may be left."""


def carry_out(jobs: Sequence[Job], files: Files) -> None:
    """Do what *jobs* want. Raises nothing: each job tells how it ended."""
    preparing = [job for job in jobs if job.prepare]
    publishing = [job for job in jobs if job.publish]
    _each(preparing, Parcel.write)
    _each(preparing, Parcel.sync)
    _sync_directories(
        (job for job in preparing if not job.publish), lambda parcel: parcel.writing_directory, files
    )
    _each(publishing, Parcel.publish)
    _sync_directories(publishing, lambda parcel: parcel.published_directory, files)
    _undo([job for job in jobs if job.undo or job.error is not None], files)


def _each(jobs: Iterable[Job], step: Callable[[Parcel], None]) -> None:
    for job in jobs:
        if job.error is not None:
            continue
        try:
            for parcel in job.parcels:
                step(parcel)
        except Exception as error:
            job.error = error


def _sync_directories(jobs: Iterable[Job], directory: Callable[[Parcel], str], files: Files) -> None:
    touched: dict[str, list[Job]] = {}
    for job in jobs:
        if job.error is None:
            for path in dict.fromkeys(map(directory, job.parcels)):
                touched.setdefault(path, []).append(job)
    for path, owners in touched.items():
        try:
            files.sync_directory(path)
        except Exception as error:
            for job in owners:
                job.error = job.error or error


def _undo(jobs: Sequence[Job], files: Files) -> None:
    """Remove, and make durable what was removed from sight: nobody shall see it again after a crash."""
    touched: dict[str, Job] = {}
    for job in jobs:
        for parcel in job.parcels:
            if job.error is not None:
                parcel.place.forget()
            try:
                if directory := parcel.undo():
                    touched[directory] = job
            except Exception as error:
                job.left_behind.append(error)
    for path, job in touched.items():
        try:
            files.sync_directory(path)
        except Exception as error:
            job.left_behind.append(error)
