"""The stand-in's Web API, driven by slack-sdk: state, error codes, limits, faults."""

import time
from typing import Any

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from tests.playground_rig import APP_TOKEN, Rig
from tests.playground_rig import rig as make_rig

SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "*hello*"}}


def refused(call: Any, **args: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        call(**args)
    return str(caught.value.response["error"])


def test_auth_test_names_the_bot_and_its_scopes(rig: Rig) -> None:
    answer = rig.client.auth_test()
    assert (answer["team_id"], answer["user_id"], answer["bot_id"]) == ("T0PLAY", "U0BOT", "B0BOT")
    assert "chat:write" in answer.headers["x-oauth-scopes"].split(",")


def test_tokens_are_checked(rig: Rig) -> None:
    base = f"{rig.running.url}/api/"
    assert refused(WebClient("xoxb-wrong", base_url=base).auth_test) == "invalid_auth"
    assert refused(WebClient(APP_TOKEN, base_url=base).auth_test) == "not_allowed_token_type"
    assert refused(rig.client.apps_connections_open, app_token=rig.client.token) == "not_allowed_token_type"
    assert rig.http.post("/api/auth.test").json()["error"] == "not_authed"
    assert rig.http.post("/api/auth.test", data={"token": rig.client.token}).json()["ok"]


def test_an_unknown_method_is_named(rig: Rig) -> None:
    assert rig.api("chat.shout") == {"ok": False, "error": "unknown_method", "req_method": "chat.shout"}


def test_a_message_is_posted_read_edited_and_deleted(rig: Rig) -> None:
    posted = rig.client.chat_postMessage(channel="C0GENERAL", text="one", blocks=[SECTION])
    assert posted["message"]["bot_id"] == "B0BOT"
    read = rig.client.conversations_history(channel="C0GENERAL")["messages"]
    assert [message["ts"] for message in read] == [posted["ts"]]
    updated = rig.client.chat_update(channel="C0GENERAL", ts=posted["ts"], text="two")
    assert updated["message"]["text"] == "two"
    assert "blocks" not in updated["message"], "text without blocks takes the old blocks away"
    rig.client.chat_delete(channel="C0GENERAL", ts=posted["ts"])
    assert rig.client.conversations_history(channel="C0GENERAL")["messages"] == []
    assert (
        refused(rig.client.chat_update, channel="C0GENERAL", ts=posted["ts"], text="x") == "message_not_found"
    )


def test_form_and_json_bodies_mean_the_same(rig: Rig) -> None:
    bearer = {"authorization": f"Bearer {rig.client.token}"}
    form = {"channel": "C0GENERAL", "text": "form", "blocks": '[{"type":"divider"}]'}
    answer = rig.http.post("/api/chat.postMessage", data=form, headers=bearer).json()
    assert answer["message"]["blocks"][0]["type"] == "divider"
    assert rig.api("chat.postMessage", channel="C0GENERAL", text="json", blocks=[{"type": "divider"}])["ok"]


def test_a_thread_counts_its_replies(rig: Rig) -> None:
    root = rig.act("say", user="U0ADA", channel="C0GENERAL", text="root")["ts"]
    replies = [
        rig.client.chat_postMessage(channel="C0GENERAL", thread_ts=root, text=str(n))["ts"] for n in range(3)
    ]
    nested = rig.client.chat_postMessage(channel="C0GENERAL", thread_ts=replies[0], text="by a reply's ts")
    assert nested["message"]["thread_ts"] == root
    thread = rig.client.conversations_replies(channel="C0GENERAL", ts=root)["messages"]
    assert [message["ts"] for message in thread] == [root, *replies, nested["ts"]]
    assert thread[0]["reply_count"] == 4
    assert thread[0]["latest_reply"] == nested["ts"]
    assert len(rig.client.conversations_history(channel="C0GENERAL")["messages"]) == 1
    assert refused(rig.client.conversations_replies, channel="C0GENERAL", ts="1.000000") == "thread_not_found"
    missing = {"channel": "C0GENERAL", "thread_ts": "1.000000", "text": "x"}
    assert refused(rig.client.chat_postMessage, **missing) == "thread_not_found"


def test_a_deleted_root_leaves_a_tombstone(rig: Rig) -> None:
    root = rig.client.chat_postMessage(channel="C0GENERAL", text="root")["ts"]
    rig.client.chat_postMessage(channel="C0GENERAL", text="reply", thread_ts=root)
    rig.client.chat_delete(channel="C0GENERAL", ts=root)
    thread = rig.client.conversations_replies(channel="C0GENERAL", ts=root)["messages"]
    assert thread[0]["subtype"] == "tombstone"
    assert refused(rig.client.chat_update, channel="C0GENERAL", ts=root, text="x") == "message_not_found"


def test_timestamps_are_unique_and_sorted(rig: Rig) -> None:
    rig.act("limits", enforce=False)
    stamps = [rig.client.chat_postMessage(channel="C0GENERAL", text="x")["ts"] for _ in range(30)]
    assert stamps == sorted(set(stamps))
    assert all(len(ts.partition(".")[2]) == 6 for ts in stamps)


def test_history_pages_and_bounds(rig: Rig) -> None:
    rig.act("limits", enforce=False)
    stamps = [rig.client.chat_postMessage(channel="C0GENERAL", text=str(n))["ts"] for n in range(7)]
    seen = [
        message["ts"]
        for page in rig.client.conversations_history(channel="C0GENERAL", limit=3)
        for message in page["messages"]
    ]
    assert seen == stamps[::-1]
    between = {"channel": "C0GENERAL", "oldest": stamps[1], "latest": stamps[4]}
    assert len(rig.client.conversations_history(**between)["messages"]) == 2
    assert len(rig.client.conversations_history(**between, inclusive=True)["messages"]) == 4
    assert (
        refused(rig.client.conversations_history, channel="C0GENERAL", cursor="bm9uc2Vuc2U=")
        == "invalid_cursor"
    )
    assert refused(rig.client.conversations_history, channel="C0GENERAL", limit=5000) == "invalid_limit"


def test_metadata_comes_only_when_asked_for(rig: Rig) -> None:
    metadata = {"event_type": "threadline_post", "event_payload": {"job": "j1"}}
    root = rig.client.chat_postMessage(channel="C0GENERAL", text="x", metadata=metadata)["ts"]
    plain = rig.client.conversations_replies(channel="C0GENERAL", ts=root)["messages"][0]
    asked = rig.client.conversations_replies(channel="C0GENERAL", ts=root, include_all_metadata=True)[
        "messages"
    ][0]
    assert "metadata" not in plain
    assert asked["metadata"] == metadata
    wrong = {"channel": "C0GENERAL", "text": "x", "metadata": {"event_type": 1}}
    assert refused(rig.client.chat_postMessage, **wrong) == "invalid_metadata_format"


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({"text": "x"}, "invalid_arguments"),
        ({"channel": "C0GENERAL"}, "no_text"),
        ({"channel": "C0GENERAL", "text": "x", "blocks": "{"}, "invalid_blocks_format"),
        ({"channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
        ({"channel": "G0SECRET", "text": "x"}, "channel_not_found"),
        ({"channel": {"a": 1}, "text": ["x"]}, "channel_not_found"),
    ],
)
def test_posting_refuses(rig: Rig, args: dict[str, Any], error: str) -> None:
    assert rig.api("chat.postMessage", **args)["error"] == error


def test_where_the_bot_may_post(rig: Rig) -> None:
    assert rig.client.chat_postMessage(channel="C0RANDOM", text="chat:write.public")["ok"]
    assert rig.client.chat_postMessage(channel="U0ADA", text="by a person's id")["channel"] == "D0ADA"
    assert rig.client.chat_postMessage(channel="#general", text="by name")["channel"] == "C0GENERAL"
    assert refused(rig.client.conversations_history, channel="C0RANDOM") == "not_in_channel"
    others = rig.act("channel", is_im=True, members=["U0ADA", "U0LEO"])["channel"]["id"]
    assert refused(rig.client.chat_postMessage, channel=others, text="x") == "channel_not_found"
    rig.act("channel", channel="C0GENERAL", archive=True)
    assert refused(rig.client.chat_postMessage, channel="C0GENERAL", text="x") == "is_archived"
    rig.act("channel", channel="C0RESEARCH", kick=["U0BOT"])
    ephemeral = {"channel": "C0RESEARCH", "user": "U0ADA", "text": "x"}
    assert refused(rig.client.chat_postEphemeral, **ephemeral) == "not_in_channel"


def test_scopes_come_from_the_manifest(tmp_path: Any) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text(
        '{"oauth_config": {"scopes": {"bot": ["chat:write", "channels:history"]}},'
        ' "features": {"slash_commands": [{"command": "/other"}]},'
        ' "settings": {"event_subscriptions": {"bot_events": ["message.channels"]}}}'
    )
    with make_rig(manifest=manifest) as limited:
        assert refused(limited.client.users_info, user="U0ADA") == "missing_scope"
        assert refused(limited.client.chat_postMessage, channel="C0RANDOM", text="x") == "not_in_channel"
        assert limited.client.chat_postMessage(channel="C0GENERAL", text="x")["ok"]
        assert limited.look("state")["app"]["commands"] == [{"command": "/other"}]
        limited.act("say", user="U0ADA", channel="C0GENERAL", text="no mention")
        types = [limited.receiver.next().payload["event"]["type"] for _ in range(2)]
        assert types == ["message", "message"], "the bot's own message, then the person's"


def test_only_own_messages_can_be_changed(rig: Rig) -> None:
    ts = rig.act("say", user="U0ADA", channel="C0GENERAL", text="mine")["ts"]
    assert refused(rig.client.chat_update, channel="C0GENERAL", ts=ts, text="x") == "cant_update_message"
    assert refused(rig.client.chat_delete, channel="C0GENERAL", ts=ts) == "cant_delete_message"


def test_long_text_is_cut_when_posted_and_refused_when_edited(rig: Rig) -> None:
    posted = rig.client.chat_postMessage(channel="C0GENERAL", text="x" * 40_001)
    assert len(posted["message"]["text"]) == 40_000
    assert posted["response_metadata"]["warnings"] == ["message_truncated"]
    edit = {"channel": "C0GENERAL", "ts": posted["ts"]}
    assert rig.client.chat_update(**edit, text="x" * 4_000)["ok"]
    assert refused(rig.client.chat_update, **edit, text="x" * 4_001) == "msg_too_long"
    assert (
        refused(rig.client.chat_postMessage, channel="C0GENERAL", markdown_text="x" * 12_001)
        == "msg_too_long"
    )


def test_one_post_a_second_and_channel_with_a_short_burst(rig: Rig) -> None:
    for _ in range(5):
        rig.client.chat_postMessage(channel="C0GENERAL", text="x")
    with pytest.raises(SlackApiError) as caught:
        rig.client.chat_postMessage(channel="C0GENERAL", text="x")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["retry-after"] == "1"
    assert rig.client.chat_postMessage(channel="C0RESEARCH", text="another channel")["ok"]
    waiting = WebClient(rig.client.token, base_url=rig.client.base_url)
    waiting.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=2))
    started = time.monotonic()
    assert waiting.chat_postMessage(channel="C0GENERAL", text="after the pause")["ok"]
    assert time.monotonic() - started >= 0.9
    rig.act("limits", enforce=False)
    assert all(rig.client.chat_postMessage(channel="C0GENERAL", text="x")["ok"] for _ in range(20))


