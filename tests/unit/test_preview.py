"""What a card shows of an answer while the model writes it: when, how much, and that it harms nobody."""

import itertools

import pytest
import sqlalchemy as sa

from db import jobs, leases, line, outcomes, posts, preparing
from db.models import Job, Lane, Post, Step
from db.states import JobState, PostKind, PostState, StepState
from tasks.catalogue import say
from tasks.deliver import preview, stage
from tasks.deliver.stage import deliver
from tasks.infer import hold
from tasks.infer.stage import serve
from tests import fakes
from tests.deliveries import LANE
from tests.fakes import (
    LEASE,
    MINUTE,
    NOW,
    SECOND,
    Clock,
    Slack,
    a_step,
    accepted,
    do,
    in_line,
    rows,
    set_row,
    slack_error,
    the,
)


def writing(resources, clock: Clock, *said: str, seconds: int = 1):
    """A model that says its words `seconds` apart; before each, the card's text as Slack shows it."""
    seen = []

    def chunks():
        for chunk in fakes.streamed(*said):
            deliver(resources, LANE)
            seen.append(resources.slack.messages[0]["text"])
            clock.move(seconds * SECOND)
            yield chunk

    with fakes.Model(fakes.streams(fakes.Stream(chunks()))).client() as http:
        resources.__dict__["http"] = http
        serve(resources, resources.line.server("main"))
    deliver(resources, LANE)
    return seen


def running(resources, answer: str, **changes) -> Job:
    """A job whose only call has written `answer` so far."""
    job = in_line(resources.engine, **changes)
    do(resources.engine, line.claim, "main", NOW, LEASE)
    [step] = rows(resources.engine, Step, job_id=job.id)
    set_row(resources.engine, Step, step.id, answer=answer)
    return the(resources.engine, Job, job.id)


def shown(resources, slack: Slack, clock: Clock, job: Job) -> dict:
    do(resources.engine, posts.refresh_card, job.id)
    deliver(resources, LANE)
    clock.move(stage.EDIT_EVERY)
    return slack.messages[0]


# While the model writes


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_card_shows_the_answer_while_it_grows_and_the_end_takes_it_away(
    resources, slack: Slack, clock, language
):
    slack.locales["UANNA"] = language
    in_line(resources.engine, thread_ts="8.8")
    seen = writing(resources, clock, "It ", "began ", "**late**.")
    heading = say(language, "card.written")
    assert [text.partition(f"{heading}\n")[2] for text in seen[1:4]] == ["It", "It began", "It began late."]
    clock.move(stage.EDIT_EVERY)
    deliver(resources, LANE)
    card, result = slack.messages
    assert heading not in card["text"]
    assert result["text"] == "<@UANNA> It began late."


def test_every_preview_rings_for_the_channel(resources, bell, clock):
    in_line(resources.engine)
    writing(resources, clock, "It ", "began.")
    # One at the claim, one for each piece, one at the end.
    assert bell.rung.count(("deliver", LANE)) == 4


def test_previews_come_at_most_once_a_second(resources, slack: Slack, clock):
    in_line(resources.engine)
    at = []

    def chunks():
        for chunk in fakes.streamed(*["word "] * 40):
            clock.move(SECOND / 4)
            yield chunk
            before = len(slack.called("chat_update"))
            deliver(resources, LANE)
            at.extend([clock.now] * (len(slack.called("chat_update")) - before))

    with fakes.Model(fakes.streams(fakes.Stream(chunks()))).client() as http:
        resources.__dict__["http"] = http
        deliver(resources, LANE)
        serve(resources, resources.line.server("main"))
    assert len(at) > 5
    assert all(later - earlier >= SECOND for earlier, later in itertools.pairwise(at))


def test_previews_leave_half_of_slacks_edits_to_cards_that_moved_on(resources, slack: Slack, clock):
    in_line(resources.engine)
    writing(resources, clock, *["word "] * 120)
    # Two minutes: what may come at once, and one each 2.4 s.
    edits = len(slack.called("chat_update"))
    assert 60 <= edits <= posts.PREVIEW_BURST + 120 * SECOND / posts.PREVIEW_PACE + 2


def test_all_answers_share_the_room_for_previews(resources, clock):
    taken = [do(resources.engine, posts.take_preview, NOW) for _ in range(posts.PREVIEW_BURST + 1)]
    assert taken == [True] * posts.PREVIEW_BURST + [False]
    assert not do(resources.engine, posts.may_preview, NOW)
    assert do(resources.engine, posts.take_preview, NOW + posts.PREVIEW_PACE)


