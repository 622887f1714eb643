"""Files become documents in a child process; what is bad ends as one reason, and the child's limits hold."""

import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import zipfile

import psutil
import pytest
from PIL import Image

from tasks.catalogue import LANGUAGES, keys, say
from tasks.prepare.extract import child, decode, limits
from tasks.prepare.extract.problem import Problem
from tasks.text.document import Document
from tests import documents, services
from tests.documents import ENGLISH, KOREAN, PAGE

CODE = "\n".join(path.read_text("utf-8") for path in pathlib.Path("tasks/prepare").rglob("*.py"))


def nothing() -> None:
    """No claim to keep."""


def read(folder: pathlib.Path, name: str, content: bytes, seconds: float = 60) -> Document:
    path = folder / "file"
    path.write_bytes(content)
    found = child.read(path, name, "", seconds, nothing)
    assert isinstance(found, Document)
    return found


def refused(folder: pathlib.Path, name: str, content: bytes, seconds: float = 60) -> Problem:
    with pytest.raises(Problem) as raised:
        read(folder, name, content, seconds)
    return raised.value


def numbers(problem: Problem) -> tuple[object, object]:
    return problem.params["found"], problem.params["limit"]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp949", "euc-kr"]
)
def test_text_in_every_encoding(tmp_path, encoding):
    """Also without a mark at the start."""
    said = f"{KOREAN}\r\n{ENGLISH}\r\n2026-01-02 12:30\r\n"
    assert read(tmp_path, "a.txt", said.encode(encoding)).text == f"{KOREAN}\n{ENGLISH}\n2026-01-02 12:30"


def test_western_and_japanese_text_is_not_taken_for_korean():
    assert decode.text("Straße für Größen: café, naïve, señor. ".encode("cp1252") * 3).startswith("Straße")
    assert decode.text("これは日本語のテキストです。".encode("cp932")).startswith("これは")


def test_a_log_cut_in_the_middle_of_a_letter_is_still_utf_8():
    assert decode.text((KOREAN * 200).encode()[:-1]).startswith(KOREAN)


def test_random_bytes_are_no_text(tmp_path):
    data = bytes(random.Random(1).choices(range(256), k=5000))
    assert refused(tmp_path, "a.txt", data).code in {"unsupported", "encoding"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", '이름,나이\r\n"김, 민지",30\r\n'.encode("cp949")),
        ("a.csv", '이름;나이\n"김, 민지";30\n'.encode()),
        ("a.tsv", "이름\t나이\n김, 민지\t30\n".encode("utf-16")),
    ],
)
def test_tables_of_text_stay_tables(tmp_path, name, content):
    found = read(tmp_path, name, content)
    [table] = found.tables
    assert (table.header, table.rows) == (["이름", "나이"], [["김, 민지", "30"]])
    assert found.text == "| 이름 | 나이 |\n| --- | --- |\n| 김, 민지 | 30 |"


def test_rows_are_counted_as_people_count(tmp_path):
    rows = "".join(f"{n},x\n" for n in range(2, 122))
    found = read(tmp_path, "a.csv", b"n,x\n" + rows.encode())
    assert [section.row for section in found.sections] == [2, 52, 102]
    assert all(section.text.startswith("| n | x |\n") for section in found.sections)
    assert "| 52 | x |" in found.sections[1].text.split("\n")[2]


def test_code_keeps_its_every_space_in_a_fence(tmp_path):
    code = 'def f():\n    """\n```\n    """  \n\n\n\n# end\n'
    assert read(tmp_path, "a.py", code.encode()).text == f"````py\n{code}````"


def test_a_page_is_read_as_it_is_shown(tmp_path):
    text = read(tmp_path, "a.html", PAGE.encode()).text
    assert "hidden" not in text
    assert f"{ENGLISH}\n\n{KOREAN}\n\n| Item | 값 |\n| --- | --- |\n| 예산 | 300 |" in text
    assert "- first point\n- 둘째" in text


def test_a_page_of_before_utf_8(tmp_path):
    page = PAGE.replace("utf-8", "euc-kr").encode("euc-kr")
    assert KOREAN in read(tmp_path, "a.html", page).text


