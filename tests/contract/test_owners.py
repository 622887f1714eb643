"""Owners' orders on both databases: what each changes for the next request, and who may give them."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.owners import command
from db import backends, calls, leases, line, outcomes, rules, session
from db.models import Backend, Change, Job, Rule
from db.states import JobState
from tasks.catalogue import say
from tests import fakes, playground_rig
from tests import front_door_rig as rig
from tests.front_door_rig import NOW, Door

migrated_sqlite, sqlite_url = rig.migrated_sqlite, rig.sqlite_url

OWNER, PERSON = "U0OWNER", "U1"


@pytest.fixture
def door(migrated_url: str) -> Iterator[Door]:
    with rig.opened(migrated_url, admins="U0OWNER") as made:
        fakes.declare(made.resources.engine)
        yield made


def ordered(door: Door, words: str, user: str = OWNER) -> str:
    """What somebody reads who gives an order."""
    return door.command(rig.command(f"admin {words}", user_id=user)).text


def refusal(door: Door, text: str = "Some text to analyze.", **fields: str) -> str | None:
    """What a person reads at once for a request; None: it was taken."""
    answer = door.command(rig.command(text, **fields))
    return answer.text or None


def audited(door: Door) -> list[tuple[str, str]]:
    return [(change.changed_by, change.words) for change in fakes.rows(door.resources.engine, Change)]


# Who may


def test_only_admins_give_orders(door: Door) -> None:
    """Nothing changes for anybody else, and it is no request to the model either."""
    assert ordered(door, "drain", PERSON) == say("en", "admin.not_yours")
    assert ordered(door, "", PERSON) == say("en", "admin.not_yours")
    assert fakes.rows(door.resources.engine, Rule) == []
    assert audited(door) == []
    assert door.jobs() == []


def test_a_text_that_begins_with_the_word_is_a_text_for_everybody_else(door: Door) -> None:
    """Only a verb after it makes it an order."""
    assert refusal(door, "admin costs rose by 4 % this year.") is None
    assert door.job().text == "admin costs rose by 4 % this year."


def test_admins_make_admins_and_unmake_them(door: Door) -> None:
    """But not those that the setting names."""
    ordered(door, f"admins add <@{PERSON}1|x>")
    assert ordered(door, "rules", f"{PERSON}1").startswith(say("en", "admin.rules"))
    ordered(door, f"admins remove <@{PERSON}1|x>")
    assert ordered(door, "rules", f"{PERSON}1") == say("en", "admin.not_yours")
    kept = ordered(door, f"admins remove <@{OWNER}>")
    assert kept == say("en", "admin.admin_by_setting", whom=f"<@{OWNER}>")


def test_an_admin_by_order_cancels_for_others(door: Door) -> None:
    """As one that ADMINS names."""
    refusal(door)
    ordered(door, "admins add <@U7OTHER>")
    door.command(rig.command(f"cancel {door.job().id}", user_id="U7OTHER"))
    assert door.job().state is JobState.CANCELLED


def test_what_was_changed_is_written_down(door: Door) -> None:
    """Who and what, the latest first; orders that only look, fail or make no sense are not."""
    for words in ("drain", "drain off", "stats", "rules", "ban", "unban <@U5XX>", "priority <@U5XX> 2"):
        ordered(door, words)
    assert audited(door) == [(OWNER, "drain"), (OWNER, "drain off"), (OWNER, "priority <@U5XX> 2")]
    told = ordered(door, "audit 2")
    assert told.splitlines()[1].endswith(f"<@{OWNER}> priority <@U5XX> 2")
    assert len(told.splitlines()) == 3


def test_an_order_that_is_written_wrong_gets_its_line_and_none_gets_all(door: Door) -> None:
    """In the owner's language."""
    assert ordered(door, "ban ada").splitlines()[0] == say("en", "admin.unclear")
    assert len(ordered(door, "ban ada").splitlines()) == 2
    door.speaks(OWNER, "ko-KR")
    everything = ordered(door, "help")
    assert everything.startswith(say("ko", "admin.help"))
    assert "/analyze admin pause ‹서버›" in everything


