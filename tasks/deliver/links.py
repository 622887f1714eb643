"""Links that say where they lead, and nothing but http, https and mailto."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from tasks.deliver import defuse

# Slack: 3,000 characters for the url of a button; the docs give none for links, so the same is held.
MAX_URL = 3000
# < > and | would end a link in mrkdwn.
_UNFIT = re.compile('[\x00-\x20<>|"`\\\\^{}\x7f-\U0010ffff]')
_MAIL = re.compile(r"[\w.%+\-]+@[\w.\-]+")
_NAME = re.compile(r"(/{0,2})([\w.\-]+)")
_TOP_LEVEL = re.compile(r"[a-z]{2,}|[^\W\d_]{2,}")
# A path may be in Korean (ko.wikipedia.org/wiki/한국어); a particle behind an ASCII word is none of it.
_BARE = re.compile(
    r"https?://[A-Za-z0-9_\-.~:/?#\[\]@!$&'()*+,;=%]{1,3000}"
    r"(?:(?<=[/=_-])[가-힣\u3040-\u30ff\u4e00-\u9fff]+[A-Za-z0-9_\-./?#=&%]*)*",
    re.IGNORECASE,
)


def safe(url: str) -> str | None:
    """`url` fit for Slack, or None where it may not be clicked."""
    url = _UNFIT.sub(_quoted, defuse.clean(url).strip())
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https", "mailto") or len(url) > MAX_URL:
        return None
    if parts.scheme == "mailto":
        return url if _MAIL.fullmatch(parts.path) else None
    return url if parts.hostname and "%" not in parts.netloc else None


def _quoted(found: re.Match[str]) -> str:
    return quote(found[0])


def _host(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "mailto":
        return parts.path.partition("?")[0].rpartition("@")[2].lower()
    return (parts.hostname or "").removeprefix("www.")


def hidden_host(label: str, url: str) -> str | None:
    """The host that `url` really leads to, where `label` reads like the address of another one."""
    host = _host(url)
    read, _ = defuse.fold(label)
    if url.lower().startswith("mailto:"):
        read = re.sub(r"[\w.+\-]+@", "", read)
    honest = all(host == name or host.endswith(f".{name}") for name in _addresses(read))
    return None if honest else host


def _addresses(label: str) -> list[str]:
    """The host names that `label` shows: `google.com` in `https://google.com/a.html에서`."""
    names: list[str] = []
    for lead, word in _NAME.findall(label):
        first, dot, last = word.strip(".-_").rpartition(".")
        top = _TOP_LEVEL.match(last)
        in_path = lead == "/" and names
        if dot and top and first and not in_path:
            names.append(f"{first}.{top[0]}".removeprefix("www."))
    return names


def bare(text: str) -> list[tuple[str, str | None]]:
    """`text` in pieces: (shown, url), with url None for what is no address."""
    pieces: list[tuple[str, str | None]] = []
    at = 0
    for found in _BARE.finditer(text):
        shown = _trimmed(found[0])
        url = safe(shown)
        if url is None:
            continue
        pieces.append((text[at : found.start()], None))
        pieces.append((shown, url))
        at = found.start() + len(shown)
    return [*pieces, (text[at:], None)]


def _trimmed(url: str) -> str:
    """Without the full stop or bracket that belongs to the sentence (GFM's rule for autolinks)."""
    while True:
        kept = url.rstrip("!?.,:*_~;'")
        if _closes_alone(kept, "()") or _closes_alone(kept, "[]"):
            kept = kept[:-1]
        if kept == url:
            return url
        url = kept


def _closes_alone(url: str, pair: str) -> bool:
    return url.endswith(pair[1]) and url.count(pair[1]) > url.count(pair[0])
