"""Every text that a person can read, one file per language; keys are the same in all."""

import functools
import pathlib
import tomllib
from collections.abc import Mapping

LANGUAGES = ("en", "ko")


def say(language: str, key: str, **values: object) -> str:
    """The text for `key`, such as `card.received`, with `{name}` places filled in. KeyError: no such text."""
    return _texts(language)[key].format_map(values)


def word(language: str, table: str, name: str) -> str:
    """What `name` is called in a table of words such as `column`; itself where nobody gave it another name."""
    return _texts(language).get(f"{table}.{name}", name)


def keys(language: str) -> frozenset[str]:
    """All keys of a language."""
    return frozenset(_texts(language))


def language_of(locale: str | None, default: str) -> str:
    """The language to speak with somebody whose Slack is set to `locale` (such as ko-KR)."""
    spoken = (locale or "").split("-")[0].lower()
    return spoken if spoken in LANGUAGES else default


@functools.cache
def _texts(language: str) -> Mapping[str, str]:
    tables = tomllib.loads(pathlib.Path(__file__).with_name(f"{language}.toml").read_text("utf-8"))
    return {f"{table}.{key}": text.strip() for table, texts in tables.items() for key, text in texts.items()}
