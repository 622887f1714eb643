"""Logs: events with ids, in columns or JSON, and never what people wrote (I10)."""

import json
import logging
from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa
import structlog
from slack_sdk.errors import SlackApiError

from tasks import logs
from tests import fakes

SAID = "my secret diary"


@pytest.fixture(autouse=True)
def _logging_put_back() -> Iterator[None]:
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level, named = root.handlers[:], root.level, dict(logging.root.manager.loggerDict)
    levels = {name: logger.level for name, logger in named.items() if isinstance(logger, logging.Logger)}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, logger in logging.root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger):
            logger.setLevel(levels.get(name, logging.NOTSET))
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()


class SaidInItsName(Exception):
    def __str__(self) -> str:
        raise ValueError(SAID)


def fails_with(text: str) -> None:
    words = text
    raise ZeroDivisionError(len(words))


@pytest.mark.parametrize("style", ["json", "columns"])
def test_a_traceback_has_its_lines_but_no_variables(capsys, style):
    logs.configure(fakes.settings(log_format=style), "prepare")
    try:
        fails_with(SAID)
    except ZeroDivisionError:
        structlog.get_logger().exception("job.broke", reference="abc")
        logging.getLogger("a.library").exception("it broke")
    written = capsys.readouterr().err
    assert written.count("ZeroDivisionError") >= 2
    assert "fails_with" in written
    assert SAID not in written


def chained(error: Exception, onto: Exception) -> Exception:
    onto.__cause__ = error
    onto.add_note(SAID)
    return onto


def raised(error: Exception) -> None:
    raise error


def log_it(error: Exception) -> None:
    """As a door does, and as a library does."""
    try:
        raised(error)
    except type(error):
        structlog.get_logger().exception("job.broke", reference="abc")
        logging.getLogger("a.library").exception("it broke")


SLACK_ERROR = fakes.slack_error("invalid_blocks")
SLACK_ERROR.response["message"] = {"text": SAID}


@pytest.mark.parametrize("style", ["json", "columns"])
@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
@pytest.mark.parametrize(
    "error",
    [
        ValueError(f"invalid literal for int() with base 10: '{SAID}'"),
        KeyError(SAID),
        UnicodeEncodeError("ascii", SAID + "é", len(SAID), len(SAID) + 1, SAID),
        json.JSONDecodeError(SAID, SAID, 0),
        SlackApiError(f"failed: {SAID}", SLACK_ERROR.response),
        httpx.ConnectError(f"cannot reach https://a.test/?token={SAID}"),
        httpx.HTTPStatusError(
            SAID, request=httpx.Request("GET", f"https://a.test/{SAID}"), response=httpx.Response(500)
        ),
        sa.exc.StatementError(
            SAID, "INSERT INTO jobs", {"text": SAID}, ValueError(SAID), hide_parameters=True
        ),
        FileNotFoundError(2, "No such file", SAID),
        SyntaxError(SAID, (SAID, 1, 1, SAID)),
        ExceptionGroup(SAID, [ValueError(SAID), KeyError(SAID)]),
        chained(ValueError(SAID), RuntimeError(SAID)),
        SaidInItsName(SAID),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_that_quotes_is_logged_without_its_words(capsys, style, level, error):
    """Its kind and its lines are enough to find the place; its words may be a person's (I10)."""
    logs.configure(fakes.settings(log_format=style, log_level=level), "prepare")
    log_it(error)
    written = capsys.readouterr().err
    assert written.count(type(error).__name__) >= 2
    assert "test_logs.py" in written
    assert SAID not in written


@pytest.mark.parametrize("style", ["json", "columns"])
def test_what_the_database_or_the_code_says_is_kept(capsys, style):
    """It tells operators what to do, and quotes nobody."""
    logs.configure(fakes.settings(log_format=style), "prepare")
    for error in (
        sa.exc.OperationalError("SELECT 1", {"text": SAID}, Exception("disk is full"), hide_parameters=True),
        AttributeError("'NoneType' object has no attribute 'recipe'"),
    ):
        log_it(error)
    written = capsys.readouterr().err
    assert "disk is full" in written
    assert "has no attribute" in written
    assert SAID not in written


def test_a_line_of_json_has_the_event_its_fields_and_its_context(capsys):
    logs.configure(fakes.settings(log_format="json"), "infer")
    structlog.contextvars.bind_contextvars(job_id="j1")
    structlog.get_logger().info("step.done", tokens_out=3)
    logging.getLogger("a.library").warning("said %s", "hello")
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["job_id"], ours["tokens_out"]) == ("step.done", "j1", 3)
    assert (ours["process"], ours["level"]) == ("infer", "info")
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["level"], theirs["process"]) == ("said hello", "warning", "infer")


def test_the_level_is_the_settings(capsys):
    logs.configure(fakes.settings(log_level="WARNING"), "infer")
    structlog.get_logger().info("step.done")
    structlog.get_logger().warning("step.failed")
    written = capsys.readouterr().err
    assert "step.done" not in written
    assert "step.failed" in written


@pytest.mark.parametrize(
    "library", ["httpx", "httpcore.http11", "slack_sdk.web.base_client", "celery.app.trace", "alembic"]
)
@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_libraries_that_write_addresses_or_payloads_are_silent(capsys, library, level):
    logs.configure(fakes.settings(log_level=level), "infer")
    logging.getLogger(library).info("sending %s", SAID)
    logging.getLogger(library).debug("sending %s", SAID)
    # Bolt gives this logger a level of its own.
    logging.getLogger("slack_bolt.App").setLevel(logging.DEBUG)
    logging.getLogger("slack_bolt.App").warning("unhandled request %s", SAID)
    assert SAID not in capsys.readouterr().err


def test_setting_up_twice_writes_once(capsys):
    for _ in range(2):
        logs.configure(fakes.settings(), "infer")
    structlog.get_logger().info("step.done")
    assert capsys.readouterr().err.count("step.done") == 1


def test_rows_do_not_show_what_people_wrote():
    job = fakes.a_job(text=SAID, question=SAID, response_url=SAID, callback_url=SAID, result=SAID)
    assert SAID not in repr(job)