def test_what_owners_say_to_people_stays_out_of_the_log(door: Door) -> None:
    """The log names the verb alone (I10)."""
    ordered(door, "drain Merger talks until Friday")
    assert "Merger" not in str(door.logged)
    assert any(line["event"] == "owners.order" and line["verb"] == "drain" for line in door.logged)


# What people may


def test_a_drain_takes_no_new_requests_and_says_why(door: Door) -> None:
    """Also not by Retry; a repeated delivery of a request that was taken still finds it."""
    event = rig.mention()
    door.event(event)
    ordered(door, "drain Moving house.")
    told = refusal(door)
    assert told == say("en", "error.draining", says="Moving house.")
    door.event(event)
    assert len(door.jobs()) == 1
    ordered(door, "drain off")
    assert refusal(door) is None


def test_a_banned_person_is_refused_and_others_are_not(door: Door) -> None:
    """Until the ban is lifted."""
    ordered(door, "ban U1AA")
    assert refusal(door, user_id="U1AA") == say("en", "error.banned")
    assert refusal(door, user_id="U2AA") is None
    ordered(door, "unban U1AA")
    assert refusal(door, user_id="U1AA") is None


@pytest.mark.parametrize("whom", ["U1AA", "<#C1AA|general>", "T1AA"])
def test_a_list_lets_in_whom_it_names(door: Door, whom: str) -> None:
    """A person, everybody in a channel, or a workspace; nobody else, also when it became empty."""
    inside = {"user_id": "U1AA", "channel_id": "C1AA", "team_id": "T1AA"}
    outside = {"user_id": "U2AA", "channel_id": "C2AA", "team_id": "T2AA"}
    ordered(door, f"allow {whom}")
    assert refusal(door, **inside) is None
    assert refusal(door, **outside) == say("en", "error.not_allowed")
    ordered(door, f"disallow {whom}")
    assert refusal(door, **inside) == say("en", "error.not_allowed")
    ordered(door, "allow everyone")
    assert refusal(door, **outside) is None


def test_a_group_is_let_in_if_slack_tells_its_members(migrated_url: str) -> None:
    """The front door then passes on whoever it might let in; `disallow` takes it off, the members with it."""
    with playground_rig.receiving() as slack:
        api = slack.url.replace("/slack/events", "/api/")
        with rig.opened(migrated_url, admins=OWNER, slack_api_url=api) as door:
            # Else Slack is asked who they are.
            door.speaks(OWNER, "en-US")
            slack.answers({"ok": True, "users": ["U1AA"]})
            told = ordered(door, "allow <!subteam^S0RED|@red>")
            assert told == say("en", "admin.allowed", whom="<!subteam^S0RED>")
            assert "U1AA" not in ordered(door, "rules")
            assert refusal(door, user_id="U2AA") is None
            ordered(door, "disallow S0RED")
            assert refusal(door, user_id="U1AA") == say("en", "error.not_allowed")


@pytest.mark.parametrize(
    ("code", "key"), [("missing_scope", "admin.group_scope"), ("no_such_subteam", "admin.group_untold")]
)
def test_a_group_whose_members_slack_does_not_tell_changes_nothing(
    sqlite_url: str, code: str, key: str
) -> None:
    """The owner reads what is missing, and nobody is shut out by it."""
    with playground_rig.receiving() as slack:
        slack.answers({"ok": False, "error": code})
        api = slack.url.replace("/slack/events", "/api/")
        with rig.opened(sqlite_url, admins=OWNER, slack_api_url=api) as door:
            told = ordered(door, "allow S0RED")
            assert told == say("en", key, group="<!subteam^S0RED>", code=code)
            assert fakes.rows(door.resources.engine, Rule) == []
            assert refusal(door) is None


def test_a_quota_of_requests_counts_the_day(door: Door) -> None:
    """The person reads both numbers and when it begins anew; another person has their own count."""
    ordered(door, "quota everyone requests 2")
    assert [refusal(door), refusal(door)] == [None, None]
    hours = 24 - NOW.hour
    assert refusal(door) == say("en", "error.quota", used=2, limit=2, hours=hours)
    assert refusal(door, user_id="U2") is None
    for job in door.jobs():
        door.change(job, created_at=NOW - timedelta(days=1))
    assert refusal(door) is None


