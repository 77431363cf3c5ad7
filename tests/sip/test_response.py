from centrex.sip.message import parse
from centrex.sip.response import build_response

REQUEST = (
    b"OPTIONS sip:b@example.com SIP/2.0\r\nv: SIP/2.0/UDP b;branch=z9hG4bK2\r\n"
    b"Via : SIP/2.0/UDP a;branch=z9hG4bK1\r\nf: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n"
    b"i: 1@x\r\nTimestamp: 5\r\nCSeq: 1\r\n OPTIONS\r\nRoute: <sip:c;lr>\r\n\r\n"
)


def test_a_response_carries_back_the_lines_as_they_stand() -> None:
    assert build_response(parse(REQUEST), 404, to_tag=b"9", extra=(b"Warning: 399 x y",)) == (
        b"SIP/2.0 404 Not Found\r\nv: SIP/2.0/UDP b;branch=z9hG4bK2\r\n"
        b"Via : SIP/2.0/UDP a;branch=z9hG4bK1\r\nf: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=9\r\n"
        b"i: 1@x\r\nCSeq: 1\r\n OPTIONS\r\nWarning: 399 x y\r\nContent-Length: 0\r\n\r\n"
    )


def test_a_100_has_the_timestamp_and_no_new_tag() -> None:
    request = parse(REQUEST.replace(b"Via :", b"X-Via:"))
    response = parse(build_response(request, 100, reason=b"Wait"))
    assert response.lines[0] == b"SIP/2.0 100 Wait"
    assert b"Timestamp: 5" in response.lines
    assert b"To: <sip:b@x>" in response.lines


def test_what_a_request_lacks_its_refusal_lacks_too() -> None:
    request = parse(b"\r\n".join(REQUEST.split(b"\r\n")[i] for i in (0, 1, 3, 5, 9, 9)))
    assert build_response(request, 400, to_tag=b"9", extra=(b"Warning: 399 x y",)) == (
        b"SIP/2.0 400 Bad Request\r\nv: SIP/2.0/UDP b;branch=z9hG4bK2\r\nf: <sip:a@x>;tag=1\r\n"
        b"i: 1@x\r\nWarning: 399 x y\r\nContent-Length: 0\r\n\r\n"
    )