def test_updates_are_tier_3(rig: Rig) -> None:
    ts = rig.client.chat_postMessage(channel="C0GENERAL", text="x")["ts"]
    for number in range(50):
        rig.client.chat_update(channel="C0GENERAL", ts=ts, text=str(number))
    assert refused(rig.client.chat_update, channel="C0GENERAL", ts=ts, text="x") == "ratelimited"


def test_conversations_are_listed_joined_and_opened(rig: Rig) -> None:
    listed = rig.client.conversations_list(types="public_channel,private_channel,im", limit=2)
    names = [channel["id"] for page in listed for channel in page["channels"]]
    assert {"C0GENERAL", "C0RANDOM", "D0ADA"} <= set(names)
    assert "G0SECRET" not in names
    assert rig.client.conversations_info(channel="C0RANDOM")["channel"]["is_member"] is False
    assert rig.client.conversations_join(channel="C0RANDOM")["channel"]["is_member"] is True
    assert "U0BOT" in rig.client.conversations_members(channel="C0RANDOM")["members"]
    assert rig.client.conversations_open(users="U0MINJI")["channel"]["id"] == "D0MINJI"
    assert {item["id"] for item in rig.client.users_conversations(user="U0ADA")["channels"]} >= {"C0RESEARCH"}


def test_people_have_a_locale_when_asked(rig: Rig) -> None:
    assert "locale" not in rig.client.users_info(user="U0MINJI")["user"]
    minji = rig.client.users_info(user="U0MINJI", include_locale=True)["user"]
    assert (minji["locale"], minji["real_name"]) == ("ko-KR", "김민지")
    rig.act("user", user="U0MINJI", locale="en-US")
    assert rig.client.users_info(user="U0MINJI", include_locale=True)["user"]["locale"] == "en-US"
    assert refused(rig.client.users_info, user="U0NOBODY") == "user_not_found"
    assert len(rig.client.users_list()["members"]) == 5


