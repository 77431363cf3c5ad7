"""The data path of nf_tables: a table of this relay's own, whose maps have the entries.

Nothing but netlink is needed, and nothing of the host is changed: no mark, no setting, no rule of
others. What stays in the kernel when the process ends is the table; the next process of the same
relay finds it by its name and takes it over. A table that somebody has removed (`nft flush ruleset`)
is made again.

Where the host's own rules or routes swallow what a stream's packets have become, that stream is given
up, so that its packets come to our socket again; it is then missing in `carried`.
"""

import errno
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from centrex.base import Unavailable
from centrex.runtime.relay.kernel import Carried, Entry, Key
from centrex.runtime.relay.netlink import NETFILTER, ROUTE, Netlink
from centrex.runtime.relay.nftables_elements import (
    Counted,
    Element,
    Encoded,
    Layout,
    decode,
    encode,
)
from centrex.runtime.relay.nftables_leaving import Leaving
from centrex.runtime.relay.nftables_maps import Maps
from centrex.runtime.relay.nftables_ways import Ways

_ROOM: Final = 1 << 21
_ROOM_EACH: Final = 512
"""Octets of netlink that one entry takes at most, with both its elements."""
_AT_ONCE: Final = 256
"""Entries removed in one transaction, so that what it echoes finds room."""
_DOUBT: Final = 5
"""Packets of one entry that cannot all have been lost by chance."""
_LOOK_AT_ALL: Final = 2
"""Readings after which it is seen whether packets still go on, of those too that did before."""
_ASIDE: Final = 1024
"""Pairs of hosts that are remembered as not reaching each other; then all are forgotten."""
_REFUSALS: Final = 256
"""How often entries are refused for what happened to others, before one is tried again."""
_STANDS_STILL: Final = (
    "nf_tables: no packet from outside goes on while this host does not forward any "
    "(net.ipv4.ip_forward is off)"
)
_UNSURE: Final = (
    errno.ENOENT,
    errno.EEXIST,
    errno.EBUSY,
    errno.ENFILE,
    errno.ENOBUFS,
    errno.ETIMEDOUT,
)
"""How it is told that the table is not what we think, or not told what it is now."""


class _Held:
    """An entry in the kernel.

    Attributes:
        key: By which its element is found.
        base: What was counted of it before its present element was made.
        last: What its element had counted when that was last read.
        fresh: The packets its element was made with, or had counted when it was looked at last.
        left: The packets that had gone on then.
    """

    __slots__ = ("base", "encoded", "entry", "fresh", "key", "last", "left")

    def __init__(self, entry: Entry, encoded: Encoded, last: Counted = Counted()) -> None:  # noqa: B008
        self.entry = entry
        self.encoded = encoded
        self.key = encoded.arriving.key
        self.base = Counted()
        self.last = last
        self.fresh = self.left = 0

    @property
    def figures(self) -> Carried:
        return self.base.plus(self.last).carried(self.encoded.layout)


