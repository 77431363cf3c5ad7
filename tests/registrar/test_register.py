import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import Transport
from centrex.registrar.binding import Binding, ChangeKind
from centrex.registrar.register import Options, Outcome, register
from centrex.sip.message import Message
from tests.support.registering import flow_from, register_request

NOW = 1000.0
OPTIONS = Options()
FLOW = flow_from("192.0.2.7")
URN = b'"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"'


def run(
    message: Message,
    present: tuple[Binding, ...] = (),
    now: float = NOW,
    options: Options = OPTIONS,
) -> Outcome:
    return register(message, present, FLOW, now, options)


def contacts(outcome: Outcome) -> list[bytes]:
    return [line[9:] for line in outcome.lines if line.startswith(b"Contact: ")]


def kinds(outcome: Outcome) -> list[tuple[str, bytes]]:
    return [(one.kind.value, one.binding.contact) for one in outcome.changes]


def one(*values: bytes, now: float = NOW, **more: int) -> tuple[Binding, ...]:
    outcome = run(register_request(*values, cseq=more.get("cseq", 1)), now=now)
    assert outcome.status == 200
    return outcome.bindings


def test_a_contact_is_added_with_all_that_is_known_of_it() -> None:
    params = b";+sip.instance=" + URN + b';reg-id=1;pn-prid="a b";pub-gruu="sip:x@y;gr"'
    message = register_request(
        b'"A" <sip:1001@192.0.2.7:5062;ob>;expires=600' + params + b";q=0.5",
        extra=(b"User-Agent: Phone 1", b"Path: <sip:edge.example.com;lr>"),
        cseq=7,
    )
    outcome = run(message)
    (binding,) = outcome.bindings
    assert (outcome.status, outcome.phrase, outcome.reason) == (200, b"OK", "")
    assert binding.contact == b"sip:1001@192.0.2.7:5062;ob"
    assert binding.params == params
    assert (binding.q, binding.expires_at, binding.registered_at) == (500, 1600.0, NOW)
    assert (binding.call_id, binding.cseq, binding.flow) == (b"c1", 7, FLOW)
    assert binding.path == (b"<sip:edge.example.com;lr>",)
    assert binding.user_agent == b"Phone 1"
    assert binding.instance == URN.strip(b'"')
    assert binding.reg_id == 1
    assert outcome.lines == [
        b"Contact: <sip:1001@192.0.2.7:5062;ob>" + params + b";q=0.5;expires=600",
        b"Supported: path",
    ]
    assert kinds(outcome) == [("added", binding.contact)]
    assert outcome.changes[0].previous is None


def test_a_path_is_sent_back_where_it_is_supported() -> None:
    paths = (b"Path: <sip:b;lr>, <sip:c;lr>", b"Path: <sip:d;lr>")
    message = register_request(b"<sip:a@b>", extra=(*paths, b"Supported: gruu, Path"))
    assert run(message).lines[1:] == [*paths, b"Supported: path"]


def test_without_a_contact_all_are_listed_and_nothing_changes() -> None:
    present = one(b"<sip:a@h>;q=0.1", b"<sip:b@h>")
    outcome = run(register_request(cseq=2), present, now=NOW + 100)
    assert outcome.changes == ()
    assert outcome.bindings == present
    assert contacts(outcome) == [b"<sip:b@h>;expires=3500", b"<sip:a@h>;q=0.1;expires=3500"]


def test_the_life_comes_from_the_parameter_then_the_header_then_the_default() -> None:
    both = register_request(b"<sip:a@h>;expires=100", b"<sip:b@h>", extra=(b"Expires: 200",))
    assert {x.contact: x.expires_at for x in run(both).bindings} == {
        b"sip:a@h": 1100.0,
        b"sip:b@h": 1200.0,
    }
    assert run(register_request(b"<sip:a@h>")).bindings[0].expires_at == NOW + 3600
    odd = register_request(b"<sip:a@h>", extra=(b"Expires: soon",))
    assert run(odd).bindings[0].expires_at == NOW + 3600
    long = register_request(b"<sip:a@h>;expires=9999999")
    assert run(long).bindings[0].expires_at == NOW + 86_400
    huge = register_request(b"<sip:a@h>", extra=(b"Expires: 4294967295",))
    assert contacts(run(huge)) == [b"<sip:a@h>;expires=86400"]


def test_too_short_a_life_is_answered_423() -> None:
    outcome = run(register_request(b"<sip:a@h>", b"<sip:b@h>;expires=59"))
    assert (outcome.status, outcome.bindings, outcome.changes) == (423, (), ())
    assert outcome.lines == [b"Min-Expires: 60"]
    assert "59 s" in outcome.reason


