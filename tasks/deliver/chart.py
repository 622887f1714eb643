"""Counts as a chart: Slack's own block, or a picture where Slack does not take it."""

import io
from collections.abc import Sequence
from typing import Any

from tasks.deliver import defuse

Counts = Sequence[tuple[str, int]]

# docs.slack.dev/reference/block-kit/blocks/data-visualization-block: a title of 50 characters, labels of 20, values
# above 0, and 12 segments; a client library that checks them takes 6, and more are hard to tell apart.
MAX_TITLE = 50
MAX_LABEL = 20
MAX_SEGMENTS = 6

_COLORS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#475569")
_WIDTH, _BAR, _GAP, _LEFT, _RIGHT = 720, 36, 14, 44, 96


def segments(counts: Counts, other: str) -> list[tuple[str, int]]:
    """The largest counts, and all others as one: as many as a chart holds."""
    some = [(label, count) for label, count in counts if count > 0]
    if len(some) <= MAX_SEGMENTS:
        return some
    kept = some[: MAX_SEGMENTS - 1]
    return [*kept, (other, sum(count for _, count in some[MAX_SEGMENTS - 1 :]))]


def block(title: str, counts: Counts) -> dict[str, Any]:
    """Slack's block; two labels that look the same after they are cut are told apart by a number."""
    said: dict[str, int] = {}
    for label, count in counts:
        name = _label(label, MAX_LABEL)
        if name in said:
            name = f"{_label(label, MAX_LABEL - 3)} {len(said) + 1}"
        said[name] = count
    pie = {"type": "pie", "segments": [{"label": label, "value": count} for label, count in said.items()]}
    return {"type": "data_visualization", "title": _label(title, MAX_TITLE), "chart": pie}


def picture(counts: Counts) -> bytes:
    """A PNG of bars from the top, each with its place before it and its count behind it.

    Without the labels: no font for them is certain to be there, Korean least of all. They stand in the message, in
    the same order.
    """
    from PIL import Image, ImageDraw, ImageFont  # Late: few answers need a picture.

    height = len(counts) * (_BAR + _GAP) + _GAP
    image = Image.new("RGB", (_WIDTH, height), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(22)
    most = max(count for _, count in counts)
    for place, (_, count) in enumerate(counts):
        top = _GAP + place * (_BAR + _GAP)
        end = _LEFT + max(2, round((_WIDTH - _LEFT - _RIGHT) * count / most))
        draw.rectangle((_LEFT, top, end, top + _BAR), fill=_COLORS[place % len(_COLORS)])
        draw.text((_LEFT - 30, top + 6), str(place + 1), fill="#111827", font=font)
        draw.text((end + 8, top + 6), str(count), fill="#111827", font=font)
    kept = io.BytesIO()
    image.save(kept, "PNG", optimize=True)
    return kept.getvalue()


def _label(text: str, limit: int) -> str:
    return defuse.cut(defuse.defuse(" ".join(defuse.clean(text).split())), limit) or defuse.ELLIPSIS
