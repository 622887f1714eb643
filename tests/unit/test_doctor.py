"""The doctor: what it makes of each answer, and that one thing that is down spoils no other finding."""

import base64
import dataclasses
import io
import json
import threading
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from PIL import Image

from bot import doctor
from bot.doctor import command, machine, servers, slack, storage
from bot.doctor.finding import Finding
from db import backends, line, rules, schema
from tasks.catalogue import LANGUAGES, say
from tasks.infer.gauges import Gauges
from tasks.linefile import Server
from tasks.resources import Resources
from tests import fakes

SERVER = Server("main", "http://model.test/v1", "key-1", "m", 4, 8192, None)
SCOPES = slack.declared()["oauth_config"]["scopes"]["bot"]


class Answer(dict[str, Any]):
    """What slack-sdk gives: content with headers."""

    def __init__(self, headers: dict[str, str], **content: Any) -> None:
        super().__init__(content)
        self.headers = headers


class Slack:
    """Knows the bot, unless it has an error to raise."""

    def __init__(
        self, scopes: str = ",".join(SCOPES), off: timedelta = timedelta(0), **errors: Exception
    ) -> None:
        self._headers = {"X-OAuth-Scopes": scopes, "Date": format_datetime(fakes.NOW + off, usegmt=True)}
        self._errors = errors

    def _answer(self, method: str, **content: Any) -> Answer:
        if method in self._errors:
            raise self._errors[method]
        return Answer(self._headers, **content)

    def auth_test(self) -> Answer:
        return self._answer("auth_test", user="threadline", team="Acme")

    def apps_connections_open(self, *, app_token: str) -> Answer:
        assert app_token == "xapp-1"
        return self._answer("apps_connections_open", url="wss://slack.test")

    def conversations_history(self, *, channel: str, limit: int) -> Answer:
        return self._answer("conversations_history", messages=[])


def states(findings: Any) -> dict[str, str]:
    return {finding.check: finding.state for finding in findings}


def keys(findings: Any) -> list[str]:
    return [finding.key for finding in findings]


def with_model(resources: Any, *answers: tuple[str, httpx.Response]) -> None:
    """Let the model server answer these paths, and 404 all else."""
    known = dict(answers)
    transport = httpx.MockTransport(lambda request: known.get(request.url.path, httpx.Response(404)))
    resources.__dict__["http"] = httpx.Client(transport=transport)


def streamed(usage: tuple[int, int] | None = (7, 3)) -> httpx.Response:
    return fakes.says("OK", usage=usage)({})


def listing(**more: Any) -> httpx.Response:
    return httpx.Response(200, json={"data": [{"id": "m", **more}, {"id": "other"}]})


# Slack


def test_a_slack_where_all_is_well(resources):
    """The token, its scopes, the clock and a channel are fine; nothing has come in yet, and it says so."""
    resources.__dict__["slack"] = Slack()
    assert states(slack.examine(resources, ["C1"])) == {
        "slack.manifest": "note",
        "slack.token": "ok",
        "slack.scopes": "ok",
        "clock": "ok",
        "slack.events.app_mention": "note",
        "slack.events.message_im": "note",
        "slack.command": "note",
        "slack.channel.C1": "ok",
    }


def test_a_token_that_slack_refuses_and_a_slack_that_is_away_are_told_apart(resources):
    """One needs another token, the other needs patience or a network; neither hides the rest of the report."""
    resources.__dict__["slack"] = Slack(auth_test=fakes.slack_error("invalid_auth"))
    refused = list(slack.examine(resources, []))[-1]
    resources.__dict__["slack"] = Slack(auth_test=ConnectionRefusedError())
    away = list(slack.examine(resources, []))[-1]
    assert (refused.key, away.key) == ("doctor.slack_refuses", "doctor.slack_away")
    assert refused.state == away.state == "problem"
    assert "invalid_auth" in refused.words("en")


