"""The deliver stage: each post appears once, in order, and ends with words whatever Slack does (I4)."""

from datetime import timedelta

from db import jobs, outcomes, posts
from db.models import Incident, Job, Lane, Post, Step
from db.states import JobState, Origin, PostKind, PostState, StepState
from tasks.deliver import stage
from tasks.deliver.stage import deliver
from tasks.slack import TIMEOUT
from tests import fakes
from tests.deliveries import LANE, answer, fail, of_kind, run
from tests.fakes import (
    NOW,
    SECOND,
    Slack,
    accepted,
    do,
    in_line,
    rows,
    set_row,
    slack_error,
    the,
)


def test_a_card_is_posted_once_under_the_message_that_asked(resources, slack: Slack, clock):
    job = accepted(resources.engine, thread_ts="8.8")
    run(resources, clock, times=3)
    [sent] = slack.called("chat_postMessage")
    assert (sent["channel"], sent["thread_ts"]) == ("C1", "8.8")
    assert sent["metadata"]["event_payload"]["job"] == job.id
    assert sent["unfurl_links"] is sent["unfurl_media"] is False
    [card] = of_kind(resources, PostKind.CARD)
    assert (card.state, card.ts, card.channel) == (PostState.SHOWN, slack.messages[0]["ts"], "C1")


def test_a_card_is_edited_when_it_changes_and_at_no_other_time(resources, slack: Slack, clock):
    job = in_line(resources.engine)
    run(resources, clock)
    do(resources.engine, posts.refresh_card, job.id)
    run(resources, clock)
    assert slack.called("chat_update") == []
    do(resources.engine, outcomes.cancel, job.id, NOW)
    run(resources, clock, times=2)
    [edit] = slack.called("chat_update")
    assert edit["ts"] == slack.messages[0]["ts"]
    assert "cancelled" in slack.messages[0]["text"]
    assert len(slack.messages) == 1


def test_a_card_is_edited_at_most_once_a_second(resources, slack: Slack, clock):
    job = in_line(resources.engine)
    deliver(resources, LANE)
    do(resources.engine, outcomes.cancel, job.id, NOW)
    deliver(resources, LANE)
    assert slack.called("chat_update") == []
    clock.move(stage.EDIT_EVERY)
    deliver(resources, LANE)
    assert len(slack.called("chat_update")) == 1


def test_a_result_mentions_the_person_in_its_first_part_only_and_keeps_its_order(
    resources, slack: Slack, clock
):
    job = in_line(resources.engine, thread_ts="8.8")
    answer(resources, job, "\n\n".join(f"Paragraph {number}. " + "Word " * 180 for number in range(30)))
    run(resources, clock, times=3)
    results = slack.of_kind("result")
    assert len(results) > 1
    assert ["<@UANNA>" in one["text"] for one in results] == [True] + [False] * (len(results) - 1)
    numbers = [str(one["blocks"]).count("Paragraph") for one in results]
    assert sum(numbers) == 30
    assert "Paragraph 0." in str(results[0]["blocks"])
    assert "Paragraph 29." in str(results[-1]["blocks"])
    assert {one["thread_ts"] for one in results} == {"8.8"}
    assert the(resources.engine, Job, job.id).state is JobState.DONE


def test_the_result_of_a_command_hangs_from_its_card(resources, slack: Slack, clock):
    job = in_line(resources.engine, origin=Origin.COMMAND)
    answer(resources, job)
    run(resources, clock)
    card, result = slack.messages
    assert card["thread_ts"] is None
    assert result["thread_ts"] == card["ts"]


def test_a_very_long_result_comes_as_a_file_beside_its_beginning(resources, slack: Slack, clock):
    job = in_line(resources.engine, thread_ts="8.8")
    text = "\n\n".join("Word " * 400 for _ in range(200))
    answer(resources, job, text)
    run(resources, clock, times=3)
    [upload] = slack.called("files_upload_v2")
    assert (upload["content"], upload["thread_ts"], upload["channel"]) == (text, "8.8", "C1")
    assert job.id in upload["filename"]
    assert len(slack.of_kind("result")) == 1
    assert the(resources.engine, Job, job.id).state is JobState.DONE


