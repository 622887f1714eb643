"""What operators are told: one alert for each cause, kept up to date in Slack, and ended; once, whatever breaks."""

import json
from dataclasses import replace
from datetime import datetime

import pytest

from db import alerts as rows_of
from db import backends, incidents, leases, line, outcomes, preparing
from db.models import Alert, Backend, Incident, Job, Step, Telling
from db.states import Part
from tasks import alerts, silence
from tasks.catalogue import LANGUAGES, keys
from tasks.deliver import alert
from tasks.deliver.stage import deliver
from tasks.resources import Resources
from tasks.sweep import sweep
from tests import fakes
from tests.fakes import (
    LEASE,
    MINUTE,
    NOW,
    SECOND,
    Clock,
    Slack,
    accepted,
    do,
    in_line,
    rows,
    set_row,
    slack_error,
)

OPS = "C0OPS"


@pytest.fixture
def resources(sqlite_engine, clock: Clock) -> Resources:
    """An installation with a channel for its operators."""
    fakes.declare(sqlite_engine)
    return fakes.resources(sqlite_engine, clock, slack_alert_channel=OPS)


def fail(resources, code: str = "bug", **changes) -> Job:
    job = in_line(resources.engine, **changes)
    do(resources.engine, lambda s: outcomes.fail(s, s.get_one(Job, job.id), code, {}, resources.clock()))
    return job


def told(slack: Slack) -> list[str]:
    return slack.texts(OPS)


def look_and_tell(resources) -> None:
    alerts.look(resources)
    deliver(resources, alerts.LANE)


def look_at_sweeps(resources, begun: datetime) -> None:
    """As a worker of `deliver` does."""
    silence.look(resources, begun, lambda: alert.tell(resources))


def test_every_cause_has_its_words():
    for language in LANGUAGES:
        for table in ("alert_what", "alert_todo"):
            assert {key for key in keys(language) if key.startswith(table + ".")} == {
                f"{table}.{cause}" for cause in alerts.CAUSES
            }


def test_failures_of_one_cause_are_one_message_kept_up_to_date_and_then_over(resources, slack: Slack, clock):
    first = fail(resources)
    look_and_tell(resources)
    [message] = told(slack)
    assert first.id in message
    assert "2026-03-02 09:00 UTC" in message
    last = [fail(resources) for _ in range(4)][-1]
    look_and_tell(resources)
    # At most once a minute.
    assert slack.called("chat_update") == []
    clock.move(MINUTE)
    look_and_tell(resources)
    [message] = told(slack)
    assert "So far 5 times" in message
    assert last.id in message
    clock.move(alerts.QUIET)
    look_and_tell(resources)
    opened, over = slack.messages
    assert "Over" in opened["text"]
    assert "5 times in all" in opened["text"]
    assert (over["thread_ts"], over["reply_broadcast"]) == (opened["ts"], True)
    calls = len(slack.calls)
    clock.move(alerts.QUIET)
    look_and_tell(resources)
    assert len(slack.calls) == calls


def test_causes_that_are_the_persons_own_are_not_told(resources, slack: Slack, clock):
    for code in ("empty", "too_long", "no_question", "unknown_recipe", "thread_unreadable"):
        fail(resources, code)
    look_and_tell(resources)
    assert slack.messages == []
    assert rows(resources.engine, Incident) == rows(resources.engine, Alert) == []


def test_nothing_that_people_write_is_told(resources, slack: Slack, clock):
    job = in_line(resources.engine, text="xylophone", question="marmalade", requester="UBOB")
    params = {"detail": "zither"}
    do(resources.engine, lambda s: outcomes.fail(s, s.get_one(Job, job.id), "model_refused", params, NOW))
    look_and_tell(resources)
    said = json.dumps(slack.calls, default=str)
    assert job.id in said
    assert not [word for word in ("xylophone", "marmalade", "zither", "UBOB") if word in said]


@pytest.mark.parametrize("where", ["prepare", "infer"])
def test_a_job_that_kills_its_worker_three_times_ends_with_an_alert(
    resources, slack: Slack, clock, where: str
):
    job = accepted(resources.engine) if where == "prepare" else in_line(resources.engine)
    for _ in range(3):
        if where == "prepare":
            assert do(resources.engine, preparing.claim, job.id, clock.now, LEASE) is not None
        else:
            assert do(resources.engine, line.claim, "main", clock.now, LEASE) is not None
        clock.move(LEASE + SECOND)
        sweep(resources)
    deliver(resources, alerts.LANE)
    [message] = told(slack)
    assert "three times" in message
    assert job.id in message


def test_a_deadline_is_told(resources, slack: Slack, clock):
    job = in_line(resources.engine)
    clock.move(61 * MINUTE)
    sweep(resources)
    assert ("deliver", alerts.LANE) in resources.bell.rung
    deliver(resources, alerts.LANE)
    assert job.id in told(slack)[0]