def test_a_mail_says_who_what_and_which_files(tmp_path):
    mail = (
        "From: Anna <anna@example.com>\nTo: bob@example.com\nSubject: =?utf-8?b?7ZqM7J2Y?=\n"
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n\n"
        f"{ENGLISH}\n--x\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=a.pdf\n\nx\n--x--\n"
    )
    found = read(tmp_path, "a.eml", mail.encode())
    assert found.text.startswith("From: Anna <anna@example.com>\nTo: bob@example.com\nSubject: 회의")
    assert ENGLISH in found.text
    assert "a.pdf" in found.text
    assert found.notes == ["attachments"]


def test_word_text_with_deletions_left_out_and_macros_ignored(tmp_path):
    body = documents.paragraph(ENGLISH) + "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>"
    content = documents.docx(body + documents.paragraph(KOREAN), ("word/vbaProject.bin", b"macro"))
    found = read(tmp_path, "a.docm", content)
    assert (found.text, found.notes) == (f"{ENGLISH}\n\n{KOREAN}", ["macros"])


def test_hangul_documents(tmp_path):
    found = read(tmp_path, "a.hwpx", documents.hwpx(KOREAN, "둘째 문단"))
    assert found.kind == "hwpx"
    assert found.text == f"{KOREAN}\n\n둘째 문단\n\n| 항목 | 값 |\n| --- | --- |"


def test_pages_of_a_pdf_by_their_numbers(tmp_path):
    found = read(tmp_path, "a.pdf", documents.pdf(3))
    assert (found.pages, [section.page for section in found.sections]) == (3, [1, 2, 3])
    assert found.sections[2].text == "Hello from a page 3"


NAMES = ("김민지", "Ada", "박철수", "Leo")
FORM = "Name, Ada Born, 1815\nTown, London Land,"
TABLE = "Name, Ada Born, 1815\nTown, Land, UK"
LABELS = ((72, 700, "Name,"), (272, 700, "Born,"), (72, 680, "Town,"), (272, 680, "Land,"))


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        # A form: labels first, and what was filled in after them.
        ([*LABELS, (122, 700, "Ada")], "Name, Ada Born,\nTown, Land,"),
        # What stands beside a line, and in no column that was seen, may be of another one.
        (
            [*LABELS, (122, 700, "Ada"), (122, 681, "London"), (322, 700, "1815")],
            "Name, Ada Born,\nTown, London Land,\n1815",
        ),
        ([*LABELS, (122, 700, "Ada"), (322, 700, "1815"), (122, 679, "London")], FORM),
        # A table whose second and fourth columns were drawn after the others, and not in every row.
        ([*LABELS, (122, 700, "Ada"), (322, 700, "1815"), (322, 681, "UK")], TABLE),
        ([(122, 700, "Ada"), (322, 700, "1815"), *LABELS, (322, 681, "UK")], TABLE),
        # Two columns of text: at one height, and no line.
        (
            [(72, 700, "one"), (72, 680, "two"), (272, 700, "three"), (272, 680, "four")],
            "one\ntwo\nthree\nfour",
        ),
        # Below the others, and not in a gap.
        ([*LABELS, (122, 690, "between")], "Name, Born,\nTown, Land,\nbetween"),
    ],
)
def test_words_that_a_pdf_draws_later_stand_where_they_are_seen(tmp_path, words, seen):
    assert read(tmp_path, "a.pdf", documents.pdf_of(*words)).text == seen


def test_a_sheet_of_two_fonts_as_libreoffice_prints_it(tmp_path):
    """Its Korean words are drawn after all others."""
    cells = "번호,이름,달,값\n" + "".join(f"A{n},{name},{n}월 31일,E{n}\n" for n, name in enumerate(NAMES))
    content = documents.by_office(tmp_path, "a.csv", cells, "pdf", "--infilter=CSV:44,34,76,1")
    lines = read(tmp_path, "a.pdf", content).text.split("\n")
    assert [line for line in lines if line.startswith("A")] == [
        f"A{n} {name} {n}월 31일 E{n}" for n, name in enumerate(NAMES)
    ]


class KoreanWindows(zipfile.ZipInfo):
    """A name in the system's own encoding, without the flag of UTF-8."""

    def _encodeFilenameFlags(self):  # noqa: N802 - The standard library's name.
        return self.filename.encode("cp949"), 0


def test_an_archive_gives_its_members_and_no_name_leads_out(tmp_path):
    """Names from Korean Windows are read; what systems add is left out."""
    path = tmp_path / "file"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("../../evil.txt", "__MACOSX/a", "dir/.DS_Store", "메모.txt"):
            archive.writestr(KoreanWindows(name), "x")
    found = child.read(path, "a.zip", "", 60, nothing)
    assert isinstance(found, list)
    assert [name for name, _ in found] == ["evil.txt", "메모.txt"]
    assert all(pathlib.Path(file).parent == tmp_path for _, file in found)