def test_a_failure_says_what_to_do_with_a_reference_and_a_way_to_try_again(resources, slack: Slack, clock):
    job = in_line(resources.engine)
    fail(resources, job, "too_long", recipe="summarize", tokens=9000, limit=8000)
    run(resources, clock)
    [told] = slack.of_kind("failure")
    assert "9000" in told["text"]
    assert "8000" in told["text"]
    assert "<@UANNA>" in told["text"]
    assert job.id in str(told["blocks"])
    assert f"{job.id}:1" in str(told["blocks"])
    # Bold inside of bold is shown as asterisks.
    assert told["text"].splitlines()[0].count("*") == 2


def test_people_are_spoken_to_in_their_language(resources, slack: Slack, clock):
    slack.locales["UANNA"] = "ko-KR"
    accepted(resources.engine)
    run(resources, clock)
    assert "받았습니다" in slack.messages[0]["text"]
    # Slack is asked once a day.
    accepted(resources.engine)
    run(resources, clock)
    assert len(slack.called("users_info")) == 1


def test_slack_not_telling_who_somebody_is_stops_nothing(resources, slack: Slack, clock):
    slack.fail("users_info", slack_error("missing_scope"))
    accepted(resources.engine)
    run(resources, clock)
    assert len(slack.messages) == 1


def test_retry_after_holds_the_lane_for_everybody(resources, slack: Slack, clock):
    accepted(resources.engine)
    accepted(resources.engine)
    slack.fail("chat_postMessage", slack_error("ratelimited", 429, {"Retry-After": "30"}))
    deliver(resources, LANE)
    assert slack.messages == []
    assert len(slack.called("chat_postMessage")) == 1
    assert the(resources.engine, Lane, LANE).not_before == NOW + 30 * SECOND
    clock.move(29 * SECOND)
    deliver(resources, LANE)
    assert slack.messages == []
    clock.move(SECOND)
    deliver(resources, LANE)
    assert len(slack.messages) == 2


def test_a_post_that_slack_puts_off_for_an_hour_still_comes(resources, slack: Slack, clock):
    accepted(resources.engine)
    limits = [slack_error("ratelimited", 429, {"Retry-After": "60"}) for _ in range(60)]
    slack.fail("chat_postMessage", *limits)
    run(resources, clock, times=62)
    assert len(slack.messages) == 1


def test_a_limited_edit_holds_edits_and_lets_messages_pass(resources, slack: Slack, clock):
    job = in_line(resources.engine)
    run(resources, clock)
    answer(resources, job, now=clock.now)
    slack.fail("chat_update", slack_error("ratelimited", 429, {"Retry-After": "30"}))
    deliver(resources, LANE)
    assert len(slack.of_kind("result")) == 1
    assert "in line" in slack.messages[0]["text"]
    clock.move(30 * SECOND)
    deliver(resources, LANE)
    assert "done" in slack.messages[0]["text"]


def test_waits_grow_and_a_post_that_never_works_is_given_up(resources, slack: Slack, clock):
    accepted(resources.engine)
    slack.fail("chat_postMessage", *[ConnectionRefusedError() for _ in range(30)])
    deliver(resources, LANE)
    assert of_kind(resources, PostKind.CARD)[0].not_before == NOW + 4 * SECOND
    run(resources, clock, times=20)
    assert len(slack.called("chat_postMessage")) == stage.MOST_TRIES
    [card] = of_kind(resources, PostKind.CARD)
    assert (card.state, card.error) == (PostState.DROPPED, "connection_refused")


def refuse(slack: Slack, code: str) -> None:
    """Slack takes our token for nothing from now on."""
    for method in ("chat_postMessage", "chat_update", "users_info", "conversations_open"):
        slack.fail(method, *[slack_error(code) for _ in range(2000)])


