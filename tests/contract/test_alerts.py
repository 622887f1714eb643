"""Alerts on both databases with several workers at once, and by a real mail server."""

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller

from bot.doctor import alerts as doctor
from db import alerts as rows_of
from db import incidents, outcomes
from db.models import Alert, Incident, Job, Telling
from db.states import Way
from tasks import alerts, mailserver
from tasks.catalogue import say
from tasks.deliver.alert import tell
from tasks.resources import Resources
from tests import fakes, services
from tests.fakes import LEASE, MINUTE, NOW, Clock, at_once, do, in_line, rows

BOTH = (Way.SLACK, Way.MAIL)


class Mailbox:
    """Keeps what it is handed; `answers` are given instead of taking a mail."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answers: list[str] = []

    async def handle_DATA(self, _server, _session, envelope) -> str:  # noqa: N802 - aiosmtpd's name.
        if self.answers:
            return self.answers.pop(0)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def smtp_url(mailbox: Mailbox) -> Iterator[str]:
    controller = Controller(mailbox, hostname="127.0.0.1", port=services.free_port())
    controller.start()
    yield f"smtp://127.0.0.1:{controller.port}/?from=bot@a.test&to=ops@a.test,boss@a.test"
    controller.stop()


def with_mail(engine: sa.Engine, clock: Clock, smtp_url: str, **changes) -> Resources:
    fakes.declare(engine)
    return fakes.resources(engine, clock, alert_smtp_url=smtp_url, **changes)


def fail(engine: sa.Engine, clock: Clock) -> Job:
    job = in_line(engine)
    do(engine, lambda s: outcomes.fail(s, s.get_one(Job, job.id), "bug", {}, clock.now))
    return job


def test_many_sweeps_at_once_count_each_incident_once_in_one_alert(engine: sa.Engine):
    """The partial unique index and the rows' locks decide."""
    resources = fakes.resources(engine, Clock(), slack_alert_channel="C0OPS")
    for number in range(30):
        do(engine, incidents.report, "bug", NOW, reference=f"job{number}")
        if number % 10 == 9:
            at_once(6, lambda _: alerts.look(resources))
    [alert] = rows(engine, Alert)
    assert alert.count == 30
    assert rows(engine, Incident) == []
    assert len(rows(engine, Telling)) == 1


def test_many_sweeps_at_once_end_an_alert_once(engine: sa.Engine):
    """One end, one message about it for each way."""
    clock = Clock()
    resources = fakes.resources(engine, clock, slack_alert_channel="C0OPS")
    do(engine, incidents.report, "bug", NOW)
    alerts.look(resources)
    clock.move(alerts.QUIET)
    at_once(6, lambda _: alerts.look(resources))
    assert len(rows(engine, Telling)) == 2
    do(engine, incidents.report, "bug", clock.now)
    alerts.look(resources)
    assert len(rows(engine, Alert)) == 2


def test_many_workers_at_once_tell_an_alert_once(engine: sa.Engine):
    """A message has one holder."""
    clock = Clock()
    resources = fakes.resources(engine, clock, slack_alert_channel="C0OPS")
    for code in ("a", "b", "c"):
        do(engine, incidents.report, "post_dropped", NOW, code)
    alerts.look(resources)
    at_once(6, lambda _: tell(resources))
    assert len(resources.slack.messages) == 3


def test_a_worker_that_lost_its_claim_records_nothing(engine: sa.Engine):
    """The fence (I6)."""
    do(engine, incidents.report, "bug", NOW)
    alerts.look(fakes.resources(engine, Clock(), slack_alert_channel="C0OPS"))
    slow = do(engine, rows_of.claim, NOW, LEASE)
    assert slow is not None
    assert do(engine, rows_of.claim, NOW, LEASE) is None
    quick = do(engine, rows_of.claim, NOW + LEASE, LEASE)
    assert quick is not None
    assert quick.unclear
    do(engine, rows_of.told, slow, "1.0", "C0OPS", NOW)
    assert rows(engine, Telling)[0].ts is None
    do(engine, rows_of.told, quick, "2.0", "C0OPS", NOW)
    assert rows(engine, Telling)[0].ts == "2.0"


def test_a_failure_that_is_rolled_back_is_no_incident(engine: sa.Engine):
    """An incident stands in the transaction of what happened."""
    fakes.declare(engine)
    job = in_line(engine)

    def fails_half_way(transaction) -> None:
        outcomes.fail(transaction, transaction.get_one(Job, job.id), "bug", {}, NOW)
        transaction.flush()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        do(engine, fails_half_way)
    assert rows(engine, Incident) == []


