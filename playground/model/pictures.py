"""The pictures in a conversation, in OpenAI's form: platform.openai.com/docs/guides/images-vision."""

import base64
import binascii
import io
import re
from dataclasses import dataclass
from typing import Any

from PIL import Image, UnidentifiedImageError

TOKENS = 576
"""What a picture takes of the context, as in LLaVA 1.5."""

_DATA = re.compile(r"data:(image/[a-z+.-]+);base64,", re.ASCII)


@dataclass(frozen=True)
class Picture:
    """A picture that was shown to the model."""

    type: str
    bytes: int
    width: int
    height: int


def of(messages: list[dict[str, Any]]) -> list[Picture]:
    """All pictures in order; ValueError, in a server's words, for what is none."""
    parts = [part for message in messages for part in _parts(message) if part.get("type") == "image_url"]
    return [_read(part.get("image_url")) for part in parts]


def _parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _read(named: object) -> Picture:
    url = named.get("url") if isinstance(named, dict) else None
    data = _DATA.match(url) if isinstance(url, str) else None
    if data is None:
        raise ValueError("image_url must be a data URL with base64")
    assert isinstance(url, str)
    try:
        content = base64.b64decode(url[data.end() :], validate=True)
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            return Picture(data[1], len(content), picture.width, picture.height)
    except (binascii.Error, UnidentifiedImageError, OSError) as error:
        raise ValueError("failed to decode image bytes") from error
