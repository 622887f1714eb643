"""The infer stage: one turn, one call, one outcome, whatever the model server does."""

import json
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa
import structlog

from db import backends, jobs, leases, line, outcomes, passages, preparing, session
from db.jobs import NewStep
from db.models import Backend, Job, Passage, Post, Step, Turn
from db.states import JobState, PostKind, PostState, StepState
from tasks import plan, recipes
from tasks.deliver import structured
from tasks.infer import hold, stage
from tasks.infer.stage import infer, serve
from tasks.recipes import form
from tasks.stopping import GRACE
from tasks.text import document
from tests import fakes
from tests.fakes import (
    LEASE,
    MINUTE,
    NOW,
    SECOND,
    Clock,
    Model,
    a_step,
    accepted,
    do,
    in_line,
    rows,
    set_row,
    the,
)

LOADING = fakes.refuses(
    503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
)
BUSY = fakes.refuses(429, {"error": {"message": "Too many requests"}})
MEMORY = fakes.refuses(500, {"error": {"message": "CUDA out of memory. Tried to allocate 2.00 GiB"}})
REFUSED = fakes.breaks(httpx.ConnectError("refused"))
BROKEN = fakes.refuses(500, {"error": {"message": "Internal Server Error"}})


def run(resources, model: Model) -> Model:
    """One turn with this model."""
    with model.client() as http:
        resources.__dict__["http"] = http
        serve(resources, resources.line.server("main"))
    return model


def backend(resources) -> Backend:
    return the(resources.engine, Backend, "main")


def map_job(resources, parts: int, recipe: str = "summarize", **changes) -> Job:
    job = accepted(resources.engine, recipe=recipe, **changes)
    taken = do(resources.engine, preparing.claim, job.id, NOW, LEASE)
    assert taken is not None
    new = [a_step(kind="map") for _ in range(parts)]
    do(resources.engine, preparing.prepared, job.id, taken.fence, "main", None, new, NOW)
    return job


def test_without_a_turn_nobody_is_asked(resources, bell):
    model = run(resources, Model())
    assert model.asked == []
    assert bell.rung == []


def test_an_answer_becomes_the_result(resources, bell, clock):
    job = in_line(resources.engine)
    clock.move(SECOND)
    model = run(resources, Model(fakes.says("It began ", "late.")))
    assert [call["model"] for call in model.asked] == ["m"]
    assert model.asked[0]["max_tokens"] == 100
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.result, after.truncated) == (JobState.ANSWERED, "It began late.", False)
    assert after.ended_at == NOW + SECOND
    [step] = rows(resources.engine, Step)
    assert (step.state, step.tokens_in, step.tokens_out) == (StepState.DONE, 7, 3)
    assert ("deliver", "slack/C1") in bell.rung


def test_one_bell_serves_turn_after_turn_until_it_is_nobodys(resources, bell):
    made = [in_line(resources.engine) for _ in range(3)]
    model = Model()
    with model.client() as http:
        resources.__dict__["http"] = http
        infer(resources, "main")
    assert {the(resources.engine, Job, job.id).state for job in made} == {JobState.ANSWERED}
    assert ("infer", "main") not in bell.rung


def test_a_process_that_is_to_end_finishes_its_call_and_rings_for_another(resources, bell):
    made = [in_line(resources.engine) for _ in range(2)]

    def answer(call):
        resources.stopping.set()
        return fakes.says("Yes.")(call)

    with Model(otherwise=answer).client() as http:
        resources.__dict__["http"] = http
        infer(resources, "main")
        assert [the(resources.engine, Job, job.id).state for job in made] == [
            JobState.ANSWERED,
            JobState.WAITING,
        ]
        assert bell.rung[-1] == ("infer", "main")
        bell.rung.clear()
        infer(resources, "main")
    assert bell.rung == []
    assert the(resources.engine, Job, made[1].id).state is JobState.WAITING


def test_a_bell_for_a_server_of_other_settings_is_let_pass(resources):
    in_line(resources.engine)
    infer(resources, "gone")
    assert [step.state for step in rows(resources.engine, Step)] == [StepState.WAITING]


