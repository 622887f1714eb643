"""What the pictures are taken of: the real product, the people who ask in it, and windows that look at it."""

# ruff: noqa: INP001, T201 (a script's own module)

import contextlib
import io
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ARTICLES = ROOT / "tests" / "unit" / "articles"
ADA, MINJI, LEO, SOYEON = "U0ADA", "U0MINJI", "U0LEO", "U0SOYEON"
GENERAL, RESEARCH, RANDOM = "C0GENERAL", "C0RESEARCH", "C0RANDOM"
PATIENCE_SECONDS = 60


class People:
    """Everybody in the workspace, through the playground's control calls."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def act(self, call: str, **body: Any) -> dict[str, Any]:
        return self._read(self.http.post(f"/control/{call}", json=body))

    def look(self, call: str, **query: Any) -> dict[str, Any]:
        return self._read(self.http.get(f"/control/{call}", params=query))

    def say(self, user: str, channel: str, text: str, **more: Any) -> str:
        return str(self.act("say", user=user, channel=channel, text=text, **more)["ts"])

    def command(self, user: str, channel: str, text: str) -> None:
        self.act("command", user=user, channel=channel, command="/analyze", text=text)

    def answers(self, channel: str, thread_ts: str) -> int:
        messages = self.look("messages", channel=channel, thread_ts=thread_ts)["messages"]
        return sum(_kind(message) == "result" for message in messages)

    def card_in(self, channel: str) -> str:
        """The last card that stands in the channel itself: a slash command's."""
        messages = self.look("messages", channel=channel)["messages"]
        return next((str(one["ts"]) for one in reversed(messages) if _kind(one) == "card"), "")

    def running(self) -> int:
        return int(self.look("model")["in_flight"])

    def _read(self, response: httpx.Response) -> dict[str, Any]:
        response.raise_for_status()
        return dict(response.json())


def opened(
    browser: Browser,
    address: str,
    size: tuple[int, int],
    scheme: Literal["light", "dark"] = "light",
    scale: int = 1,
    style: str = "",
) -> Page:
    """A window of so many pixels, once it is ready; `style` hides what a picture is not about."""
    page = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        locale="en-US",
        device_scale_factor=scale,
        bypass_csp=True,
        reduced_motion="reduce",
    ).new_page()
    page.goto(address)
    page.locator("html[data-ready]").wait_for(state="attached")
    if style:
        page.add_style_tag(content=style)
    return page


def save(screenshot: bytes | Image.Image, name: str) -> None:
    """Write a picture beside this file."""
    picture = screenshot if isinstance(screenshot, Image.Image) else Image.open(io.BytesIO(screenshot))
    file = HERE / f"{name}.png"
    # 256 colours without dithering: a third of the size, and no eye sees it on a page of flat colours.
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file.relative_to(ROOT)}: {file.stat().st_size // 1024} KB")


@contextlib.contextmanager
def product(**settings: str) -> Iterator[str]:
    """`make run` on ports and a folder of its own; gives the page's address, and ends it all afterwards."""
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="threadline-") as folder:
        output = pathlib.Path(folder) / "output"
        command = [
            sys.executable,
            "-m",
            "playground",
            "up",
            "--data",
            f"{folder}/data",
            "--port-base",
            str(port),
        ]
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        with output.open("wb") as out:
            process = subprocess.Popen(
                command, cwd=ROOT, env=kept | settings, stdout=out, stderr=subprocess.STDOUT
            )
        try:
            wait(lambda: _running(process, output), "the product")
            yield f"http://127.0.0.1:{port + 10}"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


def _running(process: subprocess.Popen[bytes], output: pathlib.Path) -> bool:
    said = output.read_text(errors="replace")
    if process.poll() is not None:
        raise SystemExit(said)
    return "Threadline is running" in said


def _free_port() -> int:
    """A port with the one ten above it free as well."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 10))
                return port


def _kind(message: dict[str, Any]) -> str | None:
    return ((message.get("metadata") or {}).get("event_payload") or {}).get("kind")


def wait(condition: Callable[[], Any], what: str) -> Any:
    """What a condition brings once it holds; ends the script when it does not come."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come in {PATIENCE_SECONDS} s")
        time.sleep(0.1)
    return found
