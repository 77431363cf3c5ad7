from centrex.sip.status import PHRASES, phrase


def test_known_codes_have_their_phrase() -> None:
    assert phrase(200) == b"OK"
    assert phrase(407) == b"Proxy Authentication Required"
    assert all(100 <= code <= 699 and text for code, text in PHRASES.items())


def test_unknown_codes_have_that_of_their_class() -> None:
    assert phrase(299) == b"OK"
    assert phrase(499) == b"Request Failure"
    assert phrase(699) == b"Global Failure"
