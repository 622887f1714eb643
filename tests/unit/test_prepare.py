"""The prepare stage: a request's words become steps in line, or a reason that its person can act on."""

from typing import NoReturn

import pytest

from db import outcomes, preparing
from db.models import Job, Post, Source, Step
from db.states import JobState, Origin, PostKind, StepState
from tasks import pipeline, recipes, slack, understood
from tasks.catalogue import LANGUAGES
from tasks.prepare import hold, stage
from tasks.prepare.stage import prepare
from tests import fakes
from tests.fakes import LEASE, NOW, SECOND, Slack, accepted, do, rows, set_row, slack_error, the


def asked(resources) -> str:
    """What the model is asked, of the only step."""
    [step] = rows(resources.engine, Step)
    return step.messages[1]["content"]


def outcome(resources, job: Job) -> tuple[str | None, dict]:
    """A failed job's reason, once its person is told."""
    after = the(resources.engine, Job, job.id)
    assert after.state is JobState.FAILED
    assert [post.kind for post in rows(resources.engine, Post)] == [PostKind.CARD, PostKind.FAILURE]
    assert rows(resources.engine, Step) == []
    return after.error, after.error_params


def say(slack: Slack, user: str, text: str, ts: str, **more) -> None:
    slack.messages.append({"channel": "C1", "user": user, "text": text, "ts": ts, "thread_ts": "1.0", **more})


def in_thread(resources, **changes) -> Job:
    return accepted(
        resources.engine,
        **{"thread_ts": "1.0", "material_ts": "1.0", "message_ts": "9.0", "text": "", **changes},
    )


def test_a_short_text_takes_one_step(resources, bell):
    job = accepted(resources.engine, text="The meeting began &amp; ended.")
    prepare(resources, job.id)
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.question) == (JobState.WAITING, None)
    [step] = rows(resources.engine, Step)
    recipe = recipes.load().default
    assert (step.kind, step.backend, step.temperature) == ("single", "main", recipe.temperature)
    assert "The meeting began & ended." in asked(resources)
    assert bell.rung == [("infer", "main")]


def test_a_long_text_takes_a_step_for_each_part_and_rings_no_more_than_the_limit(resources, bell):
    resources.settings = resources.settings.model_copy(update={"llm_limit": 4})
    job = accepted(resources.engine, text="The meeting began late and ended early. " * 4000)
    prepare(resources, job.id)
    steps = rows(resources.engine, Step)
    assert len(steps) > 4
    assert [(step.kind, step.level, step.ordinal) for step in steps] == [
        ("map", 0, n) for n in range(len(steps))
    ]
    assert bell.rung.count(("infer", "main")) == 4


def test_a_second_bell_finds_nothing_to_do(resources, bell):
    job = accepted(resources.engine)
    prepare(resources, job.id)
    bell.rung.clear()
    prepare(resources, job.id)
    prepare(resources, "nobody")
    assert bell.rung == []
    assert len(rows(resources.engine, Step)) == 1


def test_mentions_are_read_as_names(resources, slack: Slack):
    slack.names["UBOB99"] = "Bob"
    job = accepted(resources.engine, text="<@UBOB99> was late.")
    prepare(resources, job.id)
    assert "Bob was late." in asked(resources)
    assert "UBOB99" not in asked(resources)


def test_what_came_by_http_is_taken_as_it_is(resources, slack: Slack):
    job = accepted(resources.engine, origin=Origin.API, channel=None, text="if a &lt; b: <@UBOB99> wins")
    prepare(resources, job.id)
    assert "if a &lt; b: <@UBOB99> wins" in asked(resources)
    assert slack.calls == []


