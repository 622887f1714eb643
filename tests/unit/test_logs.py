"""Logs: events with ids, in columns or JSON, and never what people wrote (I10)."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from tasks import logs
from tests import fakes

SAID = "my secret diary"


@pytest.fixture(autouse=True)
def _logging_put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, named = root.handlers[:], root.level, dict(logging.root.manager.loggerDict)
    levels = {name: logger.level for name, logger in named.items() if isinstance(logger, logging.Logger)}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, logger in logging.root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger):
            logger.setLevel(levels.get(name, logging.NOTSET))
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


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