def test_a_person_s_own_quota_goes_before_everybody_s(door: Door) -> None:
    """Also when it is higher; `none` ends it."""
    ordered(door, "quota everyone requests 1")
    ordered(door, "quota U1AA requests 2")
    assert [refusal(door, user_id="U1AA"), refusal(door, user_id="U1AA")] == [None, None]
    assert refusal(door, user_id="U1AA") is not None
    ordered(door, "quota everyone requests none")
    ordered(door, "quota U1AA requests none")
    assert refusal(door, user_id="U1AA") is None


def test_a_channel_s_quota_counts_all_who_ask_there(door: Door) -> None:
    """And nobody elsewhere."""
    ordered(door, "quota C1AA requests 1")
    assert refusal(door, channel_id="C1AA") is None
    told = refusal(door, channel_id="C1AA", user_id="U2")
    assert told == say("en", "error.quota_channel", used=1, limit=1, hours=24 - NOW.hour)
    assert refusal(door, channel_id="C2AA", user_id="U2") is None


def test_a_recipe_is_off_in_a_channel_or_everywhere(door: Door) -> None:
    """The channel's word goes before everybody's; other names of the recipe are off, too."""
    ordered(door, "recipe off 번역")
    told = refusal(door, "translate Good morning.")
    assert told == say("en", "error.recipe_off", recipe="translate")
    assert refusal(door, "summarize Good morning.") is None
    ordered(door, "recipe on translate C1AA")
    assert refusal(door, "translate Good morning.", channel_id="C1AA") is None
    assert "`summarize`" in ordered(door, "recipe off sumarize")


def test_what_is_set_reads_as_it_did_when_it_was_set(door: Door) -> None:
    """Every kind of rule."""
    orders = (
        "ban <@U1AA>",
        "allow <@U2AA>",
        "admins add <@U3AA>",
        "quota everyone tokens 5000",
        "quota <@U1AA> requests 3",
        "priority <@U1AA> 1",
        "recipe off translate",
        "recipe on translate C1AA",
        "redaction on",
        "streaming off T2AA",
        "replies on C1AA",
        "replies off everyone",
        "disallow guests",
    )
    answers = [ordered(door, order) for order in orders]
    told = ordered(door, "rules").splitlines()
    only_listed = say("en", "admin.listed")
    assert told[0] == say("en", "admin.rules")
    assert sorted(told[1:]) == sorted(f"• {line}" for line in [*answers, only_listed])
    with session.transaction(door.resources.engine) as transaction:
        rules.put(transaction, rules.workspace("T2AA"), "recipe.minutes", False, OWNER, NOW)
    assert say("en", "admin.recipe_off_in", recipe="minutes", channel="`T2AA`") in ordered(door, "rules")
    assert ordered(door, "drain Moving house.") in ordered(door, "rules")
    assert "“Moving house.”" in ordered(door, "rules")


def test_a_pause_is_among_what_is_set(door: Door) -> None:
    """With its message, until it is ended."""
    ordered(door, "pause main Back at noon.")
    paused = say("en", "admin.paused", backend="main", waiting=0)
    assert f"• {paused} “Back at noon.”" in ordered(door, "rules")
    ordered(door, "resume main")
    assert ordered(door, "rules") == say("en", "admin.no_rules")


def test_redaction_is_switched_for_the_owner_s_workspace(door: Door) -> None:
    """Or for one by its id; taken back, the setting holds again. All of it is in the audit."""
    assert ordered(door, "redaction off") == say("en", "admin.redaction_off", whom="This workspace")
    assert say("en", "admin.redaction_off", whom="This workspace") in ordered(door, "rules")
    assert ordered(door, "redaction on T2AA") == say("en", "admin.redaction_on", whom="`T2AA`")
    assert ordered(door, "redaction none") == say("en", "admin.redaction_none", whom="This workspace")
    assert ordered(door, "redaction none") == say("en", "admin.no_rule")
    assert [words for _, words in audited(door)] == ["redaction off", "redaction on T2AA", "redaction none"]


