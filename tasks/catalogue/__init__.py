"""Every text that a person can read, one file per language; keys are the same in all.

A place is `{name}`. `{name:을}` is a word with its Korean particle (tasks.catalogue.particles), `{name:-을}` the
particle alone, for a word that stands between signs. `{count:second|seconds}` is a number with its English noun:
1 second, 2 seconds.
"""

import functools
import pathlib
import string
import tomllib
from collections.abc import Mapping
from typing import Any

from tasks.catalogue import particles

LANGUAGES = ("en", "ko")


def say(language: str, key: str, **values: object) -> str:
    """The text for `key`, such as `card.received`, with its places filled in. KeyError: no such text, or value."""
    return _SPOKEN.vformat(_texts(language)[key], (), values)


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


class _Spoken(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        alone = format_spec.startswith("-")
        if (form := format_spec.removeprefix("-")) in particles.FORMS:
            return ("" if alone else str(value)) + particles.particle(str(value), form)
        if "|" in format_spec:
            one, many = format_spec.split("|")
            # A failure's numbers come as words (tasks.deliver.views).
            return f"{value} {one if str(value) == '1' else many}"
        return str(super().format_field(value, format_spec))


_SPOKEN = _Spoken()


@functools.cache
def _texts(language: str) -> Mapping[str, str]:
    tables = tomllib.loads(pathlib.Path(__file__).with_name(f"{language}.toml").read_text("utf-8"))
    return {f"{table}.{key}": text.strip() for table, texts in tables.items() for key, text in texts.items()}