def test_expires_0_removes() -> None:
    present = one(b"<sip:a@h>", b"<sip:b@h>")
    outcome = run(register_request(b"<sip:a@h>;expires=0", cseq=2), present)
    assert kinds(outcome) == [("removed", b"sip:a@h")]
    assert [x.contact for x in outcome.bindings] == [b"sip:b@h"]
    nothing = run(register_request(b"<sip:c@h>;expires=0", cseq=2), present)
    assert (nothing.status, nothing.changes) == (200, ())


def test_a_star_with_expires_0_removes_all() -> None:
    present = one(b"<sip:a@h>", b"<sip:b@h>")
    outcome = run(register_request(b"*", extra=(b"Expires: 0",), cseq=2), present)
    assert outcome.status == 200
    assert outcome.bindings == ()
    assert sorted(kinds(outcome)) == [("removed", b"sip:a@h"), ("removed", b"sip:b@h")]
    assert outcome.lines == [b"Supported: path"]


@pytest.mark.parametrize(
    ("values", "extra"),
    [
        ((b"*",), ()),
        ((b"*",), (b"Expires: 60",)),
        ((b"*", b"<sip:a@h>"), (b"Expires: 0",)),
        ((b"*, <sip:a@h>",), (b"Expires: 0",)),
        ((b"<sip:a@h>;q=2",), ()),
        ((b"<sip:a@h",), ()),
        ((b"<sip:>",), ()),
        ((b"<sip:a@h>", b"<sip:%b@h>" % (b"a" * 3000)), ()),
        ((b"<sip:a@h>",), (b"Path: <sip:%b;lr>" % (b"a" * 3000),)),
        ((b"<sip:a@h>",), (b"Path: <sip:p@h",)),
        ((b"<sip:a@h>",), (b"Path: <sip:p;lr>, ",)),
        ((b"<sip:a@h>",), (b"Path: <tel:1>",)),
        ((b"<sip:a@h>",), (b"Path: <sip:p;lr>", b"Supported: \0path")),
        ((b"<sip:a@h>",), (b"Require: @",)),
    ],
)
def test_what_is_malformed_is_answered_400_and_changes_nothing(
    values: tuple[bytes, ...], extra: tuple[bytes, ...]
) -> None:
    present = one(b"<sip:z@h>")
    outcome = run(register_request(*values, extra=extra, cseq=2), present)
    assert (outcome.status, outcome.phrase) == (400, b"Bad Request")
    assert outcome.reason
    assert outcome.bindings == present
    assert outcome.changes == ()


def test_what_is_required_and_not_understood_is_answered_420() -> None:
    outcome = run(register_request(b"<sip:a@h>", extra=(b"Require: path, gruu, x",)))
    assert outcome.status == 420
    assert outcome.lines == [b"Unsupported: gruu, x"]
    assert run(register_request(b"<sip:a@h>", extra=(b"Require: path",))).status == 200


@pytest.mark.parametrize("cseq", [4, 5])
def test_an_older_request_changes_nothing(cseq: int) -> None:
    present = one(b"<sip:a@h>", cseq=5)
    for message in (
        register_request(b"<sip:b@h>", b"<sip:a@h>", cseq=cseq),
        register_request(b"<sip:a@h>;expires=0", cseq=cseq),
        register_request(b"*", extra=(b"Expires: 0",), cseq=cseq),
    ):
        outcome = run(message, present)
        assert (outcome.status, outcome.bindings, outcome.changes) == (500, present, ())
    after_reboot = register_request(b"<sip:a@h>", call_id=b"other", cseq=1)
    assert kinds(run(after_reboot, present)) == [("refreshed", b"sip:a@h")]


def test_uris_are_compared_as_uris() -> None:
    present = one(b"<sip:a@HOST.example;Transport=TCP>")
    outcome = run(register_request(b"<sip:%61@host.example;transport=tcp;x=y>", cseq=2), present)
    assert [x.kind for x in outcome.changes] == [ChangeKind.REFRESHED]
    assert outcome.changes[0].previous is present[0]
    other = run(register_request(b"<sip:A@host.example;transport=tcp>", cseq=2), present)
    assert len(other.bindings) == 2


def test_a_device_replaces_its_old_address() -> None:
    device = b";+sip.instance=" + URN
    present = one(b"<sip:a@192.0.2.7:1000>" + device)
    message = register_request(b"<sip:a@192.0.2.7:2000>" + device, call_id=b"new")
    outcome = run(message, present)
    assert kinds(outcome) == [("refreshed", b"sip:a@192.0.2.7:2000")]
    assert len(outcome.bindings) == 1


