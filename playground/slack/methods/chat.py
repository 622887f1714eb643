"""chat.postMessage, update, delete, postEphemeral, getPermalink: https://docs.slack.dev/reference/methods/chat.postMessage"""

from typing import Any

from playground.slack import content, store
from playground.slack.call import Call
from playground.slack.errors import SlackError
from playground.slack.methods import find
from playground.slack.stand_in import Slack
from playground.slack.state import BOT, BOT_USER, Message


def post_message(slack: Slack, call: Call) -> dict[str, Any]:
    """A new message of the app, in a channel or a thread."""
    channel = find.writable(slack, call, anyone=True)
    fields, warnings = content.read(call)
    thread_ts = find.thread(channel, call.text("thread_ts"))
    metadata = content.metadata(call)
    message = store.from_bot(slack, **fields, thread_ts=thread_ts, metadata=metadata or None)
    if thread_ts and call.flag("reply_broadcast"):
        message["subtype"] = "thread_broadcast"
    if call.text("username") and "chat:write.customize" in slack.manifest.scopes:
        message["username"] = call.text("username")
    store.post(slack, channel, message)
    return content.warned({"channel": channel.id, "ts": message["ts"], "message": dict(message)}, warnings)


def update(slack: Slack, call: Call) -> dict[str, Any]:
    """Other words for a message of the app. Text without blocks takes the old blocks away."""
    channel = find.channel(slack, call)
    ts = call.needed("ts")
    message = _own(find.message(channel, ts), "cant_update_message")
    if channel.is_archived:
        raise SlackError("is_archived")
    if slack.streams.is_open(channel.id, ts):
        raise SlackError("streaming_state_conflict")
    fields, warnings = content.read(call)
    if not fields.get("blocks") and len(fields["text"]) > content.LONGEST_EDIT:
        raise SlackError("msg_too_long")
    fields.setdefault("blocks", None)
    fields["blocks"] = fields["blocks"] or None
    metadata = content.metadata(call)
    if metadata is not None:
        fields["metadata"] = metadata or None
    if fields["blocks"] is None:
        # Slack shows "(edited)" for changes of text, not for changes of blocks.
        fields["edited"] = {"user": BOT, "ts": slack.workspace.timestamp()}
    if "streaming_state" in message:
        # Slack ended it by itself: until this edit it looks as if it went on.
        fields["streaming_state"] = "completed"
    store.change(slack, channel, message, **fields)
    answer = {"channel": channel.id, "ts": ts, "text": message["text"], "message": dict(message)}
    return content.warned(answer, warnings)


def delete(slack: Slack, call: Call) -> dict[str, Any]:
    """Take a message of the app away."""
    channel = find.channel(slack, call)
    ts = call.needed("ts")
    _own(find.message(channel, ts), "cant_delete_message")
    store.delete(slack, channel, ts)
    return {"channel": channel.id, "ts": ts}


def post_ephemeral(slack: Slack, call: Call) -> dict[str, Any]:
    """A message that one person sees. Both that person and the bot must be in the channel."""
    channel = find.joined(slack, call)
    if channel.is_archived:
        raise SlackError("is_archived")
    user = call.needed("user")
    if user not in channel.members or user == BOT_USER:
        raise SlackError("user_not_in_channel")
    fields, warnings = content.read(call)
    thread_ts = find.thread(channel, call.text("thread_ts"))
    message = store.from_bot(slack, **fields, thread_ts=thread_ts)
    store.whisper(slack, channel.id, user, message)
    return content.warned({"message_ts": message["ts"]}, warnings)


def get_permalink(slack: Slack, call: Call) -> dict[str, Any]:
    """The address of a message."""
    channel = find.channel(slack, call)
    message = find.message(channel, call.needed("message_ts"))
    link = f"{slack.config.url}/archives/{channel.id}/p{message['ts'].replace('.', '')}"
    root = message.get("thread_ts")
    if root and root != message["ts"]:
        link += f"?thread_ts={root}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


def _own(message: Message, error: str) -> Message:
    if message.get("bot_id") != BOT:
        raise SlackError(error)
    return message
