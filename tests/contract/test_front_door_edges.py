"""Slack's edges at the front door: held-back events, renewed sockets, forms too late, other organisations, edits."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from bot.metrics import Metrics
from bot.socket import CONNECTIONS
from bot.web import create_web
from db.models import Alert
from db.states import JobState
from tasks import actions, alerts
from tasks.catalogue import say
from tests import fakes, playground_rig, services
from tests import front_door_rig as rig
from tests.contract.test_front_door_socket_mode import by_socket
from tests.contract.test_front_door_trouble import locked
from tests.front_door_rig import Door

migrated_sqlite, sqlite_url, door = rig.migrated_sqlite, rig.sqlite_url, rig.door
either_door = rig.either_door

HELD_BACK = {
    "token": "unused",
    "type": "app_rate_limited",
    "team_id": "T1",
    "minute_rate_limited": 1763800000,
    "api_app_id": "A1",
}


@pytest.mark.parametrize("way", ["http", "socket"])
def test_held_back_events_are_told_to_operators(either_door: Door, way: str) -> None:
    """Acknowledged and logged, one alert however often Slack says it, and a number in the metrics."""
    for _ in range(2):
        if way == "http":
            assert either_door.event(HELD_BACK).status_code == 200
        else:
            assert len(by_socket(either_door, HELD_BACK)) == 1
    alerts.look(either_door.resources)
    (alert,) = fakes.rows(either_door.resources.engine, Alert)
    assert (alert.cause, alert.subject, alert.count) == ("events_held_back", "T1", 2)
    assert [line["team"] for line in either_door.logged if line["event"] == "slack.events_held_back"] == [
        "T1",
        "T1",
    ]
    told = Metrics(either_door.resources).text().decode()
    assert 'threadline_alerts{cause="events_held_back"} 1.0' in told


def test_that_they_are_held_back_is_said_again_when_it_could_not_be_saved(door: Door) -> None:
    """503, as for an event; in the log it stands all the same."""
    with locked(door):
        assert door.event(HELD_BACK).status_code == 503
    assert any(line["event"] == "slack.events_held_back" for line in door.logged)


@pytest.mark.parametrize("how", ["refresh_requested", "drop"])
def test_while_one_socket_is_renewed_the_other_listens(sqlite_url: str, how: str) -> None:
    """No command is lost, which Slack would not send again, and no event; and there are two sockets again."""
    with playground_rig.rig() as slack:
        tokens = {
            "slack_app_token": playground_rig.APP_TOKEN,
            "slack_bot_token": playground_rig.TOKEN,
            "slack_api_url": f"{slack.running.url}/api/",
            "most_open": 100,
        }
        with rig.opened(sqlite_url, **tokens) as door:
            web = create_web(door.resources, door.app)

            def both() -> None:
                services.wait_for(lambda: slack.look("state")["sockets"] == CONNECTIONS, 60)

            def ask() -> None:
                both()
                for number in range(4):
                    if number == 1:
                        assert slack.act("socket", action=how, one=True)["connections"] == 1
                    asked = {"user": "U0ADA", "channel": "C0GENERAL"}
                    done = slack.act(
                        "command", command="/analyze", text=f"Text {number} to work on.", **asked
                    )
                    assert (done["status"], done["error"]) == (200, None)
                    slack.act("say", text=f"<@U0BOT> Text {number} to work on.", **asked)
                both()
                services.wait_for(lambda: len(door.jobs()) == 8, 60)

            async def serve() -> None:
                async with web.router.lifespan_context(web):
                    await asyncio.to_thread(ask)

            asyncio.run(serve())


# A form opens within 3 seconds of its trigger, or never.

WAYS_TO_A_FORM: list[tuple[str, Callable[[Door], Any]]] = [
    ("shortcut", lambda door: door.interaction(global_shortcut())),
    ("home", lambda door: door.interaction(rig.press("open", action=actions.OPEN_FORM))),
]


def global_shortcut() -> dict[str, Any]:
    return {
        "type": "shortcut",
        "token": "unused",
        "action_ts": "1763800001.000001",
        "team": {"id": "T1", "domain": "rig"},
        "user": {"id": "U1", "username": "someone", "team_id": "T1"},
        "callback_id": actions.NEW_ANALYSIS,
        "trigger_id": "8.1.abc",
        "is_enterprise_install": False,
        "enterprise": None,
    }


@pytest.mark.parametrize(("name", "ask"), WAYS_TO_A_FORM, ids=[name for name, _ in WAYS_TO_A_FORM])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_whoever_gets_no_form_is_told_by_direct_message(
    sqlite_url: str, name: str, ask: Callable[[Door], Any], language: str
) -> None:
    """Slack gives no other way to answer them."""
    with playground_rig.receiving() as slack:

        def answer(request: playground_rig.Received) -> playground_rig.Reply:
            late = b'{"ok": false, "error": "expired_trigger_id"}'
            fine = b'{"ok": true, "channel": {"id": "D1"}, "ts": "1.1"}'
            opened = b"trigger_id" in request.body
            return 200, {"content-type": "application/json"}, late if opened else fine

        slack.reply = answer
        api = slack.url.replace("/slack/events", "/api/")
        with rig.opened(sqlite_url, slack_api_url=api) as door:
            door.speaks("U1", f"{language}-XX")
            assert ask(door).status_code == 200
            requests = [slack.next() for _ in range(3)]
        told = [request.body for request in requests if b"D1" in request.body]
        assert [json.loads(body)["text"] for body in told] == [say(language, "modal.unopened")]


def test_a_command_whose_form_comes_too_late_is_told_how_to_ask(sqlite_url: str) -> None:
    """In the acknowledgement."""
    with playground_rig.receiving() as slack:
        slack.answers({"ok": False, "error": "expired_trigger_id"})
        with rig.opened(sqlite_url, slack_api_url=slack.url.replace("/slack/events", "/api/")) as door:
            assert door.command(rig.command("")).text == say("en", "intake.empty", command="/analyze")


def test_a_form_for_another_run_that_comes_too_late_is_told_of(sqlite_url: str) -> None:
    """For that person's eyes, by the press's own address."""
    with playground_rig.receiving() as slack:
        slack.answers({"ok": False, "error": "expired_trigger_id"})
        with rig.opened(sqlite_url, slack_api_url=slack.url.replace("/slack/events", "/api/")) as door:
            door.event(rig.mention())
            press = rig.press(f"{door.job().id}:1", action=actions.AGAIN, response_url=slack.url)
            assert door.interaction(press).status_code == 200
            slack.next()
            assert json.loads(slack.next().body)["text"] == say("en", "intake.not_read")


# Slack Connect


def from_elsewhere(**event: object) -> dict[str, Any]:
    """A mention by somebody of another organisation, in a channel shared with it."""
    sent = rig.mention(user="U2AA", team="T2AA", user_team="T2AA", source_team="T2AA", **event)
    shared = {"team_id": "T2AA", "context_team_id": "T1", "is_ext_shared_channel": True}
    return {**sent, **shared}


def test_people_of_other_organisations_ask_as_people_of_their_own_workspace(either_door: Door) -> None:
    """Their request is theirs: with their own id in another workspace nobody cancels it, and they do."""
    assert either_door.event(from_elsewhere()).status_code == 200
    job = either_door.job()
    assert (job.team, job.requester, job.channel) == ("T2AA", "U2AA", "C1")
    either_door.interaction(rig.press(f"{job.id}:1", user="U2AA", team="T1", action=actions.CANCEL))
    assert either_door.job().state is JobState.RECEIVED
    either_door.interaction(rig.press(f"{job.id}:1", user="U2AA", team="T2AA", action=actions.CANCEL))
    assert either_door.job().state is JobState.CANCELLED


def test_a_list_of_one_workspace_keeps_other_organisations_out(migrated_url: str) -> None:
    """Also in a channel that both share."""
    with rig.opened(migrated_url, admins="U0OWNER") as door:
        door.command(rig.command("admin allow T1AA", user_id="U0OWNER"))
        door.event(from_elsewhere())
        assert door.jobs() == []
        ours = rig.mention()
        door.event({**ours, "team_id": "T1AA", "is_ext_shared_channel": True})
        assert door.job().team == "T1AA"


# Edits, and what bots write


def test_a_mention_that_an_edit_brings_is_asked_once(either_door: Door) -> None:
    """Slack sends it as a mention of the message that was there; a further edit revises, and does not ask again."""
    ts = "1763700000.000001"
    edited = {"edited": {"user": "U1", "ts": "1763700009.000000"}}
    for text in ("<@U0BOT> The first words of it.", "<@U0BOT> The second words of it."):
        assert either_door.event(rig.mention(text, ts=ts, **edited)).status_code == 200
    now = {"type": "message", "user": "U1", "ts": ts, "text": "<@U0BOT> The second words of it.", **edited}
    before = {**now, "text": "<@U0BOT> The first words of it."}
    change = {"type": "message", "subtype": "message_changed", "message": now, "previous_message": before}
    either_door.event(rig._callback({**change, "channel": "C1", "channel_type": "channel"}))
    assert either_door.job().text == "The second words of it."


@pytest.mark.parametrize("kind", ["app_mention", "message"])
def test_what_bots_write_and_edit_asks_nothing(either_door: Door, kind: str) -> None:
    """Ourselves among them: in a thread of ours, in words that would ask or stop, and by editing."""
    ts = "1763700000.000001"
    either_door.event(rig.mention(ts=ts))
    before = rig.fields_of(either_door.job())
    for text in ("<@U0BOT> Make it shorter.", "stop", "<@U0BOT> stop", "그만"):
        ours = {"text": text, "thread_ts": ts, "user": "U0BOT", "bot_id": "B0BOT", "app_id": "A1"}
        said = {"type": kind, "channel": "C1", "channel_type": "channel", **ours}
        assert either_door.event(rig._callback(said)).status_code == 200
        now = {"type": "message", "ts": ts, **ours}
        change = {
            "subtype": "message_changed",
            "message": now,
            "previous_message": {**now, "text": "Before."},
        }
        edit = {"type": "message", "channel": "C1", "channel_type": "channel", **change}
        assert either_door.event(rig._callback(edit)).status_code == 200
    assert rig.fields_of(either_door.job()) == before
