"""What the stand-in sends by signed HTTP: events with retries, commands, interactions, response_urls."""

import threading
import time
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from playground.slack import text
from tests.playground_rig import Received, Rig
from tests.playground_rig import rig as make_rig
from tests.services import wait_for

BUTTON = {
    "type": "button",
    "action_id": "retry",
    "value": "j1",
    "text": {"type": "plain_text", "text": "Retry"},
}
ACTIONS = {"type": "actions", "block_id": "row", "elements": [BUTTON]}


def quiet(rig: Rig) -> None:
    """Wait until the stand-in has nothing more to send."""
    wait_for(lambda: rig.look("state")["events_under_way"] == 0)


class TestEvents:
    def test_a_mention_is_one_signed_complete_event(self, rig: Rig) -> None:
        said = rig.act("say", user="U0ADA", channel="C0GENERAL", text="<@U0BOT> look & see <b>")
        request = rig.receiver.next()
        envelope, event = request.payload, request.payload["event"]
        assert request.signed
        assert said["event_ids"] == [envelope["event_id"]]
        assert (envelope["type"], envelope["team_id"], envelope["api_app_id"]) == (
            "event_callback",
            "T0PLAY",
            "A0APP",
        )
        assert envelope["authorizations"][0] == {
            "enterprise_id": None,
            "team_id": "T0PLAY",
            "user_id": "U0BOT",
            "is_bot": True,
            "is_enterprise_install": False,
        }
        assert {"token", "event_time", "event_context", "is_ext_shared_channel"} <= set(envelope)
        assert (event["type"], event["user"], event["channel"]) == ("app_mention", "U0ADA", "C0GENERAL")
        assert event["text"] == "<@U0BOT> look &amp; see &lt;b&gt;"
        assert event["ts"] == event["event_ts"] == said["ts"]
        assert event["blocks"][0]["elements"][0]["elements"][0] == {"type": "user", "user_id": "U0BOT"}
        quiet(rig)
        assert rig.receiver.received.empty()

    def test_the_ledger_knows_what_was_acknowledged(self, rig: Rig) -> None:
        """An event that got a 2xx, perhaps after a retry; not one that was given up."""
        rig.receiver.reply = lambda got: (200 if "x-slack-retry-num" in got.headers else 500, {}, b"")
        late = rig.act("say", user="U0ADA", channel="C0GENERAL", text="<@U0BOT> one")["event_ids"]
        quiet(rig)
        rig.receiver.reply = lambda _: (500, {}, b"")
        never = rig.act("say", user="U0ADA", channel="C0GENERAL", text="<@U0BOT> two")["event_ids"]
        quiet(rig)
        assert set(late) <= set(rig.running.slack.delivery.acknowledged)
        assert not set(never) & set(rig.running.slack.delivery.acknowledged)

    def test_a_direct_message_and_a_reply_in_it(self, rig: Rig) -> None:
        root = rig.act("say", user="U0MINJI", channel="D0MINJI", text="안녕")["ts"]
        first = rig.receiver.next().payload["event"]
        assert (first["type"], first["channel_type"], first["text"]) == ("message", "im", "안녕")
        assert first["client_msg_id"]
        rig.act("say", user="U0MINJI", channel="D0MINJI", text="more", thread_ts=root)
        assert rig.receiver.next().payload["event"]["thread_ts"] == root

    def test_no_event_where_the_app_cannot_hear(self, rig: Rig) -> None:
        assert rig.act("say", user="U0ADA", channel="C0GENERAL", text="no mention")["event_ids"] == []
        assert rig.act("say", user="U0ADA", channel="C0RANDOM", text="<@U0BOT> absent")["event_ids"] == []
        assert rig.act("say", user="U0ADA", channel="G0SECRET", text="<@U0BOT> absent")["event_ids"] == []

    def test_edits_deletions_and_own_messages_in_a_direct_message(self, rig: Rig) -> None:
        ts = rig.act("say", user="U0ADA", channel="D0ADA", text="one")["ts"]
        rig.receiver.next()
        rig.act("edit", user="U0ADA", channel="D0ADA", ts=ts, text="two")
        changed = rig.receiver.next().payload["event"]
        assert (changed["subtype"], changed["message"]["text"]) == ("message_changed", "two")
        assert changed["previous_message"]["text"] == "one"
        rig.act("delete", user="U0ADA", channel="D0ADA", ts=ts)
        deleted = rig.receiver.next().payload["event"]
        assert (deleted["subtype"], deleted["deleted_ts"]) == ("message_deleted", ts)
        metadata = {"event_type": "job", "event_payload": {}}
        rig.client.chat_postMessage(channel="D0ADA", text="mine", metadata=metadata)
        own = rig.receiver.next().payload["event"]
        assert (own["bot_id"], own["text"]) == ("B0BOT", "mine")
        assert "metadata" not in own

    def test_an_edit_that_adds_a_mention_is_a_mention(self, rig: Rig) -> None:
        ts = rig.act("say", user="U0ADA", channel="C0GENERAL", text="hello")["ts"]
        rig.act("edit", user="U0ADA", channel="C0GENERAL", ts=ts, text="hello <@U0BOT>")
        event = rig.receiver.next().payload["event"]
        assert (event["type"], event["ts"], event["edited"]["user"]) == ("app_mention", ts, "U0ADA")

    def test_a_file_comes_with_its_message(self, rig: Rig) -> None:
        sent = {"file": ("보고서.txt", "글".encode(), "text/plain")}
        file = rig.http.post("/control/file", data={"user": "U0LEO"}, files=sent).json()["file"]
        rig.act("say", user="U0LEO", channel="C0GENERAL", text="<@U0BOT>", files=[file["id"]])
        event = rig.receiver.next().payload["event"]
        assert event["type"] == "app_mention"
        bearer = {"authorization": f"Bearer {rig.client.token}"}
        assert rig.http.get(event["files"][0]["url_private"], headers=bearer).content == "글".encode()
        rig.act("say", user="U0LEO", channel="D0LEO", text="", files=[file["id"]])
        assert rig.receiver.next().payload["event"]["subtype"] == "file_share"

    def test_home_opened(self, rig: Rig) -> None:
        rig.act("home", user="U0ADA")
        event = rig.receiver.next().payload["event"]
        assert (event["type"], event["tab"], event["channel"]) == ("app_home_opened", "home", "D0ADA")
        view = {"type": "home", "blocks": [ACTIONS]}
        rig.client.views_publish(user_id="U0ADA", view=view)
        assert rig.look("home", user="U0ADA")["view"]["blocks"][0]["block_id"] == "row"

    def test_a_refused_event_comes_again_three_times(self, rig: Rig) -> None:
        rig.receiver.answers({}, status=500)
        (event_id,) = rig.act("say", user="U0ADA", channel="D0ADA", text="x")["event_ids"]
        requests = [rig.receiver.next() for _ in range(4)]
        assert {request.payload["event_id"] for request in requests} == {event_id}
        assert [request.headers.get("x-slack-retry-num") for request in requests] == [None, "1", "2", "3"]
        assert requests[1].headers["x-slack-retry-reason"] == "http_error"
        assert all(request.signed for request in requests)
        quiet(rig)
        assert rig.receiver.received.empty()

    def test_a_late_acknowledgement_is_a_time_out(self) -> None:
        held = threading.Event()

        def first_late(request: Received) -> Any:
            if "x-slack-retry-num" not in request.headers:
                held.wait(10)
            return 200, {}, b""

        with make_rig(ack_seconds=1.0) as rig:
            rig.receiver.reply = first_late
            rig.act("say", user="U0ADA", channel="D0ADA", text="x")
            first, second = rig.receiver.next(), rig.receiver.next()
            held.set()
            assert second.headers["x-slack-retry-reason"] == "http_timeout"
            assert second.at - first.at >= 0.4
            quiet(rig)

    def test_no_retry_is_honoured(self, rig: Rig) -> None:
        rig.receiver.reply = lambda _: (500, {"x-slack-no-retry": "1"}, b"")
        rig.act("say", user="U0ADA", channel="D0ADA", text="x")
        rig.receiver.next()
        quiet(rig)
        assert rig.receiver.received.empty()


