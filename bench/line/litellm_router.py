"""`PYTHON bench/line/litellm_router.py MODEL_URL LIMIT`: LiteLLM's router with `max_parallel_requests`.

Runs on a Python of its own, which has LiteLLM and nothing of ours. Reads `{"id", "body"}` lines, and writes
`[id, whether it was answered, when]` lines.
"""

import asyncio
import json
import sys
import time

import litellm

RETRIES = 3  # as many as the plain Celery task has
PATIENCE = 600


async def main(model_url: str, limit: int) -> None:
    litellm.suppress_debug_info = True
    settings = {
        "model": "openai/fixed",
        "api_base": model_url,
        "api_key": "none",
        "max_parallel_requests": limit,
        "timeout": PATIENCE,
    }
    router = litellm.Router(
        model_list=[{"model_name": "fixed", "litellm_params": settings}], num_retries=RETRIES
    )
    reader = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    say("ready")
    tasks = set()
    while line := await reader.readline():
        task = asyncio.create_task(answer(router, json.loads(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def answer(router: litellm.Router, asked: dict) -> None:
    # It leaves out `user` for models whose names it does not know.
    user = asked["body"].pop("user")
    try:
        await router.acompletion(**asked["body"], extra_body={"user": user})
        good = True
    except Exception as error:  # noqa: BLE001 - whatever it is, the person has no answer
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        good = False
    say([asked["id"], good, time.time()])


def say(content: object) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
