"""A mail server, by its address in the settings: `smtp://user:password@host:587/?from=..&to=..`."""

import contextlib
import ipaddress
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import Message
from urllib.parse import parse_qs, unquote, urlsplit

# For each answer of the server; a mail takes about eight of them.
TIMEOUT = timedelta(seconds=10)

_PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed in, and from whom to whom it goes."""

    host: str
    port: int
    tls_at_once: bool
    sender: str
    to: Sequence[str]
    user: str = ""
    password: str = field(default="", repr=False)


class NotSent(Exception):
    """The mail server did not take a mail. `sure`: it cannot have been sent."""

    def __init__(self, reason: str, *, sure: bool) -> None:
        super().__init__(reason)
        self.sure = sure


def parse(url: str) -> MailServer:
    """Read an address; raises ValueError, without the password in it."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        scheme, host, port = "", None, None
    if scheme not in _PORTS or not host:
        raise ValueError("must start with smtp:// or smtps:// and name a host")
    asked = parse_qs(parts.query)
    sender = asked.get("from", [""])[0].strip()
    to = [one.strip() for one in ",".join(asked.get("to", [])).split(",") if one.strip()]
    if not to or not all(_is_address(one) for one in [sender, *to]):
        raise ValueError("must end in ?from=..&to=.. with mail addresses, several with commas between them")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not (user + password).isascii():
        raise ValueError("must have a user and a password of ASCII characters")
    return MailServer(host, port or _PORTS[scheme], scheme == "smtps", sender, to, user, password)


def send(server: MailServer, message: Message) -> int:
    """Hand a mail in, encrypted where the server can; returns for how many it was refused. Raises NotSent.

    A password goes over no connection that is not encrypted, but for a server on this machine.
    """
    message["From"], message["To"] = server.sender, ", ".join(server.to)
    sure = True
    try:
        with contextlib.closing(_connected(server)) as connection:
            sure = False
            refused = connection.send_message(message)
            # It is sent; a good-bye that fails changes nothing.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                connection.quit()
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        raise NotSent(type(error).__name__, sure=True) from error
    except (smtplib.SMTPException, OSError) as error:
        # Their texts may quote addresses and what the server said.
        raise NotSent(type(error).__name__, sure=sure) from error
    return len(refused)


def greet(server: MailServer) -> None:
    """Say who we are, as before a mail, and hand none in. Raises NotSent."""
    try:
        with contextlib.closing(_connected(server)) as connection, contextlib.suppress(smtplib.SMTPException):
            connection.quit()
    except (smtplib.SMTPException, OSError) as error:
        raise NotSent(type(error).__name__, sure=True) from error


def _connected(server: MailServer) -> smtplib.SMTP:
    seconds, context = TIMEOUT.total_seconds(), ssl.create_default_context()
    if server.tls_at_once:
        connection: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, timeout=seconds, context=context
        )
    else:
        connection = smtplib.SMTP(server.host, server.port, timeout=seconds)
    try:
        connection.ehlo()
        # Without TLS on offer, this raises where a password would go over an open line.
        if not server.tls_at_once and (
            connection.has_extn("starttls") or (server.user and not _is_loopback(server.host))
        ):
            connection.starttls(context=context)
        if server.user:
            connection.login(server.user, server.password)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_address(text: str) -> bool:
    name, at, host = text.rpartition("@")
    return bool(name and at and host) and text.isascii() and text.isprintable() and " " not in text


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
