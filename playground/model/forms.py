"""JSON answers: the summary poured into the schema that `response_format` asks for.

Real servers hold the model to the schema while it writes (llama.cpp's grammars, vLLM's structured outputs), so the
built-in model's answers must fit it too.
"""

import json
from typing import Any


def fill(response_format: dict[str, Any], text: str, bullets: list[str]) -> str | None:
    """The answer as JSON, or None when plain text was asked for."""
    kind = response_format.get("type")
    if kind == "json_schema":
        schema = response_format.get("json_schema")
        schema = schema.get("schema", schema) if isinstance(schema, dict) else {}
        return json.dumps(_value(schema, text, bullets), ensure_ascii=False)
    if kind == "json_object":
        return json.dumps({"text": text, "points": bullets}, ensure_ascii=False)
    return None


def _value(schema: Any, text: str, bullets: list[str]) -> Any:
    """The plainest value that fits; keywords beyond types, enums, properties and items are not looked at."""
    if not isinstance(schema, dict):
        return text
    for fixed in ("const", "default"):
        if fixed in schema:
            return schema[fixed]
    if schema.get("enum"):
        return schema["enum"][0]
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return _value(options[0], text, bullets)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: _value(each, text, bullets) for name, each in schema.get("properties", {}).items()}
    if kind == "array":
        most = schema.get("maxItems", len(bullets))
        return [_value(schema.get("items", {}), bullet, []) for bullet in bullets[:most]]
    return {"integer": schema.get("minimum", 0), "number": schema.get("minimum", 0), "boolean": False}.get(
        kind, None if kind == "null" else text[: schema.get("maxLength", len(text))]
    )
