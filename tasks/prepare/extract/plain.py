"""Text files as they are: notes, Markdown, logs, JSON; and code, in a fence that keeps its every space."""

import re
from pathlib import Path

from tasks.prepare.extract import decode
from tasks.text.document import Document, Section

_CODE = frozenset(
    [
        "bash",
        "c",
        "cc",
        "clj",
        "cpp",
        "cs",
        "css",
        "cxx",
        "dart",
        "diff",
        "dockerfile",
        "erl",
        "ex",
        "go",
        "gradle",
        "groovy",
        "h",
        "hpp",
        "hs",
        "ini",
        "java",
        "jl",
        "js",
        "jsx",
        "kt",
        "lua",
        "m",
        "makefile",
        "ml",
        "patch",
        "php",
        "pl",
        "proto",
        "ps1",
        "py",
        "r",
        "rb",
        "rs",
        "scala",
        "scss",
        "sh",
        "sql",
        "swift",
        "tf",
        "toml",
        "ts",
        "tsx",
        "vue",
        "yaml",
        "yml",
        "zig",
    ]
)
_FENCES = re.compile(r"^ {0,3}(`{3,})", re.MULTILINE)


def read(path: Path, name: str, kind: str) -> Document:
    """The whole file as one section."""
    text = decode.text(path.read_bytes())
    return Document(name, kind, [Section(_fenced(text, kind) if kind in _CODE else text)])


def _fenced(text: str, kind: str) -> str:
    longest = max((len(mark) for mark in _FENCES.findall(text)), default=2)
    mark = "`" * max(3, longest + 1)
    end = "" if text.endswith("\n") else "\n"
    return f"{mark}{kind}\n{text}{end}{mark}"