def test_a_thread_is_read_with_names_and_without_our_cards_or_the_call_itself(resources, slack: Slack):
    slack.names |= {"UANNA": "Anna", "UBOB99": "Bob"}
    say(slack, "UANNA", "Shall we ship?", "1.0")
    say(slack, "UBOB99", "<@UANNA> not yet.", "2.0")
    for number, kind in enumerate(("card", "failure", "notice", "result")):
        metadata = {"event_type": "threadline_post", "event_payload": {"kind": kind}}
        say(slack, "UBOT", f"This is a {kind}.", f"{number + 3}.0", metadata=metadata)
    say(slack, "UBOB99", "", "7.0")
    say(slack, "UANNA", "<@UBOT> summarize", "9.0")
    prepare(resources, in_thread(resources).id)
    text = asked(resources)
    assert "Anna: Shall we ship?\n\nBob: @Anna not yet." in text
    assert "This is a result." in text
    for noise in ("This is a card.", "This is a failure.", "This is a notice.", "summarize"):
        assert noise not in text


def test_a_thread_of_one_message_is_its_text(resources, slack: Slack):
    slack.names["UANNA"] = "Anna"
    say(slack, "UANNA", "The report.", "1.0")
    prepare(resources, in_thread(resources).id)
    assert "<text>\nThe report.\n</text>" in asked(resources)


def test_a_thread_of_many_pages_is_read_to_its_end(resources, slack: Slack):
    for number in range(450):
        say(slack, "UANNA", f"Line {number}.", f"{number + 10}.0")
    prepare(resources, in_thread(resources).id)
    text = "".join(step.messages[1]["content"] for step in rows(resources.engine, Step))
    assert "Line 0." in text
    assert "Line 449." in text


def test_words_beside_a_thread_are_the_question(resources, slack: Slack):
    say(slack, "UANNA", "We ship on Friday.", "1.0")
    job = in_thread(resources, recipe="ask", text="When do we ship?")
    prepare(resources, job.id)
    assert the(resources.engine, Job, job.id).question == "When do we ship?"
    assert asked(resources).startswith("Question: When do we ship?")
    assert "We ship on Friday." in asked(resources)


def test_a_question_alone_is_answered(resources):
    job = accepted(resources.engine, recipe="ask", text="Why is the sky blue?")
    prepare(resources, job.id)
    assert the(resources.engine, Job, job.id).state is JobState.WAITING
    assert "Why is the sky blue?" in asked(resources)


def test_an_unknown_recipe_is_answered_with_the_closest_and_all(resources):
    job = accepted(resources.engine, recipe="sumarize")
    prepare(resources, job.id)
    code, params = outcome(resources, job)
    assert code == "unknown_recipe"
    assert (params["word"], params["closest"]) == ("sumarize", "summarize")
    assert "translate" in params["recipes"]


@pytest.mark.parametrize("text", ["", "  \n ", "\u200b"])
def test_no_text_is_said_to_be_none(resources, text):
    job = accepted(resources.engine, text=text)
    prepare(resources, job.id)
    assert outcome(resources, job) == ("empty", {})


def test_a_thread_with_nothing_but_our_own_words_is_empty(resources, slack: Slack):
    metadata = {"event_type": "threadline_post", "event_payload": {"kind": "card"}}
    say(slack, "UBOT", "In line.", "1.0", metadata=metadata)
    job = in_thread(resources)
    prepare(resources, job.id)
    assert outcome(resources, job)[0] == "empty"


def test_a_thread_without_a_question_for_it_asks_for_one(resources, slack: Slack):
    say(slack, "UANNA", "We ship on Friday.", "1.0")
    job = in_thread(resources, recipe="ask")
    prepare(resources, job.id)
    code, params = outcome(resources, job)
    assert (code, params["recipe"]) == ("no_question", "ask")
    failed = the(resources.engine, Job, job.id)
    for language in LANGUAGES:
        assert recipes.load().get("ask").example.of(language) in understood.reason(language, failed)