class TestEventFaults:
    def test_duplicate(self, rig: Rig) -> None:
        rig.act("faults/events", kind="duplicate")
        rig.act("say", user="U0ADA", channel="D0ADA", text="x")
        assert rig.receiver.next().payload["event_id"] == rig.receiver.next().payload["event_id"]

    def test_two_events_for_one_mention(self, rig: Rig) -> None:
        rig.act("faults/events", kind="two_events")
        said = rig.act("say", user="U0ADA", channel="C0GENERAL", text="<@U0BOT> x")
        events = [rig.receiver.next().payload for _ in range(2)]
        assert {event["event"]["type"] for event in events} == {"app_mention", "message"}
        assert {event["event"]["ts"] for event in events} == {said["ts"]}
        assert {event["event_id"] for event in events} == set(said["event_ids"])

    def test_late(self, rig: Rig) -> None:
        rig.act("faults/events", kind="late", seconds=0.3)
        started = time.monotonic()
        rig.act("say", user="U0ADA", channel="D0ADA", text="x")
        assert rig.receiver.next().at - started >= 0.3

    @pytest.mark.parametrize("kind", ["bad_signature", "stale"])
    def test_forged_requests_fail_the_check_and_are_not_repeated(self, rig: Rig, kind: str) -> None:
        rig.receiver.answers({}, status=401)
        rig.act("faults/events", kind=kind)
        rig.act("say", user="U0ADA", channel="D0ADA", text="x")
        assert not rig.receiver.next().signed
        quiet(rig)
        assert rig.receiver.received.empty()


