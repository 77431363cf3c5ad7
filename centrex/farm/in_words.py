"""What is known of a relay, as lines for people: the same in the dashboard and on the command line.

It takes the plain data that a listing gives, of our own relays or of rtpengine, and leaves out what
whoever relays does not tell.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Words: TypeAlias = tuple[str, str]
"""What it is about, and what there is to say."""


def in_words(row: Mapping[str, Any]) -> Iterator[Words]:
    """Yield what is known of a relay.

    Args:
        row: Its row of the listing.
    """
    figures: Mapping[str, Any] = row.get("figures", {})
    yield "state", f"{row['state']}, {row['why']}" if row.get("why") else str(row["state"])
    way = str(row.get("path") or "unknown")
    yield "data path", f"{way}: {row['path_why']}" if row.get("path_why") else way
    addresses = dict(row.get("addresses", {}))
    if addresses:
        shown = (
            host if host == told else f"{host}, told as {told}" for host, told in addresses.items()
        )
        yield "addresses", "; ".join(map(str, shown))
    capacity = "" if row.get("capacity") is None else f" of {row['capacity']}"
    yield "calls of ours", f"{row['sessions']}{capacity}"
    if "peak" in figures:
        yield "figures", f"as of {row['heard_s']:.0f} s ago, when it last told them"
        yield from _told(figures)
    elif figures:
        yield "relayed", f"{row['packets_per_s']} packets/s, {row['octets_per_s']} octets/s"
    for proxy in figures.get("proxies", ()):
        there = "connected" if proxy["connected"] else "not connected"
        yield f"proxy {proxy['name']}", f"{there}, {proxy['sessions']} calls"


def free_ports(figures: Mapping[str, Any]) -> int | None:
    """Return how many pairs of ports a call could have, leased ahead or not; None where that is not told.

    Args:
        figures: The figures in a relay's row of the listing.
    """
    if "ports_free" not in figures:
        return None
    return sum(int(figures.get(f"ports_{kind}", 0)) for kind in ("leased", "spare", "free"))


def _told(figures: Mapping[str, Any]) -> Iterator[Words]:
    def of(name: str) -> int:
        return int(figures.get(name, 0))

    yield "calls of all", f"{of('sessions')} now, {of('peak')} at most, {of('total')} in all"
    yield "calls refused", str(of("refused"))
    yield (
        "ports",
        f"{of('ports_used')} used by calls, {free_ports(figures)} free ({of('ports_leased')} of them leased "
        f"ahead, {of('ports_spare')} open for the next calls)",
    )
    for words, name in (("in", ""), ("out", "_out")):
        yield (
            words,
            f"{of(f'packets{name}_per_s')} packets/s, {of(f'octets{name}_per_s')} octets/s; "
            f"{of(f'packets{name}')} packets, {of(f'octets{name}')} octets in all",
        )
    yield (
        "not yet heard",
        f"one side of {of('unlearned_one')} calls, both sides of {of('unlearned_both')}",
    )
    yield "learned anew", str(of("relearned"))
    drops = dict(figures.get("drops", {}))
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(drops.items()))
    yield "dropped", f"{of('dropped')}: {reasons}" if reasons else str(of("dropped"))
    yield "in the kernel", f"{of('carried')} streams, {of('kernel_failures')} failures"
    yield "processor", f"{of('cpu_ms') / 1000:.1f} s"