def test_scopes_that_are_missing_are_named():
    """A scope too few is a problem, one too many is worth knowing, and silence is neither."""
    missing = slack.scopes(",".join(set(SCOPES) - {"files:write"}), slack.declared())
    assert (missing.state, missing.values) == ("problem", {"scopes": "files:write"})
    assert slack.scopes(",".join([*SCOPES, "admin"]), slack.declared()).values == {"scopes": "admin"}
    assert slack.scopes("", slack.declared()).state == "note"
    no_agent = slack.scopes(",".join(set(SCOPES) - {"assistant:write"}), slack.declared())
    assert (no_agent.state, no_agent.key) == ("note", "doctor.no_agent")


@pytest.mark.parametrize(
    ("seconds", "state"), [(0, "ok"), (29, "ok"), (-29, "ok"), (31, "problem"), (-300, "problem")]
)
def test_the_clock_is_compared_with_slack_s(resources, seconds, state):
    """In both directions."""
    date = format_datetime(fakes.NOW + timedelta(seconds=seconds), usegmt=True)
    assert slack.clock(resources, date).state == state


def test_a_date_that_is_none_is_no_problem(resources):
    """A proxy may take the header away."""
    assert slack.clock(resources, "").state == slack.clock(resources, "soon").state == "note"


def test_what_came_in_shows_that_events_are_subscribed_to(resources, sqlite_engine, clock):
    """A mention on record proves its subscription; a direct message is still to be tried."""
    fakes.accepted(sqlite_engine)
    clock.move(3 * fakes.MINUTE)
    mention, direct, _ = slack.events(resources)
    assert (mention.state, mention.values) == ("ok", {"minutes": 3})
    assert direct.key == "doctor.no_direct"


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"slack_app_token": "xapp-1"}, "ok"),
        ({"slack_signing_secret": "s"}, "note"),
        ({}, "problem"),
    ],
)
def test_a_bot_must_hear_one_way_or_the_other(sqlite_engine, clock, settings, found):
    """By a socket, which can be tried from here, or by HTTP, which cannot."""
    resources = fakes.resources(sqlite_engine, clock, **settings)
    resources.__dict__["slack"] = Slack()
    (finding,) = slack.socket(resources)
    assert finding.state == found


def test_a_bot_that_is_not_in_a_channel():
    """What to do about it is said; an archived channel needs something else."""
    outside = Slack(conversations_history=fakes.slack_error("not_in_channel"))
    archived = Slack(conversations_history=fakes.slack_error("is_archived"))
    assert slack.membership(outside, "C1").key == "doctor.not_in_channel"
    assert slack.membership(archived, "C1").key == "doctor.archived"


def test_a_command_by_another_name_is_noticed():
    """Slack sends only what is declared."""
    found = slack.manifest(fakes.settings(slack_command="/ask"), slack.declared())
    assert keys(found) == ["doctor.command_differs", "doctor.manifest_unseen"]


# Database and broker


def test_a_migrated_database(resources):
    """It answers, at this code's revision."""
    assert states(storage.database(resources)) == {
        "database": "ok",
        "database.migrations": "ok",
        "database.kind": "note",
    }


def test_migrations_older_and_newer_than_the_code():
    """An upgrade mends the one; the other needs a newer Threadline."""
    (newest,) = schema.newest()
    assert storage.migrations(frozenset({newest})).state == "ok"
    assert storage.migrations(frozenset()).key == "doctor.migrations_behind"
    assert storage.migrations(frozenset({"0001"})).key == "doctor.migrations_behind"
    assert storage.migrations(frozenset({"9999"})).key == "doctor.migrations_newer"