@pytest.mark.parametrize(("language", "over"), [("en", "Over"), ("ko", "끝남")])
def test_mail_comes_once_at_each_end(
    sqlite_engine: sa.Engine, mailbox: Mailbox, smtp_url: str, language: str, over: str
):
    """To everybody, the second as an answer to the first, with nothing that people wrote."""
    clock = Clock()
    resources = with_mail(sqlite_engine, clock, smtp_url, language=language)
    for _ in range(5):
        job = fail(sqlite_engine, clock)
        alerts.look(resources)
        tell(resources)
        clock.move(MINUTE)
    [first] = mailbox.mails
    assert (first["To"], first["From"]) == ("ops@a.test, boss@a.test", "bot@a.test")
    clock.move(alerts.QUIET)
    alerts.look(resources)
    tell(resources)
    tell(resources)
    [_, last] = mailbox.mails
    assert over in last["Subject"]
    assert last["In-Reply-To"] == first["Message-ID"]
    assert job.id in last.get_content()
    assert last.get_content().startswith(over)
    assert first["Auto-Submitted"] == "auto-generated"
    assert job.text not in first.get_content() + last.get_content()


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("cause", sorted(alerts.CAUSES))
def test_the_subject_of_a_mail_is_what_is_wrong_word_by_word(
    sqlite_engine: sa.Engine, mailbox: Mailbox, smtp_url: str, language: str, cause: str
):
    """However long it is, and in whatever language: mail breaks a long line into several."""
    resources = with_mail(sqlite_engine, Clock(), smtp_url, language=language)
    seen = rows_of.Seen(cause, "of a long name", 1, adds=True, since=NOW, at=NOW, trouble="down")
    do(sqlite_engine, rows_of.note, seen, [Way.MAIL])
    tell(resources)
    [mail] = mailbox.mails
    what = say(language, f"alert_what.{cause}", subject="of a long name", trouble="down")
    assert mail["Subject"] == say(language, "alert.mail", what=what)
    assert mail.get_content().startswith(what)


@pytest.mark.parametrize("answer", ["451 Busy", "550 No", "421 Going away"])
def test_a_mail_that_was_not_taken_is_sent_later(
    sqlite_engine: sa.Engine, mailbox: Mailbox, smtp_url: str, answer: str
):
    """And Slack is told meanwhile."""
    clock = Clock()
    resources = with_mail(sqlite_engine, clock, smtp_url, slack_alert_channel="C0OPS")
    mailbox.answers = [answer]
    fail(sqlite_engine, clock)
    alerts.look(resources)
    tell(resources)
    assert mailbox.mails == []
    assert len(resources.slack.messages) == 1
    clock.move(MINUTE)
    tell(resources)
    assert len(mailbox.mails) == 1


def test_without_a_mail_server_slack_is_told_all_the_same(sqlite_engine: sa.Engine):
    """Nobody listens at the port."""
    clock = Clock()
    url = f"smtp://127.0.0.1:{services.free_port()}/?from=a@a.test&to=b@a.test"
    resources = with_mail(sqlite_engine, clock, url, slack_alert_channel="C0OPS")
    fail(sqlite_engine, clock)
    alerts.look(resources)
    tell(resources)
    assert len(resources.slack.messages) == 1
    assert len([one for one in rows(sqlite_engine, Telling) if one.told]) == 1


def test_the_doctor_greets_the_mail_server_and_sends_nothing(
    sqlite_engine: sa.Engine, mailbox: Mailbox, smtp_url: str
):
    """One that is away, or wants another password, is a problem; none at all is worth a word."""
    [found] = doctor.examine(with_mail(sqlite_engine, Clock(), smtp_url))
    assert (found.check, found.state, found.values["count"]) == ("alerts.mail", "ok", 2)
    away = f"smtp://127.0.0.1:{services.free_port()}/?from=a@a.test&to=b@a.test"
    for url in (away, smtp_url.replace("127", "user:hunter2@127", 1)):
        [found] = doctor.examine(with_mail(sqlite_engine, Clock(), url))
        assert (found.check, found.state) == ("alerts.mail", "problem")
        assert "hunter2" not in found.words("en") + found.words("ko")
    [found] = doctor.examine(fakes.resources(sqlite_engine, Clock()))
    assert (found.check, found.state) == ("alerts", "note")
    assert list(doctor.examine(fakes.resources(sqlite_engine, Clock(), slack_alert_channel="C0OPS"))) == []
    assert mailbox.mails == []


def test_a_password_goes_over_no_open_line(smtp_url: str, mailbox: Mailbox, monkeypatch):
    """A server elsewhere that offers no STARTTLS gets neither password nor mail."""
    monkeypatch.setattr(mailserver, "_is_loopback", lambda _host: False)
    server = mailserver.parse(smtp_url.replace("127", "user:hunter2@127", 1))
    with pytest.raises(mailserver.NotSent) as refused:
        mailserver.send(server, EmailMessage())
    assert (str(refused.value), refused.value.sure) == ("SMTPNotSupportedError", True)
    assert mailbox.mails == []
    assert "hunter2" not in repr(server)
