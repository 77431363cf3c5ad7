"""A call as a ladder: who spoke to whom, message by message, and what was decided in between.

It lays out what `capture` and the journal have kept, for people (`entries`, `as_text`) and for programs
that read packets (`packets`). It refuses to know where any of it comes from.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from centrex.base import Flow, PeerError, Transport
from centrex.base.untrusted import shown
from centrex.runtime.capture import Passed
from centrex.runtime.pcapng import Packet
from centrex.sip.message import parse
from centrex.sip.nameaddr import parse_name_addr
from centrex.sip.names import CSEQ, FROM, TO
from centrex.sip.uri import SipUri, parse_uri, unescape_user
from centrex.trace import Decision, Rule
from centrex.trace.words import line

HERE: Final = "centrex"
"""The column of the server itself."""
_ROOM: Final = 700_000
"""Octets of JSON that the messages of one call may take."""

Wall = Callable[[float], str]


def parties(passed: Sequence[Passed]) -> list[str]:
    """Return the columns: who spoke first, the server, and then whoever else it spoke with."""
    names = list(dict.fromkeys(one.flow.name for one in passed))
    return [*names[:1], HERE, *names[1:]]


def users(passed: Sequence[Passed]) -> dict[str, str]:
    """Return who is whom, by the names of the columns: as whom each asks, or is asked for, at first.

    Phones may be registered under a name of one call's making, such as `1002-0x5f2c`: then it is the
    number that was dialled.
    """
    found: dict[str, str] = {}
    for one in passed:
        if one.flow.name in found or one.data.startswith(b"SIP/2.0 "):
            continue
        try:
            user = _user(one)
        except PeerError:
            continue  # what cannot be read names nobody
        if user:
            found[one.flow.name] = user.decode("utf-8", "backslashreplace")
    return found


def _user(one: Passed) -> bytes:
    """Return the user who asks, or is asked for, outside a dialog; nothing within one."""
    message = parse(one.data)
    to = parse_name_addr(message.value(TO))
    if to.tag:
        return b""
    if one.incoming:
        return _user_of(parse_name_addr(message.value(FROM)).uri)
    dialled, user = _user_of(to.uri), _user_of(message.uri)
    return dialled if user.startswith(dialled) and dialled else user


def _user_of(raw: bytes) -> bytes:
    uri = parse_uri(raw)
    return unescape_user(uri.user) if isinstance(uri, SipUri) else b""


def entries(
    passed: Sequence[Passed], story: Sequence[Decision], wall: Wall
) -> tuple[list[dict[str, Any]], int]:
    """Return messages and decisions by time, and how many messages had no room.

    Args:
        passed: The messages, in order.
        story: The decisions, in order.
        wall: Makes a monotonic instant a time of day (ISO-8601 UTC).
    """
    rows: list[tuple[float, int, dict[str, Any]]] = []
    left, lost = _ROOM, 0
    for one in reversed(passed):
        row = _message(one, wall)
        left -= _octets(row["raw"]) + 300
        if left < 0:
            lost += 1
            continue
        # what came stands before what was decided of it, and that before what left
        rows.append((one.at, 0 if one.incoming else 2, row))
    rows.reverse()
    for now, rule, *facts in story:
        told = {"at": wall(now), "kind": "decision", "rule": rule.value, "text": line(rule, facts)}
        rows.append((now, 1, told))
    rows.sort(key=lambda row: row[:2])
    return [row for _, _, row in rows], lost


def missing(story: Sequence[Decision], passed: Sequence[Passed]) -> int:
    """Return how many requests were decided upon that are not among the messages kept."""
    kept = {one.at for one in passed if one.incoming}
    return sum(rule is Rule.REQUEST and now not in kept for now, rule, *_ in story)


def as_text(
    call_id: bytes, headline: str, rows: Sequence[dict[str, Any]], columns: Sequence[str]
) -> str:
    """Return a call to read, or to send to somebody: plain text that can act upon no terminal."""
    out = [f"Call-ID  {shown(call_id, 400)}", headline, f"Between  {', '.join(columns)}", ""]
    for row in rows:
        if row["kind"] == "decision":
            out.append(f"{row['at']}  -- {row['text']}  [{row['rule']}]")
            continue
        out.append(f"{row['at']}  {row['from']} -> {row['to']}  {row['size']} octets")
        out += [f"    {shown(text, 10_000)}" for text in row["raw"].splitlines()]
        out.append("")
    return "\n".join(out) + "\n"


def packets(passed: Sequence[Passed], wall_s: Callable[[float], float]) -> list[Packet]:
    """Return the messages as packets between the addresses they truly went.

    Args:
        passed: The messages, in order.
        wall_s: Makes a monotonic instant seconds since 1970.
    """
    return [
        Packet(
            at=wall_s(one.at),
            source=_there(one.flow) if one.incoming else _here(one.flow),
            target=_here(one.flow) if one.incoming else _there(one.flow),
            stream=one.flow.reliable,
            data=one.data,
            comment="TLS, decrypted" if one.flow.transport is Transport.TLS else "",
        )
        for one in passed
    ]


def _there(flow: Flow) -> tuple[str, int]:
    return flow.host, flow.port


def _here(flow: Flow) -> tuple[str, int]:
    return flow.local.host, flow.local.port


def _message(one: Passed, wall: Wall) -> dict[str, Any]:
    name = one.flow.name
    return {
        "at": wall(one.at),
        "kind": "message",
        "from": name if one.incoming else HERE,
        "to": HERE if one.incoming else name,
        "transport": one.flow.transport.value.lower(),
        "summary": _summary(one.data),
        "raw": one.data.decode("utf-8", "backslashreplace"),
        "size": len(one.data),
    }


def _summary(data: bytes) -> str:
    """Return what a message is, in a few words: `INVITE sip:1002@x` or `180 Ringing (INVITE)`."""
    first = data.partition(b"\r\n")[0][:200].decode("utf-8", "backslashreplace")
    if not first.startswith("SIP/2.0 "):
        return first.removesuffix(" SIP/2.0")
    try:
        method = parse(data).value(CSEQ).partition(b" ")[2].decode("ascii", "backslashreplace")
    except PeerError:
        method = "?"
    return f"{first[8:]} ({method[:32]})"


def _octets(text: str) -> int:
    """Return a bound of the octets that text takes as JSON in ASCII."""
    lines = text.count("\n") + text.count("\r") + text.count('"') + text.count("\\")
    if text.isascii():
        odd = len(text) - sum(map(text.count, "\n\r\t")) - sum(map(str.isprintable, text))
        return len(text) + lines + 6 * max(odd, 0)
    return 12 * len(text)
