"""`python -m bench.bare_bolt PORT [SLACK]`: Bolt's own FastAPI example, which only acknowledges.

With the address of a Slack it also posts a line in the thread, right from the listener, as people begin.

https://github.com/slackapi/bolt-python/tree/main/examples/fastapi, with the signature check on. Authorization
asks nobody, which Bolt's own would do once.
"""

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from slack_bolt import App
from slack_bolt.adapter.fastapi import SlackRequestHandler
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient

from bench import events

TOKEN, RECEIVED = "xoxb-bench", "Received: "


def create(slack: str | None = None) -> FastAPI:
    client = WebClient(TOKEN, base_url=slack) if slack else None
    app = App(
        signing_secret=events.SIGNING_SECRET,
        authorize=lambda enterprise_id, team_id: AuthorizeResult(
            enterprise_id=enterprise_id, team_id=team_id, bot_token=TOKEN
        ),
    )

    @app.event("app_mention")
    def mentioned(event: dict[str, Any]) -> None:
        if client is not None:
            words = RECEIVED + event["ts"]
            client.chat_postMessage(channel=event["channel"], thread_ts=event["thread_ts"], text=words)

    handler = SlackRequestHandler(app)
    web = FastAPI()

    @web.post("/slack/events")
    async def slack_events(request: Request) -> Response:
        return await handler.handle(request)

    return web


if __name__ == "__main__":
    uvicorn.run(
        create(*sys.argv[2:]), host="127.0.0.1", port=int(sys.argv[1]), log_config=None, access_log=False
    )
