"""All addresses of the Slack stand-in."""

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute

from playground.slack import control
from playground.slack.answers import HookDoor
from playground.slack.api import Api
from playground.slack.files import Download, Upload
from playground.slack.stand_in import Slack


def routes(slack: Slack) -> list[BaseRoute]:
    """Web API, files, sockets, response_urls, permalinks and control calls."""
    return [
        Route("/api/{method}", Api(slack)),
        Route("/files/upload/{key}", Upload(slack)),
        Route("/files/{key}/{name:path}", Download(slack)),
        Route("/hooks/{key:path}", HookDoor(slack)),
        WebSocketRoute("/socket/{ticket}", slack.sockets.serve),
        Route("/archives/{channel}/{stamp}", permalink),
        *control.routes(slack),
    ]


async def permalink(request: Request) -> RedirectResponse:
    """A message's address leads to the page."""
    stamp = request.path_params["stamp"].removeprefix("p")
    root = request.query_params.get("thread_ts") or f"{stamp[:-6]}.{stamp[-6:]}"
    channel = request.path_params["channel"]
    if not channel.isalnum() or not root.replace(".", "", 1).isdecimal():
        return RedirectResponse("/")
    return RedirectResponse(f"/#at={channel}&thread={root}")
