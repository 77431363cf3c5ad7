"""A renewal is what `register` makes of it, or nothing."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from centrex.registrar.binding import Binding
from centrex.registrar.register import Options, Outcome, register
from centrex.registrar.renewal import renew
from centrex.sip.message import Message, parse
from tests.support.registering import flow_from

FLOW = flow_from("192.0.2.7")
OPTIONS = Options(default_expires=600, min_expires=60, max_expires=3600, max_contacts=2)
NOW = 1000.0


def binding(contact: bytes, **changes: Any) -> Binding:
    given_: dict[str, Any] = {
        "q": 1000, "expires_at": NOW + 50, "call_id": b"c", "cseq": 4, "flow": FLOW,
        "registered_at": NOW - 10,
    }  # fmt: skip
    return Binding(contact, b"", **(given_ | changes))


def message(params: bytes, expires: bytes | None, call_id: bytes, cseq: int) -> Message:
    lines = [
        b"REGISTER sip:h SIP/2.0", b"Call-ID: " + call_id, b"CSeq: %d REGISTER" % cseq,
        b"Contact: <sip:a@h>" + params, b"User-Agent: phone",
    ]  # fmt: skip
    if expires is not None:
        lines.append(b"Expires: " + expires)
    return parse(b"\r\n".join(lines) + b"\r\n\r\n")


def seen(outcome: Outcome) -> Any:
    def shown(one: Binding) -> Any:
        return [getattr(one, name) for name in Binding.__slots__]

    changes = [(one.kind, shown(one.binding), one.previous) for one in outcome.changes]
    return outcome.status, outcome.lines, [shown(one) for one in outcome.bindings], changes


@given(
    st.sampled_from([
        (), (binding(b"sip:a@h"),), (binding(b"sip:A@h"),), (binding(b"sip:b@h"),),
        (binding(b"sip:a@h", expires_at=NOW),), (binding(b"sip:a@h", instance=b"x", reg_id=1),),
        (binding(b"sip:a@h"), binding(b"sip:b@h")), (binding(b"sip:a@h", call_id=b"other"),),
    ]),
    st.sampled_from([b"", b";expires=0", b";expires=30", b";expires=90", b";expires=x", b";q=0.5",
                     b";expires=9999999999", b";expires=90;ob", b";expires=5000"]),
    st.sampled_from([None, b"0", b"59", b"60", b"100000"]),
    st.sampled_from([b"c", b"d", b"x" * 200]),
    st.integers(3, 5),
    st.booleans(),
)  # fmt: skip
def test_a_renewal_is_what_register_makes_of_it(
    present: tuple[Binding, ...], params: bytes, expires: bytes | None, call_id: bytes, cseq: int,
    natted: bool,
) -> None:  # fmt: skip
    outcome = renew(
        present, (b"sip:a@h", params), expires, call_id, cseq, FLOW, b"phone", NOW, OPTIONS,
        natted=natted,
    )  # fmt: skip
    if outcome is None:
        return
    asked = message(params, expires, call_id, cseq)
    assert seen(outcome) == seen(register(asked, present, FLOW, NOW, OPTIONS, natted=natted))


def test_first_registrations_and_refreshes_are_renewals() -> None:
    for present in ((), (binding(b"sip:a@h"),)):
        outcome = renew(
            present, (b"sip:a@h", b";expires=90"), None, b"c", 5, FLOW, b"", NOW, OPTIONS,
            natted=False,
        )  # fmt: skip
        assert outcome is not None
        assert outcome.bindings[0].expires_at == NOW + 90