def test_a_server_without_usage_is_counted_by_our_own_estimate(resources):
    in_line(resources.engine)
    run(resources, Model(fakes.says("It began late.", usage=None)))
    [step] = rows(resources.engine, Step)
    assert step.tokens_in > 0
    assert step.tokens_out > 0


def test_an_answer_at_its_longest_is_marked(resources):
    job = in_line(resources.engine)
    run(resources, Model(fakes.says("It began", finish="length")))
    assert the(resources.engine, Job, job.id).truncated


@pytest.mark.parametrize("said", ["", "  \n", "\u200b"])
def test_an_empty_answer_is_a_failure_with_words(resources, said):
    job = in_line(resources.engine)
    run(resources, Model(fakes.says(said)))
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.error, after.result) == (JobState.FAILED, "model_silent", None)


@pytest.mark.parametrize(
    ("reply", "trouble"), [(LOADING, "loading"), (BUSY, "busy"), (MEMORY, "out_of_memory"), (REFUSED, "down")]
)
def test_a_server_that_cannot_serve_costs_the_job_nothing(resources, bell, reply, trouble):
    job = in_line(resources.engine)
    run(resources, Model(reply))
    [step] = rows(resources.engine, Step)
    assert (step.state, step.attempts, step.claims) == (StepState.WAITING, 0, 0)
    assert the(resources.engine, Job, job.id).state is JobState.WAITING
    paused = backend(resources)
    assert (paused.trouble, paused.failures, paused.not_before) == (trouble, 1, NOW + SECOND)
    assert ("deliver", "slack/C1") in bell.rung
    # The pause holds for everybody, and ends.
    assert run(resources, Model()).asked == []


def test_pauses_grow_up_to_a_bound(resources, clock):
    in_line(resources.engine)
    pauses = []
    for _ in range(8):
        run(resources, Model(BUSY))
        pauses.append((backend(resources).not_before - clock.now).total_seconds())
        clock.now = backend(resources).not_before
    assert pauses == [1, 2, 4, 8, 15, 15, 15, 15]


def test_retry_after_is_honoured(resources):
    in_line(resources.engine)
    run(resources, Model(fakes.refuses(429, {"error": {"message": "slow down"}}, {"retry-after": "40"})))
    assert backend(resources).not_before == NOW + 40 * SECOND


def test_news_of_trouble_reach_the_cards_once_and_again_when_it_is_over(resources, clock):
    jobs_in_line = [in_line(resources.engine) for _ in range(2)]

    def shown() -> None:
        for card in rows(resources.engine, Post, kind=PostKind.CARD):
            set_row(resources.engine, Post, card.id, state=PostState.SHOWN)

    def wanted() -> set[str]:
        return {
            card.job_id for card in rows(resources.engine, Post, kind=PostKind.CARD, state=PostState.WANTED)
        }

    shown()
    run(resources, Model(REFUSED))
    assert wanted() == {job.id for job in jobs_in_line}
    shown()
    clock.now = backend(resources).not_before
    run(resources, Model(REFUSED))
    assert wanted() == {jobs_in_line[0].id}
    shown()
    clock.now = backend(resources).not_before
    run(resources, Model(fakes.says("Yes.")))
    assert wanted() == {job.id for job in jobs_in_line}
    assert (backend(resources).trouble, backend(resources).failures) == (None, 0)


def test_a_broken_answer_is_tried_three_times(resources, clock):
    job = in_line(resources.engine)
    for attempt in (1, 2):
        run(resources, Model(BROKEN))
        [step] = rows(resources.engine, Step)
        assert (step.state, step.attempts) == (StepState.WAITING, attempt)
        assert step.not_before == clock.now + stage.AFTER_BROKEN
        clock.now = step.not_before
    run(resources, Model(BROKEN))
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.error, after.error_params) == (
        JobState.FAILED,
        "model_broken",
        {"attempts": 3},
    )
    assert backend(resources).trouble is None


