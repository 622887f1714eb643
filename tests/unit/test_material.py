"""A request's files, links and thread: each is read or told of, and what can be read goes on."""

import re
import tempfile
from datetime import timedelta

import httpx
import pytest

from db import jobs, outcomes, preparing, uploads
from db.models import Job, Post, Step
from db.states import JobState, Origin, PostKind
from tasks import understood
from tasks.deliver import views
from tasks.deliver.views import Scene
from tasks.prepare import hold
from tasks.prepare.hold import Hold, Lost
from tasks.prepare.stage import prepare
from tests import documents
from tests.documents import ENGLISH, KOREAN
from tests.fakes import LEASE, NOW, SECOND, Slack, accepted, do, rows, set_row, the

HOST = "https://files.slack.com/"


@pytest.fixture
def attach(resources, slack: Slack):
    """Files that Slack has; returns them as a job keeps them."""
    contents: dict[str, bytes] = {}

    def page(request: httpx.Request) -> httpx.Response:
        # The model server is asked there too, for its tokenizer: it has none.
        content = contents.get(request.url.path[1:])
        return httpx.Response(404) if content is None else httpx.Response(200, content=content)

    resources.__dict__["http"] = httpx.Client(transport=httpx.MockTransport(page))

    def attached(**files: tuple[str, bytes]) -> list[dict[str, str]]:
        for key, (name, content) in files.items():
            contents[key] = content
            told = {"id": key, "name": name, "size": len(content), "url_private": HOST + key}
            slack.files[key] = told
        return [{"id": key, "name": name} for key, (name, _) in files.items()]

    return attached


def asked(resources) -> str:
    return "".join(step.messages[1]["content"] for step in rows(resources.engine, Step))


def card(resources, job: Job, language: str = "en") -> str:
    row = the(resources.engine, Job, job.id)
    return views.card(language, row, "summarize", Scene(0, 1, None), {}).text


def test_a_file_alone_is_a_request(resources, attach):
    job = accepted(resources.engine, text="", files=attach(F1=("a.txt", KOREAN.encode("cp949"))))
    prepare(resources, job.id)
    assert asked(resources) == f"<text>\n{KOREAN}\n</text>"


def test_words_beside_a_file_are_what_is_asked_of_it(resources, attach):
    job = accepted(resources.engine, text="Only the costs.", files=attach(F1=("a.txt", ENGLISH.encode())))
    prepare(resources, job.id)
    assert asked(resources) == f"Request: Only the costs.\n\n<text>\n{ENGLISH}\n</text>"


def test_a_long_text_beside_a_file_is_one_more_document(resources, attach):
    long = "The first line.\n" + "More of the text. " * 100
    job = accepted(resources.engine, text=long, files=attach(F1=("a.txt", ENGLISH.encode())))
    prepare(resources, job.id)
    assert asked(resources).count("More of the text.") == 100
    assert f"# a.txt\n\n{ENGLISH}" in asked(resources)


def test_labels_beside_a_file_end_with_their_line(resources, attach):
    """As without a file. A file without rows beside one with rows is an item, too."""
    files = attach(F1=("a.csv", b"what\nlate\nfine\n"), F2=("b.txt", b"It came late."))
    job = accepted(resources.engine, recipe="classify", text="good, bad\nMind the tone.", files=files)
    prepare(resources, job.id)
    assert the(resources.engine, Job, job.id).question == "good, bad"
    assert "[1] late\n\n[2] fine\n\n[3] b.txt\nIt came late." in asked(resources)


def test_two_files_to_compare_stand_each_under_its_name(resources, attach):
    files = attach(F1=("old.txt", b"Costs are 40."), F2=("new.csv", b"cost,now\n50,yes\n"))
    prepare(resources, accepted(resources.engine, recipe="ask", text="What changed?", files=files).id)
    assert asked(resources).startswith("Question: What changed?")
    assert "## old.txt\n\nCosts are 40.\n\n## new.csv\n\n| cost | now |" in asked(resources)


def test_what_cannot_be_read_is_told_and_the_rest_goes_on(resources, attach):
    files = attach(F1=("a<b>.exe", b"MZ\x90\x00\x00\x00"), F2=("b.txt", ENGLISH.encode()))
    job = accepted(resources.engine, files=[*files, {"id": "F9", "name": "gone.pdf"}], text="")
    prepare(resources, job.id)
    assert ENGLISH in asked(resources)
    said = card(resources, job)
    assert "b.txt: 53 characters, English." in said
    assert "a&lt;b&gt;.exe is of a kind that I cannot read. Send it as PDF" in said
    assert "gone.pdf was deleted" in said
    assert "gone.pdf: 지워졌거나" in card(resources, job, "ko")


