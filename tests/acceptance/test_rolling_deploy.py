"""Two versions of the code at once: the one before the newest migration, and this one, on the new tables."""

import contextlib
import io
import pathlib
import subprocess
import sys
import tarfile
from collections.abc import Iterator

import httpx
import pytest

from tests import services
from tests.acceptance import stack as stacks
from tests.acceptance.stack import ROOT, Stack

pytestmark = pytest.mark.timeout(180)

TEXT = "The lighthouse keeper wrote a diary. It rained for nine days. The ship came on a Sunday."


def git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    if done.returncode != 0:
        services.missing(f"this is no git checkout with its history: {done.stderr.decode().strip()}")
    return done.stdout


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The code of the commit before the newest migration was added."""
    newest = max((ROOT / "db" / "migrations" / "versions").glob("[0-9]*.py"))
    # By first parents: a merge may have given it its number.
    added = git(
        *("log", "--first-parent", "-m", "--no-renames", "--diff-filter=A", "--format=%H", "--", str(newest))
    )
    if not added:
        services.missing(f"{newest.name} is not committed")
    if git("rev-parse", "--is-shallow-repository").strip() == b"true":
        services.missing("the history of this checkout was cut off (git fetch --unshallow)")
    folder = tmp_path_factory.mktemp("old")
    packed = git("archive", f"{added.decode().split()[-1]}^", "bot", "tasks", "db")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    assert not (folder / "db" / "migrations" / "versions" / newest.name).exists()
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def stack(
    request: pytest.FixtureRequest, old: pathlib.Path, valkey_url: str, tmp_path: pathlib.Path
) -> Iterator[Stack]:
    """All of the old version, on tables that the new one has migrated."""
    if request.param == "sqlite":
        with running(f"sqlite:///{tmp_path / 'threadline.db'}", valkey_url, tmp_path) as made:
            yield made
        return
    server = request.getfixturevalue("postgres_url")
    with services.postgres_database(server) as database, running(database, valkey_url, tmp_path) as made:
        yield made


def running(database: str, broker: str, folder: pathlib.Path) -> contextlib.AbstractContextManager[Stack]:
    return stacks.running(database, broker, folder, socket_mode=False, LLM_LIMIT="2")


def start_old(stack: Stack, old: pathlib.Path, name: str) -> None:
    """One process of the old version beside, or in place of, the new one's."""
    package = ("bot",) if name == "web" else ("tasks", name)
    with (stack.folder / f"old-{name}.log").open("ab") as log:
        stack.processes[f"old-{name}"] = subprocess.Popen(
            [sys.executable, "-m", *package],
            cwd=old,
            env={name: value for name, value in stack.environment.items() if name != "PYTHONPATH"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    services.guardian().watch(stack.processes[f"old-{name}"].pid)


def ask(stack: Stack, number: int) -> str:
    said = stack.api("POST", "/api/analyses", json={"text": f"{number}. {TEXT}"})
    assert said.status_code == 202
    return str(said.headers["location"])


def listens(stack: Stack) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return stack.api("GET", "/healthz").status_code == 200
    return False


def is_done(stack: Stack, path: str) -> bool:
    return stack.api("GET", path).json().get("state") == "done"


def test_old_code_on_new_tables_beside_new_code(stack: Stack, old: pathlib.Path) -> None:
    """Requests flow through all pairs of old and new processes, and none is lost or left behind."""
    stack.clear()
    stack.act("model", tokens_per_second=300)
    for name in stacks.WORKERS:
        stack.stop(name)
    asked = [ask(stack, number) for number in range(3)]
    # Only the old version works.
    for name in stacks.WORKERS:
        start_old(stack, old, name)
    stack.wait(lambda: is_done(stack, asked[0]), "the old version answers", 60)
    # Both work; then the new one alone, one kind of process after the other.
    for number, name in enumerate(stacks.WORKERS):
        stack.start(name, "tasks", name)
        asked += [ask(stack, 10 + 2 * number + more) for more in range(2)]
        stack.stop(f"old-{name}")
    stack.wait(lambda: all(is_done(stack, path) for path in asked), "all are answered", 60)


def test_an_old_front_door_on_new_tables(stack: Stack, old: pathlib.Path) -> None:
    """What the old version takes, the new one answers."""
    stack.clear()
    stack.stop("web")
    start_old(stack, old, "web")
    stack.wait(lambda: listens(stack), "the old web listens", 60)
    path = ask(stack, 1)
    stack.wait(lambda: is_done(stack, path), "its request is answered")
    assert stack.api("GET", "/metrics").status_code == 200