def test_a_stream_that_breaks_off_is_broken(resources):
    in_line(resources.engine)
    run(resources, Model(fakes.streams(fakes.Stream([next(fakes.streamed("It began"))]))))
    [step] = rows(resources.engine, Step)
    assert (step.state, step.attempts, step.answer) == (StepState.WAITING, 1, "")


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (fakes.refuses(400, {"error": {"message": "maximum context length is 8 tokens"}}), "context"),
        (fakes.refuses(422, {"error": {"message": "temperature must be positive"}}), "model_refused"),
    ],
)
def test_what_another_try_will_not_mend_fails_at_once(resources, reply, code):
    job = in_line(resources.engine, steps=2)
    run(resources, Model(reply))
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.error) == (JobState.FAILED, code)
    assert after.error_params["detail"]
    assert {step.state for step in rows(resources.engine, Step)} == {StepState.CANCELLED}
    assert backend(resources).trouble is None


@pytest.mark.parametrize("status", [401, 403, 404, 405, 301])
def test_wrong_settings_cost_no_request_its_place(resources, clock: Clock, status: int):
    """One line for the operators, one on the card; the next call finds out whether it is mended."""
    job = in_line(resources.engine, steps=2)
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            run(resources, Model(fakes.refuses(status, {"error": {"message": "no"}})))
            clock.move(3 * SECOND)
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["backend.trouble"]
    assert (backend(resources).trouble, backend(resources).failures) == ("settings", 2)
    assert the(resources.engine, Job, job.id).state is JobState.WAITING
    assert {(step.state, step.attempts) for step in rows(resources.engine, Step)} == {(StepState.WAITING, 0)}
    run(resources, Model())
    assert backend(resources).trouble is None


def test_the_first_word_closes_the_circuit_and_not_the_last(resources):
    in_line(resources.engine, steps=2)
    do(resources.engine, backends.pause, "main", "down", NOW - MINUTE, None, SECOND)
    seen = []

    def chunks():
        for chunk in fakes.streamed("one ", "two "):
            row = backend(resources)
            most = backends.most_in_flight(row.limit, row.trouble, row.failures)
            seen.append((row.trouble, most))
            yield chunk

    run(resources, Model(fakes.streams(fakes.Stream(chunks()))))
    assert seen[0] == ("down", 1)
    assert seen[1] == (None, 4)


def test_an_answer_in_one_piece_closes_the_circuit_too(resources):
    """A server that does not stream has no first word before the last."""
    in_line(resources.engine)
    do(resources.engine, backends.pause, "main", "down", NOW - MINUTE, None, SECOND)
    whole = {"choices": [{"index": 0, "message": {"content": "Yes."}, "finish_reason": "stop"}]}
    run(resources, Model(lambda _call: httpx.Response(200, json=whole)))
    assert (backend(resources).trouble, backend(resources).failures) == (None, 0)


def test_a_job_cancelled_while_the_model_writes_closes_the_stream(resources, clock: Clock):
    job = in_line(resources.engine)

    def chunks():
        body = fakes.streamed(*["word "] * 50)
        yield next(body)
        clock.move(hold.HEARTBEAT)
        yield next(body)
        [step] = rows(resources.engine, Step)
        assert step.answer == "word word "
        assert step.lease_until == clock.now + hold.LEASE
        do(resources.engine, outcomes.cancel, job.id, clock.now)
        # Long before the next heartbeat.
        clock.move(hold.LOOK)
        yield from body

    stream = fakes.Stream(chunks())
    run(resources, Model(fakes.streams(stream)))
    assert stream.closed
    # Of more than fifty chunks.
    assert stream.read <= 3
    [step] = rows(resources.engine, Step)
    assert step.state is StepState.CANCELLED
    assert the(resources.engine, Job, job.id).state is JobState.CANCELLED
    assert [post.kind for post in rows(resources.engine, Post)] == [PostKind.CARD]


def test_a_step_lost_to_another_worker_is_left_to_it(resources, clock: Clock):
    in_line(resources.engine)
    taken = []

    def chunks():
        body = fakes.streamed(*["word "] * 50)
        yield next(body)
        clock.move(2 * hold.LEASE)
        do(resources.engine, leases.free_dead, clock.now, 3)
        taken.append(do(resources.engine, line.claim, "main", clock.now, LEASE))
        yield from body

    stream = fakes.Stream(chunks())
    run(resources, Model(fakes.streams(stream)))
    assert stream.closed
    # Of more than fifty chunks.
    assert stream.read <= 3
    [step] = rows(resources.engine, Step)
    assert (step.state, step.fence) == (StepState.RUNNING, taken[0].fence)
    assert do(resources.engine, leases.renew, taken[0], "mine", 1, clock.now, LEASE)