def test_a_token_that_is_never_mended_ends_with_a_reason_after_a_day(resources, slack: Slack, clock):
    job = in_line(resources.engine)
    answer(resources, job)
    refuse(slack, "token_revoked")
    run(resources, clock, times=20)
    assert {post.state for post in rows(resources.engine, Post)} == {PostState.WANTED}
    clock.move(stage.REFUSED_AT_MOST)
    run(resources, clock, times=2)
    kept = rows(resources.engine, Post)
    assert {(post.state, post.error) for post in kept} == {(PostState.DROPPED, "token_revoked")}
    assert the(resources.engine, Job, job.id).state is JobState.DONE
    calls = len(slack.calls)
    run(resources, clock, times=3)
    assert len(slack.calls) == calls


def test_posts_are_shown_once_a_token_that_was_revoked_for_two_hours_is_mended(
    resources, slack: Slack, clock
):
    job = in_line(resources.engine)
    answer(resources, job)
    refuse(slack, "token_revoked")
    while clock.now - NOW < timedelta(hours=2):
        deliver(resources, LANE)
        clock.move(30 * SECOND)
    slack.faults.clear()
    clock.move(stage.AFTER_REFUSED)
    deliver(resources, LANE)
    assert [one["metadata"]["event_payload"]["kind"] for one in slack.messages] == ["card", "result"]
    assert {post.tries for post in rows(resources.engine, Post)} == {0}
    assert the(resources.engine, Job, job.id).state is JobState.DONE


def test_a_refused_token_pauses_all_channels_but_no_callbacks(resources, slack: Slack, clock):
    accepted(resources.engine, channel="C1")
    accepted(resources.engine, channel="C2")
    job = in_line(resources.engine, channel=None, callback_url="https://a.test/b")
    answer(resources, job)
    slack.fail("chat_postMessage", slack_error("token_revoked"))
    deliver(resources, "slack/C1")
    deliver(resources, "slack/C2")
    assert len(slack.called("chat_postMessage")) == 1
    assert do(resources.engine, posts.due_lanes, clock.now) == ["callback/a.test"]
    clock.move(stage.AFTER_REFUSED)
    deliver(resources, "slack/C2")
    assert slack.messages[0]["channel"] == "C2"


def test_a_scope_that_is_lacking_for_one_method_stops_no_other_post(resources, slack: Slack, clock):
    job = in_line(resources.engine, thread_ts="8.8")
    answer(resources, job, "\n\n".join("Word " * 400 for _ in range(200)))
    slack.fail("files_upload_v2", slack_error("missing_scope"))
    other = accepted(resources.engine)
    run(resources, clock)
    assert [one.state for one in rows(resources.engine, Post, job_id=other.id)] == [PostState.SHOWN]
    assert the(resources.engine, Job, job.id).state is JobState.ANSWERED
    run(resources, clock)
    assert the(resources.engine, Job, job.id).state is JobState.DONE
    assert [one.cause for one in rows(resources.engine, Incident)] == ["slack_refused"]


def test_a_card_says_that_its_outcome_could_not_be_shown_until_it_is_retried(resources, slack: Slack, clock):
    job = in_line(resources.engine)
    run(resources, clock)
    fail(resources, job)
    slack.fail("chat_postMessage", slack_error("no_text"))
    run(resources, clock, times=2)
    assert "no_text" in slack.messages[0]["text"]
    assert job.id in slack.messages[0]["text"]
    assert do(resources.engine, jobs.retry, job.id, 1, clock.now, timedelta(hours=1))
    run(resources, clock)
    assert "no_text" not in slack.messages[0]["text"]


