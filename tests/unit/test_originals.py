"""Hidden values from the request to the answer: nowhere in the rows but encrypted, shown again, then gone."""

import structlog

from db import jobs, outcomes, posts
from db.models import Job, Step
from db.states import JobState, Origin, PostKind
from tasks import originals
from tasks.catalogue import say
from tasks.deliver.stage import deliver
from tasks.infer.stage import serve
from tasks.prepare.stage import prepare
from tests import fakes
from tests.fakes import MINUTE, NOW, Model, a_job, accepted, do, rows, set_row, slack_error, the

PHONE, MAIL, PASSWORD = "010-1234-5678", "kim@example.com", "p*ss~w0rd"
TEXT = f"담당자 {PHONE}, {MAIL}. 비밀번호: {PASSWORD}"
SAID = "담당자는 **[PHONE-1]**, [email-1]이고 비밀번호는 [KEY-1]입니다."
SECRETS = {"PHONE-1": PHONE, "EMAIL-1": MAIL}


def through(resources, job: Job, said: str = SAID) -> Model:
    """Prepared, and answered by the model."""
    prepare(resources, job.id)
    model = Model(fakes.says(said))
    with model.client() as http:
        resources.__dict__["http"] = http
        serve(resources, resources.line.server("main"))
    return model


def shown(resources, clock) -> None:
    for _ in range(4):
        deliver(resources, "slack/C1")
        clock.move(MINUTE)


def test_the_model_and_the_rows_see_placeholders_and_the_thread_sees_the_values(resources, slack, clock):
    job = accepted(resources.engine, text=TEXT)
    with structlog.testing.capture_logs() as logs:
        model = through(resources, job)
        waiting = the(resources.engine, Job, job.id)
        shown(resources, clock)
    for value in (PHONE, MAIL, PASSWORD):
        assert value not in str(model.asked)
        assert value not in str([step.messages for step in rows(resources.engine, Step)])
        assert value not in f"{waiting.result} {waiting.question} {waiting.originals}"
        assert value not in str(logs)
    assert waiting.result == SAID
    assert "copy them exactly" in model.asked[0]["messages"][0]["content"]
    [result] = slack.of_kind("result")
    assert f"담당자는 {PHONE}, {MAIL}이고 비밀번호는 {PASSWORD}입니다." in result["text"]


def test_the_values_go_when_the_last_post_is_shown_and_not_before(resources, slack, clock):
    job = accepted(resources.engine, text=TEXT)
    through(resources, job, said=SAID + "\n\nword " * 9000)
    slack.fail("files_upload_v2", slack_error("ratelimited", 429, {"Retry-After": "2"}))
    deliver(resources, "slack/C1")
    assert slack.of_kind("result")
    assert the(resources.engine, Job, job.id).originals
    clock.move(MINUTE)
    shown(resources, clock)
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.originals) == (JobState.DONE, None)
    _, upload = slack.called("files_upload_v2")
    assert upload["content"].startswith(f"담당자는 **{PHONE}**, {MAIL}이고")


def test_what_is_saved_or_shared_after_the_values_are_gone_says_so(resources, slack, clock):
    """The placeholders stay, and a sentence says where the values are; before that, the values are there."""
    job = accepted(resources.engine, text=TEXT)
    through(resources, job)
    do(resources.engine, lambda s: posts.want(s, s.get_one(Job, job.id), PostKind.FILE, clock()))
    shown(resources, clock)
    [saved] = slack.called("files_upload_v2")
    assert PHONE in saved["content"]
    assert saved["initial_comment"] is None
    job = accepted(resources.engine, text=TEXT)
    through(resources, job)
    shown(resources, clock)
    for kind in (PostKind.FILE, PostKind.SHARE):
        do(resources.engine, lambda s, kind=kind: posts.want(s, s.get_one(Job, job.id), kind, clock()))
    shown(resources, clock)
    _, saved = slack.called("files_upload_v2")
    [shared] = slack.of_kind("share")
    note = say("ko", "result.without_values")
    assert "[PHONE-1]" in saved["content"]
    assert saved["initial_comment"] == note
    assert "[PHONE-1]" in shared["text"]
    assert note in str(shared["blocks"])


def test_an_answer_without_values_is_shared_without_a_word_about_them(resources, slack, clock):
    job = accepted(resources.engine, text="회의는 아홉 시에 시작했다.")
    through(resources, job, said="아홉 시입니다.")
    shown(resources, clock)
    do(resources.engine, lambda s: posts.want(s, s.get_one(Job, job.id), PostKind.SHARE, clock()))
    shown(resources, clock)
    assert say("ko", "result.without_values") not in str(slack.of_kind("share"))


