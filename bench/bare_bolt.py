"""`python -m bench.bare_bolt PORT`: Bolt's own FastAPI example, which only acknowledges.

https://github.com/slackapi/bolt-python/tree/main/examples/fastapi, with the signature check on. Authorization
asks nobody, which Bolt's own would do once.
"""

import sys

import uvicorn
from fastapi import FastAPI, Request, Response
from slack_bolt import App
from slack_bolt.adapter.fastapi import SlackRequestHandler
from slack_bolt.authorization import AuthorizeResult

from bench import events


def create() -> FastAPI:
    app = App(
        signing_secret=events.SIGNING_SECRET,
        authorize=lambda enterprise_id, team_id: AuthorizeResult(
            enterprise_id=enterprise_id, team_id=team_id, bot_token="xoxb-bench"
        ),
    )

    @app.event("app_mention")
    def mentioned() -> None:
        pass

    handler = SlackRequestHandler(app)
    web = FastAPI()

    @web.post("/slack/events")
    async def slack_events(request: Request) -> Response:
        return await handler.handle(request)

    return web


if __name__ == "__main__":
    uvicorn.run(create(), host="127.0.0.1", port=int(sys.argv[1]), log_config=None, access_log=False)