def test_the_answers_of_a_long_text_are_joined(resources):
    job = map_job(resources, parts=3)
    for answer in ("a", "b", "c"):
        run(resources, Model(fakes.says(answer)))
    reduce = rows(resources.engine, Step)[-1]
    assert (reduce.level, reduce.kind, reduce.state) == (1, "reduce", StepState.WAITING)
    asked = reduce.messages[1]["content"]
    assert asked.index("[1]\na") < asked.index("[2]\nb") < asked.index("[3]\nc")
    assert the(resources.engine, Job, job.id).state is JobState.RUNNING
    run(resources, Model(fakes.says("all")))
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.result) == (JobState.ANSWERED, "all")


def test_joins_go_on_over_several_levels(resources, bell):
    resources.settings = fakes.settings(llm_context=1024)
    job = map_job(resources, parts=6)
    long_answer = "The meeting began late and ended early. " * 15
    levels = []
    for _ in range(40):
        waiting = rows(resources.engine, Step, state=StepState.WAITING)
        if not waiting:
            break
        levels.append(waiting[0].level)
        bell.rung.clear()
        run(resources, Model(fakes.says(long_answer)))
        left = rows(resources.engine, Step, state=StepState.WAITING)
        began = len(left) if left and left[0].level > waiting[0].level else 0
        # The first of a new level is for whoever made it possible.
        assert bell.rung.count(("infer", "main")) == max(0, began - 1)
    after = the(resources.engine, Job, job.id)
    assert after.state is JobState.ANSWERED
    assert max(levels) >= 2
    assert levels == sorted(levels)


def test_the_parts_of_a_translation_are_put_one_after_another(resources):
    job = map_job(resources, parts=3, recipe="translate")
    for answer in ("하나", "둘", "셋"):
        run(resources, Model(fakes.says(answer)))
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.result) == (JobState.ANSWERED, "하나\n\n둘\n\n셋")
    assert len(rows(resources.engine, Step)) == 3


def test_a_recipe_that_is_gone_ends_the_job_with_the_names_of_others(resources):
    job = in_line(resources.engine, recipe="summarise-old")
    run(resources, Model())
    after = the(resources.engine, Job, job.id)
    assert (after.error, after.error_params["word"]) == ("unknown_recipe", "summarise-old")
    assert "summarize" in after.error_params["recipes"]


def test_a_context_made_too_small_ends_the_job_and_loses_no_time(resources):
    job = map_job(resources, parts=2)
    resources.settings = fakes.settings().model_copy(update={"llm_context": 300})
    for _ in range(2):
        run(resources, Model(fakes.says("a")))
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.error, after.error_params["tokens"]) == (JobState.FAILED, "context_small", 300)


def test_a_bug_in_a_call_is_raised_to_the_door_and_the_step_is_freed_by_its_lease(resources, clock):
    job = in_line(resources.engine)
    with pytest.raises(ZeroDivisionError):
        run(resources, Model(fakes.breaks(ZeroDivisionError())))
    do(resources.engine, leases.free_dead, clock.now + hold.LEASE, 3)
    assert the(resources.engine, Job, job.id).state is JobState.WAITING


def test_a_heartbeat_comes_well_before_the_lease_ends():
    # Two may be missed (DESIGN section 5).
    assert 2 * hold.HEARTBEAT < hold.LEASE
    assert timedelta(0) < stage.AFTER_BROKEN


