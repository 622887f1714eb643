"""The measure of files: what counts as kept, in order and added; and how its page tells a reader that gave up."""

import json
import os
import random
import subprocess
import sys

import pytest

from bench import extract_page, fidelity, papers, peak

SOURCE = [
    "001 The harbour opens at nine.",
    "002 항구는 아홉 시에 문을 연다.",
    "003 Costs fell by two percent.",
]


def test_a_text_that_is_all_there_is_kept_whatever_its_spaces_and_marks() -> None:
    found = fidelity.of(
        SOURCE, "# 001 The harbour\nopens at nine.\n\n- 002 항구는 아홉 시에\n문을 연다.\n" + SOURCE[2]
    )
    assert (found.kept, found.added, found.whole, found.ordered) == (1, 0, 1, 1)


def test_what_is_lost_what_is_added_and_what_is_out_of_order_are_told_apart() -> None:
    lost = fidelity.of(SOURCE, "\n".join(SOURCE[:2]))
    assert 0.5 < lost.kept < 0.75
    assert lost.whole == pytest.approx(2 / 3)
    assert (lost.added, lost.ordered) == (0, 1)
    turned = fidelity.of(SOURCE, "\n".join(reversed(SOURCE)))
    assert (turned.kept, turned.whole, turned.ordered) == (1, 1, pytest.approx(1 / 3))
    noisy = fidelity.of(SOURCE, "\n".join(SOURCE) + "\nCONFIDENTIAL " * 5)
    assert noisy.kept == 1
    assert noisy.added > 0.3
    assert fidelity.of(SOURCE, "") == fidelity.Fidelity(0, 0, 0, None)


def test_no_sentence_of_a_source_is_a_part_of_another() -> None:
    """Else its place would be the other's."""
    draw = random.Random(1)
    said = papers.sentences_of(list(papers.draft(draw, 4)))
    cells = [cell for row in papers.table_of(draw, 30) for cell in row]
    for source in (said, cells):
        assert fidelity.of(source, "\n".join(source)).ordered == 1


def test_the_peak_is_the_command_s_own_and_one_that_takes_too_long_is_ended() -> None:
    def ran(limit: str, code: str) -> dict:
        command = [sys.executable, "-IS", peak.__file__, limit, sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, check=True, env=dict(os.environ))
        return json.loads(done.stdout)

    small, large = ran("60", "pass"), ran("60", "x = bytearray(100_000_000)")
    assert (small["code"], large["code"]) == (0, 0)
    assert 90 < large["peak_mb"] - small["peak_mb"] < 120
    assert ran("1", "import signal; signal.pause()")["code"] < 0


def test_the_page_tells_both_sides_and_what_was_not_read(tmp_path) -> None:
    good = {"code": 0, "seconds": 2.0, "peak_mb": 80.0, "characters": 900}
    shares = {"kept": 0.995, "added": 0.012, "whole": 0.9, "ordered": 0.97}
    row = {"what": "sheet", "by": "LibreOffice", "kind": "pdf", "mb": 5.0, "pages": 500}
    small = {**row, "ours": {**good, **shares}, "markitdown": {**good, "characters": 0, **shares}}
    large = {**row, "ours": good, "markitdown": {**good, "code": -9, "seconds": 180.0}}
    table = {**row, "kind": "csv", "pages": None, "ours": {**good, "peak_mb": 600.0}, "markitdown": good}
    data = {
        "markitdown": "0.1.9",
        "seconds": 180,
        "limit_mb": 536.9,
        "small": [small],
        "large": [large, table],
    }
    machine = {"versions": {}, "date": "", "revision": "", "cores": 2, "cpu": "", "memory_gb": 1}
    machine |= {"system": "", "fdatasync_ms": 1, "load_before": 1}
    text = extract_page.section(data, {"machine": machine, "command": "x", "seconds": 1}, tmp_path)
    assert "| sheet, pdf | LibreOffice | Threadline | 99.5% | 1.2% | 90.0% | 97.0% |" in text
    assert "| sheet, pdf | LibreOffice | markitdown | - | - | - | - |" in text
    assert "| sheet, pdf | 5.0 MB | Threadline | 900 | 2.0 s | 250 pages | 80 MB |" in text
    assert "| sheet, pdf | 5.0 MB | markitdown | - | not read within 180 s | - | 80 MB |" in text
    assert "| sheet, csv | 5.0 MB | Threadline | 900 | 2.0 s | 2.500 MB | 600 MB |" in text
    assert (tmp_path / "extract.png").stat().st_size > 5000
    told = {
        what: (measured, met) for what, _, measured, met in extract_page.aims({"extract": {"data": data}})
    }
    assert told["Peak memory of reading a PDF (500 pages)"] == ("80 MB", "met")
    assert told["Peak memory of reading a CSV (sheet)"] == ("600 MB", "**missed**")
    assert told["Sentences in order, the worst of the files with text (sheet, pdf)"] == (
        "97.0%",
        "**missed**",
    )
    assert extract_page.aims({}) == []
