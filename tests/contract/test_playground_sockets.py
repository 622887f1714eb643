"""Socket Mode as slack-sdk's own client and Bolt speak it, and a real Bolt app by HTTP beside it."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from slack_bolt import App, BoltRequest
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from tests.playground_rig import APP_TOKEN, SECRET, TOKEN, WAIT_SECONDS, Rig
from tests.playground_rig import rig as make_rig
from tests.services import free_port, wait_for


class Listener:
    """A Socket Mode client that collects what it is sent; `silent` ones do not acknowledge."""

    def __init__(self, rig: Rig, silent: bool = False) -> None:
        self.requests: queue.Queue[SocketModeRequest] = queue.Queue()
        self.frames: list[dict[str, Any]] = []
        self.payload: dict[str, Any] | None = None
        self._silent = silent
        web = WebClient(TOKEN, base_url=f"{rig.running.url}/api/")
        self.client = SocketModeClient(APP_TOKEN, web_client=web, ping_interval=0.5)
        self.client.socket_mode_request_listeners.append(self._receive)
        self.client.on_message_listeners.append(lambda message: self.frames.append(json.loads(message)))

    def _receive(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        self.requests.put(request)
        if not self._silent:
            client.send_socket_mode_response(SocketModeResponse(request.envelope_id, payload=self.payload))

    def next(self) -> SocketModeRequest:
        return self.requests.get(timeout=WAIT_SECONDS)


@contextmanager
def listening(rig: Rig, silent: bool = False) -> Iterator[Listener]:
    listener = Listener(rig, silent)
    before = rig.look("state")["sockets"]
    listener.client.connect()
    wait_for(lambda: rig.look("state")["sockets"] > before)
    try:
        yield listener
    finally:
        listener.client.close()
        wait_for(lambda: rig.look("state")["sockets"] == before)


def test_events_and_commands_go_over_an_open_socket(rig: Rig) -> None:
    with listening(rig) as listener:
        wait_for(lambda: any(frame["type"] == "hello" for frame in listener.frames))
        (event_id,) = rig.act("say", user="U0ADA", channel="D0ADA", text="hi")["event_ids"]
        event = listener.next()
        assert (event.type, event.payload["event_id"]) == ("events_api", event_id)
        assert event.accepts_response_payload is False
        listener.payload = {"text": "at once"}
        done = rig.act("command", user="U0ADA", channel="C0GENERAL", command="/analyze", text="x")
        command = listener.next()
        assert (command.type, command.accepts_response_payload) == ("slash_commands", True)
        assert done["ack"] == {"text": "at once"}
        assert rig.look("ephemerals", user="U0ADA")["messages"][-1]["text"] == "at once"
    assert rig.receiver.received.empty(), "nothing goes by HTTP while a socket is open"
    rig.act("say", user="U0ADA", channel="D0ADA", text="hi")
    assert rig.receiver.next().payload["event"]["text"] == "hi", "and everything does once none is"


def test_an_event_without_acknowledgement_is_sent_again() -> None:
    with make_rig(ack_seconds=1.0) as rig, listening(rig, silent=True) as listener:
        rig.act("say", user="U0ADA", channel="D0ADA", text="hi")
        requests = [listener.next() for _ in range(4)]
        assert len({request.payload["event_id"] for request in requests}) == 1
        assert len({request.envelope_id for request in requests}) == 4
        assert [request.retry_attempt for request in requests] == [0, 1, 2, 3]
        assert requests[1].retry_reason == "timeout"
        done = rig.act("command", user="U0ADA", channel="C0GENERAL", command="/analyze", text="x")
        assert (done["status"], done["error"]) == (0, "timeout")
        listener.next()
        assert listener.requests.empty(), "commands are not sent again"


def test_a_payload_goes_to_one_of_several_connections(rig: Rig) -> None:
    with listening(rig) as one, listening(rig) as two:
        for number in range(4):
            rig.act("say", user="U0ADA", channel="D0ADA", text=str(number))
        wait_for(lambda: one.requests.qsize() + two.requests.qsize() == 4)
        assert one.requests.qsize() == two.requests.qsize() == 2


def test_a_refresh_makes_the_client_reconnect(rig: Rig) -> None:
    with listening(rig) as listener:
        first = listener.client.session_id()
        assert rig.act("socket", action="warning")["connections"] == 1
        assert rig.act("socket", action="refresh_requested")["connections"] == 1
        wait_for(lambda: listener.client.session_id() != first and rig.look("state")["sockets"] == 1)
        reasons = [frame["reason"] for frame in listener.frames if frame["type"] == "disconnect"]
        assert reasons[0] == "warning"
        rig.act("say", user="U0ADA", channel="D0ADA", text="still here")
        assert listener.next().payload["event"]["text"] == "still here"


def test_a_dropped_socket_loses_no_event(rig: Rig) -> None:
    with listening(rig) as listener:
        rig.act("faults/events", kind="drop_socket")
        rig.act("say", user="U0ADA", channel="D0ADA", text="through it")
        # It comes again: by the next socket, or by HTTP while none is open.
        wait_for(lambda: not listener.requests.empty() or not rig.receiver.received.empty())
        wait_for(lambda: rig.look("state")["sockets"] == 1)


def test_a_ticket_opens_one_connection(rig: Rig) -> None:
    url = WebClient(base_url=f"{rig.running.url}/api/").apps_connections_open(app_token=APP_TOKEN)["url"]
    assert url.startswith(f"ws://127.0.0.1:{rig.running.config.port}/socket/")
    wrong = rig.http.get("/socket/wrong", headers={"connection": "upgrade", "upgrade": "websocket"})
    assert wrong.status_code >= 400


def bolt_app(rig: Rig, **options: Any) -> App:
    """A small app that uses everything once."""
    client = WebClient(TOKEN, base_url=f"{rig.running.url}/api/")
    app = App(signing_secret=SECRET, client=client, **options)

    @app.event("app_mention")
    def mention(event: dict[str, Any], say: Any) -> None:
        say(text=f"heard {event['text']}", thread_ts=event["ts"])

    @app.command("/analyze")
    def command(ack: Any, command: dict[str, Any], client: WebClient, respond: Any) -> None:
        ack(text="working")
        title = {"type": "plain_text", "text": "Hello"}
        text = {"type": "mrkdwn", "text": command["text"]}
        blocks = [{"type": "section", "text": text}]
        client.views_open(
            trigger_id=command["trigger_id"], view={"type": "modal", "title": title, "blocks": blocks}
        )
        respond(text="responded", response_type="in_channel")

    @app.shortcut("analyze_message")
    def shortcut(ack: Any, shortcut: dict[str, Any], say: Any) -> None:
        ack()
        button = {"type": "button", "action_id": "retry", "text": {"type": "plain_text", "text": "Retry"}}
        blocks = [{"type": "actions", "elements": [button]}]
        say(text="card", blocks=blocks, channel="C0GENERAL", thread_ts=shortcut["message"]["ts"])

    @app.action("retry")
    def retry(ack: Any, respond: Any) -> None:
        ack()
        respond(text="retried", replace_original=True)

    return app


@contextmanager
def by_socket() -> Iterator[Rig]:
    with make_rig(ack_seconds=3) as rig:
        handler = SocketModeHandler(bolt_app(rig), APP_TOKEN)
        handler.connect()
        wait_for(lambda: rig.look("state")["sockets"] == 1)
        try:
            yield rig
        finally:
            handler.close()


@contextmanager
def by_http() -> Iterator[Rig]:
    port = free_port()
    with make_rig(ack_seconds=3, request_url=f"http://127.0.0.1:{port}/slack/events") as rig:
        app = bolt_app(rig)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                headers = {name: [value] for name, value in self.headers.items()}
                answer = app.dispatch(BoltRequest(body=body, headers=headers))
                self.send_response(answer.status)
                for name, values in answer.headers.items():
                    self.send_header(name, values[0])
                self.end_headers()
                self.wfile.write(answer.body.encode())

            def log_message(self, *_: object) -> None:
                pass

        httpd = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield rig
        finally:
            httpd.shutdown()
            httpd.server_close()


@pytest.mark.parametrize("way", [by_http, by_socket])
def test_a_real_bolt_app_works(way: Any) -> None:
    with way() as rig:

        def thread(ts: str) -> list[str]:
            found = rig.look("messages", channel="C0GENERAL", thread_ts=ts)["messages"]
            return [message["text"] for message in found[1:]]

        ts = rig.act("say", user="U0ADA", channel="C0GENERAL", text="<@U0BOT> you there?")["ts"]
        wait_for(lambda: thread(ts) == ["heard <@U0BOT> you there?"])
        done = rig.act("command", user="U0ADA", channel="C0GENERAL", command="/analyze", text="words")
        assert done["status"] == 200
        wait_for(lambda: rig.look("views", user="U0ADA")["views"])
        channel = {"channel": "C0GENERAL"}
        wait_for(lambda: rig.look("messages", **channel)["messages"][-1]["text"] == "responded")
        assert rig.look("ephemerals", user="U0ADA")["messages"][0]["text"] == "working"
        rig.act("shortcut", user="U0LEO", **channel, ts=ts, callback_id="analyze_message")
        wait_for(lambda: "card" in thread(ts))
        card = rig.look("messages", **channel, thread_ts=ts)["messages"][-1]
        rig.act("press", user="U0LEO", **channel, ts=card["ts"], action_id="retry")
        wait_for(lambda: "retried" in thread(ts))