def test_what_there_is_of_an_answer_that_failed_has_its_values(resources, slack, clock):
    """In the failure's own message."""
    job = accepted(resources.engine, text=TEXT)
    prepare(resources, job.id)
    broke = {"recipe": "x"}
    do(
        resources.engine,
        lambda s: outcomes.fail(s, s.get_one(Job, job.id), "bad_form", broke, NOW, partial=SAID),
    )
    shown(resources, clock)
    assert PHONE in str(slack.of_kind("failure")[0]["blocks"])


def test_a_question_is_hidden_with_its_text_under_the_same_names(resources):
    job = accepted(resources.engine, recipe="ask", text=f"{PHONE}은 누구 번호야?\n\n김민수 {PHONE}")
    prepare(resources, job.id)
    [step] = rows(resources.engine, Step)
    assert step.messages[1]["content"].count("[PHONE-1]") == 2
    assert the(resources.engine, Job, job.id).question == "[PHONE-1]은 누구 번호야?"


def test_off_means_off(resources):
    resources.settings = resources.settings.model_copy(update={"redaction": "off"})
    job = accepted(resources.engine, text=TEXT)
    prepare(resources, job.id)
    [step] = rows(resources.engine, Step)
    assert PHONE in step.messages[1]["content"]
    assert "copy them exactly" not in step.messages[0]["content"]
    assert the(resources.engine, Job, job.id).originals is None


def test_a_retry_after_a_failure_hides_and_shows_the_same(resources, slack, clock):
    job = accepted(resources.engine, text=TEXT)
    prepare(resources, job.id)
    do(resources.engine, lambda s: outcomes.fail(s, s.get_one(Job, job.id), "bug", {}, NOW))
    shown(resources, clock)
    assert the(resources.engine, Job, job.id).originals is None
    do(resources.engine, jobs.retry, job.id, 1, clock(), MINUTE * 60)
    through(resources, job)
    shown(resources, clock)
    assert PHONE in slack.of_kind("result")[0]["text"]


def test_a_cancelled_job_keeps_nothing(resources):
    job = accepted(resources.engine, text=TEXT)
    prepare(resources, job.id)
    do(resources.engine, outcomes.cancel, job.id, NOW)
    assert the(resources.engine, Job, job.id).originals is None


def test_a_result_of_the_api_can_be_read_for_as_long_as_it_is_kept(resources):
    job = accepted(resources.engine, origin=Origin.API, channel=None, text=TEXT)
    through(resources, job)
    after = the(resources.engine, Job, job.id)
    assert after.state is JobState.DONE
    assert after.result == SAID
    assert PHONE in (originals.answer(resources.settings, after) or "")


def test_a_failure_of_the_api_keeps_nothing(resources):
    job = accepted(resources.engine, origin=Origin.API, channel=None, text=TEXT)
    prepare(resources, job.id)
    do(resources.engine, lambda s: outcomes.fail(s, s.get_one(Job, job.id), "bug", {}, NOW))
    assert the(resources.engine, Job, job.id).originals is None


def test_what_is_sealed_opens_for_its_own_job_alone():
    settings = fakes.settings()
    job, other = a_job(), a_job()
    job.originals = other.originals = originals.seal(settings, job.id, SECRETS)
    assert PHONE not in (job.originals or "")
    assert originals.opened(settings, job) == SECRETS
    assert originals.opened(settings, other) == {}
    assert originals.seal(settings, job.id, {}) is None


def test_a_secret_can_be_replaced_while_jobs_wait():
    old, new = "the-old-secret-of-ours", "the-new-secret-of-ours"
    job = a_job()
    job.originals = originals.seal(fakes.settings(redaction_keys=old), job.id, SECRETS)
    assert originals.opened(fakes.settings(redaction_keys=f"{new}, {old}"), job) == SECRETS
    assert originals.opened(fakes.settings(redaction_keys=new), job) == {}
    job.originals = originals.seal(fakes.settings(redaction_keys=f"{new},{old}"), job.id, SECRETS)
    assert originals.opened(fakes.settings(redaction_keys=new), job) == SECRETS


def test_an_answer_whose_values_cannot_be_opened_is_shown_with_its_placeholders(resources, slack, clock):
    job = accepted(resources.engine, text=TEXT)
    through(resources, job)
    set_row(resources.engine, Job, job.id, originals="gAAAA-not-ours")
    with structlog.testing.capture_logs() as logs:
        shown(resources, clock)
    assert "[PHONE-1]" in slack.of_kind("result")[0]["text"]
    assert {"event": "originals.unreadable", "job_id": job.id, "log_level": "warning"}.items() <= next(
        one for one in logs if one["event"] == "originals.unreadable"
    ).items()
