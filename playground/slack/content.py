"""What a message may hold: text, blocks, attachments and metadata, checked as Slack checks them."""

from typing import Any

from playground.slack import blocks
from playground.slack.call import Call
from playground.slack.errors import SlackError

# Slack cuts `text` beyond this and warns: https://docs.slack.dev/reference/methods/chat.postMessage#truncating
LONGEST_TEXT = 40_000
# chat.update with text alone refuses more than this (ChatGPT-in-Slack#102, nao#1323).
LONGEST_EDIT = 4_000
# chat.postMessage and the streaming methods: `markdown_text` up to 12,000 characters.
LONGEST_MARKDOWN = 12_000
MOST_ATTACHMENTS = 100
# Slack publishes no number for metadata; large enough for ids, small enough to catch a whole text put there.
LARGEST_METADATA = 8_000


def read(call: Call) -> tuple[dict[str, Any], list[str]]:
    """Text, blocks and attachments of a call, and warnings. Nothing at all is `no_text`."""
    text = call.text("text")
    markdown = call.text("markdown_text")
    raw_blocks = call.value("blocks", "invalid_blocks_format")
    attachments = call.value("attachments", "invalid_attachments")
    if markdown is not None and (text is not None or raw_blocks):
        raise SlackError("markdown_text_conflict")
    if markdown is not None and len(markdown) > LONGEST_MARKDOWN:
        raise SlackError("msg_too_long")
    if text is None and markdown is None and not raw_blocks and not attachments:
        raise SlackError("no_text")
    warnings = []
    if text is not None and len(text) > LONGEST_TEXT:
        text = text[:LONGEST_TEXT]
        warnings.append("message_truncated")
    content: dict[str, Any] = {"text": text or ""}
    if markdown is not None:
        content["text"] = markdown
        raw_blocks = [{"type": "markdown", "text": markdown}]
    if raw_blocks is not None:
        content["blocks"] = blocks.checked(raw_blocks)
    if attachments is not None:
        content["attachments"] = _attachments(attachments)
    return content, warnings


def metadata(call: Call) -> dict[str, Any] | None:
    """`metadata` as `{event_type, event_payload}`; None when absent, an empty object to take it away."""
    value = call.value("metadata", "invalid_metadata_format")
    if value is None or value == {}:
        return value
    if not isinstance(value, dict):
        raise SlackError("metadata_must_be_sent_as_json")
    if not isinstance(value.get("event_type"), str) or not isinstance(value.get("event_payload"), dict):
        raise SlackError("invalid_metadata_format")
    if len(str(value)) > LARGEST_METADATA:
        raise SlackError("metadata_too_large")
    return {"event_type": value["event_type"], "event_payload": value["event_payload"]}


def warned(answer: dict[str, Any], warnings: list[str]) -> dict[str, Any]:
    """The answer with its warnings, where Slack puts them."""
    if warnings:
        answer["warning"] = ",".join(warnings)
        answer["response_metadata"] = {"warnings": warnings}
    return answer


def _attachments(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise SlackError("invalid_attachments")
    if len(value) > MOST_ATTACHMENTS:
        raise SlackError("too_many_attachments")
    checked = []
    for number, item in enumerate(value, start=1):
        inner = {"blocks": blocks.checked(item["blocks"])} if item.get("blocks") else {}
        checked.append({"id": number, **item, **inner})
    return checked
