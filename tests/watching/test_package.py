import pytest

from centrex.base import PeerError
from centrex.watching.package import accepts, parse_event

REG = b"application/reginfo+xml"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (b"reg", b"Event: reg"),
        (b"Reg ;id=a1", b"Event: reg;id=a1"),
        (b"dialog;sla;id=7;x=y", b"Event: dialog;id=7"),
        (b"presence.winfo", b"Event: presence.winfo"),
    ],
)
def test_an_event_is_named_as_it_was_asked_for(value: bytes, line: bytes) -> None:
    assert parse_event(value).line() == line


@pytest.mark.parametrize("value", [b"", b";id=1", b"a b", b"reg;", b"reg;id=\x00", b"r\xc3\xa9g"])
def test_what_names_no_event_is_refused_489(value: bytes) -> None:
    with pytest.raises(PeerError) as refused:
        parse_event(value)
    assert refused.value.status == 489


def test_parameters_are_found_by_name() -> None:
    event = parse_event(b"dialog;call-id=x")
    assert event.has(b"call-id")
    assert not event.has(b"id")


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        ([], True),
        ([b"application/reginfo+xml"], True),
        ([b"text/plain", b"application/pidf+xml, Application/RegInfo+XML;q=0.5"], True),
        ([b"*/*"], True),
        ([b"application/*"], True),
        ([b"application/pidf+xml"], False),
        ([b""], False),
    ],
)
def test_accept(values: list[bytes], fits: bool) -> None:
    assert accepts(values, REG) is fits
