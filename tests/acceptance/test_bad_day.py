"""Repeats, refusals, faults of Slack and of the model server: each answered once, nothing lost."""

import re
import signal

import pytest
import redis

from tests.acceptance import stack as stacks
from tests.acceptance.stack import ADA, GENERAL, LEO, MINJI, RESEARCH, Stack, kind_of

pytestmark = pytest.mark.timeout(300)

TEXT = (
    "The lighthouse keeper wrote a diary. It rained for nine days. The ship came on a Sunday. Everybody sang."
)


def test_an_event_that_comes_twice_is_answered_once(stack: Stack) -> None:
    """Slack repeats an event, and sends a mention as two events (I2)."""
    stack.act("faults/events", kind="duplicate")
    first = stack.say(ADA, GENERAL, f"<@U0BOT> {TEXT}")
    stack.act("faults/events", kind="two_events")
    second = stack.say(ADA, GENERAL, f"<@U0BOT> {TEXT}")
    for ts in (first, second):
        stack.answer(GENERAL, ts)
    stack.wait(lambda: stack.look("state")["events_under_way"] == 0, "all events are delivered")
    for ts in (first, second):
        stack.wait(
            lambda ts=ts: "done in" in stack.replies(GENERAL, ts, "card")[0]["text"], "the card says done"
        )
        assert len(stack.replies(GENERAL, ts, "card")) == 1
        assert len(stack.replies(GENERAL, ts, "result")) == 1


def test_thirty_requests_at_once_never_overrun_the_model(stack: Stack) -> None:
    """Thirty requests, a limit of four: in flight at the server never above four (I5), all answered."""
    stack.act("reset")
    stack.clear()
    stack.hold_model()
    # Several channels: Slack takes one message a second in each.
    places = [(ADA, "D0ADA"), (MINJI, "D0MINJI"), (LEO, "D0LEO"), (ADA, GENERAL), (MINJI, RESEARCH)]
    asked = [
        (channel, stack.say(user, channel, f"<@U0BOT> {n} {TEXT}"))
        for n in range(6)
        for user, channel in places
    ]
    stack.wait(lambda: stack.look("model")["in_flight"] == 4, "as many as may run do")
    stack.let_model_go(tokens_per_second=400)
    for channel, ts in asked:
        # Whose answer is the last is not known, and a busy machine takes its time for thirty.
        stack.wait(lambda channel=channel, ts=ts: stack.replies(channel, ts, "result"), "an answer", 120)
    model = stack.look("model")
    assert model["served"] == 30
    assert model["peak_in_flight"] == 4
    assert model["refused"] == 0


def test_a_model_server_that_is_away_keeps_the_place(stack: Stack) -> None:
    """The card says that the server does not answer; when it is back, the answer comes, with no attempt used."""
    stack.act("faults/model", kind="down", times=None, seconds=600)
    ts = stack.say(ADA, GENERAL, f"<@U0BOT> {TEXT}")
    stack.wait(
        lambda: any("not answering" in card["text"] for card in stack.replies(GENERAL, ts, "card")),
        "the card says so",
    )
    assert stack.http.delete("/control/faults").status_code == 200
    stack.answer(GENERAL, ts)
    stack.wait(lambda: "done in" in stack.replies(GENERAL, ts, "card")[0]["text"], "the card says done")
    assert not stack.replies(GENERAL, ts, "failure")


@pytest.mark.parametrize(
    "kind", ["out_of_memory", "busy", "rate_limited", "loading", "cut_stream", "no_done", "error_in_stream"]
)
def test_an_overload_is_nothing_that_the_person_hears_of(stack: Stack, kind: str) -> None:
    """Every overload answer and every broken stream is tried again until the answer is whole."""
    stack.act("faults/model", kind=kind, times=1)
    ts = stack.say(LEO, RESEARCH, f"<@U0BOT> {TEXT}")
    stack.answer(RESEARCH, ts)
    assert not stack.replies(RESEARCH, ts, "failure")
    assert len(stack.replies(RESEARCH, ts, "result")) == 1


def test_a_failure_says_what_to_do_and_retry_works_once(stack: Stack) -> None:
    """The failure mentions the person, has a reference and a button; pressed twice it begins one new attempt."""
    stack.act("faults/model", kind="refuse_context", times=1)
    ts = stack.say(ADA, GENERAL, f"<@U0BOT> {TEXT}")
    (failure,) = stack.wait(lambda: stack.replies(GENERAL, ts, "failure"), "the failure")
    assert f"<@{ADA}>" in failure["text"]
    reference = re.search(r"Reference: `(\w{12})`", str(failure["blocks"]))
    assert reference
    press = {"channel": GENERAL, "ts": failure["ts"], "action_id": "retry"}
    stack.act("press", user=LEO, **press)
    stack.wait(
        lambda: [m for m in stack.look("ephemerals", user=LEO)["messages"] if "Only the person" in m["text"]],
        "somebody else is told that it is not theirs",
    )
    stack.act("press", user=ADA, **press)
    stack.act("press", user=ADA, **press)
    stack.answer(GENERAL, ts)
    assert len(stack.replies(GENERAL, ts, "result")) == 1
    assert len(stack.replies(GENERAL, ts, "failure")) == 1


