"""assistant.threads.setStatus and agents.sessions.setStatus.

Sources: https://docs.slack.dev/reference/methods/assistant.threads.setStatus (at most ten loading messages),
https://docs.slack.dev/ai/agent-sessions (the four states).
"""

from typing import Any

from playground.slack import store
from playground.slack.call import Call
from playground.slack.errors import SlackError
from playground.slack.methods import find
from playground.slack.stand_in import Slack

_STATES = ("processing", "active", "suspended", "closed")


def threads_set_status(slack: Slack, call: Call) -> dict[str, Any]:
    """What the app is doing, shown in a thread until its next message."""
    channel = find.joined(slack, call, "channel_id")
    thread_ts = find.thread(channel, call.needed("thread_ts"))
    messages = call.value("loading_messages") or []
    if not isinstance(messages, list) or len(messages) > 10:
        raise SlackError("invalid_arguments", ["`loading_messages` takes no more than 10 items"])
    store.set_status(slack, channel.id, thread_ts or "", call.text("status") or "")
    return {}


def sessions_set_status(slack: Slack, call: Call) -> dict[str, Any]:
    """Where an agent's session stands; `processing` shows the Stop button."""
    channel = find.joined(slack, call, "channel_id")
    status = call.needed("status")
    if status not in _STATES:
        raise SlackError("invalid_arguments", [f"`status` must be one of {', '.join(_STATES)}"])
    thread_ts = find.thread(channel, call.text("thread_ts"))
    change = {"channel": channel.id, "thread_ts": thread_ts, "status": status, "title": call.text("title")}
    slack.workspace.sessions[channel.id, thread_ts or ""] = status
    slack.bus.publish("session", change)
    return {"session": {"channel_id": channel.id, "thread_ts": thread_ts, "status": status}}
