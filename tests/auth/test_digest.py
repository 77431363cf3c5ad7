from centrex.auth.digest import ALGORITHMS, MD5, SHA256, expected_response, ha1

REALM = b"http-auth@example.org"
NONCE = b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def test_md5_example_of_rfc_7616() -> None:
    secret = ha1(b"Mufasa", REALM, b"Circle of Life", MD5)
    response = expected_response(
        MD5, secret, b"GET", b"/dir/index.html", NONCE, qop=b"auth", nc=b"00000001", cnonce=CNONCE
    )
    assert response == b"8ca523f5e9506fed4657c9700eebdbec"


def test_sha256_example_of_rfc_7616() -> None:
    secret = ha1(b"Mufasa", REALM, b"Circle of Life", SHA256)
    response = expected_response(
        SHA256,
        secret,
        b"GET",
        b"/dir/index.html",
        NONCE,
        qop=b"auth",
        nc=b"00000001",
        cnonce=CNONCE,
    )
    assert response == b"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"


def test_example_of_rfc_2617() -> None:
    secret = ha1(b"Mufasa", b"testrealm@host.com", b"Circle Of Life", MD5)
    assert secret == b"939e7578ed9e3c518a452acee763bce9"
    response = expected_response(
        MD5,
        secret,
        b"GET",
        b"/dir/index.html",
        b"dcd98b7102dd2f0e8b11d0f600bfb0c093",
        qop=b"auth",
        nc=b"00000001",
        cnonce=b"0a4f113b",
    )
    assert response == b"6629fae49393a05397450978507c4ef1"


def test_without_qop_as_in_rfc_2617_and_2069() -> None:
    secret = ha1(b"Mufasa", b"testrealm@host.com", b"CircleOfLife", MD5)
    response = expected_response(
        MD5, secret, b"GET", b"/dir/index.html", b"dcd98b7102dd2f0e8b11d0f600bfb0c093"
    )
    # The value of the RFC 2069 errata; the one printed there is known to be wrong.
    assert response == b"1949323746fe6a43ef61f9606e7febea"


def test_algorithms_are_found_by_their_lower_case_tokens() -> None:
    assert ALGORITHMS[b"md5"] is MD5
    assert ALGORITHMS[b"sha-256"] is SHA256
    assert len(ha1(b"a", b"b", b"c", MD5)) == MD5.digits
    assert len(ha1(b"a", b"b", b"c", SHA256)) == SHA256.digits