def test_content_wins_over_a_name_that_lies(tmp_path):
    (tmp_path / "file").write_bytes(documents.zipped(("a.txt", ENGLISH)))
    assert child.read(tmp_path / "file", "lie.pdf", "", 60, nothing) == [("a.txt", str(tmp_path / "file-0"))]
    assert read(tmp_path, "lie.docx", documents.pdf(1)).kind == "pdf"


ENCRYPTED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500) + "EncryptedPackage".encode("utf-16-le")


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.txt", b"", "empty"),
        ("a.txt", b" \r\n\t", "empty"),
        ("a.csv", b",,,\n,,\n", "empty"),
        ("a.docx", documents.docx(documents.paragraph(" ")), "empty"),
        ("a.zip", documents.zipped(), "empty"),
        ("a.pdf", b"%PDF-1.7\nnonsense", "broken"),
        ("a.docx", documents.docx("<w:p>"), "broken"),
        ("a.zip", b"PK\x03\x04nonsense", "broken"),
        ("a.xlsx", documents.zipped(("xl/workbook.xml", "nonsense")), "broken"),
        ("a.png", b"\x89PNG\r\n\x1a\nnonsense", "broken"),
        ("a.docx", ENCRYPTED, "encrypted"),
        (
            "a.doc",
            ENCRYPTED.replace("EncryptedPackage".encode("utf-16-le"), "WordDocument".encode("utf-16-le")),
            "old_format",
        ),
        ("a.rtf", b"{\\rtf1 hello}", "old_format"),
        ("a.mp4", b"\x00\x00\x00\x20ftypisom" + bytes(200), "unsupported"),
        ("a.exe", b"MZ\x90\x00" + bytes(range(256)), "unsupported"),
    ],
)
def test_bad_input_is_one_reason(tmp_path, name, content, code):
    assert refused(tmp_path, name, content).code == code


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    ratio = refused(tmp_path, "a.zip", documents.zipped(("a.txt", bytes(20_000_000))))
    assert (ratio.code, ratio.params["limit"]) == ("ratio", "200")
    large = refused(tmp_path, "a.docx", documents.docx("", ("word/media/a", bytes(310_000_000))))
    assert (large.code, numbers(large)) == ("unpacked", ("310.1", "300"))


def test_an_archive_of_too_many_files(tmp_path):
    many = documents.zipped(*((f"{n}.txt", "x") for n in range(101)))
    assert numbers(refused(tmp_path, "a.zip", many)) == ("101", "100")


def test_xml_that_declares_entities_is_not_opened(tmp_path):
    laughs = '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><w>&b;</w>'
    bomb = documents.zipped(("word/document.xml", laughs))
    assert refused(tmp_path, "a.docx", bomb).code == "entities"


def test_too_many_pages_cells_and_pixels_are_told_with_both_numbers(tmp_path):
    assert numbers(refused(tmp_path, "a.pdf", documents.pdf(2001))) == ("2,001", "2,000")
    cells = b",".join([b"1"] * 100) + b"\n"
    assert numbers(refused(tmp_path, "a.csv", cells * 30_001)) == ("3,000,100", "3,000,000")
    assert numbers(refused(tmp_path, "a.png", documents.png(50_000, 50_000))) == (
        "2,500,000,000",
        "50,000,000",
    )


def test_memory_ends_the_child_and_not_the_worker(tmp_path):
    """A file within all other limits, whose text takes more than the child may have."""
    rows = "한,글\n" * 1_499_000
    problem = refused(tmp_path, "a.csv", rows.encode() + ("글" * 9_000_000 + "," + "😀" * 4_000_000).encode())
    assert (problem.code, problem.params["limit"]) in {("memory", 512), ("crashed", 512)}


def test_time_ends_the_child(tmp_path):
    rows = b"a,b\n" * 1_000_000
    problem = refused(tmp_path, "a.csv", rows, 0.3)
    assert problem.code == "time"


