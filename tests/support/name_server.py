"""A small real DNS server on UDP, whose zone is a dictionary and whose faults can be chosen."""

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import anyio
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

SILENT = "silent"
"""A zone entry that stands for no answer at all."""

_SOA = "ns.test. admin.test. 1 3600 600 86400 7"
"""A negative answer may be believed for 7 seconds."""


class NameServer:
    """Answers from a zone.

    Attributes:
        zone: (type, name without final dot) to record texts, to a response code such as
            `SERVFAIL`, or to `SILENT`. A name that stands in no entry does not exist.
        asked: Every question received.
        ttl: The TTL of every record.
        address: Where it answers.
    """

    def __init__(self, zone: Mapping[tuple[str, str], Sequence[str] | str], ttl: int = 300) -> None:
        self.zone, self.ttl = dict(zone), ttl
        self.asked: list[tuple[str, str]] = []
        self.hold: anyio.Event | None = None
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        self._sock.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._sock.getsockname()

    @asynccontextmanager
    async def answering(self) -> AsyncIterator["NameServer"]:
        """Answer while inside."""
        with self._sock:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._run)
                yield self
                tasks.cancel_scope.cancel()

    async def _run(self) -> None:
        while True:
            await anyio.wait_readable(self._sock)
            data, source = self._sock.recvfrom(4096)
            answer = self._answer(dns.message.from_wire(data))
            if self.hold is not None:
                await self.hold.wait()
            if answer is not None:
                self._sock.sendto(answer.to_wire(), source)

    def _answer(self, query: dns.message.Message) -> dns.message.Message | None:
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((kind, name))
        entry = self.zone.get((kind, name), ())
        if entry == SILENT:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if isinstance(entry, str):
            response.set_rcode(dns.rcode.from_text(entry))
            return response
        if entry:
            texts = list(entry)
            response.answer.append(
                dns.rrset.from_text_list(question.name, self.ttl, "IN", kind, texts)
            )
            return response
        if not any(known == name for _, known in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        response.authority.append(dns.rrset.from_text("test.", 7, "IN", "SOA", _SOA))
        return response