def test_a_device_takes_the_place_of_a_stranger_at_its_new_address_too() -> None:
    device = b";+sip.instance=" + URN
    present = one(b"<sip:a@192.0.2.7:1000>" + device, b"<sip:a@192.0.2.7:2000>")
    outcome = run(register_request(b"<sip:a@192.0.2.7:2000>" + device, cseq=2), present)
    assert sorted(kinds(outcome)) == [
        ("refreshed", b"sip:a@192.0.2.7:2000"),
        ("removed", b"sip:a@192.0.2.7:2000"),
    ]
    assert len(outcome.bindings) == 1


def test_flows_of_one_device_are_kept_apart_by_reg_id() -> None:
    first = b"<sip:a@h>;+sip.instance=" + URN + b";reg-id=1"
    second = first.replace(b"reg-id=1", b"reg-id=2")
    present = one(first, second)
    assert len(present) == 2
    outcome = run(register_request(second, cseq=2), present)
    assert [x.previous.reg_id for x in outcome.changes if x.previous] == [2]
    assert len(outcome.bindings) == 2


def test_the_nil_uuid_names_no_device() -> None:
    nil = b';+sip.instance="<urn:uuid:00000000-0000-0000-0000-000000000000>"'
    present = one(b"<sip:a@h:1>" + nil)
    outcome = run(register_request(b"<sip:a@h:2>" + nil, call_id=b"x"), present)
    assert len(outcome.bindings) == 2


def test_too_many_contacts_are_answered_403() -> None:
    present = one(*(b"<sip:a@h:%d>" % port for port in range(1, 11)))
    outcome = run(register_request(b"<sip:a@h:11>", cseq=2), present)
    assert (outcome.status, outcome.phrase) == (403, b"Too Many Contacts")
    assert "10 contacts" in outcome.reason
    assert outcome.bindings == present
    swap = register_request(b"<sip:a@h:1>;expires=0", b"<sip:a@h:11>", cseq=2)
    assert run(swap, present).status == 200
    fewer_allowed = Options(max_contacts=2)
    again = register_request(b"<sip:a@h:1>", cseq=2)
    assert run(again, present, options=fewer_allowed).status == 200
    flood = register_request(*(b"<sip:a@h:%d>;expires=0" % port for port in range(1, 400)))
    assert run(flood).status == 403


def held(count: int, call_id: bytes, transport: Transport) -> list[Binding]:
    """Return bindings of a phone behind NAT, each by another way, the newest first."""
    found: list[Binding] = []
    for number in range(count):
        flow = flow_from("192.0.2.7", 40000 + number, transport)
        request = register_request(b"<sip:a@h:%d>" % (7000 + number), call_id=call_id, cseq=number)
        outcome = register(request, found, flow, NOW + number, OPTIONS, natted=True)
        found = list(outcome.bindings)
    return found


@pytest.mark.parametrize("transport", [Transport.TCP, Transport.UDP])
def test_what_cannot_be_reached_any_more_makes_room(transport: Transport) -> None:
    present = held(10, b"c1", transport)
    request = register_request(b"<sip:a@h:9999>", cseq=99)
    flow = flow_from("192.0.2.7", 50000, transport)
    if transport is Transport.TCP:
        assert register(request, present, flow, NOW + 99, OPTIONS, natted=True).status == 403
        for one in present[3:8]:
            assert one.flow
            one.flow.open = False
    outcome = register(request, present, flow, NOW + 99, OPTIONS, natted=True)
    oldest = present[7 if transport is Transport.TCP else 9].contact
    assert set(kinds(outcome)) == {("removed", oldest), ("added", b"sip:a@h:9999")}
    assert len(outcome.bindings) == 10


def test_what_can_be_reached_makes_none() -> None:
    present = held(10, b"c1", Transport.UDP)
    for host, call_id in (("192.0.2.7", b"c2"), ("192.0.2.8", b"c1")):
        request = register_request(b"<sip:a@h:9999>", call_id=call_id, cseq=99)
        flow = flow_from(host, 50000)
        assert register(request, present, flow, NOW + 99, OPTIONS, natted=True).status == 403
    again = register_request(b"<sip:a@h:7000>", b"<sip:a@h:7001>", b"<sip:a@h:9999>", cseq=99)
    flow = flow_from("192.0.2.7", 50000)
    outcome = register(again, present, flow, NOW + 99, OPTIONS, natted=True)
    assert ("removed", b"sip:a@h:7002") in kinds(outcome), "what is refreshed stays"
    for one in present:
        one.path = (b"<sip:edge.example.com;lr>",)
    request = register_request(b"<sip:a@h:9999>", cseq=99)
    assert register(request, present, flow, NOW + 99, OPTIONS, natted=True).status == 403