def test_a_text_that_is_too_long_is_refused_with_both_numbers(resources):
    job = accepted(resources.engine, recipe="translate", text="word " * 80_000)
    prepare(resources, job.id)
    code, params = outcome(resources, job)
    limit = recipes.load().get("translate").max_input_tokens
    assert (code, params["recipe"], params["limit"]) == ("too_long", "translate", limit)
    assert params["tokens"] > limit


def test_a_context_that_is_too_small_is_the_operators_matter(resources):
    resources.settings = fakes.settings().model_copy(update={"llm_context": 300})
    job = accepted(resources.engine)
    prepare(resources, job.id)
    assert outcome(resources, job) == ("context_small", {"recipe": "summarize", "tokens": 300})


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (slack_error("ratelimited", 429, {"Retry-After": "3"}), "slack_down", "ratelimited"),
        (slack_error("internal_error", 500), "slack_down", "internal_error"),
        (TimeoutError(), "slack_down", "TimeoutError"),
        (ConnectionRefusedError(), "slack_down", "connection_refused"),
        (slack_error("not_in_channel"), "thread_unreadable", "not_in_channel"),
        (slack_error("missing_scope"), "slack_down", "missing_scope"),
        (slack_error("thread_not_found"), "thread_unreadable", "thread_not_found"),
    ],
)
def test_a_thread_that_slack_does_not_let_us_read_is_named(resources, slack: Slack, error, code, says):
    slack.fail("conversations_replies", error)
    job = in_thread(resources)
    prepare(resources, job.id)
    assert outcome(resources, job) == (code, {"code": says})


def test_a_person_whom_slack_does_not_name_stops_nothing(resources, slack: Slack):
    slack.fail("users_info", slack_error("user_not_found"))
    job = accepted(resources.engine, text="<@UBOB99> was late.")
    prepare(resources, job.id)
    assert "was late." in asked(resources)


def test_a_bug_ends_the_job_and_its_person_is_told(resources, slack: Slack, bell):
    slack.fail("conversations_replies", ZeroDivisionError())
    job = in_thread(resources)
    prepare(resources, job.id)
    assert outcome(resources, job) == ("bug", {})
    assert bell.rung == [("deliver", "slack/C1")]


def test_whoever_lost_the_claim_while_reading_changes_nothing(resources, slack: Slack, clock):
    job = accepted(resources.engine, text="<@UBOB99> was late.")
    tell = slack.users_info

    def slow(**asked):
        clock.move(stage.LEASE + SECOND)
        assert do(resources.engine, preparing.claim, job.id, clock.now, LEASE) is not None
        return tell(**asked)

    slack.users_info = slow
    prepare(resources, job.id)
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.fence, rows(resources.engine, Step)) == (JobState.PREPARING, 2, [])


def test_a_job_cancelled_while_it_is_prepared_stays_cancelled(resources, slack: Slack):
    job = accepted(resources.engine, text="<@UBOB99> was late.")
    tell = slack.users_info

    def cancelling(**asked):
        do(resources.engine, outcomes.cancel, job.id, NOW)
        return tell(**asked)

    slack.users_info = cancelling
    prepare(resources, job.id)
    assert the(resources.engine, Job, job.id).state is JobState.CANCELLED
    assert rows(resources.engine, Step) == []


def test_a_job_left_by_a_dead_worker_is_prepared(resources, clock):
    job = accepted(resources.engine)
    set_row(resources.engine, Job, job.id, state=JobState.PREPARING, fence=1, lease_until=NOW)
    clock.move(SECOND)
    prepare(resources, job.id)
    assert the(resources.engine, Job, job.id).state is JobState.WAITING


def test_the_pool_lets_a_task_read_as_long_as_reading_may_take():
    assert pipeline.PREPARE_TIME_LIMIT > hold.WITHIN
    assert slack.TIMEOUT < hold.LEASE - hold.HEARTBEAT


def told(*_: object) -> NoReturn:
    """What the signal's handler raises (tasks.children)."""
    raise SystemExit(0)


