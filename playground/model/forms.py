"""JSON answers: what the built-in model has to say, poured into the schema that is asked for.

Real servers hold the model to the schema while it writes (llama.cpp's grammars, vLLM's structured outputs), so the
built-in model's answers must fit it too. It has no understanding: choices are made by a few telling words, fields
are found by their names, tasks by how tasks are written.
"""

import json
import re
from typing import Any

Schema = dict[str, Any]

_IN_WORDS = "It fits this JSON schema:"
_ITEM = re.compile(r"^\[(\d+)\] (.*?)(?=\n\n\[\d+\] |\Z)", re.DOTALL | re.MULTILINE)
_TELLING = {
    "positive": "good great love lovely thank kind fast excellent happy 좋 감사 친절 빠르 만족 최고 훌륭 편하",
    "negative": "bad late broke broken terrible hate slow angry rude never 늦 고장 불만 나쁘 최악 느리 화나 불친절 실망",
    "complaint": "late broke broken terrible slow refund rude never bad 늦 고장 환불 느리 불친절",
    "praise": "great love lovely thank kind excellent 좋 감사 친절 최고 훌륭",
    "question": "? how when where what 어떻게 언제 어디 뭐 인가요 나요",
    "불만": "late broke terrible slow refund rude 늦 고장 환불 느리 불친절 나쁘 최악 실망",
    "칭찬": "great love thank kind excellent 좋 감사 친절 최고 훌륭 만족 빠르",
    "문의": "? how when where what 어떻게 언제 어디 뭐 인가요 나요 까요",
}
_TASK = re.compile(r"\b(?:will|must|should|has to|have to|needs to)\b|까지|하기로|해야|맡|부탁")
_WHO = re.compile(
    r"([가-힣]{2,4})(?= ?(?:님|씨)[이가은는]?\s)|^\W*([A-Z][a-z]+)(?= (?:will|must|should|has|needs))"
)
_WHEN = re.compile(r"\b(?:by|until|before) ([A-Z0-9][^.,;]*)|(\S+)까지")


def wanted(response_format: Schema | None, messages: list[dict[str, Any]]) -> Schema | None:
    """The schema of the answer: from the request, or from the instructions where these hold one; None for text."""
    kind = (response_format or {}).get("type")
    if response_format is not None and kind == "json_schema":
        schema = response_format.get("json_schema")
        return schema.get("schema", schema) if isinstance(schema, dict) else {}
    if kind == "json_object":
        listed = {"type": "array", "items": {"type": "string"}}
        return {"type": "object", "properties": {"text": {"type": "string"}, "points": listed}}
    for message in messages:
        content = message.get("content")
        if message.get("role") == "system" and isinstance(content, str) and _IN_WORDS in content:
            try:
                schema = json.loads(content.rpartition(_IN_WORDS)[2])
            except ValueError:
                continue
            return schema if isinstance(schema, dict) else None
    return None


def fill(schema: Schema, material: str, bullets: list[str]) -> str:
    """The answer as JSON."""
    return json.dumps(_value(schema, material, bullets), ensure_ascii=False)


def _value(schema: Any, text: str, bullets: list[str], name: str = "") -> Any:
    """The plainest value that fits; keywords beyond types, enums, properties and items are not looked at."""
    if not isinstance(schema, dict):
        return text
    for fixed in ("const", "default"):
        if fixed in schema:
            return schema[fixed]
    if schema.get("enum"):
        return _choice(schema["enum"], text)
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return _value(options[0], text, bullets, name)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        fields = schema.get("properties", {})
        return {key: _value(each, text, bullets, key) for key, each in fields.items()}
    if kind == "array":
        return _list(schema, text, bullets)
    if kind == "string":
        return _string(schema, text, bullets, name)
    return {"integer": schema.get("minimum", 0), "number": schema.get("minimum", 0), "boolean": False}.get(
        kind
    )


def _list(schema: Schema, text: str, bullets: list[str]) -> list[Any]:
    """An answer for each numbered item, a task for each sentence that is one, or each bullet."""
    inner = schema.get("items", {})
    fields = set(inner.get("properties", {})) if isinstance(inner, dict) else set()
    if "item_number" in fields:
        numbered = [(int(number), said) for number, said in _ITEM.findall(text)]
        return [{**_value(inner, said, [said]), "item_number": number} for number, said in numbered]
    most = schema.get("maxItems", 1000)
    if {"who", "what", "when"} <= fields:
        return [_task(each) for each in _sentences(text) if _TASK.search(each)][:most]
    return [_value(inner, bullet, []) for bullet in bullets[:most]]


def _string(schema: Schema, text: str, bullets: list[str], name: str) -> str:
    """The summary where text is asked for as such; else what stands behind a field's name, or nothing."""
    longest = schema.get("maxLength", len(text) + 1)
    if name in {"", "text", "summary", "why", "answer", "reason"} or not bullets:
        return (" ".join(bullets) or text)[:longest]
    found = re.search(rf"{re.escape(name)}\s*(?:[:：=]|is|은|는)\s*([^\n|,;]+)", text, re.IGNORECASE)
    return found[1].strip(" .")[:longest] if found else ""


def _choice(options: list[Any], text: str) -> Any:
    """The option with the most telling words in the text, or that stands there itself; else a middling one."""
    said = text.lower()
    scores = [
        sum(word in said for word in {*_TELLING.get(str(option), "").split(), str(option).lower()})
        for option in options
    ]
    if max(scores) > 0:
        return options[scores.index(max(scores))]
    return next((option for option in ("neutral", "medium") if option in options), options[0])


def _task(sentence: str) -> dict[str, str]:
    who, when = _WHO.search(sentence), _WHEN.search(sentence)
    return {
        "who": next(filter(None, who.groups()), "") if who else "",
        "what": sentence.strip(" -."),
        "when": next(filter(None, when.groups()), "").strip() if when else "",
    }


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?다요])\s+|\n+", text) if part.strip()]
