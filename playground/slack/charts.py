"""The chart block's rules: https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block"""

from typing import Any

from playground.slack.checks import Complaints, choice, items, required, words

MOST_IN_A_MESSAGE = 2
MOST_PARTS = 12  # segments of a pie, series of the others
MOST_POINTS = 20
LABEL = 20
TITLE = 50


def chart(to: Complaints, at: str, block: dict[str, Any]) -> None:
    """Check a block of the type data_visualization."""
    words(to, at, block, "title", most=TITLE, needed=True)
    if not required(to, at, block, "chart"):
        return
    drawn = block["chart"]
    if not isinstance(drawn, dict):
        to.add(f"{at}/chart", "must be an object")
        return
    choice(to, f"{at}/chart", drawn, "type", {"pie", "bar", "area", "line"}, needed=True)
    if drawn.get("type") == "pie":
        for number, segment in enumerate(items(to, f"{at}/chart", drawn, "segments", most=MOST_PARTS)):
            _value(to, f"{at}/chart/segments/{number}", segment, above_zero=True)
    else:
        _series(to, f"{at}/chart", drawn)


def _series(to: Complaints, at: str, drawn: dict[str, Any]) -> None:
    series = items(to, at, drawn, "series", most=MOST_PARTS)
    names = [one.get("name") for one in series if isinstance(one, dict)]
    if len(set(map(str, names))) < len(series):
        to.add(f"{at}/series", "names must be unique")
    for number, one in enumerate(series):
        here = f"{at}/series/{number}"
        if not isinstance(one, dict):
            to.add(here, "must be an object")
            continue
        words(to, here, one, "name", most=LABEL, needed=True)
        for point, value in enumerate(items(to, here, one, "data", most=MOST_POINTS)):
            _value(to, f"{here}/data/{point}", value, above_zero=False)


def _value(to: Complaints, at: str, item: object, *, above_zero: bool) -> None:
    if not isinstance(item, dict):
        to.add(at, "must be an object")
        return
    words(to, at, item, "label", most=LABEL, needed=True)
    value = item.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or (above_zero and value <= 0):
        to.add(f"{at}/value", "must be a number" + " greater than 0" * above_zero)
