"""`/control/...`: what a person or a test does. The calls are listed in playground/README.md."""

from __future__ import annotations

import functools
import inspect
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from playground import line
from playground.slack import channels, files, people, pressing
from playground.slack.errors import Refused
from playground.slack.sockets import MOST_CONNECTIONS, REASONS
from playground.slack.stand_in import Slack, dump
from playground.slack.state import BOT, BOT_NAME, BOT_USER, TEAM
from tasks import recipes

log = logging.getLogger(__name__)

# A comment this often keeps proxies and browsers from taking a quiet stream for a dead one.
HEARTBEAT_SECONDS = 15.0
Action = Callable[[Slack, dict[str, Any]], dict[str, Any] | Awaitable[dict[str, Any]]]


def routes(slack: Slack) -> list[BaseRoute]:
    """Every control call of the Slack stand-in."""
    acts: dict[str, Action] = {
        "say": people.say,
        "edit": people.edit,
        "delete": people.delete,
        "command": people.command,
        "shortcut": people.shortcut,
        "press": pressing.press,
        "submit": pressing.submit,
        "close": pressing.close,
        "home": people.open_home,
        "stop": people.stop_session,
        "user": channels.set_user,
        "group": channels.set_group,
        "channel": channels.set_channel,
        "faults/slack": _order_call_fault,
        "faults/events": _order_event_fault,
        "limits": _limits,
        "socket": _socket,
    }
    looks: dict[str, Action] = {
        "state": _state,
        "messages": channels.messages,
        "home": _home,
        "views": _views,
        "ephemerals": _ephemerals,
        "calls": _calls,
        "line": _line,
    }
    return [
        Route("/control/stream", _with(slack, stream)),
        Route("/control/file", _with(slack, upload), methods=["POST"]),
        *(Route(f"/control/{name}", _post(slack, act), methods=["POST"]) for name, act in acts.items()),
        *(Route(f"/control/{name}", _get(slack, look)) for name, look in looks.items()),
    ]


def answer(value: Any, status: int = 200) -> Response:
    """A control call's answer."""
    return Response(dump(value), status, media_type="application/json")


async def guarded(work: Callable[[], Awaitable[dict[str, Any]]]) -> Response:
    """Run a control call; what it refuses becomes 4xx with `error` and `detail`."""
    try:
        return answer(await work())
    except Refused as refusal:
        return answer({"error": refusal.error, "detail": refusal.detail, **refusal.fields}, refusal.status)
    except Exception:
        # The door: a test that sends nonsense must get an answer, and the reason must be in the log.
        log.exception("a control call failed")
        return answer({"error": "internal_error", "detail": "The stand-in failed; its log says why."}, 500)


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object a request carries; an empty body is an empty object."""
    try:
        raw = await request.body()
        body = json.loads(raw) if raw else {}
    except (ValueError, RecursionError, ClientDisconnect) as error:
        raise Refused("bad_json", "The body must be a JSON object.") from error
    if not isinstance(body, dict):
        raise Refused("bad_json", "The body must be a JSON object.")
    return body


async def stream(slack: Slack, request: Request) -> Response:
    """Server-sent events for everything that changes."""

    async def lines() -> AsyncIterator[bytes]:
        yield b": connected\n\n"
        async for change in slack.bus.watch(HEARTBEAT_SECONDS):
            if change is None:
                yield b": still here\n\n"
            else:
                yield b"event: %s\ndata: %s\n\n" % (change[0].encode(), dump(change[1]))

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"cache-control": "no-store"})


async def upload(slack: Slack, request: Request) -> Response:
    """A person's file, to be named in `say`."""

    async def work() -> dict[str, Any]:
        try:
            form = await request.form(max_files=1, max_fields=10)
        except (HTTPException, ClientDisconnect, ValueError) as error:
            raise Refused("bad_form", "The body must be a multipart form with `user` and `file`.") from error
        async with form_closed(form):
            user = people.person(slack, form.get("user"))
            part = form.get("file")
            if not isinstance(part, UploadFile):
                raise Refused("no_file", "The form needs a part called `file`.")
            content = await part.read()
            if len(content) > files.LARGEST:
                raise Refused("too_large", f"Files may be {files.LARGEST:,} bytes.", 413)
            file = files.begin(slack, user, part.filename or "file", len(content), part.content_type)
            files.fill(slack, file, content)
            return {"file": dict(file)}

    return await guarded(work)


