"""A worker that requests can kill, freeze or hold up: `python -m tests.acceptance.unlucky prepare|infer|deliver`.

The product as it is, but for what a request's text orders (`<stage>:<order>`), and for leases of LEASE seconds, a
grace of GRACE, a time limit of TIME_LIMIT and a silence of SILENCE seconds, when set: tests need not wait half a minute
for each. Nothing ends it when it freezes, as nothing ends process 1 of a container: leases and fences must do without
(tests/chaos/test_frozen.py has the watchdog).
"""

import os
import pathlib
import signal
import sys
import threading
import time
from datetime import timedelta
from typing import Any

from tasks import __main__, deadman, pipeline, silence, stopping
from tasks.deliver import once
from tasks.deliver import stage as delivering
from tasks.infer import hold
from tasks.infer import stage as inferring
from tasks.prepare import hold as reading
from tasks.prepare import stage as preparing


def obey(stage: str, text: str) -> None:
    """Do what the text orders at this stage."""
    if f"{stage}:die" in text:
        os.kill(os.getpid(), signal.SIGKILL)
    frozen = pathlib.Path(os.environ["HOME"], f"{stage}.frozen")
    if f"{stage}:freeze" in text and not frozen.exists():
        frozen.write_text(str(os.getpid()))
        # To this very thread: it does not get to the next line while another one is told to stop them all.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
    if f"{stage}:linger" in text:
        pathlib.Path(os.environ["HOME"], f"{stage}.lingers").touch()
        while not pathlib.Path(os.environ["HOME"], f"{stage}.go").exists():
            time.sleep(0.02)


def main() -> int:
    """The worker, with its orders and its haste."""
    plan, show = preparing._plan, delivering._show

    def unlucky_plan(resources: Any, job: Any, *more: Any) -> Any:
        obey("prepare", job.text)
        return plan(resources, job, *more)

    def unlucky_show(resources: Any, work: Any) -> Any:
        outcome = show(resources, work)
        # Between Slack's answer and its record.
        obey("deliver", work.job.text)
        return outcome

    class UnluckyHold(hold.Hold):
        def stands(self, text: str, tokens_out: int) -> bool:
            asked = str(self._claimed.messages)
            obey("infer", asked if text else "")
            return super().stands(text, tokens_out)

    preparing._plan, delivering._show = unlucky_plan, unlucky_show
    inferring.hold.Hold = UnluckyHold
    deadman.Deadman.start = lambda _self: None
    if lease := os.environ.get("LEASE"):
        short = timedelta(seconds=float(lease))
        for module in (preparing, reading, hold, delivering, once):
            module.LEASE = short
        hold.HEARTBEAT = reading.HEARTBEAT = short / 4
        deadman.MARGIN = short / 6
    if grace := os.environ.get("GRACE"):
        stopping.GRACE = timedelta(seconds=float(grace))
    if limit := os.environ.get("TIME_LIMIT"):
        pipeline.PREPARE_TIME_LIMIT = timedelta(seconds=float(limit))
    if silent := os.environ.get("SILENCE"):
        silence.SWEEP_WITHIN = timedelta(seconds=float(silent))
        silence.EVERY = silence.SWEEP_WITHIN / 4
    return __main__.main()


if __name__ == "__main__":
    sys.exit(main())
