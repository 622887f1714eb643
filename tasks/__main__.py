"""`python -m tasks prepare|infer|deliver|beat`: one process of the pipeline."""

import argparse
import sys

import structlog
from celery import signals
from sqlalchemy.exc import DBAPIError

from db import backends, session
from tasks import logs, settings
from tasks.app import DELIVER, INFER, PREPARE, SWEEP, make_celery
from tasks.pipeline import install
from tasks.recipes import RecipeError
from tasks.resources import BACKEND, Resources

log = structlog.get_logger()

_NEEDED = ("slack_bot_token", "llm_url", "llm_model")


def main(argv: list[str] | None = None) -> int:
    """Run one process until it is told to stop; 2: a setting or a recipe is wrong, 1: no database."""
    parser = argparse.ArgumentParser(prog="python -m tasks", description="Threadline's workers.")
    parser.add_argument("process", choices=["prepare", "infer", "deliver", "beat"], help="which one to run")
    process = parser.parse_args(argv).process
    chosen = settings.load(*_NEEDED)
    logs.configure(chosen, process)
    resources = Resources(chosen)
    try:
        # Read here, before any work: a broken recipe stops the start, not somebody's request.
        log.info("starting", recipes=resources.recipes.names())
        with session.transaction(resources.engine) as transaction:
            backends.declare(transaction, {BACKEND: chosen.llm_limit})
    except RecipeError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except DBAPIError as error:
        sys.stderr.write(
            f"The database cannot be used: {str(error.orig).strip()}. Did `python -m db upgrade` run?\n"
        )
        return 1
    # The pool's children must open connections of their own.
    resources.engine.dispose()
    celery = make_celery(chosen)
    install(celery, resources)
    # A receiver of this signal keeps Celery from setting up logging of its own.
    signals.setup_logging.connect(lambda **_: None, weak=False)
    celery.start(argv=["--quiet", *(["beat"] if process == "beat" else _worker(process, chosen))])
    return 0


def _worker(process: str, chosen: settings.Settings) -> list[str]:
    # Threads wait for servers; preparing is work for a core, and only processes can be stopped half-way.
    pool = {
        PREPARE: [
            "--pool=prefork",
            f"--concurrency={chosen.prepare_concurrency}",
            "--max-tasks-per-child=500",
        ],
        INFER: ["--pool=threads", f"--concurrency={chosen.infer_concurrency}"],
        DELIVER: ["--pool=threads", f"--concurrency={chosen.deliver_concurrency}"],
    }[process]
    queues = f"{DELIVER},{SWEEP}" if process == DELIVER else process
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    name = f"--hostname={process}@%h"
    return ["worker", f"--queues={queues}", name, *pool, *quiet]


if __name__ == "__main__":
    sys.exit(main())
