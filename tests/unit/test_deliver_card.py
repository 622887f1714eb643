"""What a card says while its job is in line: the place, the time left, and what holds the line up."""

import pytest

from db import backends, posts
from db.models import Backend, Job, Step
from db.states import JobState, StepState
from tasks.catalogue import say
from tasks.deliver import stage
from tasks.deliver.stage import deliver
from tests.deliveries import LANE
from tests.fakes import MINUTE, Clock, Slack, accepted, declare, do, in_line, rows, set_row


def shown(resources, slack: Slack, clock: Clock, job: Job) -> str:
    """The card as it stands after a bell."""
    do(resources.engine, posts.refresh_card, job.id)
    deliver(resources, LANE)
    clock.move(stage.LONGEST_WAIT)
    return slack.messages[0]["text"]


def place(resources, job: Job, ahead: int | None, left_from: int | None, left_to: int | None) -> None:
    set_row(resources.engine, Job, job.id, ahead=ahead, left_from=left_from, left_to=left_to)


def trouble(resources, backend: str, code: str | None) -> None:
    set_row(resources.engine, Backend, backend, trouble=code, failures=int(code is not None))


def test_a_card_tells_the_place_and_the_time_left(resources, slack: Slack, clock):
    job = in_line(resources.engine)
    assert shown(resources, slack, clock, job).endswith("in line for the model.")
    place(resources, job, 3, 60, 120)
    told = "in line for the model: 3 ahead of you, about 1 to 2 minutes left."
    assert shown(resources, slack, clock, job).endswith(told)
    place(resources, job, 0, 0, 15)
    told = "in line for the model: you are next, less than 15 seconds left."
    assert shown(resources, slack, clock, job).endswith(told)


def test_a_card_tells_the_place_in_korean(resources, slack: Slack, clock):
    slack.locales["UANNA"] = "ko-KR"
    job = in_line(resources.engine)
    place(resources, job, 20, 30, 60)
    told = "모델 차례를 기다리고 있습니다(앞에 약 20건, 약 30초~1분 남음)."
    assert shown(resources, slack, clock, job).endswith(told)


def test_an_edit_is_made_when_the_place_changes_and_not_when_time_goes_by(resources, slack: Slack, clock):
    job = in_line(resources.engine)
    place(resources, job, 3, 60, 120)
    shown(resources, slack, clock, job)
    for _ in range(3):
        shown(resources, slack, clock, job)
        clock.move(MINUTE)
    assert slack.called("chat_update") == []
    place(resources, job, 2, 60, 120)
    shown(resources, slack, clock, job)
    assert len(slack.called("chat_update")) == 1


@pytest.mark.parametrize(
    ("left", "told"),
    [
        ((None, None), "the model is working, 1 of 3 parts done."),
        ((60, 120), "the model is working, 1 of 3 parts done, about 1 to 2 minutes left."),
    ],
)
def test_a_running_card_tells_its_parts_and_the_time_left(resources, slack: Slack, clock, left, told):
    job = in_line(resources.engine, steps=3)
    first = rows(resources.engine, Step)[0]
    set_row(resources.engine, Step, first.id, state=StepState.DONE)
    set_row(resources.engine, Job, job.id, state=JobState.RUNNING)
    # Who is ahead of its other parts says little about when it is done.
    place(resources, job, 5, *left)
    assert shown(resources, slack, clock, job).endswith(told)


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("code", ["down", "loading", "settings"])
def test_a_card_says_why_nothing_moves(resources, slack: Slack, clock, code, language):
    slack.locales["UANNA"] = language
    job = in_line(resources.engine)
    trouble(resources, "main", code)
    assert say(language, f"card.trouble_{code}") in shown(resources, slack, clock, job)
    trouble(resources, "main", None)
    assert say(language, f"card.trouble_{code}") not in shown(resources, slack, clock, job)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_card_says_that_the_owners_paused_the_server_and_what_they_say(
    resources, slack: Slack, clock, language
):
    """In the person's language and the owners' own words, which ping nobody; resumed, it is gone."""
    slack.locales["UANNA"] = f"{language}-XX"
    job = in_line(resources.engine)
    do(
        resources.engine,
        backends.hold,
        "main",
        "Back at noon, <!channel>; see <https://status.test|status>.",
        clock(),
    )
    told = shown(resources, slack, clock, job).splitlines()
    assert told[1] == say(language, "card.paused")
    assert told[2].startswith("Back at noon, ")
    assert "<!channel>" not in told[2]
    assert "<https://status.test|status>" in told[2]
    do(resources.engine, backends.hold, "main", None, clock())
    assert shown(resources, slack, clock, job).splitlines()[1:] == [say(language, "card.paused")]
    do(resources.engine, backends.release, "main")
    assert len(shown(resources, slack, clock, job).splitlines()) == 1


