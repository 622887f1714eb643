"""users.info and users.list: https://docs.slack.dev/reference/methods/users.info"""

from typing import Any

from playground.slack.call import Call
from playground.slack.methods import find, paging
from playground.slack.stand_in import Slack
from playground.slack.state import APP, BOT, TEAM, User


def info(slack: Slack, call: Call) -> dict[str, Any]:
    """One person; the locale only when asked for."""
    return {"user": described(find.user(slack, call), call.flag("include_locale"))}


def list_all(slack: Slack, call: Call) -> dict[str, Any]:
    """Everybody."""
    page, cursor = paging.page(call, list(slack.workspace.users.values()))
    people = [described(user, call.flag("include_locale")) for user in page]
    return {
        "members": people,
        "cache_ts": int(slack.workspace.clock()),
        "response_metadata": {"next_cursor": cursor},
    }


def described(user: User, with_locale: bool = False) -> dict[str, Any]:
    """A person as Slack describes one."""
    profile = {
        "real_name": user.real_name,
        "display_name": user.name,
        "team": TEAM,
        "real_name_normalized": user.name,
    }
    if user.is_bot:
        profile |= {"bot_id": BOT, "api_app_id": APP}
    answer = {
        "id": user.id,
        "team_id": TEAM,
        "name": user.name,
        "deleted": False,
        "real_name": user.real_name,
        "tz": user.tz,
        "tz_label": user.tz_label,
        "tz_offset": user.tz_offset,
        "profile": profile,
        "is_admin": False,
        "is_owner": False,
        "is_restricted": user.is_guest,
        "is_ultra_restricted": False,
        "is_bot": user.is_bot,
        "is_app_user": False,
        "updated": 0,
    }
    return answer | {"locale": user.locale} if with_locale else answer