class NftablesPath:
    """The path behind `KernelPath`; `open_nftables` makes one.

    Args:
        maps: The relay's table.
        ways: What the host's routes say.
        ports: The first and the last port of the relay's range.
        limit: Entries at most.
    """

    def __init__(self, maps: Maps, ways: Ways, *, ports: tuple[int, int], limit: int) -> None:
        self._maps = maps
        self._ways = ways
        self._ports = ports
        self._limit = limit
        self._held: dict[Key, _Held] = {}
        self._leaving = Leaving()
        self._outside: dict[Key, _Held] = {}
        """Those that come from outside."""
        self._doubted: dict[Key, _Held] = {}
        """Those of them of which no packet was seen to go on yet."""
        self._proven = False
        """Whether any entry's packets were."""
        self._readings = 0
        self._swallowed: set[tuple[str, str]] = set()
        """Hosts between which packets were not."""
        self._refusals = 0

    @property
    def name(self) -> str:
        """`nftables`."""
        return "nftables"

    @property
    def caveat(self) -> str:
        """What is missing where the host forwards no packets at all."""
        return "" if self._ways.forwards() else _STANDS_STILL

    @property
    def unsure(self) -> bool:
        """Whether no packet was seen to go on yet, and some should."""
        return bool(self._doubted) and not self._proven

    def adopt(self) -> None:
        """Take over what a former process has left, make the table anew with it, and prove it.

        Raises:
            OSError: The kernel refused.
            Unavailable: It does not do what this path needs.
        """
        if self._maps.known():
            for layout, element in self._maps.elements():
                if len(self._held) < self._limit:
                    self._recognise(layout, element)
        with suppress(Unavailable):  # what does not pass by now is given up, as any other
            self._ways.from_outside([held.entry for held in self._held.values()])
        self._maps.mtu = self._ways.mtu
        self._make(self._held.values())
        self._outside, self._doubted = dict(self._held), dict(self._held)
        self._maps.prove()

    def install(self, entries: Sequence[Entry]) -> None:
        """Carry these from now on; an entry with the same key is replaced, its counters kept.

        Raises:
            Unavailable: The host or the kernel does not carry one of them; none of them is carried.
        """
        come: dict[Key, _Held] = {}
        for entry in {entry.key: entry for entry in entries}.values():
            present = self._held.get(entry.key)
            if present is None or present.entry != entry:
                come[entry.key] = _Held(entry, self._encode(entry))
        outside = self._ways.from_outside([held.entry for held in come.values()])
        for entry in outside:
            self._refuse_swallowed(entry)
        self._narrow()
        gone = [self._held[key] for key in come if key in self._held]
        if len(self._held) + len(come) - len(gone) > self._limit:
            raise Unavailable(f"the limit of {self._limit} entries is reached")
        self._exchange(gone, come)
        for entry in outside:
            self._outside[entry.key] = self._doubted[entry.key] = come[entry.key]

    def remove(self, keys: Sequence[Key]) -> Mapping[Key, Carried]:
        """Stop carrying these at once; return their last figures. Unknown ones are left out.

        Raises:
            Unavailable: The kernel refused, and carries some of them still.
        """
        known = [self._held[key] for key in dict.fromkeys(keys) if key in self._held]
        for at in range(0, len(known), _AT_ONCE):
            self._exchange(known[at : at + _AT_ONCE], {})
        return {held.entry.key: held.figures for held in known}

    def carried(self) -> Mapping[Key, Carried]:
        """Return the figures of all entries, without those given up."""
        # what the kernel refuses here is tried again with the next reading, and told by `install`;
        # what it does not carry meanwhile comes to our sockets
        with suppress(OSError, Unavailable):
            if not self._read():
                self._make(self._held.values())
            self._watch()
        return {key: held.figures for key, held in self._held.items()}

    def entries(self) -> Sequence[Entry]:
        """Return all entries: after opening, those that a former process of this relay left."""
        return [held.entry for held in self._held.values()]

    def close(self, *, keep: bool) -> None:
        """Let go of the sockets, and of the table too unless it is kept.

        Raises:
            Unavailable: The kernel refused to remove the table.
        """
        try:
            if not keep:
                self._maps.remove()
        except OSError as error:
            raise Unavailable(f"the table stays: {_why(error)}") from error
        finally:
            self._maps.close()
            self._ways.close()

    def _encode(self, entry: Entry) -> Encoded:
        low, high = self._ports
        if not (low <= entry.arrives.port <= high and low <= entry.leaves.port <= high):
            raise Unavailable(f"its ports are not within {low} to {high}")
        return encode(entry)

    def _recognise(self, layout: Layout, element: Element) -> None:
        """Hold an entry that a former process left, if it can still be one of ours."""
        with suppress(ValueError, Unavailable):
            entry = decode(layout, element)
            held = _Held(entry, self._encode(entry), element.counted or Counted())
            self._leaving.settle(self._leaving.plan((), (held.encoded.leaving,)))
            self._held[entry.key] = held

    def _refuse_swallowed(self, entry: Entry) -> None:
        """Refuse what would meet the fate of others."""
        pair = entry.source.host, entry.target.host
        if pair not in self._swallowed and (self._proven or not self._swallowed):
            return
        self._refusals += 1
        if self._refusals > _REFUSALS:
            self._refusals = 0
            self._swallowed.clear()
            return
        raise Unavailable("the host's own rules or routes drop what the kernel carries")

    def _narrow(self) -> None:
        """Carry only what is short enough for each way; the rest comes to our sockets.

        Raises:
            Unavailable: The kernel refused, and nothing has changed.
        """
        before, now = self._maps.mtu, self._ways.mtu
        if now >= before:
            return
        self._maps.mtu = now
        try:
            self._read()
            self._make(self._held.values())
        except OSError as error:
            self._maps.mtu = before
            raise Unavailable(f"nf_tables: {_why(error)}") from error

    def _exchange(self, gone: Collection[_Held], come: Mapping[Key, _Held]) -> None:
        """Put entries in the place of others, in one transaction.

        Raises:
            Unavailable: The kernel refused, and nothing has changed.
        """
        if not gone and not come:
            return
        change = self._leaving.plan(
            [held.encoded.leaving for held in gone],
            [held.encoded.leaving for held in come.values()],
        )
        try:
            counted = self._maps.exchange(
                off=([held.key for held in gone], change.gone),
                on=([held.encoded.arriving for held in come.values()], change.come),
            )
        except OSError as error:
            if error.errno not in _UNSURE:
                raise Unavailable(f"nf_tables: {_why(error)}") from error
            counted = self._exchange_anew(gone, come)
        self._leaving.settle(change)
        for held in gone:
            held.last = counted.get(held.key, held.last)
            del self._held[held.entry.key]
            self._doubted.pop(held.entry.key, None)
            self._outside.pop(held.entry.key, None)
            if held.entry.key in come:
                come[held.entry.key].base = held.base.plus(held.last)
        self._held.update(come)

    def _exchange_anew(
        self, gone: Iterable[_Held], come: Mapping[Key, _Held]
    ) -> Mapping[bytes, Counted]:
        """Do the same where the table may not be what we have made of it."""
        off = {held.entry.key for held in gone}
        try:
            self._read()
            stay = [held for key, held in self._held.items() if key not in off]
            self._make([*stay, *come.values()])
        except OSError as error:
            raise Unavailable(f"nf_tables: {_why(error)}") from error
        return {}

    def _make(self, held: Iterable[_Held]) -> None:
        """Make the table anew with these entries, and with what they have counted.

        Raises:
            OSError: The kernel refused, and nothing has changed.
        """
        held = list(held)
        leaving = {one.encoded.leaving.key: one.encoded.leaving for one in held}
        arriving = [one.encoded.arriving._replace(counted=one.last) for one in held]
        self._maps.make(arriving, leaving.values())
        for one in held:
            one.fresh, one.left = one.last.packets, 0

    def _read(self) -> bool:
        """Note what has been counted; return whether every entry is in the kernel.

        Raises:
            OSError: The kernel refused.
        """
        try:
            counted = self._maps.counted()
        except FileNotFoundError:
            return not self._held
        whole = True
        for held in self._held.values():
            last = counted.get(held.key)
            whole &= last is not None
            held.last = last or held.last
        return whole

    def _watch(self) -> None:
        """Give up entries of which packets come in, but none goes on.

        Raises:
            OSError: The kernel refused to tell.
            Unavailable: It refused to let go of them.
        """
        self._readings += 1
        if self._readings % _LOOK_AT_ALL == 0:
            counted = self._maps.all_left()
            watched = [
                (held, counted.get(held.encoded.leaving.key)) for held in self._ripe(self._outside)
            ]
        else:
            watched = [
                (held, self._maps.left(held.encoded.layout, held.encoded.leaving.key))
                for held in self._ripe(self._doubted)
            ]
        for held, left in watched:
            if left is None:
                self._make(self._held.values())
                return
            self._judge(held, left.packets)

    def _ripe(self, some: Mapping[Key, _Held]) -> list[_Held]:
        """Return those of which enough packets have come in since they were looked at."""
        return [held for held in some.values() if held.last.packets - held.fresh >= _DOUBT]

    def _judge(self, held: _Held, left: int) -> None:
        """Give up an entry of which none has gone on since then."""
        went, held.fresh, held.left = left != held.left, held.last.packets, left
        self._doubted.pop(held.entry.key, None)
        if went:
            self._proven = True
        elif not self._ways.local(held.entry.source.host):
            self._give_up(held)

    def _give_up(self, held: _Held) -> None:
        self.remove([held.entry.key])
        self._proven = False  # what has let others pass may be another now
        if len(self._swallowed) >= _ASIDE:
            self._swallowed.clear()
        self._swallowed.add((held.entry.source.host, held.entry.target.host))


