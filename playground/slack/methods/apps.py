"""api.test, auth.test, apps.connections.open, bots.info, team.info."""

from typing import Any

from playground.slack.call import Call
from playground.slack.errors import SlackError
from playground.slack.stand_in import Slack
from playground.slack.state import APP, BOT, BOT_NAME, BOT_USER, DOMAIN, TEAM


def test(slack: Slack, call: Call) -> dict[str, Any]:
    """Says what it was told; with `error`, fails with it."""
    args = {name: value for name, value in call.args.items() if name != "token"}
    if "error" in args:
        raise SlackError(str(args["error"]), args=args)
    return {"args": args}


def auth_test(slack: Slack, call: Call) -> dict[str, Any]:
    """Whose token this is."""
    return {
        "url": f"{slack.config.url}/",
        "team": "Playground",
        "user": BOT_NAME,
        "team_id": TEAM,
        "user_id": BOT_USER,
        "bot_id": BOT,
        "is_enterprise_install": False,
    }


def connections_open(slack: Slack, call: Call) -> dict[str, Any]:
    """An address for one Socket Mode connection."""
    return {"url": slack.sockets.ticket()}


def bots_info(slack: Slack, call: Call) -> dict[str, Any]:
    """The app's bot."""
    if call.text("bot") not in (None, BOT):
        raise SlackError("bot_not_found")
    bot = {"id": BOT, "deleted": False, "name": BOT_NAME, "updated": 0, "app_id": APP, "user_id": BOT_USER}
    return {"bot": {**bot, "icons": {}}}


def team_info(slack: Slack, call: Call) -> dict[str, Any]:
    """The one workspace."""
    if call.text("team") not in (None, TEAM):
        raise SlackError("team_not_found")
    return {"team": {"id": TEAM, "name": "Playground", "domain": DOMAIN, "email_domain": "", "icon": {}}}
