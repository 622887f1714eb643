"""Socket Mode: the same listeners, over a connection that we open."""

import threading
import time
from datetime import timedelta

import structlog
from slack_bolt import App, BoltResponse
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.adapter.socket_mode.internals import run_bolt_app, send_response
from slack_sdk.socket_mode.builtin import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot import payloads
from bot.metrics import Metrics
from tasks import slack
from tasks.resources import Resources

log = structlog.get_logger()

# Slack renews each connection now and then, and commands, presses and forms that find none open are lost: it sends
# only events again. It allows ten for an app.
CONNECTIONS = 2

# Listeners of a connection that wait for the database at once; more envelopes wait in slack-sdk's queue.
CONCURRENCY = 10

AGAIN_AFTER = timedelta(seconds=5)


class Socket(SocketModeHandler):
    """Connects in the background, and again until Slack takes it: web serves its other doors meanwhile."""

    def __init__(self, resources: Resources, app: App, metrics: Metrics) -> None:
        token = resources.settings.slack_app_token.get_secret_value()
        super().__init__(app, app_token=token, web_client=resources.slack, concurrency=CONCURRENCY)
        self._metrics = metrics
        self._ended = threading.Event()
        self._opener = threading.Thread(target=self._open, name="socket", daemon=True)

    def open(self) -> None:
        """Begin to connect; slack-sdk keeps the connection alive from then on."""
        self._opener.start()

    def end(self) -> None:
        """Stop connecting, and close what is open."""
        self._ended.set()
        self._opener.join(slack.TIMEOUT.total_seconds())
        self.close()  # type: ignore[no-untyped-call]  # Bolt's

    def handle(self, client: SocketModeClient, req: SocketModeRequest) -> None:  # type: ignore[override]  # as in Bolt
        """Answer one envelope, as Bolt does, and count it. What is no payload gets no answer, as by HTTP a 400."""
        began = time.time()
        response = self._answer(req)
        send_response(client, req, response, began)
        self._metrics.acknowledged("socket", response.status, time.time() - began)

    def _answer(self, req: SocketModeRequest) -> BoltResponse:
        try:
            payloads.checked(req.payload)
            response: BoltResponse = run_bolt_app(self.app, req)
        except payloads.Malformed as error:
            log.warning("payload.malformed", missing=str(error))
            response = BoltResponse(status=400)
        except Exception as error:  # noqa: BLE001 (a door, as in bot.web: slack-sdk would log what it caught)
            log.warning("payload.malformed", missing=type(error).__name__)
            response = BoltResponse(status=400)
        return response

    def _open(self) -> None:
        while not self._ended.is_set():
            try:
                self.connect()  # type: ignore[no-untyped-call]  # Bolt's
            except slack.ERRORS as error:
                log.warning("socket.unconnected", code=slack.problem(error).code)
                self._ended.wait(AGAIN_AFTER.total_seconds())
            else:
                log.info("socket.connected")
                return
