"""`python -m playground.model.measure [profile ...]`: each profile's throughput by concurrent calls, over HTTP.

So many clients ask again and again, with prompts of about 200 tokens and answers of 80; the numbers are the
server's own record of a window of some seconds, after the first answers have come. The CPU is that of the server's
process; the clients run in another.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import socket
import time
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette

from playground.model import profiles
from playground.model.server import ModelServer

CLIENTS = (1, 2, 4, 8, 16, 32)
ANSWER_TOKENS = 80
WARM_UP_SECONDS = 3.0
ASK = {
    "model": "m",
    "messages": [{"role": "user", "content": "word " * 195}],
    "max_tokens": ANSWER_TOKENS,
    "stream": True,
}


def main() -> None:
    """Print one table a profile, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profiles", nargs="*", default=list(profiles.SETTINGS))
    parser.add_argument("--seconds", type=float, default=10.0, help="the window that is measured")
    options = parser.parse_args()
    for profile in options.profiles:
        with _serving() as (url, cpu):
            asyncio.run(_measure(url, profile, options.seconds, cpu))


async def _measure(url: str, profile: str, seconds: float, cpu: "Synchronized[float]") -> None:
    print(f"\n### {profile}\n")
    print("| calls | tokens/s | answers/s | refused/s | waiting | server CPU |")
    print("|--:|--:|--:|--:|--:|--:|")
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits, trust_env=False) as http:
        for clients in CLIENTS:
            await _become(http, {"profile": profile, "answer": "asked"} | _loaded(profile))
            asking = [asyncio.create_task(_ask(http)) for _ in range(clients)]
            await asyncio.sleep(WARM_UP_SECONDS)
            await _become(http, {"forget": True})
            begun = cpu.value
            await asyncio.sleep(seconds)
            truth = (await http.get("/control/model?latest=0")).json()
            _row(clients, truth, cpu.value - begun)
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)


async def _ask(http: httpx.AsyncClient) -> None:
    while True:
        async with http.stream("POST", "/v1/chat/completions", json=ASK) as answer:
            async for _ in answer.aiter_raw():
                pass
        if answer.status_code != 200:
            await asyncio.sleep(float(answer.headers.get("retry-after", 0.5)))


async def _become(http: httpx.AsyncClient, settings: dict[str, Any]) -> None:
    (await http.post("/control/model", json=settings)).raise_for_status()


def _loaded(profile: str) -> dict[str, Any]:
    """What is measured is a server that has loaded its model."""
    return {"loading_seconds": 0} if "loading_seconds" in profiles.SETTINGS[profile] else {}


def _row(clients: int, truth: dict[str, Any], cpu: float) -> None:
    seconds = truth["now"] - truth["since"]
    tokens_out = sum(person["tokens_out"] for person in truth["people"].values())
    rates = [tokens_out / seconds, truth["served"] / seconds, truth["refused"] / seconds]
    print(
        f"| {clients} | {rates[0]:.0f} | {rates[1]:.2f} | {rates[2]:.2f} | {truth['waiting']} "
        f"| {cpu / seconds:.0%} |",
        flush=True,
    )


@contextlib.contextmanager
def _serving() -> Any:
    """A server in a process of its own: its address and its CPU seconds."""
    context = multiprocessing.get_context("spawn")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        cpu = context.Value("d", 0.0)
        process = context.Process(target=_serve, args=(listener, cpu), daemon=True)
        process.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", cpu
        finally:
            process.terminate()
            process.join()


def _serve(listener: socket.socket, cpu: "Synchronized[float]") -> None:
    async def serve() -> None:
        model = ModelServer()
        config = uvicorn.Config(Starlette(routes=model.routes()), log_level="warning", lifespan="off")
        serving = asyncio.create_task(uvicorn.Server(config).serve(sockets=[listener]))
        while not serving.done():
            cpu.value = time.process_time()
            await asyncio.sleep(0.05)

    asyncio.run(serve())


if __name__ == "__main__":
    main()