@pytest.mark.parametrize("kind", ["rate_limited", "server_error", "unavailable", "drop_before", "drop_after"])
def test_slack_on_a_bad_day_shows_every_post_once(stack: Stack, kind: str) -> None:
    """Refusals and cut connections, before and after the effect: one card, one result (I4)."""
    stack.act("faults/slack", method="chat.postMessage", kind=kind, times=2, retry_after=1)
    ts = stack.say(MINJI, GENERAL, f"<@U0BOT> {TEXT}")
    stack.answer(GENERAL, ts)
    stack.wait(lambda: "마쳤습니다" in stack.replies(GENERAL, ts, "card")[0]["text"], "the card says done")
    assert [kind_of(reply) for reply in stack.thread(GENERAL, ts)].count("card") == 1
    assert len(stack.replies(GENERAL, ts, "result")) == 1


def test_a_service_gets_its_answer_by_http(stack: Stack) -> None:
    """202 with an id at once, the result by GET, and in Slack too when a channel was named."""
    said = stack.api("POST", "/api/analyses", json={"text": TEXT, "slack_channel": RESEARCH})
    assert said.status_code == 202
    path = said.headers["location"]
    done = stack.wait(
        lambda: (found := stack.api("GET", path).json())["state"] == "done" and found, "the analysis is done"
    )
    assert "lighthouse" in done["result"] or "ship" in done["result"]
    assert (
        stack.api("GET", path, headers={"Authorization": "Bearer another-token-0123456789"}).status_code
        == 404
    )
    stack.wait(
        lambda: [
            m
            for m in stack.look("messages", channel=RESEARCH)["messages"]
            if (m.get("metadata") or {}).get("event_payload", {}).get("job") == said.json()["id"]
        ],
        "the card in the channel",
    )


def test_a_running_analysis_can_be_cancelled(stack: Stack) -> None:
    """DELETE ends it, its stream is closed and the slot at the server is free again."""
    stack.hold_model()
    path = stack.api("POST", "/api/analyses", json={"text": TEXT}).headers["location"]
    stack.wait(lambda: stack.look("model")["in_flight"] == 1, "the call is in flight")
    assert stack.api("DELETE", path).json()["state"] == "cancelled"
    stack.wait(lambda: stack.look("model")["in_flight"] == 0, "the slot is free")
    assert stack.api("GET", path).json()["state"] == "cancelled"


def test_the_cancel_button_frees_the_model_server(stack: Stack) -> None:
    """Pressed by somebody else it does nothing; by the asker it ends the call, and the card says so."""
    stack.hold_model()
    ts = stack.say(ADA, GENERAL, f"<@U0BOT> {TEXT}")
    stack.wait(lambda: stack.look("model")["in_flight"] == 1, "the call is in flight")
    (card,) = stack.wait(lambda: stack.replies(GENERAL, ts, "card"), "the card")
    press = {"channel": GENERAL, "ts": card["ts"], "action_id": "cancel"}
    stack.act("press", user=LEO, **press)
    assert stack.look("model")["in_flight"] == 1
    stack.act("press", user=ADA, **press)
    stack.wait(lambda: stack.look("model")["in_flight"] == 0, "the slot is free")
    stack.wait(
        lambda: "cancelled" in stack.replies(GENERAL, ts, "card")[0]["text"], "the card says cancelled"
    )
    assert not stack.replies(GENERAL, ts, "result")


def test_an_emptied_broker_delays_work_and_loses_none(stack: Stack) -> None:
    """Every message in the broker is gone; the sweep rings again (I7)."""
    url = stack.environment["BROKER_URL"]
    if not url.startswith("redis"):
        pytest.skip("emptying is done with Redis's FLUSHALL; RabbitMQ's part is in the chaos suite")
    stack.stop("prepare", signal.SIGKILL)
    ts = stack.say(ADA, GENERAL, f"<@U0BOT> {TEXT}")
    stack.wait(lambda: stack.replies(GENERAL, ts, "card"), "the card: the request was accepted")
    with redis.Redis.from_url(url) as broker:
        broker.flushall()
    stack.start("prepare", "tasks", "prepare")
    stack.answer(GENERAL, ts)


def test_what_people_write_and_secrets_stay_out_of_the_logs(stack: Stack) -> None:
    """Texts, tokens and the signing secret are in no log of any process (I10)."""
    ts = stack.say(
        ADA, GENERAL, "<@U0BOT> xylophone-marmalade is what I wrote. It is a secret word. Nobody may log it."
    )
    stack.answer(GENERAL, ts)
    logs = stack.logs()
    assert "request.accepted" in logs
    assert '"job_id"' in logs
    for secret in ("xylophone", "lighthouse", stacks.BOT_TOKEN, stacks.SIGNING_SECRET, stacks.API_TOKEN):
        assert secret not in logs


def test_metrics_tell_what_happened(stack: Stack) -> None:
    """Prometheus sees jobs by state, posts and the limit."""
    ts = stack.say(ADA, GENERAL, f"<@U0BOT> {TEXT}")
    stack.answer(GENERAL, ts)
    shown = re.compile(r'threadline_posts\{kind="result",state="shown"\} [1-9]')
    # Slack has a post a moment before it is written down.
    text = stack.wait(
        lambda: shown.search(found := stack.api("GET", "/metrics").text) and found, "the result is counted"
    )
    assert 'threadline_limit{backend="main"} 4.0' in text
    assert re.search(r'threadline_jobs\{error="",origin="mention",state="(done|answered)"\} [1-9]', text)
    assert "threadline_database_up 1.0" in text
