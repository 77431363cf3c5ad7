import pytest

from centrex.auth.quirks import Told, md5_only
from tests.support.registering import flow_from


@pytest.mark.parametrize(
    "user_agent",
    [
        b"baresip v1.0.0 (x86_64/linux)",
        b"baresip v0.6.5",
        b"baresip v3.10.1 (x86_64/Linux)",
        b"Asterisk PBX 16.28.0~dfsg-0+deb11u4",
        b"Asterisk PBX certified/18.9-cert4",
        b"Asterisk PBX 1.8.32.3",
    ],
)
def test_old_phones_are_known_by_their_names(user_agent: bytes) -> None:
    assert md5_only(user_agent)


@pytest.mark.parametrize(
    "user_agent",
    [
        b"",
        b"baresip",
        b"baresip v",
        b"baresip v3.11.0 (x86_64/Linux)",
        b"baresip v10.0",
        b"my baresip v1.0.0",
        b"baresip v1",
        b"baresip v99999999999999999999.0",
        b"Asterisk PBX 21.0.0",
        b"Asterisk PBX GIT-master-1234",
        b"Linphonec/5.1.65",
        b"\xff\x00" * 5000,
        b"baresip v1" + b"1" * 60_000 + b".0",
    ],
)
def test_all_others_may_choose(user_agent: bytes) -> None:
    assert not md5_only(user_agent)


def test_a_source_is_news_once() -> None:
    told = Told()
    assert told.is_news(flow_from("192.0.2.7"))
    assert not told.is_news(flow_from("192.0.2.7"))
    assert told.is_news(flow_from("192.0.2.8"))


def test_no_more_than_some_thousand_sources_are_remembered() -> None:
    told = Told()
    flows = [flow_from(f"10.0.{n >> 8}.{n & 255}") for n in range(4097)]
    assert all(told.is_news(flow) for flow in flows)
    assert not told.is_news(flows[1])
    assert told.is_news(flows[0]), "the oldest gave way"
