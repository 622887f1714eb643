"""No text for people outside the catalogues, no key that is not in them, and Korean that fits what is filled in."""

import ast
import pathlib
import re
import string
from collections.abc import Iterator

import pytest

from tasks import catalogue
from tasks.catalogue import say
from tasks.catalogue.particles import FORMS

ROOT = pathlib.Path(catalogue.__file__).parents[2]
TABLES = {key.partition(".")[0] for key in catalogue.keys("en")}

# Where people's eyes are: Slack's messages, blocks and views, and answers to a command.
SHOWN = frozenset(
    [
        "text",
        "label",
        "title",
        "placeholder",
        "hint",
        "confirm",
        "deny",
        "submit",
        "close",
        "alt_text",
        "markdown_text",
        "initial_comment",
        "loading_messages",
        "status",
    ]
)


def trees(*rooms: str) -> Iterator[tuple[str, ast.Module]]:
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text("utf-8"))


def is_sentence(words: str) -> bool:
    """Letters with a space between them, or any Hangul: not a name, a number or markup."""
    return bool(re.search(r"[A-Za-z]{2,}[,.:]? [A-Za-z]|[가-힣]", words))


def literals(node: ast.AST) -> Iterator[str]:
    """The words of an expression itself, not of the calls in it: `say(...)` brings its own."""
    match node:
        case ast.Constant(value=str() as words):
            yield words
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
        case ast.BinOp(left=left, right=right):
            yield from literals(left)
            yield from literals(right)
        case ast.IfExp(body=body, orelse=other):
            yield from literals(body)
            yield from literals(other)
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.BoolOp(values=parts):
            for part in parts:
                yield from literals(part)


def shown(tree: ast.Module) -> Iterator[str]:
    """Every literal that stands where people will read it."""
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg=str() as name, value=value) if name in SHOWN:
                yield from literals(value)
            case ast.Dict(keys=names, values=values):
                for name, value in zip(names, values, strict=True):
                    if isinstance(name, ast.Constant) and name.value in SHOWN:
                        yield from literals(value)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in SHOWN:
                yield from literals(value)
            case ast.Call(func=ast.Attribute(attr="whisper" | "_mrkdwn" | "_plain"), args=[*values]):
                for value in values:
                    yield from literals(value)


def strays(tree: ast.Module) -> list[str]:
    return [words for words in shown(tree) if is_sentence(words)]


@pytest.mark.parametrize("room", ["bot", "tasks/deliver", "tasks/prepare", "tasks/infer"])
def test_no_text_for_people_stands_outside_the_catalogues(room):
    """Each literal where a text goes is a name or a piece of markup; what people read is said in their language."""
    found = {path: words for path, tree in trees(room) if (words := strays(tree))}
    assert found == {}


@pytest.mark.parametrize(
    "code",
    [
        'client.chat_postMessage(text="The request failed.")',
        'block = {"type": "plain_text", "text": f"Hello {name}, all is well"}',
        'button(label="Try it again" if failed else "Stop")',
        'text = "요청을 " + state',
        'voice.whisper(url, "Not now, please")',
    ],
)
def test_a_stray_text_is_found(code):
    """Whichever way it is written."""
    assert strays(ast.parse(code)) != []


def named(tree: ast.Module) -> Iterator[str]:
    """Every literal that is spelled like a key of the catalogue, but for names of log events."""
    events = {
        id(argument)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("log.")
        for argument in node.args
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in events:
            table, _, rest = node.value.partition(".")
            if table in TABLES and re.fullmatch(r"[a-z_]*[a-z]", rest):
                yield node.value


def test_every_key_that_stands_in_the_code_is_in_the_catalogues():
    """Also one that is handed on, and said elsewhere."""
    missing = {
        f"{path}: {key}"
        for path, tree in trees("bot", "tasks", "db")
        for key in named(tree)
        if key not in catalogue.keys("en")
    }
    assert missing == set()


def specs(language: str) -> Iterator[tuple[str, str, str, str]]:
    """(key, text before the place, name, format spec) of every place."""
    for key, text in catalogue._texts(language).items():
        for before, name, spec, _ in string.Formatter().parse(text):
            if name is not None:
                yield key, before, name, spec or ""


def test_every_place_asks_for_something_that_is_there():
    """A particle in Korean, two nouns in English: a spec that is neither would fail when somebody is to read it."""
    assert {spec.removeprefix("-") for _, _, _, spec in specs("ko") if spec} <= set(FORMS)
    assert all(len(spec.split("|")) == 2 for _, _, _, spec in specs("en") if spec)


def test_no_korean_particle_is_fixed_after_a_place():
    """What is filled in decides between 을 and 를: a place asks for the form, and no text chooses it for all."""
    # After a closing sign, too; 이 of 입니다 and 은/는 inside words begin no particle.
    fixed = re.compile(r"\}[`*)\"]*(?:을|를|은|는|이|가|과|와|으로|로)(?=[\s.,]|$)")
    found = {key: text for key, text in catalogue._texts("ko").items() if fixed.search(text)}
    assert found == {}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("main", "`main`을 다시 씁니다."),
        ("gpu-2", "`gpu-2`를 다시 씁니다."),
        ("예비", "`예비`를 다시 씁니다."),
    ],
)
def test_texts_with_names_read_as_people_would_say_them(name, said):
    """By example."""
    assert say("ko", "admin.resumed", backend=name) == said


def test_no_emphasis_is_glued_to_a_letter():
    """Slack shows the asterisks then, and Korean has no space before a particle."""
    glued = re.compile(r"(?<![\w*])\*[^*\s][^*\n]*\*\w|\w\*[^*\s][^*\n]*\*")
    for language in catalogue.LANGUAGES:
        assert {key for key, text in catalogue._texts(language).items() if glued.search(text)} == set()


def test_korean_speaks_politely_to_everybody():
    """Every sentence of two words or more ends in 합니다 style (or is a phrase without a verb): no 해라, no 해요 alone."""
    impolite = re.compile(r"(?:한다|된다|있다|없다|했다|이다|하라|해라)[.]")
    assert {key for key, text in catalogue._texts("ko").items() if impolite.search(text)} == set()


@pytest.mark.parametrize(
    "wrong", [r"유저", r"메세지", r"컨텍스트", r"어드민", r"리퀘스트", r"쓰레드", r"프라이빗"]
)
def test_korean_uses_one_word_for_one_thing(wrong):
    """사람, 메시지, 문맥, 관리자, 요청, 스레드: the catalogue's words."""
    assert {key for key, text in catalogue._texts("ko").items() if re.search(wrong, text)} == set()