@pytest.mark.parametrize("missed", [1, 2])
def test_a_call_outlives_one_missed_renewal_and_not_two(resources, clock: Clock, tmp_path, missed):
    job = in_line(resources.engine)
    engine, away = resources.heartbeats, session.connect(f"sqlite:///{tmp_path / 'away.db'}")

    def chunks():
        body = fakes.streamed(*["word "] * 5)
        yield next(body)
        resources.__dict__["heartbeats"] = away
        for _ in range(missed):
            clock.move(hold.HEARTBEAT)
            yield next(body)
        resources.__dict__["heartbeats"] = engine
        yield from body

    stream = fakes.Stream(chunks())
    run(resources, Model(fakes.streams(stream)))
    if missed == 1:
        assert the(engine, Job, job.id).state is JobState.ANSWERED
    else:
        assert stream.closed
        assert stream.read == 1 + missed
        assert the(engine, Job, job.id).state is JobState.WAITING
    away.dispose()


def test_a_renewal_that_a_frozen_database_confirmed_too_late_is_none(resources, clock: Clock):
    """It answers as of the time when it was asked; by now the slot may be somebody else's (I5)."""
    in_line(resources.engine)
    frozen = session.connect(resources.engine.url.render_as_string(hide_password=False))

    @sa.event.listens_for(frozen, "commit")
    def _freeze(_connection: sa.Connection) -> None:
        clock.move(LEASE)

    def chunks():
        body = fakes.streamed(*["word "] * 5)
        yield next(body)
        resources.__dict__["heartbeats"] = frozen
        clock.move(hold.HEARTBEAT)
        yield from body

    stream = fakes.Stream(chunks())
    run(resources, Model(fakes.streams(stream)))
    assert (stream.read, stream.closed) == (2, True)
    frozen.dispose()


@pytest.mark.parametrize("told", ["once", "twice"])
def test_a_call_that_outlasts_the_grace_of_a_process_that_is_to_end_is_given_back(
    resources, bell, clock: Clock, told: str
):
    """Its stream is closed, its step is first in line again, no attempt or claim is used, and a bell rings."""
    job = in_line(resources.engine)

    def chunks():
        body = fakes.streamed(*["word "] * 9)
        yield next(body)
        resources.stopping.set()
        yield next(body)
        if told == "twice":
            resources.stopping.set()
        else:
            clock.move(GRACE - SECOND)
            yield next(body)
            clock.move(SECOND)
        yield from body

    stream = fakes.Stream(chunks())
    with Model(fakes.streams(stream)).client() as http:
        resources.__dict__["http"] = http
        infer(resources, "main")
    assert (stream.read, stream.closed) == (3 if told == "twice" else 4, True)
    [step] = rows(resources.engine, Step)
    assert (step.state, step.attempts, step.claims, step.answer) == (StepState.WAITING, 0, 0, "")
    assert the(resources.engine, Job, job.id).state is JobState.WAITING
    assert bell.rung.count(("infer", "main")) == 1
    assert do(resources.engine, line.claim, "main", clock.now, LEASE) is not None


def test_a_call_is_watched_while_it_runs_and_not_before_or_after(resources):
    """A process that freezes in the middle is ended (decision 0017); one that waits for bells is not."""
    in_line(resources.engine)
    held = []

    def reply(call):
        held.append(resources.deadman.held())
        return fakes.says("Done.")(call)

    run(resources, Model(reply))
    assert held == [1]
    assert resources.deadman.held() == 0


def test_a_claim_that_took_as_long_as_its_lease_asks_nobody(resources, clock, monkeypatch):
    """Its slot is about to be another's: the step goes back to the line, with no attempt used."""
    in_line(resources.engine)
    claim = line.claim

    def slow(*given):
        taken = claim(*given)
        clock.move(hold.LEASE - SECOND)
        return taken

    monkeypatch.setattr(line, "claim", slow)
    model = run(resources, Model())
    assert model.asked == []
    [step] = rows(resources.engine, Step)
    assert (step.state, step.attempts) == ("waiting", 0)


# Answers in JSON


def labelled(*labels: str) -> fakes.Reply:
    """A model that labels the items of its call."""
    said = [{form.ROW: row, "label": label, "sure": "high"} for row, label in enumerate(labels, 1)]
    return fakes.says(json.dumps({"items": said}, ensure_ascii=False))


