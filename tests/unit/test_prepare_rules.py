"""What prepare asks of the owners' rules: guests, the day's tokens, and what changed since the request was taken."""

from datetime import timedelta

import pytest

from db import people, rules
from db.models import Incident, Job, Person, Step, Turn
from db.states import JobState, Origin
from db.turns import Rank
from tasks import groups, linefile
from tasks.prepare.stage import prepare
from tests.fakes import NOW, Slack, accepted, do, rows, set_row, slack_error, the

ME, HERE, OURS = rules.person("UANNA"), rules.channel("C1"), rules.workspace("T1")


def put(resources, scope: str, key: str, value: object) -> None:
    do(resources.engine, rules.put, scope, key, value, "UOWNER", NOW)


def prepared(resources, **changes) -> Job:
    job = accepted(resources.engine, **changes)
    prepare(resources, job.id)
    return the(resources.engine, Job, job.id)


@pytest.mark.parametrize(
    ("scope", "key", "value", "code"),
    [
        (ME, "ban", True, "banned"),
        ("everyone", "allow", "listed", "not_allowed"),
        ("everyone", "recipe.summarize", False, "recipe_off"),
    ],
)
def test_what_was_forbidden_after_the_request_was_taken_ends_it(resources, scope, key, value, code):
    """It has cost nothing yet."""
    put(resources, scope, key, value)
    job = prepared(resources)
    assert (job.state, job.error) == (JobState.FAILED, code)
    assert rows(resources.engine, Step) == []


@pytest.mark.parametrize(
    ("setting", "said", "seen"),
    [
        ("all", {}, "[PHONE-1] [EMAIL-1]"),
        ("all", {HERE: False}, "[PHONE-1] [EMAIL-1]"),
        ("all", {OURS: False}, "010-1234-5678 kim@x.kr"),
        ("all", {"everyone": False}, "010-1234-5678 kim@x.kr"),
        ("all", {"everyone": False, OURS: True}, "[PHONE-1] [EMAIL-1]"),
        ("all", {rules.workspace("T2"): False}, "[PHONE-1] [EMAIL-1]"),
        ("phone", {OURS: True}, "[PHONE-1] kim@x.kr"),
        ("off", {OURS: True}, "[PHONE-1] [EMAIL-1]"),
        ("off", {}, "010-1234-5678 kim@x.kr"),
    ],
)
def test_a_workspace_s_owners_say_whether_values_are_hidden(resources, setting, said, seen):
    """Their word goes before everybody's, and both before the setting, which still says which kinds."""
    resources.settings = resources.settings.model_copy(update={"redaction": setting})
    for scope, value in said.items():
        put(resources, scope, "redaction", value)
    prepared(resources, text="010-1234-5678 kim@x.kr")
    [step] = rows(resources.engine, Step)
    assert seen in step.messages[-1]["content"]


def test_a_drain_lets_finish_what_was_taken(resources):
    """Only the front door turns people away."""
    put(resources, "everyone", "drain", "")
    assert prepared(resources).state is JobState.WAITING


def test_guests_are_kept_out_where_the_owners_say_so(resources, slack: Slack):
    """Slack is asked who is one; members go on."""
    slack.guests.add("UGUEST")
    put(resources, "everyone", "guests", False)
    assert prepared(resources, requester="UGUEST").error == "guest"
    assert prepared(resources, requester="UANNA").state is JobState.WAITING


def test_nobody_is_looked_up_where_guests_may_ask(resources, slack: Slack):
    """The usual case costs no call."""
    slack.guests.add("UGUEST")
    assert prepared(resources, requester="UGUEST").state is JobState.WAITING
    assert slack.called("users_info") == []


def test_when_slack_does_not_say_who_is_a_guest_nobody_gets_in_unseen(resources, slack: Slack):
    """The person may press Retry."""
    put(resources, "everyone", "guests", False)
    slack.fail("users_info", slack_error("internal_error", 500))
    assert prepared(resources).error == "guest_unknown"


def test_a_person_seen_before_guests_were_asked_for_is_asked_for_again(resources, slack: Slack):
    """A row of the version before says nothing about it."""
    slack.guests.add("UANNA")
    put(resources, "everyone", "guests", False)
    before = Person(team="T1", user="UANNA", locale="en-US", name="Anna", seen_at=NOW)
    do(resources.engine, people.remember, before)
    assert prepared(resources).error == "guest"


def test_services_are_no_guests(resources, slack: Slack):
    """They are not in Slack, which is not asked."""
    put(resources, "everyone", "guests", False)
    job = prepared(resources, origin=Origin.API, channel=None, team="api", requester="reports")
    assert job.state is JobState.WAITING
    assert slack.calls == []