def test_a_server_that_is_away_is_told_once_and_once_when_it_is_back(resources, slack: Slack, clock):
    in_line(resources.engine)
    pause = resources.settings.job_deadline
    do(resources.engine, backends.pause, "main", "down", clock.now, None, pause)
    look_and_tell(resources)
    # One failure may be a blip.
    assert told(slack) == []
    for failure in range(2, 10):
        clock.move(MINUTE)
        do(
            resources.engine,
            backends.pause,
            "main",
            "down" if failure < 8 else "loading",
            clock.now,
            None,
            MINUTE,
        )
        look_and_tell(resources)
    clock.move(MINUTE)
    look_and_tell(resources)
    [message] = told(slack)
    assert "main answers nobody (loading)" in message
    do(resources.engine, backends.recovered, "main")
    look_and_tell(resources)
    clock.move(alerts.STATES["backend_out"] - SECOND)
    look_and_tell(resources)
    assert len(told(slack)) == 1
    clock.move(MINUTE)
    look_and_tell(resources)
    assert ["Over" in message for message in told(slack)] == [True, True]


def test_a_server_that_was_taken_out_of_the_settings_is_no_trouble_any_more(resources, slack: Slack, clock):
    for _ in range(2):
        clock.move(MINUTE)
        do(resources.engine, backends.pause, "main", "down", clock.now, None, MINUTE)
    look_and_tell(resources)
    assert ["Over" in message for message in told(slack)] == [False]
    [other] = resources.line.servers
    resources.__dict__["line"] = replace(resources.line, servers=(replace(other, name="new"),))
    clock.move(alerts.STATES["backend_out"] + SECOND)
    look_and_tell(resources)
    assert "Over" in told(slack)[-1]


def test_that_nothing_sweeps_is_told_by_those_who_deliver(resources, slack: Slack, clock):
    """No bell is needed; told once however often it is seen, and over half a minute after the sweep is back."""
    sweep(resources)
    begun = clock.now
    clock.move(MINUTE)
    look_at_sweeps(resources, begun)
    assert told(slack) == []
    for _ in range(10):
        clock.move(silence.EVERY)
        look_at_sweeps(resources, begun)
    [message] = told(slack)
    assert "Nobody asks for sweeps" in message
    clock.move(MINUTE)
    sweep(resources, asked=False)
    assert rows(resources.engine, Alert)[0].ended_at is None
    look_at_sweeps(resources, begun)
    sweep(resources)
    clock.move(alerts.STATES["no_sweep"] - SECOND)
    sweep(resources)
    assert rows(resources.engine, Alert)[0].ended_at is None
    clock.move(SECOND)
    sweep(resources)
    look_at_sweeps(resources, begun)
    deliver(resources, alerts.LANE)
    assert ["Over" in message for message in told(slack)] == [True, True]


def test_a_worker_that_has_just_begun_waits_a_minute_for_the_first_sweep(resources, slack: Slack, clock):
    """After a night without any process, and in an installation that never swept."""
    for swept in (None, NOW):
        set_row(resources.engine, Backend, "main", swept_at=swept)
        begun = clock.now + 60 * MINUTE
        clock.move(61 * MINUTE)
        look_at_sweeps(resources, begun)
        assert told(slack) == []
    clock.move(SECOND)
    look_at_sweeps(resources, begun)
    assert len(told(slack)) == 1


def test_a_server_that_comes_and_goes_is_one_alert(resources, slack: Slack, clock):
    for _ in range(10):
        set_row(resources.engine, Backend, "main", trouble="down", failures=3)
        look_and_tell(resources)
        clock.move(20 * SECOND)
        set_row(resources.engine, Backend, "main", trouble=None, failures=0)
        look_and_tell(resources)
        clock.move(5 * SECOND)
    assert len(told(slack)) == len(rows(resources.engine, Alert)) == 1


def test_a_state_that_goes_on_is_not_written_down_every_second(resources, clock):
    set_row(resources.engine, Backend, "main", trouble="down", failures=3)
    for _ in range(alerts.SEEN_EVERY.seconds):
        alerts.look(resources)
        clock.move(SECOND)
    assert rows(resources.engine, Alert)[0].last_at == NOW
    alerts.look(resources)
    assert rows(resources.engine, Alert)[0].last_at == clock.now


@pytest.mark.parametrize("answers", ["nobody", "somebody", "is answering"])
@pytest.mark.parametrize("trouble", ["busy", "out_of_memory"])
def test_a_full_server_is_told_of_after_a_minute_without_any_answer(
    resources, slack: Slack, clock, answers: str, trouble: str
):
    in_line(resources.engine, steps=3)
    set_row(resources.engine, Backend, "main", trouble=trouble, failures=2)
    clock.move(59 * SECOND)
    look_and_tell(resources)
    assert told(slack) == []
    if answers != "nobody":
        claimed = do(resources.engine, line.claim, "main", clock.now, LEASE)
        if answers == "somebody":
            do(resources.engine, leases.finish, claimed, "Yes.", 1, 1, False, clock.now)
        else:
            set_row(resources.engine, Step, claimed.step_id, tokens_out=5)
    clock.move(SECOND)
    look_and_tell(resources)
    assert len(told(slack)) == (answers == "nobody")


