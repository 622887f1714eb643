"""`honcho start` on the Procfile as it is, with nothing but the environment: an empty database to an answer."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys

import httpx
import pytest

from playground import server
from playground.config import Config
from tests import services

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS = 60

pytestmark = pytest.mark.timeout(180)


def test_honcho_start_runs_the_product(tmp_path: pathlib.Path, valkey_url: str) -> None:
    """The workers wait for `release`, `release` ends nothing by ending, and SIGTERM ends everything."""
    base, play_port = services.free_port(), services.free_port()
    web = f"http://127.0.0.1:{base + 100}"  # honcho: 100 apart, and web is the second line.
    environment = {
        # The Procfile says `python`: the one that runs this test.
        "PATH": f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'threadline.db'}",
        "BROKER_URL": valkey_url,
        "SLACK_BOT_TOKEN": "xoxb-playground",
        "SLACK_SIGNING_SECRET": "playground-signing-secret",
        "SLACK_API_URL": f"http://127.0.0.1:{play_port}/api/",
        "LLM_URL": f"http://127.0.0.1:{play_port}/v1",
        "LLM_MODEL": "built-in",
    }
    log = tmp_path / "honcho.log"
    with server.running(Config(port=play_port)), log.open("wb") as output:
        honcho = subprocess.Popen(
            [sys.executable, "-m", "honcho", "start", "-p", str(base)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        services.guardian().watch(honcho.pid)
        try:
            services.wait_for(lambda: _answers(f"{web}/readyz"), START_SECONDS, "web is ready")
            asked = httpx.post(
                f"{web}/api/analyses",
                json={"text": "The bridge is closed. The ferry runs at noon."},
                timeout=START_SECONDS,
            )
            path = web + asked.headers["location"]
            services.wait_for(
                lambda: httpx.get(path, timeout=START_SECONDS).json()["state"] == "done",
                START_SECONDS,
                "the analysis is done",
            )
            assert honcho.poll() is None
        except AssertionError as error:
            raise AssertionError(f"{error}\n{log.read_text(errors='replace')[-4000:]}") from None
        finally:
            honcho.send_signal(signal.SIGTERM)
            honcho.wait(40)
            services.guardian().forget(honcho.pid)
    assert not _answers(f"{web}/healthz")


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url, timeout=5).status_code == 200
    return False