class TestCommands:
    def test_a_command_has_all_fields_and_shows_the_answer(self, rig: Rig) -> None:
        rig.receiver.answers({"text": "on it"})
        words = "ask <@U0LEO> a<b"
        done = rig.act("command", user="U0ADA", channel="C0GENERAL", command="/analyze", text=words)
        request = rig.receiver.next()
        form = request.payload
        assert request.signed
        assert set(form) == {
            *(
                "token",
                "team_id",
                "team_domain",
                "channel_id",
                "channel_name",
                "user_id",
                "user_name",
                "command",
            ),
            *("text", "api_app_id", "is_enterprise_install", "response_url", "trigger_id"),
        }
        assert (form["channel_name"], form["user_name"]) == ("general", "ada")
        assert form["text"] == "ask @leo a&lt;b"
        assert (done["status"], done["ack"], done["trigger_id"]) == (
            200,
            {"text": "on it"},
            form["trigger_id"],
        )
        assert rig.look("ephemerals", user="U0ADA")["messages"][0]["text"] == "on it"

    def test_a_command_is_sent_once_and_its_failure_is_shown(self, rig: Rig) -> None:
        rig.receiver.answers({}, status=500)
        done = rig.act("command", user="U0ADA", channel="C0GENERAL", command="/analyze", text="x")
        assert done["status"] == 500
        assert "dispatch_failed" in rig.look("ephemerals", user="U0ADA")["messages"][0]["text"]
        rig.receiver.next()
        assert rig.receiver.received.empty()

    def test_commands_people_cannot_use(self, rig: Rig) -> None:
        use = {"user": "U0ADA", "channel": "C0GENERAL", "command": "/analyze", "text": "x"}
        assert rig.http.post("/control/command", json=use | {"thread_ts": "1.0"}).status_code == 400
        assert rig.http.post("/control/command", json=use | {"command": "/nothing"}).status_code == 404
        rig.act("channel", channel="C0GENERAL", kick=["U0ADA"])
        assert rig.http.post("/control/command", json=use).json()["error"] == "not_in_channel"

    def test_in_a_conversation_the_bot_cannot_see(self, rig: Rig) -> None:
        others = rig.act("channel", is_im=True, members=["U0ADA", "U0LEO"])["channel"]["id"]
        rig.act("command", user="U0ADA", channel=others, command="/analyze", text="x")
        form = rig.receiver.next().payload
        assert form["channel_name"] == "directmessage"
        with pytest.raises(SlackApiError, match="channel_not_found"):
            rig.client.chat_postMessage(channel=others, text="x")
        assert WebhookClient(form["response_url"]).send(text="by hook").status_code == 200
        assert rig.look("ephemerals", user="U0ADA")["messages"][-1]["text"] == "by hook"

    def test_a_response_url_works_five_times(self, rig: Rig) -> None:
        rig.act("command", user="U0ADA", channel="C0GENERAL", command="/analyze", text="x")
        hook = WebhookClient(rig.receiver.next().payload["response_url"])
        assert hook.send(text="all see", response_type="in_channel").body == "ok"
        assert rig.look("messages", channel="C0GENERAL")["messages"][-1]["text"] == "all see"
        assert [hook.send(text="x").status_code for _ in range(5)] == [200, 200, 200, 200, 404]
        assert WebhookClient(f"{rig.running.url}/hooks/commands/none").send(text="x").status_code == 404
        with make_rig(hook_seconds=0.001) as short:
            short.act("command", user="U0ADA", channel="C0GENERAL", command="/analyze", text="x")
            late = WebhookClient(short.receiver.next().payload["response_url"])
            assert "expired_url" in late.send(text="x").body


