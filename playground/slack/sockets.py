"""Socket Mode: websockets over which Slack sends what it would else send by HTTP.

Rules: https://docs.slack.dev/apis/events-api/using-socket-mode (hello, envelopes, acknowledgements, disconnect),
up to 10 connections for an app, a payload goes to any one of them.
"""

import asyncio
import itertools
import json
import secrets
import uuid
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from playground.config import Config
from playground.slack.errors import SlackError
from playground.slack.state import APP

MOST_CONNECTIONS = 10
REASONS = ("warning", "refresh_requested", "link_disabled", "too_many_websockets")


class SocketLost(Exception):
    """The connection closed before the payload was acknowledged."""


class _Connection:
    """One open websocket and the envelopes it has yet to acknowledge."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.pending: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def send(self, frame: dict[str, Any]) -> None:
        try:
            await self.websocket.send_text(json.dumps(frame))
        except (RuntimeError, WebSocketDisconnect) as error:
            raise SocketLost from error

    def acknowledge(self, text: str) -> None:
        """Match an answer with its envelope; anything else a client says is passed over, as Slack does."""
        try:
            frame = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not isinstance(frame, dict):
            return
        future = self.pending.get(str(frame.get("envelope_id")))
        if future is not None and not future.done():
            payload = frame.get("payload")
            future.set_result(payload if isinstance(payload, dict) else {})

    def lost(self) -> None:
        for future in self.pending.values():
            if not future.done():
                future.set_exception(SocketLost())

    async def close(self) -> None:
        if self.websocket.client_state is WebSocketState.CONNECTED:
            try:
                await self.websocket.close()
            except RuntimeError:
                # The other side closed it in the same moment, which is what was wanted.
                return


class Sockets:
    """All open connections of the app."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._tickets: dict[str, None] = {}
        self._open: list[_Connection] = []
        self._turn = itertools.count()

    def __len__(self) -> int:
        return len(self._open)

    def ticket(self) -> str:
        """An address for one connection, as `apps.connections.open` gives it."""
        if len(self._open) >= MOST_CONNECTIONS:
            raise SlackError("too_many_websockets")
        ticket = secrets.token_urlsafe(16)
        self._tickets[ticket] = None
        while len(self._tickets) > 1000:
            del self._tickets[next(iter(self._tickets))]
        return f"{self._config.url.replace('http', 'ws', 1)}/socket/{ticket}"

    async def serve(self, websocket: WebSocket) -> None:
        """Hold one connection from its handshake to its end."""
        ticket = websocket.path_params["ticket"]
        if ticket not in self._tickets:
            await websocket.close(4001)
            return
        del self._tickets[ticket]
        await websocket.accept()
        connection = _Connection(websocket)
        try:
            await connection.send(self._hello())
            self._open.append(connection)
            while True:
                connection.acknowledge(await websocket.receive_text())
        except (WebSocketDisconnect, SocketLost, RuntimeError, KeyError):
            # Closed by either side, or a binary frame, which the protocol does not have: the end all the same.
            pass
        finally:
            if connection in self._open:
                self._open.remove(connection)
            connection.lost()
            await connection.close()

    async def send(
        self, kind: str, payload: dict[str, Any], retry: tuple[int, str] | None = None, drop: bool = False
    ) -> dict[str, Any]:
        """Send a payload over one of the connections and return what the acknowledgement carries.

        `drop` cuts the connection in place of sending. Raises SocketLost, or TimeoutError after 3 seconds.
        """
        connection = self._open[next(self._turn) % len(self._open)]
        if drop:
            self._open.remove(connection)
            await connection.close()
            raise SocketLost
        envelope_id = str(uuid.uuid4())
        envelope: dict[str, Any] = {
            "envelope_id": envelope_id,
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
        }
        if kind == "events_api":
            envelope["retry_attempt"], envelope["retry_reason"] = retry or (0, "")
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        connection.pending[envelope_id] = future
        try:
            await connection.send(envelope)
            return await asyncio.wait_for(future, self._config.ack_seconds)
        finally:
            del connection.pending[envelope_id]

    async def disconnect(self, reason: str, most: int = MOST_CONNECTIONS) -> int:
        """Tell the clients of the oldest connections to reconnect, as Slack does now and then. Returns how many."""
        connections = self._open[:most]
        for connection in connections:
            try:
                await connection.send(
                    {"type": "disconnect", "reason": reason, "debug_info": {"host": "playground"}}
                )
            except SocketLost:
                continue
            # Slack sends a warning some seconds before it asks for a refresh, and closes only after that.
            if reason != "warning":
                # What is closed gets no payload any more.
                if connection in self._open:
                    self._open.remove(connection)
                await connection.close()
        return len(connections)

    async def drop(self, most: int = MOST_CONNECTIONS) -> int:
        """Cut the oldest connections without a word. Returns how many."""
        connections, self._open = self._open[:most], self._open[most:]
        for connection in connections:
            await connection.close()
        return len(connections)

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello",
            "num_connections": len(self._open) + 1,
            "debug_info": {"host": "playground", "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": APP},
        }