def test_an_alert_that_timed_out_after_its_effect_is_found_and_not_posted_twice(
    resources, slack: Slack, clock
):
    fail(resources)
    slack.fail("chat_postMessage", TimeoutError(), after=True)
    for _ in range(3):
        look_and_tell(resources)
        clock.move(5 * MINUTE)
    slack.fail("chat_postMessage", TimeoutError(), after=True)
    for _ in range(3):
        look_and_tell(resources)
        clock.move(5 * MINUTE)
    assert len(slack.messages) == 2
    assert {one.told for one in rows(resources.engine, Telling)} == {2}


def test_a_worker_that_died_over_an_alert_is_followed_by_one_that_looks(resources, slack: Slack, clock):
    fail(resources)
    look_and_tell(resources)
    [row] = rows(resources.engine, Telling)
    key = (row.alert_id, row.way, row.part)
    # As if the crash had come before the record.
    set_row(
        resources.engine,
        Telling,
        key,
        told=0,
        ts=None,
        sending_since=NOW,
        not_before=NOW,
        lease_until=NOW + LEASE,
    )
    deliver(resources, alerts.LANE)
    assert len(slack.called("conversations_history")) == 0
    clock.move(LEASE)
    deliver(resources, alerts.LANE)
    assert len(slack.messages) == 1
    assert rows(resources.engine, Telling)[0].ts == slack.messages[0]["ts"]


def test_slack_being_away_delays_an_alert_and_its_end(resources, slack: Slack, clock):
    fail(resources)
    slack.fail("chat_postMessage", *[ConnectionRefusedError() for _ in range(5)])
    while clock.now - NOW < 2 * alerts.QUIET:
        look_and_tell(resources)
        clock.move(30 * SECOND)
    opened, over = slack.messages
    assert over["thread_ts"] == opened["ts"]
    assert len(slack.called("chat_postMessage")) == 7


def test_an_alert_that_somebody_deleted_is_not_posted_again(resources, slack: Slack, clock):
    fail(resources)
    look_and_tell(resources)
    slack.messages.clear()
    fail(resources)
    clock.move(MINUTE)
    look_and_tell(resources)
    look_and_tell(resources)
    assert slack.messages == []
    assert len(slack.called("chat_update")) == 1


def test_a_refused_token_is_an_alert_that_is_told_once_it_is_mended(resources, slack: Slack, clock):
    accepted(resources.engine)
    slack.fail("chat_postMessage", *[slack_error("token_revoked") for _ in range(8)])
    while slack.faults["chat_postMessage"]:
        deliver(resources, "slack/C1")
        look_and_tell(resources)
        clock.move(MINUTE)
    [alert] = rows(resources.engine, Alert)
    assert (alert.cause, alert.subject, alert.ended_at) == ("slack_refused", "token_revoked", None)
    clock.move(5 * MINUTE)
    look_and_tell(resources)
    assert "token_revoked" in told(slack)[0]


def test_a_dropped_post_is_told_and_a_deleted_thread_is_not(resources, slack: Slack, clock):
    job = in_line(resources.engine)
    deliver(resources, "slack/C1")
    do(resources.engine, outcomes.cancel, job.id, NOW)
    slack.fail("chat_update", slack_error("message_not_found"))
    clock.move(SECOND)
    deliver(resources, "slack/C1")
    look_and_tell(resources)
    assert told(slack) == []
    other = fail(resources, "empty", channel="C2")
    slack.fail("chat_postMessage", slack_error("invalid_blocks"))
    deliver(resources, "slack/C2")
    look_and_tell(resources)
    [alert] = rows(resources.engine, Alert)
    assert (alert.cause, alert.subject, alert.reference) == ("post_dropped", "invalid_blocks", other.id)
    assert "invalid_blocks" in told(slack)[0]


def test_without_a_channel_and_a_mail_server_alerts_are_grouped_and_nobody_is_written_to(
    resources, slack, clock
):
    resources.settings = fakes.settings()
    fail(resources)
    look_and_tell(resources)
    assert slack.calls == []
    [alert] = rows(resources.engine, Alert)
    assert do(resources.engine, rows_of.of, alert.id) == []


def test_alerts_speak_the_operators_language(resources, slack: Slack, clock):
    resources.settings = fakes.settings(slack_alert_channel=OPS, language="ko")
    fail(resources)
    look_and_tell(resources)
    assert "오류" in told(slack)[0]


def test_codes_from_outside_are_shown_as_they_are(resources, slack: Slack, clock):
    do(resources.engine, incidents.report, "post_dropped", NOW, "<!channel>\nx" * 20)
    look_and_tell(resources)
    assert "<!channel>" not in told(slack)[0]
    [row] = rows(resources.engine, Telling)
    assert (row.part, row.told) == (Part.OPENED, 1)


def test_old_alerts_are_forgotten(resources, slack: Slack, clock):
    fail(resources)
    look_and_tell(resources)
    clock.move(alerts.QUIET)
    sweep(resources)
    clock.move(resources.settings.retention + MINUTE)
    sweep(resources)
    assert rows(resources.engine, Alert) == rows(resources.engine, Telling) == []