class form_closed:  # noqa: N801 - used as a statement: `async with form_closed(form)`.
    """Closes a form's temporary files whatever happens."""

    def __init__(self, form: Any) -> None:
        self._form = form

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        await self._form.close()


def _with(slack: Slack, work: Callable[[Slack, Request], Awaitable[Response]]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        return await work(slack, request)

    return endpoint


def _post(slack: Slack, act: Action) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        async def work() -> dict[str, Any]:
            done = act(slack, await body_of(request))
            return await done if inspect.isawaitable(done) else done

        return await guarded(work)

    return endpoint


def _get(slack: Slack, look: Action) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        async def work() -> dict[str, Any]:
            seen = look(slack, dict(request.query_params))
            return await seen if inspect.isawaitable(seen) else seen

        return await guarded(work)

    return endpoint


def _state(slack: Slack, query: dict[str, Any]) -> dict[str, Any]:
    workspace = slack.workspace
    return {
        "team": {"id": TEAM, "name": "Playground"},
        "bot": {"id": BOT_USER, "bot_id": BOT, "name": BOT_NAME},
        "users": [user.shown() for user in workspace.users.values()],
        "channels": [channel.shown() for channel in workspace.channels.values()],
        "app": {
            "commands": list(slack.manifest.commands),
            "shortcuts": list(slack.manifest.shortcuts),
            "recipes": _recipes(),
        },
        "sockets": len(slack.sockets),
        "limits": {"enforce": slack.limits.enforce},
        "events_under_way": slack.delivery.under_way,
        "statuses": [
            {"channel": channel, "thread_ts": thread_ts, "status": status}
            for (channel, thread_ts), status in workspace.statuses.items()
        ],
        "sessions": [
            {"channel": channel, "thread_ts": thread_ts, "status": status}
            for (channel, thread_ts), status in workspace.sessions.items()
        ],
    }


@functools.cache
def _recipes() -> list[dict[str, str]]:
    """What the page suggests after a command: not Slack's to know, but a help to whoever tries the product."""
    return [{"name": recipe.name, "description": recipe.purpose.en} for recipe in recipes.load()]


def _home(slack: Slack, query: dict[str, Any]) -> dict[str, Any]:
    return {"view": slack.views.homes.get(people.person(slack, query.get("user")))}


def _views(slack: Slack, query: dict[str, Any]) -> dict[str, Any]:
    return {"views": slack.views.stack(people.person(slack, query.get("user")))}


def _ephemerals(slack: Slack, query: dict[str, Any]) -> dict[str, Any]:
    return {"messages": slack.workspace.ephemerals.get(people.person(slack, query.get("user")), [])}


def _calls(slack: Slack, query: dict[str, Any]) -> dict[str, Any]:
    method = query.get("method")
    return {"calls": [call for call in slack.calls if method in (None, "", call["method"])]}


async def _line(slack: Slack, query: dict[str, Any]) -> dict[str, Any]:
    return await run_in_threadpool(line.read, slack.config.database_url)


def _order_call_fault(slack: Slack, body: dict[str, Any]) -> dict[str, Any]:
    return {"ok": True, "fault": vars(slack.faults.order_call(body))}


def _order_event_fault(slack: Slack, body: dict[str, Any]) -> dict[str, Any]:
    return {"ok": True, "fault": vars(slack.faults.order_event(body))}


def _limits(slack: Slack, body: dict[str, Any]) -> dict[str, Any]:
    slack.limits.enforce = bool(body.get("enforce", True))
    return {"ok": True, "enforce": slack.limits.enforce}


async def _socket(slack: Slack, body: dict[str, Any]) -> dict[str, Any]:
    action, most = body.get("action"), MOST_CONNECTIONS
    if body.get("one"):
        most = 1
    if action == "drop":
        return {"ok": True, "connections": await slack.sockets.drop(most)}
    if action not in REASONS:
        raise Refused("unknown_action", f"`action` must be one of drop, {', '.join(REASONS)}.")
    return {"ok": True, "connections": await slack.sockets.disconnect(action, most)}