def test_a_database_that_is_not_there_is_not_made(clock, tmp_path):
    """Looking at it must not leave an empty file behind, whichever check looks first."""
    path = tmp_path / "none" / "threadline.db"
    resources = Resources(fakes.settings(database_url=f"sqlite:///{path}"), clock)
    resources.__dict__["slack"] = Slack()
    with_model(resources, ("/v1/models", listing()), ("/v1/chat/completions", streamed()))
    for look in (servers.group(resources, SERVER), lambda: slack.examine(resources, [])):
        assert list(look())
    assert list(storage.held(resources)) == []
    assert keys(storage.database(resources)) == ["doctor.database_absent"]
    assert not path.parent.exists()


def test_what_the_owners_hold_back_is_told(resources, sqlite_engine):
    """It is no problem, but often the answer."""
    assert list(storage.held(resources)) == []
    fakes.do(sqlite_engine, backends.hold, "main", None, fakes.NOW)
    fakes.do(sqlite_engine, rules.put, "everyone", "drain", "", "UOWNER", fakes.NOW)
    assert states(storage.held(resources)) == {"owners.drain": "note", "owners.pause": "note"}


# Model servers


def test_a_server_where_all_is_well(resources):
    """Each line of one server; it told its context and counted as we do."""
    with_model(
        resources,
        ("/v1/models", listing(max_model_len=8192)),
        ("/tokenize", httpx.Response(200, json={"count": 60})),
        ("/metrics", httpx.Response(200, text="vllm:num_requests_running 0\n")),
        ("/v1/chat/completions", streamed()),
    )
    assert states(servers.examine(resources, SERVER)) == {
        "model.main.name": "ok",
        "model.main.context": "ok",
        "model.main.tokenizer": "ok",
        "model.main.gauges": "ok",
        "model.main.answer": "ok",
    }


def test_a_server_that_nobody_reaches_gets_one_line(resources):
    """The other checks would say the same."""

    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    resources.__dict__["http"] = httpx.Client(transport=httpx.MockTransport(refuse))
    assert keys(servers.examine(resources, SERVER)) == ["doctor.model_away"]


def test_a_key_that_the_server_refuses(resources):
    """It is told as that, and the key itself is not."""
    with_model(resources, ("/v1/models", httpx.Response(401)))
    (finding,) = servers.examine(resources, SERVER)
    assert finding.key == "doctor.model_key"
    assert "key-1" not in finding.words("en")


def test_a_model_that_the_server_does_not_have():
    """Those it has are named."""
    (finding,) = servers.models(SERVER, 200, {"data": [{"id": "llama"}, {"id": "qwen"}]})
    assert finding.values == {"model": "m", "models": "llama, qwen"}


@pytest.mark.parametrize(("theirs", "state"), [(8192, "ok"), (4096, "problem"), (None, "note")])
def test_a_context_larger_than_the_server_s(theirs, state):
    """Ours may be smaller, never larger."""
    assert servers.context(SERVER, theirs).state == state


def test_a_tokenizer_that_is_dearer_than_the_estimate():
    """The advised context makes up for it."""
    finding = servers.tokenizer(SERVER, 1000)
    assert finding.state == "problem"
    assert 0 < finding.values["advised"] < SERVER.context * 0.9
    assert servers.tokenizer(SERVER, None).state == servers.tokenizer(SERVER, 0).state == "note"


def test_gauges():
    """A server without any is still served."""
    assert servers.told_gauges(SERVER, Gauges(running=1)).state == "ok"
    assert servers.told_gauges(SERVER, None).state == "note"


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        (streamed(usage=None), "doctor.no_usage"),
        (
            httpx.Response(200, json={"choices": [{"message": {"content": "OK"}, "finish_reason": "stop"}]}),
            "doctor.unstreamed",
        ),
        (httpx.Response(400, json={"error": {"message": "no"}}), "doctor.no_words"),
        (httpx.Response(503, json={"error": {"message": "Loading model"}}), "doctor.no_words"),
    ],
)
def test_what_an_answer_lacks(resources, answer, key):
    """Usage, streaming, or all of it."""
    with_model(resources, ("/v1/models", listing()), ("/v1/chat/completions", answer))
    assert list(servers.examine(resources, SERVER))[-1].key == key