def test_redaction_at_a_terminal_is_switched_for_all(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever stands there is in no workspace."""
    assert command.main(door.resources, ["redaction", "off"]) == 0
    assert capsys.readouterr().out == say("en", "admin.redaction_off", whom="`everyone`") + "\n"
    [rule] = fakes.rows(door.resources.engine, Rule)
    assert (rule.scope, rule.key, rule.value) == ("everyone", "redaction", False)


def test_streaming_is_switched_like_redaction(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    """For the owner's workspace, for another, at a terminal for all; it is in the audit."""
    assert ordered(door, "streaming on") == say("en", "admin.streaming_on", whom="This workspace")
    assert ordered(door, "streaming off T2AA") == say("en", "admin.streaming_off", whom="`T2AA`")
    assert command.main(door.resources, ["streaming", "on"]) == 0
    assert capsys.readouterr().out == say("en", "admin.streaming_on", whom="`everyone`") + "\n"
    found = {(rule.scope, rule.key): rule.value for rule in fakes.rows(door.resources.engine, Rule)}
    switched = {scope: value for (scope, key), value in found.items() if key == "streaming"}
    assert switched == {"workspace:T1": True, "workspace:T2AA": False, "everyone": True}
    assert ordered(door, "streaming none") == say("en", "admin.streaming_none", whom="This workspace")
    said = [words for _, words in audited(door)]
    assert said == ["streaming on", "streaming off T2AA", "streaming on", "streaming none"]


def test_services_of_the_api_keep_to_the_rules(migrated_url: str) -> None:
    """A quota is 429, a drain 503, what will not change 403."""
    token = "reports-token-of-16"
    with rig.opened(migrated_url, admins=OWNER, api_tokens=f"reports:{token}") as door:

        def asked() -> int:
            headers = {"authorization": f"Bearer {token}"}
            return door.client.post("/api/analyses", json={"text": "Text."}, headers=headers).status_code

        assert asked() == 202
        ordered(door, "quota api:reports requests 1")
        assert asked() == 429
        ordered(door, "drain")
        ordered(door, "quota api:reports requests none")
        assert asked() == 503
        ordered(door, "ban api:reports")
        assert asked() == 403


# The line


def test_a_paused_backend_serves_nobody_until_it_is_resumed(door: Door) -> None:
    """Neither by a bell nor by the sweep; the calls keep their place, and the cards are to be shown anew."""
    engine = door.resources.engine
    job = fakes.in_line(engine, channel="C1")
    shown = {post.id: post.revision for post in door.posts()}
    assert "1 call waits" in ordered(door, "pause main Back at noon.")
    assert fakes.do(engine, line.claim, "main", NOW, fakes.LEASE) is None
    assert not fakes.do(engine, line.is_due, "main", NOW)
    assert fakes.do(engine, line.callable_steps, NOW) == {}
    assert fakes.do(engine, calls.paused, fakes.the(engine, Job, job.id)) == "Back at noon."
    assert all(post.revision > shown[post.id] for post in door.posts())
    ordered(door, "resume main")
    assert fakes.do(engine, calls.paused, fakes.the(engine, Job, job.id)) is None
    assert fakes.do(engine, line.callable_steps, NOW) == {"main": 1}
    assert fakes.do(engine, line.claim, "main", NOW, fakes.LEASE) is not None


def test_a_restart_does_not_end_a_pause(door: Door) -> None:
    """Workers declare their backends when they start."""
    ordered(door, "pause main")
    fakes.declare(door.resources.engine)
    assert fakes.the(door.resources.engine, Backend, "main").paused_at == NOW


def test_a_backend_that_is_not_there(door: Door) -> None:
    """Those that are there are named; nothing is written down."""
    assert ordered(door, "pause gpu") == say("en", "admin.no_backend", backend="gpu", backends="main")
    assert ordered(door, "resume main") == say("en", "admin.not_paused", backend="main")
    assert audited(door) == []


def test_a_paused_backend_counts_as_out(door: Door) -> None:
    """So that the sweep sends its work to another that serves the recipe, if there is one."""
    ordered(door, "pause main")
    assert backends.is_out(fakes.the(door.resources.engine, Backend, "main"))


def test_requeue_begins_a_new_attempt(door: Door) -> None:
    """Of a failed request of this workspace, whosever it is."""
    refusal(door)
    job = door.job()
    assert ordered(door, f"requeue {job.id}") == say("en", "admin.not_failed", job=job.id, state="received")
    door.change(job, state=JobState.FAILED, error="bug")
    there = rig.command(f"admin requeue {job.id}", user_id=OWNER, team_id="T2")
    assert door.command(there).text == say("en", "admin.no_job", job=job.id)
    ordered(door, f"requeue {job.id}")
    assert (door.job().state, door.job().attempt) == (JobState.RECEIVED, 2)


# What owners look at


def test_the_numbers_of_a_day(door: Door) -> None:
    """Requests by outcome and hour, waits, tokens, and causes of failure; a day old is gone."""
    engine = door.resources.engine
    answered = fakes.in_line(engine, created_at=NOW - timedelta(hours=2), deadline=NOW)
    with session.transaction(engine) as transaction:
        claimed = line.claim(transaction, "main", NOW - timedelta(hours=1), fakes.LEASE)
        assert claimed is not None
        done = leases.finish(transaction, claimed, "Short.", 100, 20, False, NOW)
        assert done is not None
        outcomes.answer(transaction, done.job, "Short.", False, NOW)
    failed = fakes.accepted(engine, created_at=NOW)
    fakes.accepted(engine, created_at=NOW - timedelta(days=1, seconds=1))
    door.change(failed, state=JobState.FAILED, error="bug")
    assert fakes.the(engine, Job, answered.id).state is JobState.ANSWERED
    told = ordered(door, "stats")
    counted = {"requests": 2, "answered": 1, "failed": 1, "cancelled": 0, "open": 0}
    assert say("en", "stats.requests", **counted) in told
    assert say("en", "stats.waits", mean=3600.0, longest=3600.0) in told
    assert say("en", "stats.tokens", read=100, written=20) in told
    assert say("en", "stats.causes", causes="`bug` 1") in told
    assert f"{NOW.hour - 2:02} 1 · {NOW.hour - 1:02} 0 · {NOW.hour:02} 1" in told
    # Asked for two hours ago, begun an hour ago.
    tokens, waits = ordered(door, "stats tokens"), ordered(door, "stats waits")
    assert tokens.endswith(f"{NOW.hour - 2:02} 0 · {NOW.hour - 1:02} 120 · {NOW.hour:02} 0")
    assert waits.endswith(f"{NOW.hour - 2:02} 0 · {NOW.hour - 1:02} 3600 · {NOW.hour:02} 0")


def test_the_card_of_numbers_has_charts(migrated_url: str) -> None:
    """Sent as blocks for the owner's eyes, with all they show in its text; refused, the text alone is the answer."""
    with playground_rig.receiving() as slack, rig.opened(migrated_url, admins=OWNER) as door:
        slack.answers({"ok": True})
        url = slack.url
        answer = door.command(rig.command("admin stats", user_id=OWNER, response_url=url))
        assert answer.content in (b"", b"{}")
        sent = json.loads(slack.next().body)
        assert [block["type"] for block in sent["blocks"]] == ["section", "data_visualization"]
        assert sent["text"].startswith(say("en", "stats.title"))
        door.command(rig.command("admin stats waits", user_id=OWNER, response_url=url))
        chart = json.loads(slack.next().body)["blocks"][1]
        assert (chart["title"], len(chart["chart"]["series"][0]["data"])) == (
            say("en", "stats.chart_waits"),
            12,
        )
        # What was shown is no text to analyze.
        assert door.jobs() == []
        slack.answers({"ok": False, "error": "invalid_blocks"}, 400)
        answer = door.command(rig.command("admin stats", user_id=OWNER, response_url=url))
        assert answer.text.startswith(say("en", "stats.title"))


def test_a_database_that_is_locked_changes_nothing_and_says_so(sqlite_url: str) -> None:
    """Within the time that Slack gives."""
    with rig.opened(sqlite_url, admins=OWNER) as door, rig.opened(sqlite_url, admins=OWNER) as other:
        with session.transaction(other.resources.engine) as held:
            held.execute(sa.text("SELECT 1"))
            assert ordered(door, "drain") == say("en", "admin.not_saved")
        assert refusal(door) is None
