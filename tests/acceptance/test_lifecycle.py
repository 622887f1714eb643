"""Workers that die, freeze, lose the database or are told to end: their work is done elsewhere, once."""

import contextlib
import os
import pathlib
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import psutil
import psycopg
import pytest
from sqlalchemy import make_url

from tasks.sweep import MOST_CLAIMS
from tests import documents, services
from tests.acceptance import stack as stacks
from tests.acceptance.partition import Wire
from tests.acceptance.stack import ADA, GENERAL, Stack

pytestmark = pytest.mark.timeout(240)

TEXT = "The lighthouse keeper wrote a diary. It rained for nine days. The ship came on a Sunday."
UNLUCKY = "tests.acceptance.unlucky"


@pytest.fixture(scope="module")
def postgres() -> Iterator[services.Server]:
    """A server of these tests' own: they kill it, so it must keep what it committed."""
    with services.postgres_server(durable=True) as server:
        yield server


@pytest.fixture(scope="module")
def _running(
    postgres: services.Server, valkey_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder: pathlib.Path = tmp_path_factory.mktemp("lifecycle")
    settings = {"LLM_LIMIT": "3", "LEASE": "6", "PREPARE_CONCURRENCY": "2"}
    with stacks.running(postgres.url, valkey_url, folder, socket_mode=False, **settings) as running:
        for name in ("prepare", "infer", "deliver"):
            running.stop(name)
        yield running


@pytest.fixture
def stack(_running: Stack) -> Iterator[Stack]:
    """The product without workers: each test starts the ones that it harms."""
    _running.clear()
    yield _running
    for name in set(_running.processes) - {"web", "beat"}:
        with contextlib.suppress(ProcessLookupError):
            _running.stop(name, signal.SIGKILL)
    for left in _running.folder.glob("*.*"):
        if left.suffix != ".log":
            left.unlink()


def work(stack: Stack, *stages: str, **environment: str) -> None:
    """Start workers that requests can harm; `infer-b` is a second one of `infer`."""
    for name in stages:
        start(stack, name, **environment)


def start(stack: Stack, name: str, **environment: str) -> subprocess.Popen[bytes]:
    usual = dict(stack.environment)
    stack.environment.update(environment)
    try:
        stack.start(name, UNLUCKY, name.partition("-")[0])
    finally:
        stack.environment.clear()
        stack.environment.update(usual)
    return stack.processes[name]


def ask(stack: Stack, orders: str = "", **more: Any) -> str:
    """A request by HTTP; returns its path."""
    said = stack.api("POST", "/api/analyses", json={"text": f"{orders} {TEXT}", **more})
    assert said.status_code == 202
    return str(said.headers["location"])


def wait_done(stack: Stack, path: str, state: str = "done") -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = stack.api("GET", path).json()
        return found if found.get("state") == state else None

    return stack.wait(look, f"{path} is {state}", 60)


def one(stack: Stack, query: str, *values: Any) -> Any:
    """The first column of a query's only row."""
    with psycopg.connect(services.dsn(stack.environment["DATABASE_URL"])) as connection:
        row = connection.execute(query.encode(), values).fetchone()
    assert row is not None
    return row[0]


def step(stack: Stack, path: str, column: str) -> Any:
    return one(stack, f"SELECT {column} FROM steps WHERE job_id = %s", path.rpartition("/")[2])


def job(stack: Stack, path: str, column: str) -> Any:
    return one(stack, f"SELECT {column} FROM jobs WHERE id = %s", path.rpartition("/")[2])


def in_flight(stack: Stack) -> int:
    return int(stack.look("model")["in_flight"])


def test_a_killed_a_frozen_and_a_partitioned_worker_lose_their_calls(
    stack: Stack, postgres: services.Server
) -> None:
    """Each is served again elsewhere; streams are closed; what the frozen one says when it wakes changes nothing."""
    work(stack, "prepare", "deliver")
    stack.act("faults/model", kind="stall", times=3, seconds=50)
    url = make_url(stack.environment["DATABASE_URL"])
    with Wire(int(url.port or 0)).laid() as wire:
        paths = {}
        for name in ("infer-killed", "infer-frozen", "infer-apart"):
            through = url.set(port=wire.port) if name == "infer-apart" else url
            # Who is apart needs some seconds to find that out.
            lease = "16" if name == "infer-apart" else "6"
            start(
                stack,
                name,
                INFER_CONCURRENCY="1",
                DATABASE_URL=through.render_as_string(False),
                LEASE=lease,
            )
            before = in_flight(stack)
            # One is longer than the others, so that its calls can be told from theirs.
            paths[name] = ask(stack, "It snowed, too. " * 9 if name == "infer-apart" else "")
            stack.wait(lambda before=before: in_flight(stack) == before + 1, f"{name} holds a call")
        longer = stack.look("model")["calls"][-1]["tokens_in"]
        work(stack, "infer")
        stack.processes["infer-frozen"].send_signal(signal.SIGSTOP)
        stack.stop("infer-killed", signal.SIGKILL)
        wire.cut()
        # The killed one's connection ends with it; who is apart closes its stream.
        stack.wait(lambda: in_flight(stack) == 1, "only the frozen one's stream is open")
        answers = {name: wait_done(stack, path)["result"] for name, path in paths.items()}
        assert {step(stack, path, "fence") for path in paths.values()} == {3}
        first, again = [call for call in stack.look("model")["calls"] if call["tokens_in"] == longer]
        assert first["ended"] < again["arrived"]  # Nobody else called before it had closed its stream.
        stack.processes["infer-frozen"].send_signal(signal.SIGCONT)
        stack.wait(lambda: in_flight(stack) == 0, "the frozen one closed its stream")
        wire.mend()
        stack.wait(lambda: log(stack, "infer-apart").count("step.stopped") == 1, "the third gave its call up")
        stack.wait(lambda: log(stack, "infer-frozen").count("step.stopped") == 1, "so did the second")
    for name, path in paths.items():
        assert stack.api("GET", path).json()["result"] == answers[name]
        assert step(stack, path, "state") == "done"


def log(stack: Stack, name: str) -> str:
    return (stack.folder / f"{name}.log").read_text(errors="replace")


def test_frozen_preparing_and_posting_go_on_elsewhere_and_once(stack: Stack) -> None:
    """A process of prepare's pool, and a deliver worker between Slack's answer and its record."""
    work(stack, "prepare", "infer", "deliver", "deliver-b")
    ts = stack.say(ADA, GENERAL, f"<@U0BOT> prepare:freeze deliver:freeze {TEXT}")
    # Four workers start, and two leases run out.
    stack.wait(lambda: stack.replies(GENERAL, ts, "result"), "the answer", 90)
    stack.wait(lambda: "done in" in stack.replies(GENERAL, ts, "card")[0]["text"], "the card says done")
    for stage in ("prepare", "deliver"):
        frozen = int((stack.folder / f"{stage}.frozen").read_text())
        assert psutil.Process(frozen).status() == psutil.STATUS_STOPPED
        os.kill(frozen, signal.SIGCONT)
    stack.wait(lambda: "lane.lost" in log(stack, "deliver") + log(stack, "deliver-b"), "the late record")
    steps = "SELECT count(*) FROM steps JOIN jobs ON jobs.id = job_id WHERE message_ts = %s"
    stack.wait(lambda: log(stack, "prepare").count("job.prepared") >= 2, "the late steps")
    assert one(stack, steps, ts) == 1
    assert [len(stack.replies(GENERAL, ts, kind)) for kind in ("card", "result")] == [1, 1]


def test_a_job_that_kills_its_worker_three_times_fails(stack: Stack) -> None:
    """While preparing, and while its call runs; the first does not wait for three leases."""
    work(stack, "prepare", "deliver", LEASE="600")
    start(stack, "infer", LEASE="3")
    preparing = ask(stack, "prepare:die")
    assert wait_done(stack, preparing, "failed")["error"] == "bug"
    assert job(stack, preparing, "claims") == 3
    calling = ask(stack, "infer:die")
    for _ in range(3):
        stack.wait(lambda: stack.processes["infer"].poll() is not None, "the call kills its worker")
        stack.stop("infer", signal.SIGKILL)
        start(stack, "infer", LEASE="3")
    assert wait_done(stack, calling, "failed")["error"] == "bug"
    well = ask(stack)
    wait_done(stack, well)


def test_a_text_that_takes_for_ever_ends_with_a_reason(stack: Stack) -> None:
    """The pool ends its process at the time limit; tried three times, it fails, and others are prepared meanwhile."""
    work(stack, "prepare", "infer", "deliver", LEASE="600", TIME_LIMIT="5")
    for_ever = ask(stack, "prepare:linger")
    stack.wait(lambda: (stack.folder / "prepare.lingers").exists(), "it is being prepared")
    wait_done(stack, ask(stack))
    assert wait_done(stack, for_ever, "failed")["error"] == "bug"
    assert job(stack, for_ever, "claims") == 3


@pytest.mark.parametrize("told", ["once", "twice", "ctrl-c twice"])
def test_a_worker_that_is_told_to_end_gives_its_call_back(stack: Stack, told: str) -> None:
    """After the grace, or at once when told again: exit code 0, its stream closed, no attempt or claim used."""
    work(stack, "prepare", "deliver")
    start(stack, "infer", LEASE="600", **({"GRACE": "1"} if told == "once" else {}))
    stack.act("faults/model", kind="stall", times=1, seconds=50)
    path = ask(stack)
    stack.wait(lambda: in_flight(stack) == 1, "the call is in flight")
    how = signal.SIGINT if "ctrl" in told else signal.SIGTERM
    if "twice" in told:
        stack.processes["infer"].send_signal(how)
        stack.wait(lambda: "shutdown" in log(stack, "infer").rpartition("starting")[2], "it heard")
    assert stack.stop("infer", how) == 0
    stack.wait(lambda: in_flight(stack) == 0, "its stream is closed")
    assert [step(stack, path, column) for column in ("state", "attempts", "claims")] == ["waiting", 0, 0]
    start(stack, "infer")
    wait_done(stack, path)


@pytest.mark.parametrize("told", ["once", "twice"])
def test_a_whole_group_that_is_told_to_end_drops_no_job(stack: Stack, told: str) -> None:
    """As honcho and Heroku do it: prepare's processes end between two jobs, or give theirs back when told again."""
    work(stack, "infer", "deliver")
    prepare = start(stack, "prepare", LEASE="600")
    path = ask(stack, "prepare:linger")
    stack.wait(lambda: (stack.folder / "prepare.lingers").exists(), "the job is being prepared")
    os.killpg(prepare.pid, signal.SIGTERM)
    stack.wait(lambda: "shutdown" in log(stack, "prepare").rpartition("starting")[2], "it heard")
    if told == "twice":
        os.killpg(prepare.pid, signal.SIGTERM)
    else:
        (stack.folder / "prepare.go").touch()
    assert prepare.wait(30) == 0
    assert job(stack, path, "claims") == (0 if told == "twice" else 1)
    (stack.folder / "prepare.go").touch()
    start(stack, "prepare", LEASE="600")
    wait_done(stack, path)
    assert job(stack, path, "claims") == 1


def test_deploys_in_the_middle_of_a_large_file_never_count(stack: Stack, tmp_path: pathlib.Path) -> None:
    """More of them than a job may kill workers: each gives it back after the grace, and ends what reads for it."""
    work(stack, "infer", "deliver")
    slow = slow_recognition(tmp_path)
    scan = documents.png(80, 20, *[b"\xff" * 80] * 20)
    asked = stack.api("POST", "/api/analyses", files={"file": ("scan.png", scan)})
    path = str(asked.headers["location"])
    for _ in range(MOST_CLAIMS + 1):
        prepare = start(stack, "prepare", LEASE="600", GRACE="1", **slow)
        stack.wait(lambda: (tmp_path / "reading").exists(), "the file is being read")
        assert [*(tmp_path / "tmp").iterdir()]
        # As systemd does it: to all of the service's processes.
        all_of_them = [psutil.Process(prepare.pid), *psutil.Process(prepare.pid).children(recursive=True)]
        for process in all_of_them:
            # The slow recognition's own children come and go.
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        assert prepare.wait(30) == 0
        _, alive = psutil.wait_procs(all_of_them[1:], 30)
        assert alive == []
        assert not [*(tmp_path / "tmp").iterdir()]
        assert [job(stack, path, column) for column in ("state", "claims")] == ["preparing", 0]
        (tmp_path / "reading").unlink()
    (tmp_path / "go").touch()
    start(stack, "prepare", LEASE="600", **slow)
    assert "lighthouse keeper" in wait_done(stack, path)["result"]
    assert job(stack, path, "claims") == 1


def slow_recognition(folder: pathlib.Path) -> dict[str, str]:
    """A tesseract that reads until it may `go`, and where its worker's files lie."""
    tesseract = folder / "tesseract"
    tesseract.write_text(
        "#!/bin/sh\n"
        "case $1 in --list-langs) echo eng; exit;; esac\n"
        f"touch {folder}/reading\n"
        f"while ! [ -e {folder}/go ]; do sleep 0.05; done\n"
        # Its second argument names the files that it writes: the text, and a table of its words.
        f"echo '{TEXT}' >$2.txt; : >$2.tsv\n"
    )
    tesseract.chmod(0o755)
    (folder / "tmp").mkdir()
    return {"PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(folder / "tmp")}


def test_a_database_that_is_restarted_under_load_loses_nothing(
    stack: Stack, postgres: services.Server
) -> None:
    """Killed while people ask and calls run: what was acknowledged is answered, and nothing else has a row."""
    work(stack, "prepare", "infer", "deliver")
    stack.act("model", tokens_per_second=200)
    acknowledged = [ask(stack, f"{number}.") for number in range(10)]
    postgres.kill()
    refused = stack.api("POST", "/api/analyses", json={"text": TEXT})
    assert refused.status_code == 503
    postgres.start()
    acknowledged += [ask(stack, f"{number}.") for number in range(10, 20)]
    for path in acknowledged:
        wait_done(stack, path)
    assert one(stack, "SELECT count(*) FROM jobs WHERE state NOT IN ('done', 'failed')") == 0
