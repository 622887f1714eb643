"""Block Kit's limits, one by one, through the stand-in's own rules and once through slack-sdk."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from playground.slack import blocks, views
from playground.slack.errors import SlackError
from tests.playground_rig import Rig


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def section(text: str = "x", **fields: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **fields}


def button(**fields: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": "a", "text": plain("Go"), **fields}


def actions(*elements: Any) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


def select(count: int) -> dict[str, Any]:
    options = [{"text": plain(str(number)), "value": str(number)} for number in range(count)]
    return {"type": "static_select", "action_id": "s", "options": options}


def field(length: int) -> dict[str, Any]:
    return {"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * length}]}


def table(rows: int = 1) -> dict[str, Any]:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]] * rows}


def pie(segments: int = 1, **fields: Any) -> dict[str, Any]:
    parts = [{"label": f"{number}", "value": 1, **fields} for number in range(segments)]
    return {"type": "data_visualization", "title": "x", "chart": {"type": "pie", "segments": parts}}


def bars(points: int) -> dict[str, Any]:
    data = [{"label": f"{number}", "value": 0} for number in range(points)]
    return {
        "type": "data_visualization",
        "title": "x" * 50,
        "chart": {"type": "bar", "series": [{"name": "a", "data": data}]},
    }


WITHIN = [
    [pie(12, label="x" * 20), bars(20)],
    [section("x" * 3000)],
    [field(2000)],
    [{"type": "header", "text": plain("x" * 150)}],
    [actions(button(text=plain("x" * 75), value="x" * 2000, action_id="x" * 255))],
    [actions(select(100))],
    [{"type": "divider"}] * 50,
    [{"type": "markdown", "text": "x" * 12_000}],
    [table(100)],
    [{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 10}],
    [{"type": "image", "image_url": "https://x.y/z.png", "alt_text": "z"}],
    [section(accessory=button())],
]
BEYOND = [
    ([pie(13)], "no more than 12 items allowed [json-pointer:/blocks/0/chart/segments]"),
    (
        [pie(label="x" * 21)],
        "must be less than 21 characters [json-pointer:/blocks/0/chart/segments/0/label]",
    ),
    ([pie(value=0)], "must be a number greater than 0"),
    ([pie(value="1")], "must be a number greater than 0"),
    ([bars(21)], "no more than 20 items allowed"),
    ([{**pie(), "title": "x" * 51}], "must be less than 51 characters [json-pointer:/blocks/0/title]"),
    ([{**pie(), "chart": {"type": "radar"}}], "must be one of area, bar, line, pie"),
    ([pie()] * 3, "no more than 2 charts allowed"),
    ([section("x" * 3001)], "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"),
    ([section("")], "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
    ([field(2001)], "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]"),
    ([{"type": "header", "text": plain("x" * 151)}], "must be less than 151 characters"),
    ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "must be one of plain_text"),
    ([actions(button(text=plain("x" * 76)))], "must be less than 76 characters"),
    ([actions(button(value="x" * 2001))], "must be less than 2001 characters"),
    ([actions(button(action_id="x" * 256))], "must be less than 256 characters"),
    ([actions(button(style="loud"))], "must be one of danger, primary"),
    ([actions(button(), button())], "`action_id` a already exists"),
    ([actions(select(101))], "no more than 100 items allowed"),
    ([actions()], "no fewer than 1 items allowed"),
    ([{"type": "divider"}] * 51, "no more than 50 items allowed"),
    ([{"type": "divider", "block_id": "same"}] * 2, "`block_id` same already exists"),
    ([{"type": "markdown", "text": "x" * 6_001}] * 2, "markdown text must be less than 12001 characters"),
    ([table(), table()], "only_one_table_allowed"),
    ([{"type": "party"}], "unsupported type: party"),
    ([{"type": "section"}], "missing required field: text or fields"),
    ([{"type": "input", "label": plain("x")}], "missing required field: element"),
    ([{"type": "image", "image_url": "https://x.y/z.png"}], "missing required field: alt_text"),
    ([7], "must be an object"),
]


@pytest.mark.parametrize("payload", WITHIN, ids=lambda payload: payload[0]["type"])
def test_what_slack_takes(payload: list[dict[str, Any]]) -> None:
    assert len(blocks.checked(payload)) == len(payload)


@pytest.mark.parametrize(
    ("payload", "complaint"), BEYOND, ids=lambda item: item[:40] if isinstance(item, str) else ""
)
def test_what_slack_refuses(payload: Any, complaint: str) -> None:
    with pytest.raises(SlackError) as caught:
        blocks.checked(payload)
    assert caught.value.code == "invalid_blocks"
    assert any(complaint in message for message in caught.value.messages), caught.value.messages


def test_a_whole_message_has_a_budget() -> None:
    assert blocks.checked([section("x" * 2640)] * 5)
    with pytest.raises(SlackError, match="msg_blocks_too_long"):
        blocks.checked([section("x" * 2641)] * 5)


def test_views_have_their_own_rules() -> None:
    modal = {"type": "modal", "title": plain("x" * 24), "blocks": [section()] * 100}
    assert len(views.checked(modal)["blocks"]) == 100
    with pytest.raises(SlackError):
        views.checked({**modal, "title": plain("x" * 25)})
    with pytest.raises(SlackError):
        views.checked({**modal, "blocks": [section()] * 101})
    with pytest.raises(SlackError):
        views.checked({**modal, "blocks": [{"type": "markdown", "text": "x"}]})
    written = {"type": "input", "label": plain("x"), "element": {"type": "plain_text_input"}}
    with pytest.raises(SlackError) as caught:
        views.checked({**modal, "blocks": [written]})
    assert "submit" in caught.value.messages[0]


def test_slack_sdk_reads_the_complaint(rig: Rig) -> None:
    with pytest.raises(SlackApiError) as caught:
        rig.client.chat_postMessage(channel="C0GENERAL", text="x", blocks=[section("x" * 3001)])
    assert caught.value.response["error"] == "invalid_blocks"
    (message,) = caught.value.response["response_metadata"]["messages"]
    assert message == "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
