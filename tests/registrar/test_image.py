import hashlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import Flow, Transport
from centrex.registrar import image as module
from centrex.registrar.binding import Binding
from centrex.registrar.image import HEADER, Image, revive, write_line
from tests.support.registering import flow_from

NOW, UTC = 1000.0, 1_700_000_000.0
FLOW = flow_from("192.0.2.7", 5062)


def binding(user: bytes = b"u", expires_at: float = 1600.0, flow: Flow | None = FLOW) -> Binding:
    return Binding(
        b"sip:%b@192.0.2.7;x=\xff" % user,
        b';+sip.instance="<urn:x>";reg-id=2;pn-prid="\xc3\xa4\\""',
        q=500,
        expires_at=expires_at,
        call_id=b"c1",
        cseq=7,
        flow=flow,
        registered_at=900.0,
        path=(b"<sip:a;lr>", b"<sip:b;lr>"),
        user_agent=b"Phone",
        instance=b"<urn:x>",
        reg_id=2,
    )


def read(data: bytes) -> Image:
    return module.read(io.BytesIO(data))


def same_flow(transport: str, host: str, port: int, local: str) -> Flow | None:
    assert (transport, host, port, local) == ("UDP", "192.0.2.7", 5062, "192.0.2.1:5060")
    return FLOW


def no_flow(transport: str, host: str, port: int, local: str) -> Flow | None:
    return None


def test_a_binding_comes_back_as_it_was_at_another_time() -> None:
    image = read(HEADER + write_line([(b"\xe4%", (binding(),))], NOW, UTC))
    assert (image.known, image.damaged, image.torn) == (True, 0, False)
    assert list(image.users) == ["\xe4%"]
    (back,), ended = revive(image.users["\xe4%"], 50.0, UTC + 100, same_flow)
    assert ended == 0
    was = binding()
    for name in Binding.__slots__:
        if name not in ("expires_at", "registered_at"):
            assert getattr(back, name) == getattr(was, name), name
    assert back.expires_at == pytest.approx(550.0)
    assert back.registered_at == pytest.approx(-150.0)


def test_what_expired_is_left_out_and_counted() -> None:
    image = read(HEADER + write_line([(b"u", (binding(), binding(expires_at=1010.0)))], NOW, UTC))
    alive, ended = revive(image.users["u"], NOW, UTC + 10, same_flow)
    assert (len(alive), ended) == (1, 1)


def test_a_path_that_is_gone_is_none() -> None:
    tcp = flow_from("192.0.2.7", 5062, Transport.TCP)
    for flow in (tcp, None):
        image = read(HEADER + write_line([(b"u", (binding(flow=flow),))], NOW, UTC))
        (back,), _ = revive(image.users["u"], NOW, UTC, no_flow)
        assert back.flow is None


def test_a_later_line_overrules_an_earlier_one() -> None:
    data = HEADER + b"".join(
        write_line(users, NOW, UTC)
        for users in (
            [(b"a", (binding(),)), (b"b", (binding(),))],
            [(b"a", (binding(b"new"),))],
            [(b"b", ())],
        )
    )
    image = read(data)
    assert list(image.users) == ["a"]
    assert image.users["a"][0][0] == "sip:new@192.0.2.7;x=\xff"


def test_another_file_is_not_known() -> None:
    for data in (b"", b"centrex-recovery 2\n", b"\x7fELF", HEADER[:-1]):
        assert not read(data).known


def test_a_line_that_is_no_row_is_damaged_even_with_a_right_sum() -> None:
    row = json.loads(write_line([(b"u", (binding(),))], NOW, UTC)[17:])[0][1][0]
    no_texts = json.dumps([["u", [[*row[:10], [1], *row[11:]]]]]).encode()
    no_rows = (b"[", b"{}x", b"1", b'[["u",[[1]]]]', b'[["u",[3]]]', b'[["u",{}]]', b"[" * 5000)
    for text in (*no_rows, no_texts):
        line = hashlib.blake2b(text, digest_size=8).hexdigest().encode() + b" " + text + b"\n"
        image = read(HEADER + line)
        assert (image.damaged, image.users) == (1, {}), text


@given(st.integers(0, 2000), st.integers(1, 255), st.integers(0, 2000))
def test_damage_costs_its_own_line_only(place: int, change: int, cut: int) -> None:
    lines = [write_line([(b"%d" % n, (binding(b"%d" % n),))], NOW, UTC) for n in range(4)]
    whole = HEADER + b"".join(lines)
    torn = read(whole[: len(whole) - cut % len(lines[-1])])
    assert [str(n) for n in range(3)] == list(torn.users)[:3]
    assert torn.torn == (cut % len(lines[-1]) > 0)
    hit = bytearray(whole)
    at = len(HEADER) + place % (len(whole) - len(HEADER))
    hit[at] ^= change
    image = read(bytes(hit))
    assert image.known
    assert len(image.users) >= 2
    assert image.damaged or image.torn
    for user, rows in image.users.items():
        assert rows[0][0] == f"sip:{user}@192.0.2.7;x=\xff"


@given(st.binary(max_size=200))
def test_any_bytes_are_read(raw: bytes) -> None:
    assert read(HEADER + raw).users == {}
    assert not read(raw).users


def test_it_is_told_how_much_of_a_torn_file_is_whole() -> None:
    whole = HEADER + write_line([(b"u", (binding(),))], NOW, UTC)
    assert read(whole).length == len(whole)
    torn = read(whole + whole[len(HEADER) : -1])
    assert (torn.length, torn.torn, torn.damaged) == (len(whole), True, 0)


@given(st.binary(), st.binary(), st.lists(st.binary(), max_size=3))
def test_any_octets_come_back(user: bytes, text: bytes, path: list[bytes]) -> None:
    one = Binding(
        text,
        text,
        q=1,
        expires_at=1600.0,
        call_id=text,
        cseq=1,
        flow=None,
        registered_at=0.0,
        path=tuple(path),
        user_agent=text,
        instance=text,
    )
    line = write_line([(user, (one,))], NOW, UTC)
    assert line.count(b"\n") == 1
    ((name, rows),) = read(HEADER + line).users.items()
    ((back,), _) = revive(rows, NOW, UTC, no_flow)
    assert name.encode("latin-1") == user
    assert (back.contact, back.params, back.call_id, back.instance) == (text,) * 4
    assert (back.path, back.user_agent) == (tuple(path), text[:128])