def test_a_server_that_is_said_to_see_is_shown_a_tiny_picture(resources):
    """As the workers show theirs; what it refuses is told with what to do."""
    asked: list[dict[str, Any]] = []

    def takes(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/v1/chat/completions":
            return listing() if request.url.path == "/v1/models" else httpx.Response(404)
        asked.append(json.loads(request.content))
        return streamed()

    def refuses(request: httpx.Request) -> httpx.Response:
        is_blind = b"image_url" in request.content
        return httpx.Response(400, json={"error": {"message": "no eyes"}}) if is_blind else takes(request)

    sees = dataclasses.replace(SERVER, vision=True)
    resources.__dict__["http"] = httpx.Client(transport=httpx.MockTransport(takes))
    assert list(servers.examine(resources, sees))[-1].key == "doctor.sees"
    shown = asked[-1]["messages"][0]["content"][1]["image_url"]["url"]
    with Image.open(io.BytesIO(base64.b64decode(shown.removeprefix("data:image/jpeg;base64,")))) as picture:
        assert min(picture.size) >= 28
    resources.__dict__["http"] = httpx.Client(transport=httpx.MockTransport(refuses))
    told = list(servers.examine(resources, sees))[-1]
    assert (told.state, told.key, told.values) == ("problem", "doctor.blind", {"detail": "400: no eyes"})
    assert list(servers.examine(resources, SERVER))[-1].key == "doctor.answer"


def test_a_server_with_calls_in_flight_is_asked_for_none(resources, sqlite_engine, clock):
    """A call beside the line's own could be the one too many (I5)."""
    fakes.in_line(sqlite_engine)
    assert fakes.do(sqlite_engine, line.claim, "main", clock(), fakes.LEASE) is not None
    with_model(resources, ("/v1/models", listing()))
    assert list(servers.examine(resources, SERVER))[-1].key == "doctor.busy"


# This machine


def test_files_and_disk():
    """Numbers beside what is needed; no limit at all is fine."""
    settings = fakes.settings()
    assert machine.files(settings, 256).state == "problem"
    assert machine.files(settings, 1024).state == machine.files(settings, -1).state == "ok"
    (folder,) = machine.folders(fakes.settings(database_url="postgresql://h/d"))
    assert machine.disk(folder, machine.LEAST_FREE - 1).state == "problem"
    assert machine.disk(folder, machine.LEAST_FREE).state == "ok"


# The whole report


def test_one_thing_that_hangs_holds_up_no_other():
    """What it found before is kept, and its silence is a problem of its own."""
    held = threading.Event()

    def hangs():
        yield Finding("slow.first", "ok", "doctor.clock")
        held.wait(30)

    def breaks():
        raise ZeroDivisionError
        yield

    def fine():
        yield Finding("fine", "ok", "doctor.clock")

    found = doctor.run({"slow": hangs, "broken": breaks, "fine": fine}, timedelta(seconds=3))
    held.set()
    assert states(found) == {"slow.first": "ok", "slow": "problem", "broken": "problem", "fine": "ok"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_counts_what_is_to_be_mended(language):
    """In words for people, with the same checks in JSON for scripts."""
    fine = Finding("clock", "ok", "doctor.clock")
    broken = Finding("broker", "problem", "doctor.broker_away", {"reason": "OSError"})
    assert command.report(language, [fine]).endswith(say(language, "doctor.well"))
    one = command.report(language, [fine, broken])
    assert "OSError" in one
    assert one.endswith(say(language, "doctor.problems", count=1))
    assert "2" in command.report(language, [broken, broken]).splitlines()[-1]
    told = json.loads(command.as_json(language, [fine, broken]))
    assert [(each["check"], each["state"]) for each in told] == [("clock", "ok"), ("broker", "problem")]
