"""usergroups.users.list: https://docs.slack.dev/reference/methods/usergroups.users.list"""

from typing import Any

from playground.slack.call import Call
from playground.slack.errors import SlackError
from playground.slack.stand_in import Slack


def users_list(slack: Slack, call: Call) -> dict[str, Any]:
    """Who is in a group."""
    members = slack.workspace.groups.get(call.needed("usergroup"))
    if members is None:
        raise SlackError("no_such_subteam")
    return {"users": list(members)}
