"""Files of every kind, made by other programs, attached in Slack or sent by HTTP, through the whole product."""

import pathlib

import pytest

from tests import documents, services
from tests.acceptance.stack import ADA, GENERAL, MINJI, RESEARCH, Stack
from tests.documents import ENGLISH, KOREAN, PAGE

pytestmark = pytest.mark.timeout(300)

# The built-in model quotes sentences of its text; asked to, it says all of it again.
WORDS = ("harbour opens at nine", "이 퍼센트 줄었다")
TABLE = "이름,메모\n김민지,항구는 아홉 시에 문을 연다\n박철수,Costs fell by two percent\n"
SCAN = f"<meta charset=utf-8><body style='font:32px Noto Sans CJK KR'><p>{ENGLISH}</p><p>{KOREAN}</p>"


def echoed(stack: Stack, name: str, content: bytes) -> str:
    """What the model was given of a file in a message without words, and said again."""
    stack.act("model", answer="echo")
    ts = stack.say(ADA, "D0ADA", "", files=[stack.attach(ADA, name, content)])
    answer = stack.answer("D0ADA", ts)
    return str(answer["blocks"])


def card(stack: Stack, channel: str, ts: str) -> str:
    """The card once it is about what was sent, with the marks in its text."""

    def told() -> list[str]:
        texts = [str(reply["text"]) for reply in stack.replies(channel, ts, "card")]
        return [text for text in texts if ":page_facing_up:" in text]

    return str(stack.wait(told, "the card with the files")[0])


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The same page as LibreOffice and the browser save it."""
    folder: pathlib.Path = tmp_path_factory.mktemp("office")
    made = documents.by_office
    return {
        "a.docx": made(folder, "a.html", PAGE, "docx:MS Word 2007 XML", "--writer"),
        "a.pdf": made(folder, "b.html", PAGE, "pdf:writer_web_pdf_Export"),
        "a.xlsx": made(folder, "a.csv", TABLE, "xlsx", "--infilter=CSV:44,34,76,1"),
        "a.pptx": made(folder, "a.fodp", SLIDES, "pptx"),
        "page.pdf": documents.by_chromium(folder, PAGE, "--print-to-pdf"),
        "screen.png": documents.by_chromium(folder, SCAN, "--screenshot"),
    }


SLIDES = f"""<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"
 office:version="1.3" office:mimetype="application/vnd.oasis.opendocument.presentation">
 <office:body><office:presentation>
 <draw:page draw:name="1"><draw:frame svg:width="20cm" svg:height="5cm" svg:x="1cm" svg:y="1cm"><draw:text-box>
 <text:p>{ENGLISH}</text:p></draw:text-box></draw:frame></draw:page>
 <draw:page draw:name="2"><draw:frame svg:width="20cm" svg:height="5cm" svg:x="1cm" svg:y="1cm"><draw:text-box>
 <text:p>{KOREAN}</text:p></draw:text-box></draw:frame></draw:page>
 </office:presentation></office:body></office:document>"""


@pytest.mark.parametrize("name", ["a.docx", "a.pdf", "a.xlsx", "a.pptx", "page.pdf"])
def test_files_that_other_programs_made(stack: Stack, office: dict[str, bytes], name: str) -> None:
    """Both languages arrive at the model, in order."""
    text = echoed(stack, name, office[name])
    assert "이 퍼센트 줄었다" in text or name == "a.xlsx"
    assert "two percent" in text
    if name == "a.xlsx":
        assert text.index("김민지") < text.index("박철수")


def test_a_picture_of_text(stack: Stack, office: dict[str, bytes]) -> None:
    """Read by tesseract, in both languages, and said to be."""
    services.need("tesseract-ocr-kor", "tesseract")
    text = echoed(stack, "screen.png", office["screen.png"])
    assert "harbour opens at nine" in text
    assert "퍼센트" in text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", f"{ENGLISH}\n{KOREAN}".encode("cp949")),
        ("a.md", f"# 제목\n\n{ENGLISH}\n\n{KOREAN}".encode()),
        ("a.log", f"12:00 INFO {ENGLISH}\n12:01 INFO {KOREAN}".encode()),
        ("a.json", f'{{"en": "{ENGLISH}", "ko": "{KOREAN}"}}'.encode()),
        ("a.py", f"# {ENGLISH}\n# {KOREAN}\n".encode()),
        ("a.csv", f"en,ko\n{ENGLISH},{KOREAN}\n".encode("utf-16")),
        ("a.tsv", f"en\tko\n{ENGLISH}\t{KOREAN}\n".encode()),
        ("a.html", PAGE.encode()),
        ("a.eml", f"Subject: x\nContent-Type: text/plain; charset=utf-8\n\n{ENGLISH}\n{KOREAN}".encode()),
        ("a.hwpx", documents.hwpx(ENGLISH, KOREAN)),
        ("a.zip", documents.zipped(("a.txt", ENGLISH), ("b.txt", KOREAN))),
        ("lie.pdf", documents.zipped(("a.txt", ENGLISH), ("b.txt", KOREAN))),
    ],
)
def test_files_of_text(stack: Stack, name: str, content: bytes) -> None:
    """Every encoding and every kind of text, and a ZIP also under another name."""
    text = echoed(stack, name, content)
    assert all(words in text for words in WORDS)


def test_a_mention_with_two_files_compares_them(stack: Stack) -> None:
    """The words are the question; the card says what was understood, in the asker's language."""
    files = [
        stack.attach(MINJI, "old.txt", b"The budget is 40,000 euros."),
        stack.attach(MINJI, "new.txt", b"The budget is 50,000 euros."),
    ]
    ts = stack.say(MINJI, GENERAL, "<@U0BOT> ask What is the budget?", files=files)
    assert "50,000" in str(stack.answer(GENERAL, ts)["blocks"])
    said = card(stack, GENERAL, ts)
    assert "old.txt: 27자, 영어" in said
    assert "new.txt: 27자, 영어" in said