def test_nothing_that_can_be_read_is_a_failure_that_names_each_file(resources, attach):
    files = attach(F1=("a.pdf", b"%PDF-1.7 x"), F2=("b.docx", documents.docx("")))
    job = accepted(resources.engine, text="Compare.", files=files)
    prepare(resources, job.id)
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.error) == (JobState.FAILED, "unread")
    assert PostKind.FAILURE in {post.kind for post in rows(resources.engine, Post)}
    for language, words in (("en", "a.pdf is damaged"), ("ko", "a.pdf: 손상되어")):
        assert words in views.failure(language, after, "summarize").text + str(
            views.failure(language, after, "summarize").blocks
        )
        assert "b.docx" in understood.reason(language, after)


def test_the_files_of_a_thread_come_with_it(resources, slack: Slack, attach):
    """Marked where they were attached; our own charts are no input, our answers in full are."""
    slack.names |= {"UANNA": "Anna", "UBOB99": "Bob"}
    attach(F1=("a.txt", ENGLISH.encode()), F2=("chart.png", b"x"), F3=("answer-1.md", b"An earlier answer."))
    for ts, user, text, key, name in (
        ("1.0", "UANNA", "Look at this:", "F1", "a.txt"),
        ("2.0", "UBOT", "", "F2", "chart.png"),
        ("3.0", "UBOT", "", "F3", "answer-1.md"),
        ("4.0", "UBOB99", "Fine by me.", None, ""),
    ):
        files = [{"id": key, "name": name}] if key else []
        slack.messages.append(
            {"channel": "C1", "user": user, "text": text, "ts": ts, "thread_ts": "1.0", "files": files}
        )
    job = accepted(resources.engine, thread_ts="1.0", material_ts="1.0", message_ts="9.0", text="")
    prepare(resources, job.id)
    text = asked(resources)
    assert "Anna: Look at this:\n[a.txt]" in text
    assert "Bob: Fine by me." in text
    assert f"# a.txt\n\n{ENGLISH}" in text
    assert "An earlier answer." in text
    assert "chart.png" not in text


def by_command(resources, **changes) -> Job:
    """A command that was answered under its card, and the card's thread."""
    job = accepted(resources.engine, origin=Origin.COMMAND, text="The ship came on a Sunday.", **changes)
    set_row(resources.engine, Job, job.id, state=JobState.DONE, thread_ts="1.0")
    return job


@pytest.mark.parametrize(("requester", "knows"), [("UANNA", True), ("UBOB", False)])
def test_what_a_command_was_about_is_known_to_its_writer_alone(
    resources, slack: Slack, attach, requester, knows
):
    """Nobody else saw it in Slack; files of its form come with it."""
    by_command(resources, files=attach(F1=("a.txt", ENGLISH.encode())))
    result = {"event_type": "threadline_post", "event_payload": {"kind": "result"}}
    slack.messages.append(
        {
            "channel": "C1",
            "user": "UBOT",
            "text": "A ship came.",
            "ts": "2.0",
            "thread_ts": "1.0",
            "metadata": result,
        }
    )
    job = accepted(
        resources.engine, requester=requester, recipe="ask", text="When?", thread_ts="1.0", material_ts="1.0"
    )
    prepare(resources, job.id)
    text = asked(resources)
    assert "A ship came." in text
    assert ("uanna: The ship came on a Sunday.\n[a.txt]" in text) is knows
    assert (ENGLISH in text) is knows


def test_a_command_elsewhere_began_another_thread(resources, slack: Slack):
    by_command(resources, channel="C2")
    by_command(resources, team="T2")
    slack.messages.append(
        {"channel": "C1", "user": "UBOB", "text": "Hello.", "ts": "2.0", "thread_ts": "1.0"}
    )
    job = accepted(resources.engine, recipe="ask", text="When?", thread_ts="1.0", material_ts="1.0")
    prepare(resources, job.id)
    assert "Sunday" not in asked(resources)


