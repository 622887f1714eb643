"""A real worker without a broker: it hears nothing, and sweeps all the same."""

import os
import pathlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from db import line
from db.models import Backend, Job, Step
from db.states import StepState
from tests import services
from tests.acceptance.stack import BOT_TOKEN, ROOT
from tests.fakes import LEASE, NOW, declare, do, in_line, set_row, the
from tests.front_door_rig import NOWHERE


@pytest.mark.parametrize("process", ["infer", "deliver"])
def test_a_dead_call_is_freed_though_there_is_no_broker(
    process: str, sqlite_engine: sa.Engine, tmp_path: pathlib.Path
) -> None:
    """Whichever worker lives; and the time of the last sweep that was asked for stays what it was, so that operators hear of it."""
    declare(sqlite_engine)
    job = in_line(sqlite_engine)
    set_row(sqlite_engine, Job, job.id, deadline=datetime.now(UTC) + timedelta(hours=1))
    claimed = do(sqlite_engine, line.claim, "main", NOW, LEASE)
    assert claimed is not None
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "DATABASE_URL": sqlite_engine.url.render_as_string(hide_password=False),
        "BROKER_URL": f"redis://{NOWHERE}/0",
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_API_URL": f"http://{NOWHERE}/api/",
        "LLM_URL": f"http://{NOWHERE}/v1",
        "LLM_MODEL": "model",
        "PYTHONWARNINGS": "ignore::Warning:celery.platforms",
    }
    worker = subprocess.Popen([sys.executable, "-m", "tasks", process], cwd=ROOT, env=environment)
    services.guardian().watch(worker.pid)
    try:
        services.wait_for(
            lambda: the(sqlite_engine, Step, claimed.step_id).state is StepState.WAITING,
            60,
            "the call is back in line",
        )
    finally:
        worker.kill()
        worker.wait()
        services.guardian().forget(worker.pid)
    assert the(sqlite_engine, Backend, "main").swept_at is None