def test_a_mention_in_a_thread_brings_the_files_of_the_thread(stack: Stack) -> None:
    file = stack.attach(ADA, "plan.txt", b"The deadline is the third of May. Lunch is at noon.")
    ts = stack.say(ADA, GENERAL, "Here is the plan.", files=[file])
    stack.say(MINJI, GENERAL, "<@U0BOT> ask When is the deadline?", thread_ts=ts)
    assert "third of May" in str(stack.answer(GENERAL, ts)["blocks"])


def test_the_shortcut_on_a_message_with_a_file(stack: Stack) -> None:
    file = stack.attach(ADA, "a.txt", ENGLISH.encode())
    ts = stack.say(ADA, GENERAL, "", files=[file])
    stack.act("shortcut", user=MINJI, channel=GENERAL, ts=ts, callback_id="analyze_message")
    assert "harbour" in str(stack.answer(GENERAL, ts)["blocks"])


def test_what_is_bad_is_told_and_the_rest_goes_on(stack: Stack) -> None:
    """A bomb, a damaged file and a good one; the worker that met them answers the next request."""
    bomb = documents.zipped(("a.txt", bytes(20_000_000)))
    files = [
        stack.attach(ADA, name, content)
        for name, content in (("bomb.zip", bomb), ("bad.pdf", b"%PDF-1.7 x"), ("good.txt", ENGLISH.encode()))
    ]
    ts = stack.say(ADA, RESEARCH, "<@U0BOT> ", files=files)
    assert "harbour" in str(stack.answer(RESEARCH, ts)["blocks"])
    said = card(stack, RESEARCH, ts)
    assert "bomb.zip unpacks to" in said
    assert "bad.pdf is damaged" in said
    assert "good.txt: 53 characters, English." in said
    assert "harbour" in echoed(stack, "next.txt", ENGLISH.encode())


def test_a_file_that_cannot_be_read_is_a_failure_in_words(stack: Stack) -> None:
    ts = stack.say(ADA, "D0ADA", "", files=[stack.attach(ADA, "big.png", documents.png(50_000, 50_000))])
    failure = stack.wait(lambda: stack.replies("D0ADA", ts, "failure"), "the failure")[0]
    assert "big.png has 2,500,000,000 pixels, and 50,000,000 is the most." in str(failure["blocks"])


def test_a_link_to_another_channel(stack: Stack) -> None:
    """Read for whoever is in it."""
    linked = stack.say(ADA, GENERAL, "The ferry leaves at seven. The bus leaves at eight.")
    address = f"https://playground.slack.com/archives/{GENERAL}/p{linked.replace('.', '')}"
    ts = stack.say(ADA, RESEARCH, f"<@U0BOT> ask When does the ferry leave? <{address}>")
    assert "seven" in str(stack.answer(RESEARCH, ts)["blocks"])


def test_files_by_http(stack: Stack) -> None:
    """Several in one form; their rows are gone once there is an answer."""
    files = [("file", ("a.csv", TABLE.encode("cp949"))), ("file", ("b.txt", b"The door is red."))]
    asked = {"recipe": "ask", "text": "Which colour has the door?"}
    job = stack.api("POST", "/api/analyses", files=files, data=asked).json()["id"]
    done = stack.wait(
        lambda: (found := stack.api("GET", f"/api/analyses/{job}").json())["state"] == "done" and found,
        "the result",
    )
    assert "red" in done["result"]


def test_no_file_names_or_texts_in_the_logs(stack: Stack) -> None:
    """I10, also for what cannot be read."""
    name = "SEKRET-NAME.pdf"
    ts = stack.say(ADA, "D0ADA", "", files=[stack.attach(ADA, name, b"%PDF-1.7 SEKRET-TEXT")])
    stack.wait(lambda: stack.replies("D0ADA", ts, "failure"), "the failure")
    assert "SEKRET" not in stack.logs()