def test_files_are_uploaded_shared_and_guarded(rig: Rig) -> None:
    root = rig.client.chat_postMessage(channel="C0GENERAL", text="root")["ts"]
    upload = {"channel": "C0GENERAL", "thread_ts": root, "filename": "결과.md", "initial_comment": "here"}
    file = rig.client.files_upload_v2(content="# 안녕", **upload)["file"]
    shared = rig.client.conversations_replies(channel="C0GENERAL", ts=root)["messages"][1]
    assert (shared["subtype"], shared["text"], shared["files"][0]["id"]) == ("file_share", "here", file["id"])
    bearer = {"authorization": f"Bearer {rig.client.token}"}
    assert rig.http.get(file["url_private"], headers=bearer).text == "# 안녕"
    stranger = httpx.get(file["url_private"])
    assert stranger.status_code == 200
    assert stranger.headers["content-type"].startswith("text/html")
    assert rig.client.files_info(file=file["id"])["file"]["size"] == len("# 안녕".encode())
    assert refused(rig.client.files_info, file="F0NONE") == "file_not_found"
    url = rig.client.files_getUploadURLExternal(filename="a.bin", length=3)
    unsent = {"files": [{"id": url["file_id"], "title": "a"}], "channel_id": "C0GENERAL"}
    assert refused(rig.client.files_completeUploadExternal, **unsent) == "file_not_found"
    assert rig.http.post(url["upload_url"], files={"file": ("a.bin", b"\r\n\x00")}).status_code == 200
    assert rig.client.files_completeUploadExternal(**unsent)["ok"]
    assert rig.http.get(
        rig.client.files_info(file=url["file_id"])["file"]["url_private"], headers=bearer
    ).content == (b"\r\n\x00")