class TestButtons:
    def test_a_message_shortcut(self, rig: Rig) -> None:
        ts = rig.act("say", user="U0ADA", channel="C0GENERAL", text="long text")["ts"]
        use = {"channel": "C0GENERAL", "ts": ts, "callback_id": "analyze_message"}
        done = rig.act("shortcut", user="U0LEO", **use)
        payload = rig.receiver.next().payload
        assert (payload["type"], payload["callback_id"]) == ("message_action", "analyze_message")
        assert (payload["message"]["text"], payload["message_ts"]) == ("long text", ts)
        assert (payload["channel"]["id"], payload["user"]["id"]) == ("C0GENERAL", "U0LEO")
        assert payload["response_url"]
        assert payload["trigger_id"] == done["trigger_id"]
        unknown = {"user": "U0LEO", **use, "callback_id": "nothing"}
        assert rig.http.post("/control/shortcut", json=unknown).status_code == 404

    def test_a_button_on_a_message_and_its_response_url(self, rig: Rig) -> None:
        blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "failed"}}, ACTIONS]
        ts = rig.client.chat_postMessage(channel="C0GENERAL", text="card", blocks=blocks)["ts"]
        assert rig.act("press", user="U0ADA", channel="C0GENERAL", ts=ts, action_id="retry")["status"] == 200
        payload = rig.receiver.next().payload
        (action,) = payload["actions"]
        assert payload["type"] == "block_actions"
        assert (action["action_id"], action["block_id"], action["value"]) == ("retry", "row", "j1")
        assert payload["container"]["message_ts"] == payload["message"]["ts"] == ts
        hook = WebhookClient(payload["response_url"])
        hook.send(text="replaced", replace_original=True)
        assert rig.look("messages", channel="C0GENERAL")["messages"][-1]["text"] == "replaced"
        hook.send(delete_original=True)
        assert rig.look("messages", channel="C0GENERAL")["messages"] == []
        gone = {"user": "U0ADA", "channel": "C0GENERAL", "ts": ts, "action_id": "retry"}
        assert rig.http.post("/control/press", json=gone).status_code == 404

    def test_a_modal_from_open_to_done(self, rig: Rig) -> None:
        trigger = rig.act("command", user="U0ADA", channel="C0GENERAL", command="/analyze", text="x")[
            "trigger_id"
        ]
        rig.receiver.next()
        view = rig.client.views_open(trigger_id=trigger, view=modal("one"))["view"]
        assert refusal(rig, "views.open", trigger_id=trigger, view=modal("again")) == "exchanged_trigger_id"
        assert rig.look("views", user="U0ADA")["views"][0]["id"] == view["id"]
        submit = {"user": "U0ADA", "view_id": view["id"]}
        empty = rig.http.post("/control/submit", json={**submit, "values": {}})
        assert (empty.status_code, list(empty.json()["errors"])) == (422, ["text"])
        values = {"text": {"words": "some words"}, "recipe": {"choice": "ask"}}
        rig.receiver.answers({"response_action": "errors", "errors": {"text": "too short"}})
        assert rig.act("submit", **submit, values=values)["ack"]["errors"] == {"text": "too short"}
        sent = rig.receiver.next().payload
        assert sent["type"] == "view_submission"
        state = sent["view"]["state"]["values"]
        assert state["text"]["words"] == {"type": "plain_text_input", "value": "some words"}
        assert state["recipe"]["choice"]["selected_option"]["value"] == "ask"
        rig.receiver.answers({"response_action": "push", "view": modal("two")})
        rig.act("submit", **submit, values=values)
        titles = [item["title"]["text"] for item in rig.look("views", user="U0ADA")["views"]]
        assert titles == ["one", "two"]
        top = rig.look("views", user="U0ADA")["views"][-1]["id"]
        rig.receiver.answers({"response_action": "update", "view": modal("three")})
        rig.act("submit", user="U0ADA", view_id=top, values=values)
        assert rig.look("views", user="U0ADA")["views"][-1]["title"]["text"] == "three"
        rig.receiver.answers({"response_action": "clear"})
        rig.act("submit", user="U0ADA", view_id=top, values=values)
        assert rig.look("views", user="U0ADA")["views"] == []

    def test_closing_and_updating_a_modal(self, rig: Rig) -> None:
        trigger = rig.act("command", user="U0ADA", channel="C0GENERAL", command="/analyze", text="x")[
            "trigger_id"
        ]
        rig.receiver.next()
        view = rig.client.views_open(trigger_id=trigger, view=modal("one") | {"notify_on_close": True})[
            "view"
        ]
        update = {"view_id": view["id"], "view": modal("two") | {"notify_on_close": True}}
        assert rig.client.views_update(**update, hash=view["hash"])["ok"]
        assert refusal(rig, "views.update", **update, hash=view["hash"]) == "hash_conflict"
        rig.act("close", user="U0ADA", view_id=view["id"])
        assert rig.receiver.next().payload["type"] == "view_closed"
        assert refusal(rig, "views.update", **update) == "not_found"

    def test_triggers_end(self, rig: Rig) -> None:
        assert refusal(rig, "views.open", trigger_id="1.2.x", view=modal("one")) == "invalid_trigger_id"
        with make_rig(trigger_seconds=0.001) as short:
            use = {"user": "U0ADA", "channel": "C0GENERAL", "command": "/analyze", "text": "x"}
            trigger = short.act("command", **use)["trigger_id"]
            assert refusal(short, "views.open", trigger_id=trigger, view=modal("one")) == "expired_trigger_id"