def test_an_answer_whose_thread_was_deleted_comes_by_direct_message(resources, slack: Slack, clock):
    job = in_line(resources.engine, thread_ts="8.8")
    run(resources, clock)
    answer(resources, job)
    slack.messages.clear()
    slack.fail("chat_update", slack_error("message_not_found"))
    slack.fail("chat_postMessage", slack_error("thread_not_found"))
    run(resources, clock, times=2)
    run(resources, clock, times=2, lane="slack/D-UANNA")
    assert {one["channel"] for one in slack.messages} == {"D-UANNA"}
    assert len(slack.of_kind("result")) == 1
    assert the(resources.engine, Job, job.id).state is JobState.DONE


def test_a_card_deleted_by_a_person_is_not_posted_again(resources, slack: Slack, clock):
    job = in_line(resources.engine, thread_ts="8.8")
    run(resources, clock)
    slack.messages.clear()
    answer(resources, job)
    run(resources, clock, times=3)
    assert [one["metadata"]["event_payload"]["kind"] for one in slack.messages] == ["result"]
    assert of_kind(resources, PostKind.CARD)[0].state is PostState.DROPPED
    assert the(resources.engine, Job, job.id).state is JobState.DONE


def test_content_that_slack_refuses_twice_is_not_sent_again(resources, slack: Slack, clock):
    job = in_line(resources.engine)
    run(resources, clock)
    answer(resources, job)
    slack.fail("chat_postMessage", slack_error("invalid_blocks"), slack_error("msg_too_long"))
    run(resources, clock, times=3)
    [post] = of_kind(resources, PostKind.RESULT)
    assert (post.state, post.error) == (PostState.DROPPED, "msg_too_long")


def test_a_post_that_breaks_us_holds_up_no_other(resources, slack: Slack, clock):
    broken = in_line(resources.engine)
    fail(resources, broken, "no_such_text")
    other = in_line(resources.engine)
    fail(resources, other)
    run(resources, clock, times=20)
    [first, second] = of_kind(resources, PostKind.FAILURE)
    assert (first.state, first.error) == (PostState.DROPPED, "bug")
    assert second.state is PostState.SHOWN


def test_progress_of_a_long_text_is_shown(resources, slack: Slack, clock):
    job = in_line(resources.engine, steps=3)
    run(resources, clock)
    set_row(resources.engine, Job, job.id, state=JobState.RUNNING)
    set_row(resources.engine, Step, rows(resources.engine, Step)[0].id, state=StepState.DONE)
    do(resources.engine, posts.refresh_card, job.id)
    run(resources, clock)
    assert "1 of 3" in slack.messages[0]["text"]


def test_the_lease_outlives_the_calls_of_a_post():
    assert stage.LEASE > 5 * TIMEOUT


def test_an_answer_whose_looks_slack_refuses_comes_plain_and_whole(resources, slack: Slack, clock):
    job = in_line(resources.engine)
    run(resources, clock)
    answer(resources, job, "It began <late>.")
    slack.fail("chat_postMessage", slack_error("invalid_blocks"))
    run(resources, clock, times=3)
    [shown] = slack.of_kind("result")
    assert "It began &lt;late&gt;." in shown["text"]
    [upload] = slack.called("files_upload_v2")
    assert upload["content"] == "It began <late>."
    assert the(resources.engine, Job, job.id).state is JobState.DONE


def test_a_process_that_is_to_end_leaves_the_rest_of_its_lane_to_another(
    resources, slack: Slack, bell, clock
):
    """The post under way is recorded, the lane is free at once, and a bell rings for it."""
    for _ in range(2):
        accepted(resources.engine)
    send = slack.chat_postMessage

    def told(**message):
        resources.stopping.set()
        return send(**message)

    slack.chat_postMessage = told
    deliver(resources, LANE)
    assert [post.state for post in of_kind(resources, PostKind.CARD)] == [PostState.SHOWN, PostState.WANTED]
    assert bell.rung == [("deliver", LANE)]
    other = fakes.resources(resources.engine, clock)
    deliver(other, LANE)
    assert [post.state for post in of_kind(resources, PostKind.CARD)] == [PostState.SHOWN] * 2