def test_streams_grow_end_and_expire(rig: Rig) -> None:
    root = rig.act("say", user="U0ADA", channel="C0GENERAL", text="root")["ts"]
    recipient = {"recipient_team_id": "T0PLAY", "recipient_user_id": "U0ADA"}
    stream = rig.client.chat_stream(channel="C0GENERAL", thread_ts=root, buffer_size=1, **recipient)
    stream.append(markdown_text="one ")
    stream.append(markdown_text="two ")
    assert (
        refused(rig.client.chat_update, channel="C0GENERAL", ts=stream.ts, text="x")
        == "streaming_state_conflict"
    )
    stream.stop(markdown_text="three", blocks=[SECTION])
    message = rig.client.conversations_replies(channel="C0GENERAL", ts=root)["messages"][1]
    assert message["text"] == "one two three"
    assert [block["type"] for block in message["blocks"]] == ["markdown", "section"]
    late = {"channel": "C0GENERAL", "ts": stream.ts, "markdown_text": "x"}
    assert refused(rig.client.chat_appendStream, **late) == "message_not_in_streaming_state"
    start = {"channel": "C0GENERAL", "thread_ts": root}
    assert refused(rig.client.chat_startStream, **start) == "missing_recipient_team_id"
    with make_rig(stream_seconds=0.001) as short:
        dm = short.act("say", user="U0ADA", channel="D0ADA", text="root")["ts"]
        ts = short.client.chat_startStream(channel="D0ADA", thread_ts=dm)["ts"]
        gone = {"channel": "D0ADA", "ts": ts, "markdown_text": "x"}
        assert refused(short.client.chat_appendStream, **gone) == "message_not_in_streaming_state"
        short.client.chat_update(channel="D0ADA", ts=ts, text="whole")
        edited = short.client.conversations_replies(channel="D0ADA", ts=dm)["messages"][1]
        assert (edited["text"], edited["streaming_state"]) == ("whole", "completed")