def modal(title: str) -> dict[str, Any]:
    option = {"text": {"type": "plain_text", "text": "Ask"}, "value": "ask"}
    select = {"type": "static_select", "action_id": "choice", "options": [option]}
    writing = {"type": "plain_text_input", "action_id": "words", "multiline": True}
    label = {"type": "plain_text", "text": "Label"}
    return {
        "type": "modal",
        "title": {"type": "plain_text", "text": title},
        "submit": {"type": "plain_text", "text": "Go"},
        "blocks": [
            {"type": "input", "block_id": "text", "label": label, "element": writing},
            {"type": "input", "block_id": "recipe", "label": label, "element": select, "optional": True},
        ],
    }


def refusal(rig: Rig, method: str, **args: Any) -> str:
    return str(rig.api(method, **args)["error"])


def test_the_stream_tells_what_happens(rig: Rig) -> None:
    lines: list[str] = []
    with rig.http.stream("GET", "/control/stream") as response:
        incoming = response.iter_lines()
        assert next(incoming) == ": connected"
        rig.act("say", user="U0ADA", channel="C0GENERAL", text="안녕")
        while not any(line.startswith("data:") for line in lines):
            lines.append(next(incoming))
    assert "event: message" in lines
    assert '"channel":"C0GENERAL"' in lines[-1]


@pytest.mark.parametrize(
    ("written", "arrives"),
    [
        ("a & b < c > d", "a &amp; b &lt; c &gt; d"),
        ("<@U0BOT> <#C0GENERAL|general> <!here>", "<@U0BOT> <#C0GENERAL|general> <!here>"),
        ("see https://x.y/?a=1&b=2.", "see <https://x.y/?a=1&amp;b=2>."),
        ("<https://x.y|x> <script>", "<https://x.y|x> &lt;script&gt;"),
        ("", ""),
    ],
)
def test_typed_text_is_escaped_as_slack_does(written: str, arrives: str) -> None:
    assert text.typed(written) == arrives
