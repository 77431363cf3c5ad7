"""What nf_tables carries, where the way on takes no packets of the usual length."""

from collections.abc import Iterator

import pytest

from centrex.runtime.relay.nftables import NftablesPath, open_nftables
from tests.support.relay_lab import BACK, THERE, Ends, Lab, in_v6, lab, narrowed, received

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def rooms() -> Iterator[Lab]:
    try:
        with lab() as built:
            yield built
    except (PermissionError, FileNotFoundError) as error:
        pytest.skip(f"no network namespaces here: {error}")


@pytest.fixture
def path(rooms: Lab) -> Iterator[NftablesPath]:
    with rooms.relay.inside():
        made = open_nftables("narrow", ports=(30000, 39999), limit=100)
        yield made
        made.close(keep=False)


@pytest.mark.parametrize("ip6", [False, True], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("narrow", ["link", "route"])
def test_what_is_too_long_for_its_way_on_comes_to_our_socket(
    rooms: Lab, path: NftablesPath, ip6: bool, narrow: str
) -> None:
    """The host would drop it, and tell a sender who knows nothing of that way."""
    there = in_v6(THERE) if ip6 else THERE
    longest = bytes(1300 - (48 if ip6 else 28))
    path.install([in_v6(BACK) if ip6 else BACK])
    with narrowed(rooms, narrow, there.target.host):
        path.install([there])
        ends = Ends(rooms, there)
        try:
            for length in (0, 1):
                ends.caller.sendto(longest + bytes(length), there.arrives)
            assert received(ends.callee) == (longest, there.leaves)
            assert received(ends.facing_caller) == (longest + b"\0", there.source)
            assert path.carried()[there.key].packets == 1
            assert len(path.entries()) == 2
        finally:
            ends.close()


def test_what_was_left_by_a_former_process_is_known_to_be_narrow(rooms: Lab) -> None:
    with narrowed(rooms, "link"), rooms.relay.inside():
        former = open_nftables("left", ports=(30000, 39999), limit=100)
        former.install([THERE])
        former.close(keep=True)
        heir = open_nftables("left", ports=(30000, 39999), limit=100)
        ends = Ends(rooms)
        try:
            assert heir.entries() == [THERE]
            ends.caller.sendto(bytes(1400), THERE.arrives)
            assert received(ends.facing_caller) == (bytes(1400), THERE.source)
        finally:
            ends.close()
            heir.close(keep=False)