def test_reactions_and_statuses(rig: Rig) -> None:
    ts = rig.act("say", user="U0ADA", channel="C0GENERAL", text="root")["ts"]
    mark = {"channel": "C0GENERAL", "timestamp": ts, "name": "eyes"}
    rig.client.reactions_add(**mark)
    assert refused(rig.client.reactions_add, **mark) == "already_reacted"
    rig.client.reactions_remove(**mark)
    assert refused(rig.client.reactions_remove, **mark) == "no_reaction"
    rig.client.assistant_threads_setStatus(channel_id="C0GENERAL", thread_ts=ts, status="is reading...")
    assert rig.look("state")["statuses"][0]["status"] == "is reading..."
    rig.client.chat_postMessage(channel="C0GENERAL", thread_ts=ts, text="done")
    assert rig.look("state")["statuses"] == [], "the app's next message clears the status"
    assert rig.client.agents_sessions_setStatus(channel_id="C0GENERAL", thread_ts=ts, status="processing")[
        "ok"
    ]


def test_a_permalink_leads_to_the_page(rig: Rig) -> None:
    ts = rig.client.chat_postMessage(channel="C0GENERAL", text="x")["ts"]
    link = rig.client.chat_getPermalink(channel="C0GENERAL", message_ts=ts)["permalink"]
    assert rig.http.get(link).headers["location"] == f"/#at=C0GENERAL&thread={ts}"


def test_ephemerals_are_for_one_person(rig: Rig) -> None:
    rig.client.chat_postEphemeral(channel="C0GENERAL", user="U0ADA", text="only you")
    assert [item["text"] for item in rig.look("ephemerals", user="U0ADA")["messages"]] == ["only you"]
    assert rig.look("ephemerals", user="U0LEO")["messages"] == []
    rig.act("channel", channel="C0GENERAL", kick=["U0LEO"])
    away = {"channel": "C0GENERAL", "user": "U0LEO", "text": "x"}
    assert refused(rig.client.chat_postEphemeral, **away) == "user_not_in_channel"