def items_job(resources, *sizes: int, **changes) -> Job:
    """A job to classify, with a call for each of `sizes` items."""
    job = accepted(resources.engine, recipe="classify", **changes)
    taken = do(resources.engine, preparing.claim, job.id, NOW, LEASE)
    steps = [a_step(kind="items", items=size) for size in sizes]
    do(resources.engine, preparing.prepared, job.id, taken.fence, "main", "a, b", steps, NOW)
    return job


def test_a_server_is_asked_to_hold_the_model_to_the_form(resources):
    """llama.cpp and vLLM take the schema as response_format; recipes without a form send none."""
    items_job(resources, 2)
    model = run(resources, Model(labelled("a", "b")))
    sent = model.asked[0]["response_format"]["json_schema"]["schema"]
    assert sent == form.of_items(form.of(recipes.load().get("classify"), "a, b"), 2)
    in_line(resources.engine)
    assert "response_format" not in run(resources, Model()).asked[0]


def test_a_server_that_refuses_the_form_is_asked_without_it_from_then_on(resources):
    """Learned from one 400, in the same turn; the answer is checked all the same."""
    job = items_job(resources, 1, 1)
    refusal = fakes.refuses(400, {"error": {"message": "response_format is not supported"}})
    first = run(resources, Model(refusal, labelled("a")))
    assert ["response_format" in asked for asked in first.asked] == [True, False]
    second = run(resources, Model(labelled("b")))
    assert ["response_format" in asked for asked in second.asked] == [False]
    assert the(resources.engine, Job, job.id).state is JobState.ANSWERED


def test_a_refusal_for_another_reason_teaches_nothing_about_the_form(resources):
    items_job(resources, 1)
    model = run(resources, Model(otherwise=fakes.refuses(400, {"error": {"message": "bad temperature"}})))
    assert len(model.asked) == 2
    assert resources.without_forms == set()


def test_the_answers_of_all_calls_become_one_result_in_order(resources):
    job = items_job(resources, 2, 1)
    run(resources, Model(labelled("a", "b")))
    run(resources, Model(labelled("a")))
    after = the(resources.engine, Job, job.id)
    assert after.state is JobState.ANSWERED
    said = json.loads(after.result)["items"]
    assert [(each["row"], each["answer"]["label"]) for each in said] == [(1, "a"), (2, "b"), (3, "a")]


def test_a_broken_answer_is_asked_for_once_more_with_what_is_wrong(resources, bell):
    """One repair call, in the step's own place; both calls are charged."""
    job = items_job(resources, 2)
    run(resources, Model(labelled("a", "nonsense")))
    [step] = rows(resources.engine, Step)
    assert (step.state, step.kind, step.answer) == (StepState.WAITING, "repair", "")
    assert the(resources.engine, Job, job.id).state is JobState.WAITING
    [turn] = rows(resources.engine, Turn)
    assert (turn.in_line, turn.service) == (True, 10 + 2 * 3)
    model = run(resources, Model(labelled("a", "b")))
    assert "nonsense" in model.asked[0]["messages"][-2]["content"]
    assert "is not one of ['a', 'b']" in model.asked[0]["messages"][-1]["content"]
    assert the(resources.engine, Job, job.id).state is JobState.ANSWERED
    [turn] = rows(resources.engine, Turn)
    assert turn.service > 16


def test_an_answer_that_breaks_its_form_twice_ends_the_job_with_what_there_is(resources):
    job = accepted(resources.engine, recipe="action-items")
    taken = do(resources.engine, preparing.claim, job.id, NOW, LEASE)
    recipe = resources.recipes.get("action-items")
    [spec] = plan.first_steps(recipe, [document.bare("Jane sends it.")], None, 8192)
    step = NewStep(temperature=0, **vars(spec))
    do(resources.engine, preparing.prepared, job.id, taken.fence, "main", None, [step], NOW)
    run(resources, Model(fakes.says("Jane sends it.")))
    run(resources, Model(fakes.says("Jane sends it, I said.")))
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.error) == (JobState.FAILED, "bad_form")
    assert after.result == "Jane sends it, I said."
    again = do(resources.engine, jobs.retry, job.id, 1, NOW, MINUTE)
    assert again.result is None