def test_a_busy_server_is_nothing_new(resources, slack: Slack, clock):
    job = in_line(resources.engine)
    before = shown(resources, slack, clock, job)
    trouble(resources, "main", "busy")
    assert shown(resources, slack, clock, job) == before


def test_a_card_tells_the_trouble_of_the_server_that_its_calls_wait_for(resources, slack: Slack, clock):
    declare(resources.engine, name="other")
    job = in_line(resources.engine)
    trouble(resources, "main", "down")
    set_row(resources.engine, Step, rows(resources.engine, Step)[0].id, backend="other")
    assert say("en", "card.trouble_down") not in shown(resources, slack, clock, job)
    trouble(resources, "other", "loading")
    assert say("en", "card.trouble_loading") in shown(resources, slack, clock, job)


@pytest.mark.parametrize("change", [{"state": StepState.DONE}, {"attempt": 2}])
def test_calls_that_are_over_have_no_trouble(resources, slack: Slack, clock, change):
    job = in_line(resources.engine)
    trouble(resources, "main", "down")
    set_row(resources.engine, Step, rows(resources.engine, Step)[0].id, **change)
    assert say("en", "card.trouble_down") not in shown(resources, slack, clock, job)


def test_a_job_without_calls_has_no_trouble(resources, slack: Slack, clock):
    job = accepted(resources.engine)
    trouble(resources, "main", "down")
    assert say("en", "card.trouble_down") not in shown(resources, slack, clock, job)


# The plan


PLANS = {
    "map": ("5 parts, then joined; 7 model calls at most", "모델을 최대 7번"),
    "concat": ("5 parts, one after another; 7 model calls", "모델을 7번"),
    "items": ("60 items in 7 model calls", "60건을 모델 호출 7번"),
    "passages": ("the 60 passages of 5 that bear", "5개 구절 가운데"),
}


@pytest.mark.parametrize("kind", PLANS)
@pytest.mark.parametrize("locale", ["en-US", "ko-KR"])
def test_a_card_says_what_the_plan_is_while_its_job_waits(resources, slack: Slack, clock, kind, locale):
    """Before it runs; one call needs no plan."""
    slack.locales["UANNA"] = locale
    job = in_line(resources.engine)
    plan = {"kind": kind, "parts": 5, "items": 60, "calls": 7}
    set_row(resources.engine, Job, job.id, plan=plan)
    deliver(resources, LANE)
    assert PLANS[kind][locale == "ko-KR"] in slack.texts()[0]
    clock.move(MINUTE)
    set_row(resources.engine, Job, job.id, state=JobState.RUNNING)
    do(resources.engine, posts.refresh_card, job.id)
    deliver(resources, LANE)
    assert PLANS[kind][locale == "ko-KR"] not in slack.texts()[0]


@pytest.mark.parametrize(
    ("locale", "asks", "left"),
    [("en-US", "Run it", "about 1 to 2 minutes left"), ("ko-KR", "실행", "약 1~2분 남음")],
)
def test_a_held_plan_asks_with_its_numbers_and_two_buttons(
    resources, slack: Slack, clock, locale, asks, left
):
    """How many calls, about how long, and how many begin without asking."""
    slack.locales["UANNA"] = locale
    job = in_line(resources.engine)
    plan = {"kind": "items", "parts": 50, "items": 1000, "calls": 50}
    set_row(resources.engine, Job, job.id, plan=plan, held=True, left_from=60, left_to=120)
    deliver(resources, LANE)
    [card] = slack.messages
    assert all(word in card["text"] for word in ("50", "40", left))
    buttons = [
        (one["text"]["text"], one["action_id"], one["value"]) for one in card["blocks"][-1]["elements"]
    ]
    assert buttons[0] == (asks, "confirm", f"{job.id}:1")
    assert buttons[1][1] == "cancel"
    clock.move(MINUTE)
    set_row(resources.engine, Job, job.id, held=False)
    do(resources.engine, posts.refresh_card, job.id)
    deliver(resources, LANE)
    assert [one["action_id"] for one in card["blocks"][-1]["elements"]] == ["cancel"]
