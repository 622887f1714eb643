"""Logs: a fixed event name plus fields; ids, not objects; never what people wrote (I10)."""

import logging
import sys

import structlog

from tasks import tracebacks
from tasks.settings import Settings


def configure(settings: Settings, process: str) -> None:
    """Set up structlog and, through it, the libraries' logging; one line an event, on standard error."""

    def name_process(
        _log: object, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        return {"process": process, **event}

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        name_process,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if settings.log_format == "json":
        last: list[structlog.typing.Processor] = [
            structlog.processors.ExceptionRenderer(tracebacks.outline),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    else:
        last = [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=tracebacks.write)
        ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    # These write addresses with tokens in them, whole payloads, or a line for every message.
    for chatty in (
        "httpx",
        "httpcore",
        "slack_sdk",
        "celery",
        "kombu",
        "amqp",
        "uvicorn",
        "alembic",
    ):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(settings.log_level)))
    # Bolt's warnings quote requests, and its loggers have levels of their own; bot.app logs what matters of them.
    handler.addFilter(
        lambda record: not record.name.startswith("slack_bolt") or record.levelno >= logging.ERROR
    )
