"""The whole product as real processes, with a playground for its Slack and its model server."""

import contextlib
import io
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import httpx
import sqlalchemy as sa
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from bot.owners import command as owners
from db import outcomes, session
from db.models import Backend, Base, Job, Lane, Post, Step
from db.states import OPEN, PostState, StepState
from playground import server
from playground.config import Config
from tasks import settings
from tasks.resources import Resources
from tests import fakes, services

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKERS = ("prepare", "infer", "deliver", "beat")
API_TOKEN = "acceptance-token-0123456789"
BOT_TOKEN = "xoxb-acceptance-secret"
SIGNING_SECRET = "acceptance-signing-secret"
APP_TOKEN = "xapp-acceptance-secret"
MODEL_KEY = "sk-acceptance-secret"
OTHER_TOKEN = "another-token-0123456789"
DATABASE_PASSWORD = "acceptance-database-password"
ANSWER_SECONDS = 30.0

# What is written in these calls must be in no log. Shorter pieces of it may be words of ours, too.
WRITING = frozenset({"say", "edit", "command", "model", "submit"})
SHORTEST_PIECE = 16  # bytes, of which a Korean syllable has three

ADA, MINJI, LEO = "U0ADA", "U0MINJI", "U0LEO"
GENERAL, RESEARCH, RANDOM, SECRET = "C0GENERAL", "C0RESEARCH", "C0RANDOM", "G0SECRET"