def test_a_zip_is_its_files(resources, attach):
    content = documents.zipped(
        ("b/a.txt", ENGLISH), ("c.zip", documents.zipped(("x", "y"))), ("d.html", documents.PAGE)
    )
    job = accepted(resources.engine, text="", files=attach(F1=("all.zip", content)))
    prepare(resources, job.id)
    assert "# all.zip/a.txt" in asked(resources)
    assert KOREAN in asked(resources)
    assert "all.zip/c.zip is an archive inside an archive" in card(resources, job)


def test_more_files_than_are_read_are_told_with_both_numbers(resources, attach):
    files = attach(**{f"F{n}": (f"{n}.txt", b"words") for n in range(21)})
    job = accepted(resources.engine, text="", files=files)
    prepare(resources, job.id)
    [left] = [row for row in the(resources.engine, Job, job.id).understood if "problem" in row]
    assert (left["name"], left["params"]) == ("20.txt", {"found": "21", "limit": "20"})


def test_what_was_left_out_is_told_also_beside_many_files(resources, attach):
    """The card has eight lines; a file that could not be read is in one of them."""
    files = attach(**{f"F{n}": (f"{n}.txt", b"words") for n in range(9)}, F9=("bad.pdf", b"%PDF-1.7 x"))
    job = accepted(resources.engine, text="", files=files)
    prepare(resources, job.id)
    told = understood.lines("en", the(resources.engine, Job, job.id))
    assert "bad.pdf is damaged" in told[0] or "bad.pdf could not be read" in told[0]
    assert told[-1] == "… and 2 more."


def test_files_by_http_are_read_from_their_rows(resources):
    job = accepted(resources.engine, origin=Origin.API, channel=None, text="")
    do(
        resources.engine,
        uploads.keep,
        job.id,
        [("표.csv", "이름,값\n예산,300\n".encode("cp949")), ("b.pdf", documents.pdf(2))],
    )
    prepare(resources, job.id)
    assert "# 표.csv\n\n| 이름 | 값 |" in asked(resources)
    lines = understood.lines("ko", the(resources.engine, Job, job.id))
    assert re.search(r"표.csv: 1행, \d+자, 한국어", lines[0])
    assert re.search(r"b.pdf: 2쪽, \d+자\.", lines[1])


def test_a_long_document_says_in_how_many_parts_it_is_read(resources, attach):
    job = accepted(resources.engine, text="", files=attach(F1=("a.txt", (ENGLISH * 2000).encode())))
    prepare(resources, job.id)
    steps = len(rows(resources.engine, Step))
    assert f"a.txt: 106,000 characters, English, {steps} parts." in card(resources, job)


@pytest.mark.parametrize(
    ("text", "english", "korean"),
    [
        ("会議は午後三時に始まります。資料をご確認ください。", "characters, Japanese.", "자, 일본어."),
        ("Die Sitzung beginnt um drei und wird nicht lange dauern.", "characters, German.", "자, 독일어."),
        ("Пропуск нужен всем.", "characters, Russian.", "자, 러시아어."),
        ("2024 2025 2026", "14 characters.", "14자."),
    ],
)
def test_each_file_has_its_own_language(resources, attach, text, english, korean):
    """Beside another in Korean; of figures alone none is told."""
    files = attach(F1=("a.txt", text.encode()), F2=("b.txt", KOREAN.encode()))
    job = accepted(resources.engine, text="", files=files)
    prepare(resources, job.id)
    row = the(resources.engine, Job, job.id)
    told, other = understood.lines("en", row)
    assert told.endswith(english)
    assert other.endswith("characters, Korean.")
    assert understood.lines("ko", row)[0].endswith(korean)


