"""The model-server stand-in: an OpenAI-compatible server with slots, a queue, memory and faults.

`ModelServer(shape).routes()` are Starlette routes; `reset()` and `clear_faults()` serve the control API.
"""

from collections.abc import Mapping
from typing import Any

from starlette.routing import BaseRoute

from playground.model.server import ModelServer
from playground.model.shape import DEMO, Shape

__all__ = ["DEMO", "ModelServer", "Shape", "routes"]


def routes(config: Shape | Mapping[str, Any] | None = None) -> list[BaseRoute]:
    """The routes of one new model server, for an application that needs no handle on it."""
    return ModelServer(config).routes()