def test_what_has_expired_does_not_count() -> None:
    present = one(b"<sip:a@h>;expires=60", cseq=9)
    outcome = run(register_request(b"<sip:a@h>", cseq=1), present, now=NOW + 60)
    assert kinds(outcome) == [("added", b"sip:a@h")]


def test_one_contact_twice_in_a_request_is_one_binding() -> None:
    outcome = run(register_request(b"<sip:a@h>;q=0.1, <sip:a@h>;q=0.2"))
    assert [(x.contact, x.q) for x in outcome.bindings] == [(b"sip:a@h", 200)]
    assert kinds(outcome) == [("added", b"sip:a@h")]
    gone = run(register_request(b"<sip:a@h>, <sip:a@h>;expires=0"))
    assert (gone.bindings, gone.changes) == ((), ())


def test_a_very_long_call_id_is_kept_short_and_still_compared() -> None:
    long = b"x" * 500
    first = run(register_request(b"<sip:a@h>", call_id=long, cseq=3))
    assert len(first.bindings[0].call_id) == 64
    again = run(register_request(b"<sip:a@h>", call_id=long, cseq=3), first.bindings)
    assert again.status == 500
    other = run(register_request(b"<sip:a@h>", call_id=long + b"y", cseq=3), first.bindings)
    assert other.status == 200


Model = dict[bytes, tuple[float, bytes, int, int]]
"""Contact to when it ends, Call-ID, CSeq and q."""


def expected(
    model: Model, wanted: list[tuple[bytes, int | None, int]], call_id: bytes, cseq: int, now: float
) -> tuple[int, Model]:
    """Do what §10.3 says, in the plainest way."""
    alive = {uri: kept for uri, kept in model.items() if kept[0] > now}
    after = dict(alive)
    for uri, asked, q in wanted:
        life = 3600 if asked is None else min(asked, 86_400)
        if 0 < life < 60:
            return 423, alive
        old = alive.get(uri)
        if old and after.get(uri) is old and old[1] == call_id and cseq <= old[2]:
            return 500, alive
        after.pop(uri, None)
        if life:
            after[uri] = (now + life, call_id, cseq, q)
    if len(after) > 3:
        return 403, alive
    return 200, after


REQUESTS = st.lists(
    st.tuples(
        st.lists(
            st.tuples(
                st.sampled_from([b"sip:a@h", b"sip:b@h", b"sip:c@h", b"sip:d@h", b"sip:e@h"]),
                st.sampled_from([None, 0, 30, 60, 600, 100_000]),
                st.sampled_from([0, 500, 1000]),
            ),
            max_size=3,
        ),
        st.sampled_from([b"c1", b"c2"]),
        st.integers(1, 20),
        st.sampled_from([0.0, 1.0, 59.5, 60.0, 700.0]),
    ),
    max_size=25,
)


@given(REQUESTS)
def test_a_history_of_registers_comes_out_as_the_rfc_says(
    history: list[tuple[list[tuple[bytes, int | None, int]], bytes, int, float]],
) -> None:
    model: Model = {}
    present: tuple[Binding, ...] = ()
    now, options = NOW, Options(max_contacts=3)
    for wanted, call_id, cseq, passed in history:
        now += passed
        values = []
        for uri, asked, q in wanted:
            expires = b"" if asked is None else b";expires=%d" % asked
            values.append(b"<%b>;q=%d.%03d%b" % (uri, q // 1000, q % 1000, expires))
        message = register_request(*values, call_id=call_id, cseq=cseq)
        before = {id(x) for x in present if x.expires_at > now}
        outcome = register(message, present, FLOW, now, options)
        status, model = expected(model, wanted, call_id, cseq, now)
        present = outcome.bindings
        assert outcome.status == status
        assert {x.contact: (x.expires_at, x.call_id, x.cseq, x.q) for x in present} == model
        # The changes account for the difference between before and after.
        gone = {id(x.previous) for x in outcome.changes if x.previous}
        come = {id(x.binding) for x in outcome.changes if x.kind is not ChangeKind.REMOVED}
        assert before - gone | come == {id(x) for x in present}


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_any_contacts_come_to_an_outcome(values: list[bytes]) -> None:
    clean = [value.replace(b"\r", b"").replace(b"\n", b"") for value in values]
    outcome = run(register_request(*clean, *(b"<sip:a@h>;" + value for value in clean)))
    assert outcome.status in (200, 400, 403, 423)