@pytest.mark.parametrize("moment", ["_plan", "_put_in_line"])
def test_a_process_that_is_to_end_gives_its_job_back(resources, bell, monkeypatch, moment):
    """Told while it reads or writes: the job is free at once, and this claim does not count."""
    job = accepted(resources.engine)
    monkeypatch.setattr(stage, moment, told)
    with pytest.raises(SystemExit):
        prepare(resources, job.id)
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.claims, after.lease_until) == (JobState.PREPARING, 0, NOW)
    assert do(resources.engine, preparing.claim, job.id, NOW + SECOND, LEASE) is not None


# Items and plans


def classified(resources, text: str, **changes) -> Job:
    job = accepted(resources.engine, recipe="classify", text=text, **changes)
    prepare(resources, job.id)
    return the(resources.engine, Job, job.id)


def test_a_pasted_table_is_kept_so_that_the_answers_go_back_beside_its_rows(resources):
    """The first line names the labels, the rest is the table."""
    job = classified(resources, "불만, 칭찬\nid\t글\n1\t늦었어요\n2\t좋아요")
    [source] = rows(resources.engine, Source)
    assert (source.header, source.rows) == (["id", "글"], [["1", "늦었어요"], ["2", "좋아요"]])
    [step] = rows(resources.engine, Step)
    assert (step.kind, step.items, job.question) == ("items", 2, "불만, 칭찬")
    assert job.plan == {"kind": "items", "parts": 1, "items": 2, "calls": 1}


def test_a_plan_of_more_calls_than_the_recipe_makes_waits_for_a_word(resources, bell):
    """Nobody is rung but for the card."""
    job = classified(resources, "a, b\n" + "It broke again.\n" * 1_100)
    assert (job.state, job.held) == (JobState.WAITING, True)
    assert job.plan["calls"] > resources.recipes.get("classify").max_calls
    assert {step.state for step in rows(resources.engine, Step)} == {StepState.HELD}
    assert bell.rung == [("deliver", "slack/C1")]


@pytest.mark.parametrize(
    ("recipe", "text", "code"),
    [
        ("classify", "불만: 늦었어요", "no_labels"),
        ("classify", ": 늦었어요", "no_labels"),
        ("extract", ": 민수", "no_fields"),
        ("extract", ", ".join(f"f{n}" for n in range(21)) + ": 민수", "names"),
        ("extract", "x" * 61 + ": 민수", "names"),
        ("classify", "a, b\n" + "x\n" * 5_001, "too_many_items"),
        ("classify", "a, b", "empty"),
    ],
)
def test_names_and_rows_that_cannot_be_are_told(resources, recipe, text, code):
    job = accepted(resources.engine, recipe=recipe, text=text)
    prepare(resources, job.id)
    assert outcome(resources, job)[0] == code


def test_a_text_waits_until_late_cards_are_there(resources):
    """Also that of somebody else, in another channel."""
    job, other = (accepted(resources.engine, channel=channel) for channel in ("C1", "C2"))
    slept = []

    def post_a_card(seconds: float) -> None:
        slept.append(the(resources.engine, Job, job.id).state)
        [card] = rows(resources.engine, Post, job_id=(job, other)[len(slept) - 1].id)
        set_row(resources.engine, Post, card.id, ts="1.0")

    resources.clock = lambda: NOW + stage.CARD_LATE
    prepare(resources, job.id, sleep=post_a_card)
    assert slept == [JobState.RECEIVED] * 2
    assert the(resources.engine, Job, job.id).state is JobState.WAITING


def test_a_text_is_prepared_although_nobody_posts_cards(resources):
    job = accepted(resources.engine)
    resources.clock = lambda: NOW + stage.CARD_LATE
    slept = []
    prepare(resources, job.id, sleep=slept.append)
    assert len(slept) == stage.MOST_LOOKS
    assert the(resources.engine, Job, job.id).state is JobState.WAITING