class TestFaults:
    """Each fault ordered for Slack's Web API."""

    @pytest.fixture
    def plain(self, rig: Rig) -> httpx.Client:
        """A client that never tries again by itself."""
        bearer = {"authorization": f"Bearer {rig.client.token}"}
        with httpx.Client(base_url=rig.running.url, headers=bearer, timeout=1.0) as client:
            yield client

    def post(self, plain: httpx.Client) -> httpx.Response:
        return plain.post("/api/chat.postMessage", json={"channel": "C0GENERAL", "text": "x"})

    def posted(self, rig: Rig) -> int:
        return len(rig.look("messages", channel="C0GENERAL")["messages"])

    def test_statuses(self, rig: Rig, plain: httpx.Client) -> None:
        for kind, status in (("rate_limited", 429), ("server_error", 500), ("unavailable", 503)):
            rig.act("faults/slack", method="chat.postMessage", kind=kind, retry_after=7)
            response = self.post(plain)
            assert response.status_code == status
            assert response.headers.get("retry-after") == ("7" if status == 429 else None)
        rig.act("faults/slack", method="*", kind="error", error="fatal_error")
        assert self.post(plain).json()["error"] == "fatal_error"
        assert self.posted(rig) == 0
        assert self.post(plain).json()["ok"], "each fault was for one call"

    @pytest.mark.parametrize(("kind", "effect"), [("time_out_before", 0), ("time_out_after", 1)])
    def test_time_outs(self, rig: Rig, plain: httpx.Client, kind: str, effect: int) -> None:
        rig.act("faults/slack", method="chat.postMessage", kind=kind)
        with pytest.raises(httpx.ReadTimeout):
            self.post(plain)
        assert self.posted(rig) == effect

    @pytest.mark.parametrize(("kind", "effect"), [("drop_before", 0), ("drop_after", 1)])
    def test_cut_connections(self, rig: Rig, plain: httpx.Client, kind: str, effect: int) -> None:
        rig.act("faults/slack", method="chat.postMessage", kind=kind)
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            self.post(plain)
        assert self.posted(rig) == effect

    def test_channels_times_and_clearing(self, rig: Rig, plain: httpx.Client) -> None:
        rig.act(
            "faults/slack", method="chat.postMessage", kind="server_error", channel="C0RESEARCH", times=None
        )
        assert self.post(plain).json()["ok"]
        elsewhere = {"channel": "C0RESEARCH", "text": "x"}
        assert plain.post("/api/chat.postMessage", json=elsewhere).status_code == 500
        assert plain.post("/api/chat.postMessage", json=elsewhere).status_code == 500
        assert rig.http.delete("/control/faults").json() == {"ok": True}
        assert plain.post("/api/chat.postMessage", json=elsewhere).json()["ok"]
        assert rig.http.post("/control/faults/slack", json={"kind": "nonsense"}).status_code == 400

    def test_the_ledger_has_every_call_and_no_token(self, rig: Rig, plain: httpx.Client) -> None:
        rig.act("faults/slack", method="chat.postMessage", kind="time_out_after", seconds=0.01)
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            self.post(plain)
        rig.http.post(
            "/api/chat.postMessage", data={"token": rig.client.token, "channel": "C0NOWHERE", "text": "x"}
        )
        first, second = rig.look("calls", method="chat.postMessage")["calls"]
        assert (first["ok"], first["fault"], first["args"]["channel"]) == (
            True,
            "time_out_after",
            "C0GENERAL",
        )
        assert (second["ok"], second["error"]) == (False, "channel_not_found")
        assert "token" not in second["args"]


HOSTILE: list[bytes] = [
    b"",
    b"[]",
    b"null",
    b"{",
    b'{"channel": {"$ne": 1}, "text": {"a": []}, "blocks": 7}',
    b'{"channel": "C0GENERAL", "text": "\\ud800", "thread_ts": ["x"]}',
    b'{"channel": "C0GENERAL", "blocks": [null, 1, {"type": []}, {"type": "section", "text": 5}]}',
    b'{"channel": "C0GENERAL", "text": "x", "metadata": "{", "attachments": [[]]}',
    b"[" * 100_000,
    b'{"channel": "C0GENERAL", "blocks": ' + b"[" * 900 + b"]" * 900 + b"}",
    b'{"ts": "%s", "limit": "1e9", "cursor": "\\u0000", "channel": "C0GENERAL", "oldest": "-"}',
    b"\xff\xfe\x00",
]


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", "text/plain"])
def test_hostile_bodies_get_an_answer_and_break_nothing(rig: Rig, kind: str) -> None:
    from playground.slack.methods import METHODS

    headers = {"authorization": f"Bearer {rig.client.token}", "content-type": kind}
    rig.act("limits", enforce=False)
    for method in METHODS:
        for body in HOSTILE:
            answer = rig.http.post(f"/api/{method}", content=body, headers=headers).json()
            assert answer.get("error") != "fatal_error", (method, body[:80])
    for call in [
        "say",
        "edit",
        "delete",
        "command",
        "shortcut",
        "press",
        "submit",
        "close",
        "home",
        "stop",
        "user",
        "channel",
        "socket",
    ]:
        for body in HOSTILE:
            response = rig.http.post(f"/control/{call}", content=body)
            assert response.status_code < 500, (call, body[:80], response.text)
    assert rig.http.post("/hooks/actions/x", content=b"[").status_code == 400
    assert rig.client.auth_test()["ok"]


def test_the_page_is_served_and_nothing_beside_it(rig: Rig) -> None:
    assert rig.http.get("/").status_code in (200, 404), "404 only until the page is written"
    for path in (
        "/page/../app.py",
        "/page/%2e%2e/app.py",
        "/page/..%2fapp.py",
        "/page/%00",
        "/page//etc/passwd",
    ):
        assert rig.http.get(path).status_code == 404
