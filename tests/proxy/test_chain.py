"""The order of the steps is that of RFC 3261 §16.3 to §16.6."""

from centrex.proxy.chain import CHAIN


def test_the_chain_reads_as_the_rfc() -> None:
    assert [step.__name__ for step in CHAIN] == [
        "syntax",
        "scheme",
        "hops",
        "loops",
        "extensions",
        "own_routes",
        "identify",
        "serve",
        "locate",
    ]
