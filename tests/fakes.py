"""Stand-ins made by hand: a clock, a bell, a Slack and a model in one process, and rows to begin with."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx
import sqlalchemy as sa
from slack_sdk.errors import SlackApiError

from db import backends, jobs, preparing, session
from db.jobs import NewStep
from db.models import Base, Job
from db.states import Origin
from tasks.linefile import MAIN
from tasks.resources import Resources
from tasks.settings import Settings

T = TypeVar("T")
Row = TypeVar("Row", bound=Base)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
LEASE = timedelta(seconds=30)


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, by: timedelta) -> None:
        self.now += by


class Bell:
    """Writes down what was rung."""

    def __init__(self) -> None:
        self.rung: list[tuple[str, str]] = []

    def is_silent(self, _queue: str) -> bool:
        return True

    def ring_prepare(self, job_id: str) -> None:
        self.rung.append(("prepare", job_id))

    def ring_infer(self, backend: str, times: int = 1) -> None:
        self.rung += [("infer", backend)] * times

    def ring_deliver(self, lane: str) -> None:
        self.rung.append(("deliver", lane))


# Rows


def a_job(**changes: Any) -> Job:
    """A received job of a person in a channel."""
    job_id = changes.get("id") or jobs.new_id()
    return Job(
        **{
            "id": job_id,
            "source_key": f"event/{job_id}",
            "origin": Origin.MENTION,
            "team": "T1",
            "requester": "UANNA",
            "channel": "C1",
            "recipe": "summarize",
            "text": "The meeting began late. It ended early.",
            "created_at": NOW,
            "deadline": NOW + timedelta(hours=1),
            **changes,
        }
    )


def a_step(**changes: Any) -> NewStep:
    return NewStep(
        **{
            "kind": "single",
            "messages": [{"role": "user", "content": "Summarize."}],
            "tokens_in": 10,
            "max_tokens": 100,
            "temperature": 0.2,
            **changes,
        }
    )


def accepted(engine: sa.Engine, **changes: Any) -> Job:
    """A job that stands in the database as received."""
    job = a_job(**changes)
    with session.transaction(engine) as transaction:
        assert jobs.add(transaction, job)
    return job


def in_line(engine: sa.Engine, steps: int = 1, **changes: Any) -> Job:
    """A job whose steps wait in line for the backend `main`."""
    job = accepted(engine, **changes)
    with session.transaction(engine) as transaction:
        taken = preparing.claim(transaction, job.id, job.created_at, LEASE)
        assert taken is not None
        new = [a_step() for _ in range(steps)]
        assert preparing.prepared(transaction, job.id, taken.fence, MAIN, None, new, job.created_at)
    return the(engine, Job, job.id)


def declare(engine: sa.Engine, limit: int = 4, name: str = MAIN) -> None:
    with session.transaction(engine) as transaction:
        backends.declare(transaction, [backends.Declared(name, limit)])


def do(engine: sa.Engine, query: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """One query in a transaction of its own."""
    with session.transaction(engine) as transaction:
        return query(transaction, *arguments, **named)


def the(engine: sa.Engine, kind: type[Row], key: Any) -> Row:
    """A row as it stands now."""
    with session.reading(engine) as reading:
        return reading.get_one(kind, key)


def rows(engine: sa.Engine, kind: type[Row], /, **having: Any) -> list[Row]:
    """All rows of a table that have these values, in order of their key."""
    query = sa.select(kind).filter_by(**having).order_by(*sa.inspect(kind).primary_key)
    with session.reading(engine) as reading:
        return list(reading.scalars(query))


def set_row(engine: sa.Engine, kind: type[Base], key: Any, **values: Any) -> None:
    with session.transaction(engine) as transaction:
        row = transaction.get_one(kind, key)
        for name, value in values.items():
            setattr(row, name, value)


def at_once(calls: int, function: Callable[[int], T]) -> list[T]:
    """What `function(0)` to `function(calls - 1)` gave, all begun at the same moment in threads."""
    start = threading.Barrier(calls)

    def run(number: int) -> T:
        start.wait(30)
        return function(number)

    with ThreadPoolExecutor(calls) as pool:
        return list(pool.map(run, range(calls)))


# Resources without sockets


def settings(**changes: Any) -> Settings:
    """Settings that come from here alone, whatever the environment and `.env` say."""
    given = {
        "llm_url": "http://model.test/v1",
        "llm_model": "m",
        "slack_bot_token": "xoxb-1",
        **changes,
    }
    everything = {
        name: field.get_default(call_default_factory=True) for name, field in Settings.model_fields.items()
    }
    return Settings(_env_file=None, **{**everything, **given})


def resources(engine: sa.Engine, clock: Callable[[], datetime], **changes: Any) -> Resources:
    """Resources whose outside is made of the fakes of this file."""
    url = engine.url.render_as_string(hide_password=False)
    made = Resources(settings(database_url=url, **changes), clock)
    made.__dict__.update(engine=engine, heartbeats=engine, bell=Bell(), slack=Slack(clock), http=_nowhere())
    return made


def _nowhere() -> httpx.Client:
    """Connections for tests that make none."""
    return httpx.Client(transport=httpx.MockTransport(lambda _request: httpx.Response(404)))


# Slack


def slack_error(code: str, status: int = 200, headers: dict[str, str] | None = None) -> SlackApiError:
    """The error that slack-sdk raises for an answer of Slack's."""
    return SlackApiError(code, _Response({"ok": False, "error": code}, status, headers or {}))


