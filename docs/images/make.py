"""Takes the pictures of the page: starts the real product, lets a few people ask, and photographs what they see.

`make pictures` runs it. It needs Chromium on PATH, and fonts with Korean and with emoji (Debian: chromium,
fonts-noto-cjk, fonts-noto-color-emoji).
"""

# ruff: noqa: INP001, T201 (a script of its own)

import contextlib
import io
import os
import pathlib
import shutil
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
from playwright.sync_api import Browser, Page, sync_playwright

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ARTICLES = ROOT / "tests" / "unit" / "articles"
ADA, MINJI, LEO, SOYEON = "U0ADA", "U0MINJI", "U0LEO", "U0SOYEON"
GENERAL, RESEARCH, RANDOM = "C0GENERAL", "C0RESEARCH", "C0RANDOM"
# Wide enough for the thread and the line to stand side by side.
SIZE = {"width": 1600, "height": 1000}
PATIENCE_SECONDS = 60
# How long everybody has been at work when the picture is taken.
WORK_SECONDS = 12

QUESTION = "<@U0BOT> ask What fell from 41 hours to 6 hours?"


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


def main() -> None:
    """Write the pictures beside this file."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
        )
        _whole_page(browser)
        _the_line(browser)
        browser.close()


def _whole_page(browser: Browser) -> None:
    # All four slots from the start: a limit that learns would take its time at the rush's pace.
    with _product(LLM_LIMIT="4") as page_url, httpx.Client(base_url=page_url, timeout=30) as http:
        thread = _morning(People(http))
        address = f"{page_url}/#user={ADA}&at={GENERAL}&thread={thread}"
        # Open before the rush, so that the curve of calls in flight has a shape.
        pages = {
            "playground": _open(browser, address, "light"),
            "playground-dark": _open(browser, address, "dark"),
        }
        _rush(People(http))
        for name, page in pages.items():
            page.locator("#line .state-running").first.wait_for()
            page.wait_for_timeout(WORK_SECONDS * 1000)
            _save(page.screenshot(), name)


def _the_line(browser: Browser) -> None:
    """Three people share the line while one of them floods it."""
    with _product() as page_url, httpx.Client(base_url=page_url, timeout=30) as http:
        page = _open(browser, f"{page_url}/#user={ADA}&at={GENERAL}", "light", scale=2)
        page.get_by_role("button", name="Flood").click()
        _wait(lambda: People(http).running(), "the first call")
        parts = (ARTICLES / "harbour.txt").read_text("utf-8").split("\n\n")
        for part in [part for part in parts if len(part) > 200][:3]:
            for user, channel in ((ADA, "D0ADA"), (LEO, "D0LEO")):
                People(http).say(user, channel, part)
        _wait(lambda: _everybody_served(People(http)), "two answers for each of the others")
        page.wait_for_timeout(1500)
        _save(page.locator("#right").screenshot(), "the-line")


def _everybody_served(people: People) -> bool:
    shared = people.look("line")["people"]
    return len(shared) == 3 and all(one["done"] + one["running"] > 1 for one in shared)


def _morning(people: People) -> str:
    """What has been asked and answered before the picture; returns the thread that stands open in it."""
    english, korean = ((ARTICLES / name).read_text("utf-8") for name in ("harbour.txt", "library.txt"))
    people.act("model", tokens_per_second=0, prefill_tokens_per_second=0, first_token_seconds=0.2)
    people.command(MINJI, GENERAL, f"요약 {korean}")
    anchor = _wait(lambda: people.card_in(GENERAL), "the command's card")
    _wait(lambda: people.answers(GENERAL, anchor), "the command's answer")
    report = people.say(ADA, GENERAL, f"<@U0BOT> {english.partition(chr(10))[2].strip()}")
    _wait(lambda: people.answers(GENERAL, report), "the report's summary")
    people.say(LEO, GENERAL, QUESTION, thread_ts=report)
    _wait(lambda: people.answers(GENERAL, report) > 1, "the second answer")
    return report


def _rush(people: People) -> None:
    """More people ask than the model has room for, at a pace that an eye can follow."""
    people.act("model", tokens_per_second=3, first_token_seconds=1)
    text = (ARTICLES / "harbour.txt").read_text("utf-8")
    parts = [part for part in text.split("\n\n") if len(part) > 200]
    recipes = ("key-points", "summarize", "sentiment", "action-items")
    places = [(MINJI, RESEARCH), (SOYEON, RANDOM), (LEO, RESEARCH), (SOYEON, RESEARCH), (ADA, RANDOM)]
    for at, (user, channel) in enumerate((places * 2)[:7]):
        people.command(
            user, channel, f"{recipes[at % 4]} {parts[at % len(parts)]} {parts[(at + 1) % len(parts)]}"
        )
    korean = (ARTICLES / "library.txt").read_text("utf-8").split("\n\n")
    people.say(MINJI, GENERAL, f"<@U0BOT> 요약해줘: {korean[3]}")
    _wait(lambda: people.running() == 4, "every slot is in use")


def _open(browser: Browser, address: str, scheme: Literal["light", "dark"], scale: int = 1) -> Page:
    page = browser.new_context(
        viewport=SIZE, color_scheme=scheme, locale="en-US", device_scale_factor=scale
    ).new_page()
    page.goto(address)
    page.locator("html[data-ready]").wait_for(state="attached")
    page.get_by_role("heading", name="#general").wait_for()
    return page


def _save(screenshot: bytes, name: str) -> None:
    picture = Image.open(io.BytesIO(screenshot)).convert("RGB")
    file = HERE / f"{name}.png"
    # 256 colours without dithering: a third of the size, and no eye sees it on a page of flat colours.
    picture.quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file.relative_to(ROOT)}: {file.stat().st_size // 1024} KB")


@contextlib.contextmanager
def _product(**settings: str) -> Iterator[str]:
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
            _wait(lambda: _running(process, output), "the product")
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


def _wait(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come in {PATIENCE_SECONDS} s")
        time.sleep(0.1)
    return found


if __name__ == "__main__":
    main()