def test_nothing_of_a_file_stays_on_the_disk(resources, attach, tmp_path, monkeypatch):
    """Neither of what was read nor of what could not be."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "here"))
    (tmp_path / "here").mkdir()
    content = documents.zipped(("a.txt", ENGLISH), ("b.pdf", b"%PDF-1.7 x"))
    prepare(resources, accepted(resources.engine, text="", files=attach(F1=("all.zip", content))).id)
    assert ENGLISH in asked(resources)
    assert list((tmp_path / "here").iterdir()) == []


# Links

LINK = "<https://acme.slack.com/archives/C2/p1700000000000100>"


def linked(slack: Slack, channel: str = "C2") -> None:
    slack.names |= {"UANNA": "Anna", "UBOB99": "Bob"}
    for user, ts, text in (
        ("UANNA", "1700000000.000100", "Ship it?"),
        ("UBOB99", "1700000000.000200", "Yes."),
    ):
        said = {"channel": channel, "user": user, "text": text, "ts": ts, "thread_ts": "1700000000.000100"}
        slack.messages.append(said)


def test_a_link_to_a_thread_is_read(resources, slack: Slack):
    linked(slack)
    slack.members["C2"] = ["UOTHER", "UANNA"]
    job = accepted(resources.engine, text=f"Who agreed? {LINK}", recipe="ask")
    prepare(resources, job.id)
    assert asked(resources) == "Question: Who agreed?\n\n<text>\nAnna: Ship it?\n\nBob: Yes.\n</text>"
    assert "The messages: 25 characters, English." in card(resources, job)


def test_a_link_to_a_reply_is_that_message(resources, slack: Slack):
    linked(slack)
    slack.members["C2"] = ["UANNA"]
    reply = "https://acme.slack.com/archives/C2/p1700000000000200?thread_ts=1700000000.000100&cid=C2"
    prepare(resources, accepted(resources.engine, text=f"<{reply}>").id)
    assert asked(resources) == "<text>\nYes.\n</text>"


def test_nobody_reads_through_us_what_they_cannot_see(resources, slack: Slack):
    """We are in the channel, the person is not."""
    linked(slack)
    slack.members["C2"] = ["UOTHER", "UBOT"]
    job = accepted(resources.engine, text=LINK)
    prepare(resources, job.id)
    after = the(resources.engine, Job, job.id)
    assert after.error == "unread"
    assert "you are not in the channel" in understood.reason("en", after)
    assert slack.called("conversations_replies") == []


def test_a_link_within_the_same_channel_needs_no_look_at_its_members(resources, slack: Slack):
    linked(slack, "C1")
    prepare(resources, accepted(resources.engine, text=LINK.replace("C2", "C1")).id)
    assert "Bob: Yes." in asked(resources)
    assert slack.called("conversations_members") == []


def test_links_that_come_by_http_are_words(resources, slack: Slack):
    link = "<https://acme.slack.com/archives/C2/general>"
    job = accepted(resources.engine, origin=Origin.API, channel=None, text=f"See {link} for it.")
    prepare(resources, job.id)
    assert f"See {link} for it." in asked(resources)
    assert slack.calls == []


# The claim


def test_a_claim_is_renewed_while_files_are_read(resources, clock):
    job = accepted(resources.engine)
    taken = do(resources.engine, preparing.claim, job.id, NOW, LEASE)
    held = Hold(resources, taken)
    clock.move(hold.HEARTBEAT)
    held.keep()
    assert the(resources.engine, Job, job.id).lease_until == NOW + hold.HEARTBEAT + hold.LEASE


def test_a_claim_that_another_worker_has_is_lost(resources, clock, attach):
    """Also when that is noticed in the middle of a file: nothing is written (I6)."""
    job = accepted(resources.engine, text="", files=attach(F1=("a.txt", ENGLISH.encode())))
    tell = resources.slack.files_info

    def slow(**asked):
        clock.move(hold.LEASE + SECOND)
        assert do(resources.engine, preparing.claim, job.id, clock.now, timedelta(hours=1)) is not None
        return tell(**asked)

    resources.slack.files_info = slow
    prepare(resources, job.id)
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.fence, rows(resources.engine, Step)) == (JobState.PREPARING, 2, [])


def test_a_job_that_was_cancelled_is_no_longer_held(resources, clock):
    job = accepted(resources.engine)
    taken = do(resources.engine, preparing.claim, job.id, NOW, LEASE)
    held = Hold(resources, taken)
    do(resources.engine, outcomes.cancel, job.id, NOW)
    clock.move(hold.HEARTBEAT)
    with pytest.raises(Lost):
        held.keep()


def test_all_files_together_have_a_limit(resources):
    job = accepted(resources.engine)
    at = [0.0]
    held = Hold(resources, job, lambda: at[0])
    assert held.left() == hold.WITHIN.total_seconds()
    at[0] = hold.WITHIN.total_seconds() + 1
    assert held.left() < 0


def test_what_a_retry_understood_is_its_own(resources, attach):
    job = accepted(resources.engine, text="", files=[{"id": "F9", "name": "gone.pdf"}])
    prepare(resources, job.id)
    set_row(resources.engine, Job, job.id, state=JobState.FAILED)
    assert do(resources.engine, jobs.retry, job.id, 1, NOW, LEASE) is not None
    assert the(resources.engine, Job, job.id).understood is None