class _Response(dict[str, Any]):
    def __init__(self, said: dict[str, Any], status: int, headers: dict[str, str]) -> None:
        super().__init__(said)
        self.status_code = status
        self.headers = headers


@dataclass
class Slack:
    """The few methods of Slack's Web API that the stages call, and what they did."""

    clock: Callable[[], datetime]
    messages: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    locales: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    guests: set[str] = field(default_factory=set)
    groups: dict[str, list[str]] = field(default_factory=dict)
    # Errors to raise by the next calls of a method: (error, whether the call has its effect first).
    faults: dict[str, list[tuple[Exception, bool]]] = field(default_factory=dict)
    # Who is in a channel, one on each page; and what files.info tells.
    members: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    # What an agent's sessions show, by channel and thread.
    sessions: dict[tuple[str, str], str] = field(default_factory=dict)
    # Messages that are being streamed, by their ts.
    streaming: set[str] = field(default_factory=set)
    # Channels that take nothing from us, with Slack's reason.
    closed: dict[str, str] = field(default_factory=dict)

    def fail(self, method: str, *errors: Exception, after: bool = False) -> None:
        self.faults.setdefault(method, []).extend((error, after) for error in errors)

    def called(self, method: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.calls if name == method]

    def texts(self, channel: str | None = None) -> list[str]:
        return [one["text"] for one in self.messages if channel in {None, one["channel"]}]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [
            one
            for one in self.messages
            if one.get("metadata", {}).get("event_payload", {}).get("kind") == kind
        ]

    def chat_postMessage(self, **message: Any) -> dict[str, Any]:  # noqa: N802 - Slack's name.
        def post() -> dict[str, Any]:
            if reason := self.closed.get(message["channel"]):
                raise slack_error(reason)
            ts = f"{self.clock().timestamp() + len(self.messages) / 1000:.6f}"
            self.messages.append({**message, "ts": ts})
            return {"ok": True, "ts": ts, "channel": message["channel"]}

        return self._call("chat_postMessage", message, post)

    def chat_update(self, **message: Any) -> dict[str, Any]:
        def edit() -> dict[str, Any]:
            if reason := self.closed.get(message["channel"]):
                raise slack_error(reason)
            for known in self.messages:
                if (known["channel"], known["ts"]) == (message["channel"], message["ts"]):
                    if message["ts"] in self.streaming:
                        raise slack_error("streaming_state_conflict")
                    known.update(message)
                    return {"ok": True, "ts": message["ts"], "channel": message["channel"]}
            raise slack_error("message_not_found")

        return self._call("chat_update", message, edit)

    def chat_startStream(self, **asked: Any) -> dict[str, Any]:  # noqa: N802  # As the SDK has it.
        def start() -> dict[str, Any]:
            if reason := self.closed.get(asked["channel"]):
                raise slack_error(reason)
            ts = f"{self.clock().timestamp() + len(self.messages) / 1000:.6f}"
            place = {name: asked[name] for name in ("channel", "thread_ts")}
            self.messages.append({**place, "ts": ts, "user": "UBOT", "text": asked["markdown_text"]})
            self.streaming.add(ts)
            return {"ok": True, "ts": ts, "channel": asked["channel"]}

        return self._call("chat_startStream", asked, start)

    def chat_appendStream(self, **asked: Any) -> dict[str, Any]:  # noqa: N802  # As the SDK has it.
        def append() -> dict[str, Any]:
            self._streamed(asked)["text"] += asked["markdown_text"]
            return {"ok": True}

        return self._call("chat_appendStream", asked, append)

    def chat_stopStream(self, **asked: Any) -> dict[str, Any]:  # noqa: N802  # As the SDK has it.
        def stop() -> dict[str, Any]:
            self._streamed(asked)
            self.streaming.remove(asked["ts"])
            return {"ok": True}

        return self._call("chat_stopStream", asked, stop)

    def _streamed(self, asked: dict[str, Any]) -> dict[str, Any]:
        for known in self.messages:
            if (known["channel"], known["ts"]) == (asked["channel"], asked["ts"]):
                if asked["ts"] not in self.streaming:
                    raise slack_error("message_not_in_streaming_state")
                return known
        raise slack_error("message_not_found")

    def agents_sessions_setStatus(self, **asked: Any) -> dict[str, Any]:  # noqa: N802  # As the SDK has it.
        def follow() -> dict[str, Any]:
            self.sessions[asked["channel_id"], asked["thread_ts"]] = asked["status"]
            return {"ok": True}

        return self._call("agents_sessions_setStatus", asked, follow)

    def conversations_replies(self, **asked: Any) -> dict[str, Any]:
        return self._call("conversations_replies", asked, lambda: self._page(asked, asked["ts"]))

    def conversations_history(self, **asked: Any) -> dict[str, Any]:
        return self._call("conversations_history", asked, lambda: self._page(asked, None))

    def auth_test(self, **asked: Any) -> dict[str, Any]:
        return self._call("auth_test", asked, lambda: {"ok": True, "user_id": "UBOT"})

    def usergroups_users_list(self, **asked: Any) -> dict[str, Any]:
        return self._call("usergroups_users_list", asked, lambda: {"users": self.groups[asked["usergroup"]]})

    def users_info(self, **asked: Any) -> dict[str, Any]:
        user = asked["user"]

        def tell() -> dict[str, Any]:
            profile = {"display_name": self.names.get(user, "")}
            told = {"name": user.lower(), "locale": self.locales.get(user), "profile": profile}
            return {"user": {**told, "is_restricted": user in self.guests}}

        return self._call("users_info", asked, tell)

    def conversations_members(self, **asked: Any) -> dict[str, Any]:
        members = self.members.get(asked["channel"], [])
        start = int(asked.get("cursor") or 0)
        more = str(start + 1) if start + 1 < len(members) else ""
        page = {"members": members[start : start + 1], "response_metadata": {"next_cursor": more}}
        return self._call("conversations_members", asked, lambda: page)

    def files_info(self, **asked: Any) -> dict[str, Any]:
        def tell() -> dict[str, Any]:
            if asked["file"] not in self.files:
                raise slack_error("file_not_found")
            return {"file": self.files[asked["file"]]}

        return self._call("files_info", asked, tell)

    def conversations_open(self, **asked: Any) -> dict[str, Any]:
        return self._call("conversations_open", asked, lambda: {"channel": {"id": f"D-{asked['users']}"}})

    def files_upload_v2(self, **asked: Any) -> dict[str, Any]:
        def upload() -> dict[str, Any]:
            files = [{"name": asked["filename"]}]
            ts = f"{self.clock().timestamp() + len(self.messages) / 1000:.6f}"
            self.messages.append({**asked, "ts": ts, "text": "", "files": files})
            return {"ok": True}

        return self._call("files_upload_v2", asked, upload)

    def _call(self, method: str, asked: dict[str, Any], effect: Callable[[], dict[str, Any]]) -> Any:
        self.calls.append((method, asked))
        waiting = self.faults.get(method)
        if not waiting:
            return effect()
        error, after = waiting.pop(0)
        if after:
            effect()
        raise error

    def _page(self, asked: dict[str, Any], thread: str | None) -> dict[str, Any]:
        """Messages of a channel or a thread after `oldest`, a page at a time."""
        found = [
            one
            for one in self.messages
            if one["channel"] == asked["channel"]
            and one["ts"] >= asked.get("oldest", "0")
            and (one.get("thread_ts") == thread or (thread is not None and one["ts"] == thread))
        ]
        start = int(asked.get("cursor") or 0)
        end = start + asked["limit"]
        more = str(end) if end < len(found) else ""
        return {"messages": found[start:end], "response_metadata": {"next_cursor": more}}