def test_there_are_no_previews_while_slack_asks_for_patience(resources, slack: Slack, clock):
    in_line(resources.engine)
    do(resources.engine, posts.hold_lane, posts.EDITS, NOW + MINUTE)
    writing(resources, clock, *["word "] * 3)
    assert the(resources.engine, Lane, posts.EDITS).paced_until is None
    assert rows(resources.engine, Post, kind=PostKind.RESULT, state=PostState.SHOWN)


def test_a_long_answer_is_stored_with_the_heartbeats_alone(resources, slack: Slack, clock):
    in_line(resources.engine)
    stored = []

    def chunks():
        for chunk in fakes.streamed("x" * (hold.LONG + 1), *["word "] * 25):
            clock.move(SECOND)
            yield chunk
            stored.append(rows(resources.engine, Step)[0].answer)

    with fakes.Model(fakes.streams(fakes.Stream(chunks()))).client() as http:
        resources.__dict__["http"] = http
        serve(resources, resources.line.server("main"))
    assert len(set(stored[:26])) == 3


@pytest.mark.parametrize(
    ("recipe", "kind"), [("summarize", "map"), ("extract", "single"), ("translate", "map")]
)
def test_parts_and_json_are_not_shown(resources, slack: Slack, clock, recipe, kind):
    """Nor do they take of the room for edits."""
    job = accepted(resources.engine, recipe=recipe)
    taken = do(resources.engine, preparing.claim, job.id, NOW, LEASE)
    steps = [a_step(kind=kind) for _ in range(2 if kind == "map" else 1)]
    do(resources.engine, preparing.prepared, job.id, taken.fence, "main", None, steps, NOW)
    seen = writing(resources, clock, '{"a', 'b": ', "1}", seconds=6)
    assert not any("ab" in text or say("en", "card.written") in text for text in seen)
    assert the(resources.engine, Lane, LANE).fence
    assert posts.EDITS not in {lane.name for lane in rows(resources.engine, Lane)}


@pytest.mark.parametrize(
    ("recipe", "kind"), [("summarize", "map"), ("extract", "single"), ("gone", "single")]
)
def test_what_a_heartbeat_stored_of_parts_and_json_is_not_shown(resources, slack: Slack, clock, recipe, kind):
    job = running(resources, "It began", recipe=recipe)
    do(resources.engine, lambda s: s.execute(sa.update(Step).values(kind=kind)))
    assert "It began" not in shown(resources, slack, clock, job)["text"]


def test_what_joins_the_parts_is_shown_with_the_progress(resources, slack: Slack, clock):
    job = running(resources, "It began late.")
    [step] = rows(resources.engine, Step)
    do(resources.engine, lambda s: s.execute(sa.update(Step).values(kind="reduce", level=1)))
    done = [a_step(kind="map") for _ in range(2)]
    do(
        resources.engine,
        lambda s: jobs.add_steps(s, s.get_one(Job, job.id), "main", 0, done, NOW),
    )
    for part in rows(resources.engine, Step, level=0):
        set_row(resources.engine, Step, part.id, state=StepState.DONE, answer="A part.")
    text = shown(resources, slack, clock, job)["text"]
    assert "2 of 3 parts done" in text
    assert text.endswith("\nIt began late.")
    # One of several that join parts is a part itself.
    do(
        resources.engine,
        lambda s: jobs.add_steps(s, s.get_one(Job, job.id), "main", 2, [a_step(kind="reduce")] * 2, NOW),
    )
    for part in rows(resources.engine, Step, level=2):
        set_row(resources.engine, Step, part.id, state=StepState.RUNNING, answer="A part.")
    set_row(resources.engine, Step, step.id, state=StepState.DONE)
    assert "A part." not in shown(resources, slack, clock, job)["text"]


def test_an_answer_that_begins_anew_is_not_shown_with_its_first_beginning(resources, slack: Slack, clock):
    job = in_line(resources.engine)
    claimed = do(resources.engine, line.claim, "main", NOW, LEASE)
    do(resources.engine, leases.renew, claimed, "It began", 2, NOW, LEASE)
    assert shown(resources, slack, clock, job)["text"].endswith("It began")
    do(resources.engine, leases.give_back, claimed, NOW, NOW, attempt_used=True)
    assert "It began" not in shown(resources, slack, clock, job)["text"]
    do(resources.engine, line.claim, "main", NOW, LEASE)
    assert "It began" not in shown(resources, slack, clock, job)["text"]


