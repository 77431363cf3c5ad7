"""Where packets would go, as the kernel tells it."""

import socket
from collections.abc import Iterator

import pytest

from centrex.base import Unavailable
from centrex.runtime.relay.routes import Routes

pytestmark = pytest.mark.wire


@pytest.fixture
def routes() -> Iterator[Routes]:
    made = Routes()
    yield made
    made.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.8.7", "::1"])
def test_this_machine_is_local(routes: Routes, host: str) -> None:
    assert routes.to(host)[:2] == (True, socket.if_nametoindex("lo"))


def test_no_way(routes: Routes) -> None:
    with pytest.raises(Unavailable, match=r"no (route|way) to 240\.0\.0\.1"):
        routes.to("240.0.0.1", "127.0.0.1")


def test_questions_are_not_mixed_up(routes: Routes) -> None:
    for _ in range(50):
        assert routes.to("127.0.0.1").local
        assert routes.to("::1").local