@pytest.mark.parametrize("recipe", ["sentiment", "action-items"])
def test_what_was_planned_before_its_recipe_had_a_form_is_answered_in_words(resources, recipe):
    """As the version before left it in line at an upgrade: no plan, no items, and instructions for a text."""
    old = [
        {"role": "system", "content": "List the action items of the text, one line each."},
        {"role": "user", "content": "<text>\nJane sends it.\n</text>"},
    ]
    job = accepted(resources.engine, recipe=recipe)
    taken = do(resources.engine, preparing.claim, job.id, NOW, LEASE)
    do(resources.engine, preparing.prepared, job.id, taken.fence, "main", None, [a_step(messages=old)], NOW)
    model = run(resources, Model(fakes.says("- **Jane**: sends it")))
    assert "response_format" not in model.asked[0]
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.result) == (JobState.ANSWERED, "- **Jane**: sends it")
    assert structured.read(after, resources.recipes.get(recipe), []) is None


@pytest.mark.parametrize("recipe", ["sentiment", "action-items"])
def test_parts_that_were_planned_before_their_recipe_had_a_form_are_joined_in_words(resources, recipe):
    job = map_job(resources, 2, recipe)
    for answer in ("- Jane: the draft", "- Tom: the review", "- Jane: the draft\n- Tom: the review"):
        model = run(resources, Model(fakes.says(answer)))
    assert "Jane: the draft" in model.asked[0]["messages"][1]["content"]
    assert "JSON" not in model.asked[0]["messages"][0]["content"]
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.result) == (JobState.ANSWERED, "- Jane: the draft\n- Tom: the review")


def test_items_without_a_usable_answer_do_not_fail_the_others(resources):
    job = items_job(resources, 2)
    for _ in range(2):
        run(resources, Model(labelled("a", "nonsense")))
    after = the(resources.engine, Job, job.id)
    assert after.state is JobState.ANSWERED
    assert [each["answer"] and each["answer"]["label"] for each in json.loads(after.result)["items"]] == [
        "a",
        None,
    ]


def test_no_usable_answer_for_any_item_is_a_failure(resources):
    job = items_job(resources, 1)
    for _ in range(2):
        run(resources, Model(fakes.says("No.")))
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.error, after.result) == (JobState.FAILED, "bad_form", "No.")


def test_a_broken_answer_of_a_cancelled_job_is_not_asked_for_again(resources):
    job = items_job(resources, 1)

    def cancels(call):
        do(resources.engine, outcomes.cancel, job.id, NOW)
        return fakes.says("No.")(call)

    run(resources, Model(cancels))
    assert the(resources.engine, Job, job.id).state is JobState.CANCELLED
    assert [step.state for step in rows(resources.engine, Step)] == [StepState.CANCELLED]


def test_what_a_model_wrote_instead_of_its_form_stays_out_of_the_log(resources):
    """I10: the log says how many problems there were, and not which."""
    items_job(resources, 1)
    with structlog.testing.capture_logs() as logs:
        run(resources, Model(labelled("secret words")))
    assert any(entry["event"] == "step.bad_form" for entry in logs)
    assert "secret" not in str(logs)


def test_an_answer_from_passages_says_where_they_stand(resources):
    """With the page, so that a person can look it up; in the language of the question."""
    job = accepted(resources.engine, recipe="ask")
    taken = do(resources.engine, preparing.claim, job.id, NOW, LEASE)
    plan = {"kind": "passages", "parts": 9, "items": 2, "calls": 1}
    do(resources.engine, preparing.prepared, job.id, taken.fence, "main", "언제?", [a_step()], NOW, plan=plan)
    fields = {"job_id": job.id, "name": "a.pdf", "text": "x", "model": "m", "digest": "", "vector": b""}
    read = [Passage(**fields, ordinal=n, number=n or None, page=n) for n in range(3)]
    do(resources.engine, passages.keep, job.id, read)
    run(resources, Model(fakes.says("5월입니다 [2].")))
    result = the(resources.engine, Job, job.id).result
    assert result == "5월입니다 [2].\n\n**근거 구절**\n\n- [2] a.pdf, 2쪽"