def test_the_day_s_tokens_are_counted_with_what_waits(resources):
    """Both numbers are told; what the person used yesterday does not count, nor what others use."""
    first = prepared(resources)
    [step] = rows(resources.engine, Step)
    set_row(resources.engine, Step, step.id, tokens_in=900, tokens_out=50)
    put(resources, "everyone", "quota.tokens", 1000)
    refused = prepared(resources)
    assert refused.error == "tokens"
    assert refused.error_params["used"] == 950
    assert refused.error_params["limit"] == 1000
    assert refused.error_params["tokens"] > 50
    assert prepared(resources, requester="UBOB99").state is JobState.WAITING
    set_row(resources.engine, Job, first.id, created_at=NOW.replace(day=NOW.day - 1))
    assert prepared(resources).state is JobState.WAITING


def test_a_channel_s_tokens_are_counted_over_all_who_ask_there(resources):
    """With a reason of its own."""
    put(resources, HERE, "quota.tokens", 10)
    assert prepared(resources).error == "tokens_channel"
    assert prepared(resources, channel="C2").state is JobState.WAITING


@pytest.mark.parametrize(
    ("said", "priority"),
    [({}, 2), ({HERE: 1}, 1), ({ME: 0}, 0), ({ME: 0, HERE: 1}, 0)],
)
def test_a_priority_of_the_owners_goes_before_the_file_s(resources, said, priority):
    """The person's before the channel's; the weight stays the file's."""
    file = resources.line
    ranked = linefile.Line(file.servers, file.input_weight, file.output_weight, {"UANNA": Rank(3.0, 2)})
    resources.__dict__["line"] = ranked
    for scope, value in said.items():
        put(resources, scope, "priority", value)
    prepared(resources)
    [turn] = rows(resources.engine, Turn)
    assert (turn.priority, turn.weight) == (priority, 3.0)


# User groups


@pytest.fixture
def red(resources, slack: Slack) -> None:
    """Only the group S0RED may ask; Slack told its members when it was let in."""
    slack.groups["S0RED"] = ["UANNA"]
    put(resources, "everyone", "allow", "listed")
    put(resources, "group:S0RED", "allow", groups.ask(slack, "S0RED", NOW))
    slack.calls.clear()


@pytest.mark.usefixtures("red")
def test_a_group_lets_in_its_members(resources, slack: Slack):
    """As they were told a moment ago, without a call; others are told as if no group were listed."""
    assert prepared(resources, requester="UANNA").state is JobState.WAITING
    assert prepared(resources, requester="UBORIS").error == "not_allowed"
    assert slack.called("usergroups_users_list") == []


@pytest.mark.usefixtures("red")
def test_members_are_asked_for_again_once_they_are_old(resources, slack: Slack):
    """Whoever came is in, whoever left is out; and that is kept for the next."""
    slack.groups["S0RED"] = ["UBORIS"]
    assert prepared(resources, requester="UANNA").state is JobState.WAITING
    resources.clock.move(groups.FRESH)
    later = {"created_at": resources.clock(), "deadline": resources.clock() + timedelta(hours=1)}
    assert prepared(resources, requester="UANNA", **later).error == "not_allowed"
    assert prepared(resources, requester="UBORIS", **later).state is JobState.WAITING
    assert len(slack.called("usergroups_users_list")) == 1


@pytest.mark.usefixtures("red")
@pytest.mark.parametrize(
    ("error", "told"), [(slack_error("missing_scope"), 1), (slack_error("internal_error", 500), 0)]
)
def test_when_slack_does_not_say_who_is_in_nobody_gets_in_unseen(resources, slack: Slack, error, told):
    """Retry may help; a lost scope is told to operators. Who is on the list by themselves goes on."""
    resources.clock.move(groups.FRESH)
    later = {"created_at": resources.clock(), "deadline": resources.clock() + timedelta(hours=1)}
    slack.fail("usergroups_users_list", error)
    assert prepared(resources, requester="UANNA", **later).error == "group_unknown"
    reported = [each.subject for each in rows(resources.engine, Incident) if each.cause == "slack_refused"]
    assert reported == ["missing_scope"] * told
    put(resources, ME, "allow", True)
    assert prepared(resources, requester="UANNA", **later).state is JobState.WAITING


@pytest.mark.usefixtures("red")
def test_a_service_is_in_no_group(resources):
    """Its name may be anybody's id."""
    assert prepared(resources, origin=Origin.API, team="api", requester="UANNA").error == "not_allowed"