@dataclass
class Stack:
    """Everything running; people act and look through it."""

    web: str
    play: server.Running
    http: httpx.Client
    environment: dict[str, str]
    folder: pathlib.Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    # All that people and the model wrote, and how long each log was, since the stack was new or renewed.
    written: set[str] = field(default_factory=set)
    logged: dict[str, int] = field(default_factory=dict)

    def start(self, name: str, *command: str) -> None:
        """Start a process; its log is `<name>.log`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        services.guardian().watch(self.processes[name].pid)

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM, limit: float = 30) -> int:
        """End a process and its children; returns its exit code."""
        process = self.processes[name]
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if how is signal.SIGKILL else os.kill)(process.pid, how)
        code = process.wait(limit)
        services.guardian().forget(process.pid)
        del self.processes[name]
        return code

    def order(self, *words: str) -> tuple[int, str]:
        """An owner's order as `python -m bot admin` carries it out, without its start: the exit code, and its words.

        It rings nobody; the next sweep does.
        """
        with mock.patch.dict(os.environ, self.environment, clear=True):
            resources = Resources(settings.load())
        resources.__dict__["bell"] = fakes.Bell()
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said), capture_logs():
                return owners.main(resources, words), said.getvalue()
        finally:
            resources.engine.dispose()

    def kill_deliver(self) -> None:
        """Kill the worker that delivers, and start another; what the dead one held is free as if its lease were over."""
        self.stop("deliver", signal.SIGKILL)
        with self.database() as transaction:
            transaction.execute(sa.update(Lane).values(lease_until=datetime.now(UTC)))
        self.start("deliver", "tasks", "deliver")

    @contextlib.contextmanager
    def database(self) -> Iterator[Session]:
        """A transaction on the product's database."""
        engine = session.connect(self.environment["DATABASE_URL"])
        try:
            with session.transaction(engine) as transaction:
                yield transaction
        finally:
            engine.dispose()

    def logs(self) -> str:
        """All that the processes wrote since the stack was new or renewed."""
        files = sorted(self.folder.glob("*.log"))
        return "\n".join(
            file.read_bytes()[self.logged.get(file.name, 0) :].decode(errors="replace") for file in files
        )

    def act(self, call: str, **body: Any) -> dict[str, Any]:
        """A person, or a fault: a control call of the playground that must succeed."""
        if call in WRITING:
            self.written.add(str(body.get("text") or ""))
        response = self.http.post(f"/control/{call}", json=body)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def look(self, call: str, **query: Any) -> dict[str, Any]:
        """What a person sees."""
        response = self.http.get(f"/control/{call}", params=query)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def say(self, user: str, channel: str, text: str, **more: Any) -> str:
        """Write a message; returns its ts."""
        return str(self.act("say", user=user, channel=channel, text=text, **more)["ts"])

    def attach(self, user: str, name: str, content: bytes) -> str:
        """Upload a file as a person; its id."""
        sent = self.http.post("/control/file", data={"user": user}, files={"file": (name, content)})
        assert sent.status_code == 200, sent.text
        return str(sent.json()["file"]["id"])

    def thread(self, channel: str, ts: str) -> list[dict[str, Any]]:
        """The replies under a message."""
        return list(self.look("messages", channel=channel, thread_ts=ts)["messages"][1:])

    def replies(self, channel: str, ts: str, kind: str) -> list[dict[str, Any]]:
        """The bot's replies of one kind (card, result, failure) under a message."""
        return [reply for reply in self.thread(channel, ts) if kind_of(reply) == kind]

    def answer(self, channel: str, ts: str, count: int = 1) -> dict[str, Any]:
        """Wait for the `count`th result under a message, and return it."""
        return self.wait(
            lambda: (self.replies(channel, ts, "result") or [])[count - 1 : count],
            f"result {count} in the thread of {ts}",
        )[0]

    def wait(self, condition: Callable[[], Any], what: str, limit: float = ANSWER_SECONDS) -> Any:
        """Wait for a condition; with the logs' last lines when it does not come."""
        try:
            # A look is a request, which takes more than what is waited for when it is asked often.
            return services.wait_for(condition, limit, what, pause=0.05)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()[-6000:]}") from None

    def api(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A call of the product's own HTTP API."""
        self.written.add(str((options.get("json") or {}).get("text") or ""))
        headers = {"Authorization": f"Bearer {API_TOKEN}", **options.pop("headers", {})}
        return httpx.request(method, self.web + path, headers=headers, timeout=10, **options)

    def leaks(self) -> list[str]:
        """Secrets and pieces of what people wrote that any process logged (I10), one of each kind."""
        logs = self.logs()
        secrets = (BOT_TOKEN, SIGNING_SECRET, API_TOKEN, APP_TOKEN, MODEL_KEY, OTHER_TOKEN, DATABASE_PASSWORD)
        pieces = {
            piece.strip()
            for text in self.written
            for piece in re.split(r"[.!?\n]", text)
            if len(piece.strip().encode()) >= SHORTEST_PIECE
        }
        # A library may have written it as JSON or by repr.
        spelled = {each: {each, json.dumps(each)[1:-1], ascii(each)[1:-1]} for each in (*secrets, *pieces)}
        return [each for each, ways in spelled.items() if any(way in logs for way in ways)][:20]

    def hold_model(self) -> None:
        """Calls run and get no word from now on: all that is done before `let_model_go` comes before any answer."""
        self.act("model", first_token_seconds=3600)

    def let_model_go(self, **shape: Any) -> None:
        """Calls that were held go on, with this pace or at once."""
        self.act("model", first_token_seconds=0, **shape)

    def clear(self) -> None:
        """No faults, a quick model, no enforced rates: the state that each test begins with."""
        assert self.http.delete("/control/faults").status_code == 200
        self.act("limits", enforce=False)
        at_once = {"tokens_per_second": 0, "prefill_tokens_per_second": 0, "first_token_seconds": 0}
        self.act("model", slots=16, answer="summary", **at_once)

    def renew(self) -> None:
        """Bring everything back to what it was at the start, for the next file of tests.

        No log may hold a secret, or what people wrote.
        """
        for name in set(self.processes) - {*WORKERS, "web"}:
            self.stop(name, signal.SIGKILL)
        for name in WORKERS:
            self.start_again(name, "tasks", name)
        self.start_again("web", "bot")
        self.wait(self.is_ready, "all is ready", 60)
        self.clear()
        self.wait(self._is_quiet, "nothing is left to do", 60)
        leaks = self.leaks()
        with self.database() as transaction:
            for table in reversed(Base.metadata.sorted_tables):
                if table.name != "backends":  # Workers declare them when they start.
                    transaction.execute(table.delete())
        self.act("reset")
        self.written.clear()
        self.logged = {file.name: file.stat().st_size for file in self.folder.glob("*.log")}
        assert leaks == []

    def _is_quiet(self) -> bool:
        """End what is open, and pauses with it; whether nothing is left to call or to show."""
        with self.database() as transaction:
            transaction.execute(
                sa.update(Backend).values(
                    paused_at=None, paused_words=None, not_before=None, trouble=None, failures=0
                )
            )
            for job in transaction.scalars(sa.select(Job.id).where(Job.state.in_(OPEN))).all():
                outcomes.cancel(transaction, job, datetime.now(UTC))
            running = sa.select(Step.id).where(Step.state == StepState.RUNNING).limit(1)
            wanted = sa.select(Post.id).where(Post.state == PostState.WANTED).limit(1)
            return not (transaction.scalar(running) or transaction.scalar(wanted))

    def start_again(self, name: str, *command: str) -> None:
        """Start a process, unless it runs."""
        if name in self.processes and self.processes[name].poll() is not None:
            self.stop(name)
        if name not in self.processes:
            self.start(name, *command)

    def is_ready(self) -> bool:
        """Whether every process runs and answers."""
        for name, process in self.processes.items():
            assert process.poll() is None, f"{name} ended: {self.logs()[-3000:]}"
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(self.web + "/readyz", timeout=5) as response,
        ):
            if set(json.load(response).values()) != {"ok"}:
                return False
            return not self.environment["SLACK_APP_TOKEN"] or self.look("state")["sockets"] > 0
        return False


