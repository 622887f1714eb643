"""This machine: open files, and room on the disk."""

import pathlib
import resource
import shutil
import tempfile

import sqlalchemy as sa

from bot.doctor.finding import Finding, Findings, note, ok, problem
from tasks.resources import Resources
from tasks.settings import Settings

# A process of ours opens a connection for each thread, 40 to the database, and its libraries.
_FILES_BESIDE = 200

LEAST_FREE = 1024**3
"""Bytes: a day of requests with room for a database to tidy itself."""


def examine(resources: Resources) -> Findings:
    """What a process that starts here has to work with; other machines of a deployment need their own look."""
    settings = resources.settings
    yield files(settings, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    fixed = [server.limit for server in resources.line.servers if server.limit]
    if sum(fixed) > settings.infer_concurrency:
        yield note("machine.threads", "doctor.threads", limit=sum(fixed), threads=settings.infer_concurrency)
    for folder in folders(settings):
        yield disk(folder, shutil.disk_usage(folder).free)


def files(settings: Settings, allowed: int) -> Finding:
    """The limit on open files beside what the busiest process needs."""
    needed = _FILES_BESIDE + 4 * max(settings.infer_concurrency, settings.deliver_concurrency)
    if 0 <= allowed < needed:
        return problem("machine.files", "doctor.files_few", allowed=allowed, needed=needed)
    return ok("machine.files", "doctor.files", allowed=allowed if allowed >= 0 else "∞", needed=needed)


def folders(settings: Settings) -> list[pathlib.Path]:
    """Where we write: a SQLite database, and files on their way."""
    url = sa.make_url(settings.database_url)
    found = [pathlib.Path(tempfile.gettempdir())]
    if url.drivername == "sqlite" and url.database:
        beside = pathlib.Path(url.database).absolute().parent
        # Before the first start its folder is not there yet, and its parent has the same disk.
        found.insert(0, next(folder for folder in (beside, *beside.parents) if folder.exists()))
    return found


def disk(folder: pathlib.Path, free: int) -> Finding:
    """Room for `folder`."""
    gigabytes = f"{free / 1024**3:.1f}"
    if free < LEAST_FREE:
        return problem("machine.disk", "doctor.disk_full", folder=folder, free=gigabytes)
    return ok("machine.disk", "doctor.disk", folder=folder, free=gigabytes)
