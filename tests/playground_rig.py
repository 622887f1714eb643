"""A playground in a thread and a stand-in for the app behind it, for tests of either."""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import httpx
from slack_sdk import WebClient
from slack_sdk.signature import SignatureVerifier

from playground import server
from playground.config import Config
from tests import services

SECRET = "rig-signing-secret"
TOKEN = "xoxb-rig"
APP_TOKEN = "xapp-rig"
WAIT_SECONDS = 10.0


@dataclass
class Received:
    """One request of the stand-in, as the app saw it."""

    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def signed(self) -> bool:
        return SignatureVerifier(SECRET).is_valid_request(self.body, self.headers)

    @property
    def payload(self) -> dict[str, Any]:
        """JSON of an event, `payload` of an interaction, or the fields of a command."""
        if self.headers["content-type"] == "application/json":
            return json.loads(self.body)
        form = {
            name: values[0] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()
        }
        return json.loads(form["payload"]) if "payload" in form else form


Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Receiver:
    """The app's side of signed HTTP. `reply` decides each answer; by default 200 with an empty body."""

    url: str = ""
    received: "queue.Queue[Received]" = field(default_factory=queue.Queue)
    reply: Callable[[Received], Reply] = lambda _: (200, {}, b"")

    def next(self) -> Received:
        return self.received.get(timeout=WAIT_SECONDS)

    def answers(self, body: Any, status: int = 200) -> None:
        """Answer everything from now on with this JSON."""
        raw = json.dumps(body).encode()
        self.reply = lambda _: (status, {"content-type": "application/json"}, raw)

    def refresh(self) -> None:
        self.received = queue.Queue()
        self.reply = lambda _: (200, {}, b"")


@contextmanager
def receiving() -> Iterator[Receiver]:
    """An HTTP server in a thread, in the app's place."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Received(headers, body, time.monotonic())
            receiver.received.put(request)
            status, extra, answer = receiver.reply(request)
            self.send_response(status)
            for name, value in {**extra, "content-length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """The stand-in hangs up on slow answers; that is what those tests are about."""

    httpd = Quiet(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{httpd.server_port}/slack/events"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        httpd.shutdown()
        httpd.server_close()


@dataclass
class Rig:
    """A running playground, the app's place behind it, and clients for both sides."""

    running: server.Running
    receiver: Receiver
    client: WebClient
    http: httpx.Client

    def act(self, call: str, **body: Any) -> dict[str, Any]:
        """A control call that must succeed."""
        response = self.http.post(f"/control/{call}", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def look(self, call: str, **query: Any) -> dict[str, Any]:
        response = self.http.get(f"/control/{call}", params=query)
        assert response.status_code == 200, response.text
        return response.json()

    def api(self, method: str, **args: Any) -> dict[str, Any]:
        """A Web API call with a JSON body, whatever it answers."""
        bearer = {"authorization": f"Bearer {TOKEN}"}
        return self.http.post(f"/api/{method}", json=args, headers=bearer).json()


@contextmanager
def rig(**settings: Any) -> Iterator[Rig]:
    """Everything together. No manifest, retries within 0.2 s.

    So long is there to acknowledge that nothing is sent twice on a busy machine: whoever wants it has quicker clocks.
    """
    with receiving() as receiver:
        quick = {"ack_seconds": 9.0, "event_retry_seconds": (0.0, 0.1, 0.2), "trigger_seconds": 30.0}
        fixed = {"signing_secret": SECRET, "bot_token": TOKEN, "app_token": APP_TOKEN, "manifest": None}
        config = Config(
            **{
                "port": services.free_port(),
                "request_url": receiver.url,
                "database_url": None,
                **quick,
                **fixed,
                **settings,
            }
        )
        with (
            server.running(config) as running,
            httpx.Client(base_url=running.url, timeout=WAIT_SECONDS) as http,
        ):
            yield Rig(running, receiver, WebClient(TOKEN, base_url=f"{running.url}/api/"), http)
