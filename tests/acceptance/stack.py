"""The whole product as real processes, with a playground for its Slack and its model server."""

import contextlib
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
from typing import Any

import httpx

from playground import server
from playground.config import Config
from tests import services

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
    # All that people and the model wrote in this stack's life.
    written: set[str] = field(default_factory=set)

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

    def logs(self) -> str:
        """All that the processes wrote."""
        return "\n".join(file.read_text(errors="replace") for file in sorted(self.folder.glob("*.log")))

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
            return services.wait_for(condition, limit, what)
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

    def clear(self) -> None:
        """No faults, a quick model, no enforced rates: the state that each test begins with."""
        assert self.http.delete("/control/faults").status_code == 200
        self.act("limits", enforce=False)
        at_once = {"tokens_per_second": 0, "prefill_tokens_per_second": 0, "first_token_seconds": 0}
        self.act("model", slots=16, answer="summary", **at_once)


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
    **settings: str,
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
        **settings,
    }
    config = Config(
        port=play_port,
        request_url=f"http://127.0.0.1:{port}/slack/events",
        signing_secret=SIGNING_SECRET,
        bot_token=BOT_TOKEN,
        app_token=APP_TOKEN,
        database_url=database_url,
        hang_seconds=20.0,
        event_retry_seconds=(0.0, 2.0, 5.0),
    )
    subprocess.run([sys.executable, "-m", "db", "upgrade"], cwd=ROOT, env=environment, check=True)
    with server.running(config) as play, httpx.Client(base_url=play.url, timeout=30) as http:
        stack = Stack(f"http://127.0.0.1:{port}", play, http, environment, folder)
        try:
            for worker in WORKERS:
                stack.start(worker, "tasks", worker)
            stack.start("web", "bot")
            stack.wait(lambda: _ready(stack, socket_mode), "web is ready", 60)
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


def _ready(stack: Stack, socket_mode: bool) -> bool:
    for name, process in stack.processes.items():
        assert process.poll() is None, f"{name} ended: {stack.logs()[-3000:]}"
    with contextlib.suppress(OSError), urllib.request.urlopen(stack.web + "/readyz", timeout=5) as response:
        if set(json.load(response).values()) != {"ok"}:
            return False
        return not socket_mode or stack.look("state")["sockets"] > 0
    return False
