"""Watchers that talk to a core without sockets, and the view they build of what they are told.

The documents are read by Python's own XML parser, and the view is built as RFC 3680 §5.3 says, apart
from the code under test.
"""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from centrex.base import Flow, Transport
from tests.support.proxy import DOMAIN, Proxy, request, respond
from tests.support.sipmessage import Message, parameter

REGINFO = "{urn:ietf:params:xml:ns:reginfo}"
DIALOGINFO = "{urn:ietf:params:xml:ns:dialog-info}"
REGISTRAR = f"sip:registrar@{DOMAIN}"

Sent = list[tuple[Flow, bytes]]


class Watcher:
    """A phone that subscribes, answers each NOTIFY and remembers what it was told.

    Attributes:
        users: What `reg` told: the contacts of each user URI, by their ids.
        states: The state of each registration.
        events: Each contact's (state, event), in the order in which they were told.
        dialogs: What `dialog` told last: (direction, state, event, remote identity) by id.
        notifies: All NOTIFYs.
        may_leap: Whether the version of a full document may be higher than the next one.
    """

    def __init__(
        self,
        proxy: Proxy,
        name: str = "wanda",
        host: str = "192.0.2.77",
        port: int = 5060,
        *,
        transport: Transport = Transport.UDP,
        call_id: str = "watch-1",
        answers: int = 200,
    ) -> None:
        self.proxy, self.name, self.call_id, self.answers = proxy, name, call_id, answers
        self.flow = proxy.flows.get(host, port, transport)
        self.contact = f"sip:{name}@{host}:{port}"
        self.cseq = 0
        self.to_tag = ""
        self.own_contact = ""
        self.users: dict[str, dict[str, str]] = {}
        self.states: dict[str, str] = {}
        self.events: list[tuple[str, str]] = []
        self.dialogs: dict[str, tuple[str, str, str, str]] = {}
        self.notifies: list[Message] = []
        self.unanswered: list[bytes] = []
        self.version = -1
        self.may_leap = False
        self.answer = Message(b"SIP/2.0 100 x\r\n\r\n")

    def subscribe(
        self,
        target: str = "",
        event: str = "reg",
        *,
        expires: int | None = 3600,
        extra: str = "",
        contact: str | None = None,
        to_tag: str = "",
        via: str = "",
    ) -> Message:
        """Send a SUBSCRIBE, within the dialog where there is one; return its answer."""
        uri = target if ":" in target else f"sip:{target}@{DOMAIN}" if target else REGISTRAR
        self.cseq += 1
        lines = f"Event: {event}\n" if event else ""
        lines += "" if expires is None else f"Expires: {expires}\n"
        where = self.contact if contact is None else contact
        lines += f"Contact: <{where}>\n" if where else ""
        self.target = getattr(self, "target", uri)
        data = request(
            "SUBSCRIBE",
            self.own_contact or uri,
            self.flow,
            sender=self.name,
            target=self.target,
            call_id=self.call_id,
            cseq=self.cseq,
            from_tag="w",
            to_tag=to_tag or self.to_tag,
            extra=lines + extra,
            via=via,
        )
        sent = self.proxy.receive(data, self.flow)
        answers = [Message(data) for to, data in sent if data.startswith(b"SIP/2.0")]
        assert len(answers) == 1, [data for _, data in sent]
        self.answer = answers[0]
        if self.answer.status == 200:
            self.to_tag = parameter(self.answer.get("to"), "tag")
            self.own_contact = self.answer.get("contact").strip("<>")
        self.take(sent)
        return self.answer

    def take(self, sent: Iterable[tuple[Flow, bytes]]) -> None:
        """Read the NOTIFYs of this watcher among what left, and answer them."""
        for flow, data in sent:
            if flow is not self.flow or not data.startswith(b"NOTIFY "):
                continue
            notify = Message(data)
            if notify.call_id != self.call_id:
                continue
            if not self.notifies or notify.branch not in [one.branch for one in self.notifies]:
                self.notifies.append(notify)
                self.read(notify)
            self.unanswered.append(data)
        if self.answers:
            waiting, self.unanswered = self.unanswered, []
            for data in waiting:
                self.take(self.proxy.receive(respond(data, self.answers, "x"), self.flow))

    def wait(self, seconds: float) -> None:
        """Let time pass, in which NOTIFYs are answered as they come."""
        wait(self.proxy, seconds, self)

    def read(self, notify: Message) -> None:
        """Take a document over into the view."""
        root = ET.fromstring(notify.body)
        version = int(root.attrib["version"])
        full = root.attrib["state"] == "full"
        leaps = self.may_leap and full and version > self.version
        assert leaps or version == self.version + 1, (version, self.version)
        self.version = version
        if root.tag == f"{REGINFO}reginfo":
            self._read_reg(root, full=full)
        else:
            assert root.tag == f"{DIALOGINFO}dialog-info"
            assert full
            self.dialogs = {
                one.attrib["id"]: (
                    one.attrib["direction"],
                    one.findtext(f"{DIALOGINFO}state") or "",
                    state.attrib.get("event", ""),
                    one.findtext(f"{DIALOGINFO}remote/{DIALOGINFO}identity") or "",
                )
                for one in root
                if (state := one.find(f"{DIALOGINFO}state")) is not None
            }

    def _read_reg(self, root: ET.Element, *, full: bool) -> None:
        if full:
            self.users, self.states = {}, {}
        for registration in root:
            aor = registration.attrib["aor"]
            contacts = self.users.setdefault(aor, {})
            self.states[aor] = registration.attrib["state"]
            for contact in registration:
                name, state = contact.attrib["id"], contact.attrib["state"]
                self.events.append((state, contact.attrib["event"]))
                if state == "terminated":
                    contacts.pop(name, None)
                else:
                    contacts[name] = contact.findtext(f"{REGINFO}uri") or ""
            if registration.attrib["state"] == "terminated":
                del self.users[aor]

    @property
    def last(self) -> Message:
        """The last NOTIFY."""
        return self.notifies[-1]

    @property
    def state(self) -> str:
        """Its Subscription-State."""
        return self.last.get("subscription-state")

    def view(self) -> dict[str, list[str]]:
        """The contacts of each user who has any."""
        return {aor: sorted(found.values()) for aor, found in self.users.items() if found}

    def lamp(self) -> list[tuple[str, str]]:
        """The (direction, state) of each call that was told last."""
        return [(direction, state) for direction, state, _, _ in self.dialogs.values()]


def wait(proxy: Proxy, seconds: float, *watchers: Watcher) -> None:
    """Let time pass for several watchers, each answering at once."""
    end = proxy.now + seconds
    while True:
        due = min(proxy.core.deadline, end)
        proxy.now = max(proxy.now, due)
        if proxy.core.deadline > end:
            break
        proxy.core.expire(proxy.now)
        sent = proxy.taken()
        for watcher in watchers:
            watcher.take(sent)


def registry_view(proxy: Proxy) -> dict[str, list[str]]:
    """Return who is registered where, and the standing names, as a watcher should see it."""
    found: dict[str, list[str]] = {}
    for user in proxy.registry.names():
        aor = f"sip:{user.decode()}@{DOMAIN}"
        live = proxy.registry.lookup(user, proxy.now)
        found[aor] = [one.contact.decode() for one in live]
    for user, standing in proxy.core.watchers.roll.directory.items():
        aor = f"sip:{user.decode()}@{DOMAIN}"
        found.setdefault(aor, []).append(standing.contact.decode() or aor)
    return {aor: sorted(contacts) for aor, contacts in found.items() if contacts}
