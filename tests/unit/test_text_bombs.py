"""A million characters of nonsense are prepared, or refused, well within the time limit of `prepare`."""

import pytest

from tasks import pipeline, plan, recipes
from tasks.text import clean
from tasks.text.document import Document, Section

CHARACTERS = 1_000_000
BOMBS = {
    "one word": "x",
    "spaces before one word": " ",
    "lines of nothing": " \n",
    "mentions without an end": "<@",
    "links without an end": "<http://a|",
    "fences": "```\n",
    "quotes": "> ",
    "tables": "|\n",
    "accents": "\u0301",
    "joined signs": "👩\u200d",
    "sentences": "가나다.",
    "half a pair": "\ud800",
}


def text_of(text: str) -> Document:
    return Document("", "text", [Section(text)])


@pytest.mark.timeout(pipeline.PREPARE_TIME_LIMIT.total_seconds())
@pytest.mark.parametrize("piece", BOMBS.values(), ids=BOMBS)
def test_nonsense_takes_no_longer_than_sense(piece: str) -> None:
    text = (piece * CHARACTERS)[: CHARACTERS - 1] + "x"
    cleaned = clean.clean_slack(text, {})
    try:
        steps = plan.first_steps(recipes.load().default, [text_of(cleaned)], None, 8192)
    except plan.TooLong:
        return
    assert steps