def kind_of(message: dict[str, Any]) -> str | None:
    """What the bot meant a message to be, by its metadata."""
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    return payload.get("kind")


@contextlib.contextmanager
def running(
    database_url: str,
    broker_url: str,
    folder: pathlib.Path,
    *,
    socket_mode: bool,
    before: Callable[[str], None] | None = None,
    **more: str,
) -> Iterator[Stack]:
    """Start everything, wait until it is ready, and end it all afterwards. `before` gets the playground's address.

    At the end no log of any process may hold a secret, or what people wrote.
    """
    # PostgreSQL trusts the tests whatever the password; the product has one to keep to itself all the same.
    database_url = database_url.replace("threadline@", f"threadline:{DATABASE_PASSWORD}@")
    port, play_port = services.free_port(), services.free_port()
    if before is not None:
        before(f"http://127.0.0.1:{play_port}")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_SIGNING_SECRET": SIGNING_SECRET,
        "SLACK_APP_TOKEN": APP_TOKEN if socket_mode else "",
        "SLACK_API_URL": f"http://127.0.0.1:{play_port}/api/",
        "LLM_URL": f"http://127.0.0.1:{play_port}/v1",
        "LLM_MODEL": "built-in",
        "LLM_API_KEY": MODEL_KEY,
        "LLM_LIMIT": "4",
        # Small, so that a report of 5,000 words takes several calls and a join.
        "LLM_CONTEXT": "4096",
        "LOG_FORMAT": "json",
        # All that there is, so that the end of the run can look for what must not be there.
        "LOG_LEVEL": "DEBUG",
        "API_TOKENS": f"acceptance:{API_TOKEN},other:{OTHER_TOKEN}",
        "PORT": str(port),
        "PYTHONWARNINGS": "ignore::Warning:celery.platforms",
        **more,
    }
    config = Config(
        port=play_port,
        request_url=f"http://127.0.0.1:{port}/slack/events",
        signing_secret=SIGNING_SECRET,
        bot_token=BOT_TOKEN,
        app_token=APP_TOKEN,
        database_url=database_url,
        hang_seconds=20.0,
        # Slack's are none, a minute and five: so that no event is given up on a machine that is too busy for seconds.
        event_retry_seconds=(0.0, 2.0, 15.0),
    )
    subprocess.run([sys.executable, "-m", "db", "upgrade"], cwd=ROOT, env=environment, check=True)
    with server.running(config) as play, httpx.Client(base_url=play.url, timeout=30) as http:
        stack = Stack(f"http://127.0.0.1:{port}", play, http, environment, folder)
        try:
            for worker in WORKERS:
                stack.start(worker, "tasks", worker)
            stack.start("web", "bot")
            stack.wait(stack.is_ready, "web is ready", 60)
            yield stack
        finally:
            for name in list(stack.processes):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    stack.processes[name].send_signal(signal.SIGTERM)
            for name in list(stack.processes):
                try:
                    stack.stop(name, limit=15)
                except subprocess.TimeoutExpired:
                    stack.stop(name, signal.SIGKILL)
        assert stack.leaks() == []
