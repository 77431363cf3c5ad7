import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import PeerError
from centrex.sip.credentials import MAX_PARAMS, parse_credentials


def test_digest() -> None:
    scheme, found = parse_credentials(
        b'DIGEST UserName="1001", realm = "a \\"b\\", c" ,nonce="x==",uri="sip:example.com",'
        b'response="66", algorithm=SHA-256, qop=auth, nc=00000001,cnonce=""'
    )
    assert scheme == b"digest"
    assert found == {
        b"username": b"1001",
        b"realm": b'a "b", c',
        b"nonce": b"x==",
        b"uri": b"sip:example.com",
        b"response": b"66",
        b"algorithm": b"SHA-256",
        b"qop": b"auth",
        b"nc": b"00000001",
        b"cnonce": b"",
    }


def test_other_schemes_are_taken_as_they_are() -> None:
    assert parse_credentials(b"NoOneKnowsThisScheme opaque-data=here") == (
        b"nooneknowsthisscheme",
        {b"opaque-data": b"here"},
    )
    assert parse_credentials(b"Basic dXNlcjpwYXNz/+==") == (b"basic", {})
    assert parse_credentials(b"Negotiate") == (b"negotiate", {})


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Digest",
        b"Digest ",
        b"Digest username",
        b'Digest username="1001',
        b'Digest username="1001" realm="x"',
        b'Digest username="a", username="b"',
        b'Digest ,username="a"',
        b'Digest username="a\x00"',
        b"(x) a=b",
        b"Digest " + b",".join(b"a%d=1" % number for number in range(MAX_PARAMS + 1)),
        b"Basic \xff\x00",
    ],
)
def test_malformed(value: bytes) -> None:
    with pytest.raises(PeerError):
        parse_credentials(value)


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda tail: b"Digest a=b" + tail))
def test_anything_is_credentials_or_a_peer_error(value: bytes) -> None:
    try:
        scheme, _ = parse_credentials(value)
    except PeerError:
        return
    assert value.lower().startswith(scheme)
