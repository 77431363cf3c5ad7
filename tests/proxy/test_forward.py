"""What changes in a request on its way through us, and nothing else (RFC 3261 §16.6)."""

from hypothesis import given
from hypothesis import strategies as st

from centrex.proxy.forward import loop_hash
from centrex.sip.message import parse
from tests.support.calling import Phone
from tests.support.proxy import DOMAIN, Proxy

VALUE = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), max_size=20
)
TOKEN = st.text("abcdefgABCDEFG", min_size=1, max_size=8).map(lambda name: f"X-{name}")


@given(st.lists(st.tuples(TOKEN, VALUE), max_size=6), st.text(max_size=50), st.integers(1, 255))
def test_untouched_lines_and_the_body_leave_byte_for_byte(
    headers: list[tuple[str, str]], body: str, hops: int
) -> None:
    proxy = Proxy(users=["bob"])
    Phone(proxy, "bob", "192.0.2.8")
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    extra = "\n".join(f"{name}: {value}" for name, value in headers)
    data = alice.write("MESSAGE", f"sip:bob@{DOMAIN}", extra=extra, hops=hops)
    data = (
        data.replace(b"Content-Length: 0", b"Content-Length: %d" % len(body.encode()))
        + body.encode()
    )
    ((_, out),) = proxy.receive(data, alice.flow)
    before, after = parse(data), parse(out)
    assert after.body == body.encode()
    assert after.lines[0] == b"MESSAGE sip:bob@192.0.2.8:5060 SIP/2.0"
    assert after.lines[1].startswith(b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK")
    assert after.lines[2].startswith(before.lines[1])
    assert after.lines[3] == b"Max-Forwards: %d" % (hops - 1)
    assert after.lines[4:] == before.lines[3:]


def test_max_forwards_is_added_where_it_is_missing() -> None:
    proxy = Proxy(users=["bob"])
    Phone(proxy, "bob", "192.0.2.8")
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    ((_, out),) = alice.sends("MESSAGE", f"sip:bob@{DOMAIN}", hops=None)
    assert out.count(b"Max-Forwards: 70") == 1


def test_the_loop_mark_depends_on_what_routing_depends_on() -> None:
    one = parse(b"INVITE sip:a@b SIP/2.0\r\nRoute: <sip:p;lr>\r\n\r\n")
    two = parse(b"INVITE sip:a@c SIP/2.0\r\nRoute: <sip:p;lr>\r\n\r\n")
    three = parse(b"INVITE sip:a@b SIP/2.0\r\n\r\n")
    marks = {loop_hash(message, b"id") for message in (one, two, three)}
    marks |= {loop_hash(one, b"other")}
    assert len(marks) == 4
    assert loop_hash(one, b"id") in marks


def test_credentials_go_and_all_else_stays_in_its_place() -> None:
    """Every combination of lines that the preparation has to find again after removing some."""
    lines = {
        "Route": "Route: <sip:192.0.2.1;lr>",
        "Max-Forwards": "Max-Forwards: 9",
        "Record-Route": "Record-Route: <sip:198.51.100.1;lr>",
        "Proxy-Authorization": 'Proxy-Authorization: Digest realm="example.com", nonce="1"',
        "X": "X-Kept: yes",
    }
    orders = [
        list(lines),
        list(reversed(lines)),
        ["X", "Route", "Proxy-Authorization", "Max-Forwards", "Record-Route"],
    ]
    for before in (True, False):
        for order in orders:
            for missing in [None, *lines]:
                proxy = Proxy(users=["bob"])
                bob = Phone(proxy, "bob", "192.0.2.8")
                alice = Phone(proxy, "alice", "192.0.2.7", register=False)
                block = "\n".join(lines[name] for name in order if name != missing)
                data = alice.write("INVITE", f"sip:bob@{DOMAIN}", hops=None, extra=block)
                if before:  # the block stands above the Via
                    part = ("\r\n" + block.replace("\n", "\r\n")).encode()
                    data = data.replace(part, b"", 1).replace(b"\r\nVia:", part + b"\r\nVia:", 1)
                out = parse(proxy.receive(data, alice.flow)[-1][1])
                assert out.fault is None
                assert out.lines[0] == f"INVITE {bob.contact} SIP/2.0".encode()
                heads = [line.split(b":")[0] for line in out.lines[1:]]
                assert heads.count(b"Via") == 2
                assert b"Route" not in heads
                assert b"Proxy-Authorization" not in heads
                assert heads.count(b"Max-Forwards") == 1
                assert (b"X-Kept" in heads) == (missing != "X")
                routes = [line for line in out.lines if line.startswith(b"Record-Route")]
                assert b";lr;cx=" in routes[0]
                assert len(routes) == 1 + (missing != "Record-Route")
                vias = [line for line in out.lines if line.startswith(b"Via")]
                assert b"192.0.2.1:5060" in vias[0]
                assert b"192.0.2.7:5060" in vias[1]
                hops = b"Max-Forwards: 70" if missing == "Max-Forwards" else b"Max-Forwards: 8"
                assert hops in out.lines
