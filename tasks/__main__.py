"""`python -m tasks prepare|infer|deliver|beat`: one process of the pipeline."""

import argparse
import sys

import structlog
from celery import signals

from tasks import logs, settings
from tasks.app import make_celery

log = structlog.get_logger()


def main(argv: list[str] | None = None) -> int:
    """Run one process until it is told to stop; 2: a setting or a recipe is wrong, 1: no database."""
    parser = argparse.ArgumentParser(
        prog="python -m tasks", description="Threadline's workers.", epilog=settings.WHERE
    )
    parser.add_argument(
        "process",
        choices=["prepare", "infer", "deliver", "beat"],
        help="prepare: text into model calls; infer: the calls; deliver: posts to Slack; beat: asks for sweeps",
    )
    process = parser.parse_args(argv).process
    chosen = settings.load("slack_bot_token", "llm_url", "llm_model")
    logs.configure(chosen, process)
    celery = make_celery(chosen)
    # A receiver of this signal keeps Celery from setting up logging of its own.
    signals.setup_logging.connect(lambda **_: None, weak=False)
    if process == "beat":
        log.info("starting")
        celery.Beat(quiet=True).run()
        return 0
    from tasks import worker  # Beat does without all that this loads.

    return worker.run(celery, process, chosen)


if __name__ == "__main__":
    sys.exit(main())