# A model server


def streamed(*words: str, finish: str = "stop", usage: tuple[int, int] | None = (7, 3)) -> Iterator[bytes]:
    """The body of a streamed answer, a chunk for each of `words`."""
    for word in words:
        yield _event({"choices": [{"index": 0, "delta": {"content": word}}]})
    yield _event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if usage is not None:
        tokens = dict(zip(("prompt_tokens", "completion_tokens"), usage, strict=True))
        yield _event({"choices": [], "usage": tokens})
    yield b"data: [DONE]\n\n"


def _event(content: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(content)}\n\n".encode()


class Stream(httpx.SyncByteStream):
    """A body that tells how many of its chunks were read, and whether it was closed."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.closed = False
        self.read = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.read += 1
            yield chunk

    def close(self) -> None:
        self.closed = True


Reply = Callable[[dict[str, Any]], httpx.Response]


class Model:
    """Answers calls with `replies` in turn, then with `otherwise`; keeps what it was asked."""

    def __init__(self, *replies: Reply, otherwise: Reply | None = None) -> None:
        self.replies = list(replies)
        self.otherwise = otherwise or says("Done.")
        self.asked: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        call = json.loads(request.content)
        self.asked.append(call)
        return (self.replies.pop(0) if self.replies else self.otherwise)(call)

    def client(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self))


def says(*words: str, finish: str = "stop", usage: tuple[int, int] | None = (7, 3)) -> Reply:
    """A streamed answer."""
    return lambda _call: _stream(streamed(*words, finish=finish, usage=usage))


def refuses(status: int, body: Any, headers: dict[str, str] | None = None) -> Reply:
    return lambda _call: httpx.Response(status, json=body, headers=headers)


def breaks(error: Exception) -> Reply:
    def reply(_call: dict[str, Any]) -> httpx.Response:
        raise error

    return reply


def streams(stream: Stream) -> Reply:
    return lambda _call: _stream(stream)


def _stream(chunks: Iterable[bytes]) -> httpx.Response:
    stream = chunks if isinstance(chunks, Stream) else Stream(chunks)
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=stream)


def until(condition: Callable[[], T], limit: float = 20) -> T:
    """What `condition()` gives once it is true; AssertionError after `limit` seconds."""
    deadline = time.monotonic() + limit
    while not (answer := condition()):
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.005)
    return answer


def model_server(
    resources: Resources, handler: Callable[[httpx.Request], httpx.Response], **changes: Any
) -> None:
    """Let resources reach a server made of `handler`, with other settings."""
    resources.settings = resources.settings.model_copy(update=changes)
    resources.__dict__.pop("line", None)
    resources.__dict__["http"] = httpx.Client(transport=httpx.MockTransport(handler))