def test_a_child_that_nobody_waits_for_ends_itself(tmp_path):
    """Its own alarm does it, with no parent to kill it."""
    (tmp_path / "file").write_bytes(b"a,b\n" * 1_000_000)
    arguments = [str(tmp_path / "file"), "a.csv", "", str(tmp_path / "out"), "0.3"]
    command = [sys.executable, "-m", "tasks.prepare.extract", *arguments]
    assert subprocess.run(command, check=False, timeout=30).returncode == -signal.SIGALRM


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere limits of time end it")
def test_nothing_of_the_child_outlives_a_worker_that_is_killed_outright(tmp_path):
    """Neither what reads, nor the tesseract that it waits for."""
    Image.new("RGB", (100, 100)).save(tmp_path / "a.png")
    tesseract = tmp_path / "tesseract"
    tesseract.write_text(
        "#!/bin/sh\n"
        "case $1 in --list-langs) echo eng; exit;; esac\n"
        f"echo $$ $PPID >{tmp_path}/ids.new; mv {tmp_path}/ids.new {tmp_path}/ids\n"
        "exec sleep 50\n"
    )
    tesseract.chmod(0o755)
    picture = str(tmp_path / "a.png")
    reads = f"import pathlib; from tasks.prepare.extract import child; child.read(pathlib.Path({picture!r}), 'a.png', '', 50, lambda: None)"
    paths = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    worker = subprocess.Popen([sys.executable, "-c", reads], env=paths)
    services.wait_for((tmp_path / "ids").exists, 30)
    left = [psutil.Process(int(number)) for number in (tmp_path / "ids").read_text().split()]
    assert len(left) == 2
    worker.kill()
    worker.wait()
    services.wait_for(lambda: all(_has_ended(process) for process in left), 20)


def _has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_no_time_left_is_told_without_a_child(tmp_path):
    assert refused(tmp_path, "a.txt", b"x", 0).code == "time"


def test_a_claim_that_is_lost_ends_the_child(tmp_path):
    """Whoever keeps the claim may raise; nothing of the child is left."""
    path = tmp_path / "file"
    path.write_bytes(b"a,b\n" * 1_000_000)

    def lose() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        child.read(path, "a.csv", "", 60, lose)
    assert list(tmp_path.iterdir()) == [path]


def test_the_child_knows_no_secret(monkeypatch):
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-secret")
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    assert not any("secret" in value for value in child.environment().values())
    assert set(child.environment()) <= {*child._PASSED_ON, "PYTHONUTF8"}


@pytest.mark.slow
def test_a_table_of_200_000_rows_within_its_memory(tmp_path):
    """The child's limit of 512 MB is on while it is read."""
    rows = "".join(f"{n},홍길동,서울특별시,{n * 7},some note about it,2026-01-02\n" for n in range(200_000))
    found = read(tmp_path, "a.csv", f"id,name,city,amount,note,day\n{rows}".encode())
    assert limits.MEMORY_BYTES == 512 * 1024 * 1024
    assert len(found.tables[0].rows) == 200_000
    assert found.sections[-1].row == 2 + 199_950


@pytest.mark.slow
def test_a_pdf_of_500_pages_within_its_memory(tmp_path):
    found = read(tmp_path, "a.pdf", documents.pdf(500, "A line of text"))
    assert [section.text for section in found.sections] == [f"A line of text {n}" for n in range(1, 501)]


def test_every_problem_that_the_code_can_tell_has_its_words():
    told = set(re.findall(r'\b(?:Problem|over|too_large)\(\s*"(\w+)"', CODE))
    told |= {"encrypted", "old_format", "broken", "entries", "parts"}
    assert {f"file.{code}" for code in told} == {key for key in keys("en") if key.startswith("file.")}
    values = dict.fromkeys(("name", "found", "limit", "better", "reason"), "x")
    for language in LANGUAGES:
        assert all("x" in say(language, f"file.{code}", **values) for code in told)


def test_korean_words_of_a_screenshot_are_not_read_as_latin_ones(tmp_path):
    """As which tesseract takes some of them when it is asked for both languages; what is Latin stays so."""
    services.need("tesseract-ocr-kor", "tesseract")
    page = f"<meta charset=utf-8><body style='font:32px Noto Sans CJK KR'><p>{ENGLISH}</p><p>{KOREAN}</p>"
    content = documents.by_chromium(tmp_path, page, "--screenshot")
    assert content.startswith(b"\x89PNG")
    text = read(tmp_path, "a.png", content).text
    english, korean = text.split("\n\n")
    assert english == ENGLISH
    assert re.fullmatch(r"항구는 아.? 시에 문을 연다\. 비용은 이 퍼센트 줄었다\.", korean), korean