def test_a_preview_that_fails_costs_no_lease(resources, clock):
    in_line(resources.engine)
    claimed = do(resources.engine, line.claim, "main", NOW, LEASE)
    held = hold.Hold(resources, claimed, previews=True)
    do(resources.engine, lambda s: s.execute(sa.text("DROP TABLE lanes")))
    clock.move(hold.HEARTBEAT)
    assert held.stands("It began", 2)
    [step] = rows(resources.engine, Step)
    assert (step.answer, step.lease_until) == ("It began", clock() + hold.LEASE)


def test_a_preview_of_a_lost_claim_changes_nothing(resources, clock):
    """The fence holds for it as for the answer (I6)."""
    in_line(resources.engine)
    claimed = do(resources.engine, line.claim, "main", NOW, LEASE)
    held = hold.Hold(resources, claimed, previews=True)
    clock.move(2 * hold.LEASE)
    do(resources.engine, leases.free_dead, clock.now, 3)
    do(resources.engine, line.claim, "main", clock.now, LEASE)
    assert not held.stands("It began", 2)
    assert [step.answer for step in rows(resources.engine, Step)] == [""]


# What it shows


def test_values_stay_hidden_in_a_preview(resources, slack: Slack, clock):
    """A command's card stands in the channel, and not in the thread that the answer is for."""
    job = running(resources, "Call [PHONE-1] at noon.")
    set_row(resources.engine, Job, job.id, originals="sealed")
    assert shown(resources, slack, clock, job)["text"].endswith("Call [PHONE-1] at noon.")


def test_a_preview_pings_nobody(resources, slack: Slack, clock):
    job = running(resources, "Hello <!channel>, @here, <@U123ABC> and <https://evil.test|you>.")
    card = shown(resources, slack, clock, job)
    said = str(card["blocks"]) + card["text"]
    assert "<!channel>" not in said
    assert "<@U123ABC>" not in said
    assert "@here" not in said


def test_the_end_of_a_long_answer_is_shown(resources, slack: Slack, clock):
    text = "\n\n".join(f"Paragraph {number} about the harbour." for number in range(100))
    job = running(resources, text)
    card = shown(resources, slack, clock, job)
    assert card["text"].endswith("Paragraph 99 about the harbour.")
    assert card["text"].count("Paragraph") <= preview.MAX_LINES
    assert card["blocks"][-1]["type"] == "actions"


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("word " * 500, "word"),
        ("단어 " * 500, "단어"),
        ("x" * 2000, "x" * preview.MAX_CHARACTERS),
        ("It says https://exam", "It says"),
        ("It says [more](https://exam", "It says"),
        ("It says https://example.test now", "<https://example.test|https://example.test> now"),
    ],
)
def test_a_preview_ends_with_whole_words_and_addresses(text, end):
    seen = preview.message(text)
    assert seen is not None
    assert seen.text.endswith(end)
    assert len(seen.text) <= preview.MAX_CHARACTERS + 100


def test_code_stays_code_where_its_beginning_is_cut_off():
    seen = preview.message("```python\n" + "\n".join(f"a{n} = <b>" for n in range(50)))
    assert seen is not None
    assert [element["type"] for block in seen.blocks for element in block["elements"]] == [
        "rich_text_preformatted"
    ]


@pytest.mark.parametrize("text", ["", " \n", "\u200b", "https://exam"])
def test_of_nothing_there_is_no_preview(resources, slack: Slack, clock, text):
    job = running(resources, text)
    assert say("en", "card.written") not in shown(resources, slack, clock, job)["text"]


def test_a_preview_whose_looks_slack_refuses_is_left_out_and_the_card_lives(resources, slack: Slack, clock):
    job = running(resources, "It began")
    do(resources.engine, posts.refresh_card, job.id)
    set_row(resources.engine, Step, rows(resources.engine, Step)[0].id, answer="")
    shown(resources, slack, clock, job)
    set_row(resources.engine, Step, rows(resources.engine, Step)[0].id, answer="It began")
    slack.fail("chat_update", slack_error("invalid_blocks"))
    for _ in range(3):
        card = shown(resources, slack, clock, job)
    assert "It began" not in card["text"]
    do(resources.engine, lambda s: outcomes.answer(s, s.get_one(Job, job.id), "It began late.", False, NOW))
    card = shown(resources, slack, clock, job)
    assert "done in" in card["text"]
    assert the(resources.engine, Job, job.id).state is JobState.DONE
