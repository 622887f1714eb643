"""chat.startStream, appendStream, stopStream: https://docs.slack.dev/reference/methods/chat.startStream"""

from typing import Any

from playground.slack import blocks, content, store
from playground.slack.call import Call
from playground.slack.errors import SlackError
from playground.slack.methods import find
from playground.slack.stand_in import Slack
from playground.slack.state import BOT, Channel, Message

_CHUNKS = ("markdown_text", "task_update", "plan_update", "blocks")


def start(slack: Slack, call: Call) -> dict[str, Any]:
    """A message that grows. It must be a reply; in channels Slack wants to know who it is for."""
    channel = find.writable(slack, call)
    thread_ts = find.thread(channel, call.needed("thread_ts"))
    if not channel.is_im:
        for name in ("recipient_team_id", "recipient_user_id"):
            if call.text(name) is None:
                raise SlackError(f"missing_{name}")
    text = _text(call)
    fields = {"thread_ts": thread_ts, "streaming_state": "in_progress"}
    message = store.from_bot(slack, text, **fields, blocks=_shown(text) or None)
    store.post(slack, channel, message)
    slack.streams.start(channel.id, message["ts"])
    return {"channel": channel.id, "ts": message["ts"]}


def append(slack: Slack, call: Call) -> dict[str, Any]:
    """The next words."""
    text = _text(call)
    if not text and not call.args.get("chunks"):
        raise SlackError("no_text")
    channel, message = _streaming(slack, call)
    message["text"] += text
    message["blocks"] = _shown(message["text"])
    store.touch(slack, channel, message)
    return {"channel": channel.id, "ts": message["ts"]}


def stop(slack: Slack, call: Call) -> dict[str, Any]:
    """The last words, and blocks below them."""
    text = _text(call)
    channel, message = _streaming(slack, call)
    raw = call.value("blocks", "invalid_blocks_format")
    extra = blocks.checked(raw) if raw else []
    metadata = content.metadata(call)
    slack.streams.stop(channel.id, message["ts"])
    fields: dict[str, Any] = {"text": message["text"] + text, "streaming_state": "completed"}
    fields["blocks"] = _shown(fields["text"]) + extra
    if metadata is not None:
        fields["metadata"] = metadata or None
    store.change(slack, channel, message, **fields)
    return {"channel": channel.id, "ts": message["ts"], "message": dict(message)}


def _shown(text: str) -> list[dict[str, Any]]:
    return [{"type": "markdown", "block_id": "stream", "text": text}] if text else []


def _streaming(slack: Slack, call: Call) -> tuple[Channel, Message]:
    channel = find.channel(slack, call)
    message = find.message(channel, call.needed("ts"))
    if message.get("bot_id") != BOT:
        raise SlackError("message_not_owned_by_app")
    if not slack.streams.is_open(channel.id, message["ts"]):
        raise SlackError("message_not_in_streaming_state")
    return channel, message


def _text(call: Call) -> str:
    text = call.text("markdown_text") or ""
    chunks = call.value("chunks", "invalid_chunks") or []
    if not isinstance(chunks, list):
        raise SlackError("invalid_chunks")
    for chunk in chunks:
        if not isinstance(chunk, dict) or chunk.get("type") not in _CHUNKS:
            raise SlackError("invalid_chunks")
        if chunk["type"] == "markdown_text":
            text += str(chunk.get("text", ""))
    if len(text) > content.LONGEST_MARKDOWN:
        raise SlackError("msg_too_long")
    return text
