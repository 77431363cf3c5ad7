import errno
from collections.abc import Iterator

import pytest

from centrex.base import Unavailable
from centrex.runtime.relay.netlink import NETFILTER, Batch, Message, Netlink
from centrex.runtime.relay.nftables_elements import LAYOUTS, V4, V6, Counted, Element
from centrex.runtime.relay.nftables_maps import Maps
from tests.support.relay_lab import Namespace

pytestmark = pytest.mark.peer

ARRIVING = Element(b"a" * 16, b"b" * 16, "8000 Hz")
LEAVING = Element(b"c" * 16, b"d" * 4)
ARRIVING6 = Element(b"a" * 40, b"b" * 40)


@pytest.fixture
def room() -> Iterator[Namespace]:
    try:
        room = Namespace()
    except PermissionError:
        pytest.skip("no right to make network namespaces")
    with room.inside():
        yield room
    room.close()


def of(relay: str, *, limit: int = 10) -> Maps:
    return Maps(relay, ports=(30000, 39999), limit=limit, netlink=Netlink(NETFILTER))


@pytest.fixture
def maps(room: Namespace) -> Iterator[Maps]:
    maps = of("test")
    maps.make((), ())
    yield maps
    maps.close()


def test_a_table_is_known_once_it_is_made(room: Namespace) -> None:
    maps = of("test")
    assert not maps.known()
    maps.remove()
    maps.make((), ())
    assert maps.known()
    maps.prove()
    maps.remove()
    assert not maps.known()
    maps.close()


def test_elements_are_made_with_the_table_and_read_again(maps: Maps) -> None:
    with_figures = ARRIVING._replace(counted=Counted(5, 700))
    maps.make([with_figures, ARRIVING6], [LEAVING])
    found = [(V4, with_figures), (V6, ARRIVING6._replace(counted=Counted()))]
    assert list(maps.elements()) == found
    assert maps.counted() == {ARRIVING.key: Counted(5, 700), ARRIVING6.key: Counted()}
    assert maps.left(V4, LEAVING.key) == Counted()
    assert maps.left(V4, ARRIVING.key) is None


def test_an_exchange_tells_what_was_counted_to_the_end(maps: Maps) -> None:
    maps.make([ARRIVING._replace(counted=Counted(5, 700))], [LEAVING])
    other = ARRIVING._replace(data=b"e" * 16)
    counted = maps.exchange(off=([ARRIVING.key], [LEAVING.key]), on=([other, ARRIVING6], []))
    assert counted == {ARRIVING.key: Counted(5, 700)}
    assert [(one.key, one.data) for _, one in maps.elements()] == [
        (other.key, other.data),
        (ARRIVING6.key, ARRIVING6.data),
    ]
    assert maps.left(V4, LEAVING.key) is None


def test_an_exchange_happens_whole_or_not_at_all(maps: Maps) -> None:
    with pytest.raises(FileNotFoundError):
        maps.exchange(off=([ARRIVING6.key], []), on=([ARRIVING], []))
    assert list(maps.elements()) == []


def test_a_map_has_its_bound_in_the_kernel_too(room: Namespace) -> None:
    maps = of("small", limit=2)
    elements = [ARRIVING._replace(key=bytes((number,)) * 16) for number in range(3)]
    with pytest.raises(OSError, match="Too many") as refused:
        maps.make(elements, ())
    maps.close()
    assert refused.value.errno == errno.ENFILE


def test_a_kernel_that_gives_back_something_else_is_not_trusted(
    maps: Maps, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(self: Netlink, batch: Batch) -> list[Message]:
        return []

    assert len(LAYOUTS) == 2
    monkeypatch.setattr(Netlink, "commit", forgetful)
    with pytest.raises(Unavailable, match="does not give back"):
        maps.prove()