def open_nftables(name: str, *, ports: tuple[int, int], limit: int) -> NftablesPath:
    """Open the path of a relay, with what a former process of it has left.

    Args:
        name: The relay's name, which no other relay on this host has.
        ports: The first and the last port of its range.
        limit: Entries at most: two for a stream, and two more for its RTCP on a port of its own.

    Raises:
        Unavailable: This host does not let us, and why.
    """
    try:
        netlink = Netlink(NETFILTER, room=max(_ROOM, limit * _ROOM_EACH))
    except OSError as error:
        raise Unavailable(f"netfilter cannot be spoken to: {_why(error)}") from error
    maps = Maps(name, ports=ports, limit=limit, netlink=netlink)
    try:
        ways = Ways(Netlink(ROUTE))
    except OSError as error:
        maps.close()
        raise Unavailable(f"routes cannot be asked for: {_why(error)}") from error
    path = NftablesPath(maps, ways, ports=ports, limit=limit)
    try:
        path.adopt()
    except OSError as error:
        path.close(keep=True)
        raise Unavailable(f"nf_tables: {_why(error)}") from error
    except BaseException:
        path.close(keep=True)
        raise
    return path


def _why(error: OSError) -> str:
    """Say what a refusal means."""
    match error.errno:
        case errno.EPERM | errno.EACCES:
            return "the right to change the network is missing (CAP_NET_ADMIN)"
        case errno.EPROTONOSUPPORT | errno.EAFNOSUPPORT | errno.EOPNOTSUPP | errno.EINVAL:
            return f"this kernel does not have it ({error.strerror})"
        case _:
            return error.strerror or os.strerror(error.errno or errno.EIO)
