"""From bindings to groups of targets (RFC 3261 §16.6, RFC 5626 §7, RFC 3327)."""

from typing import Any

from centrex.base import Transport
from centrex.registrar.binding import Binding, in_order
from centrex.routing.located import is_by_tls, target_groups, together
from tests.support.proxy import FakeFlows

FLOWS = FakeFlows()


def binding(name: str, q: int = 1000, at: float = 0.0, **more: Any) -> Binding:
    return Binding(
        f"sip:{name}@192.0.2.8".encode(), b"", q=q, expires_at=100.0, call_id=b"c", cseq=1,
        flow=more.pop("flow", FLOWS.get("192.0.2.8", 5060)), registered_at=at, **more,
    )  # fmt: skip


def names(*bindings: Binding) -> list[list[str]]:
    return [
        [target.uri.decode()[4:].split("@")[0] for target in group]
        for group in target_groups(in_order(bindings))
    ]


def test_equal_q_together_lower_q_later() -> None:
    assert names(binding("a", 500), binding("b"), binding("c", 500), binding("d", 0)) == [
        ["b"],
        ["a", "c"],
        ["d"],
    ]
    assert names() == []


def test_among_equals_the_newest_first() -> None:
    assert names(binding("old", at=1.0), binding("new", at=2.0)) == [["new", "old"]]


def test_the_flow_is_used_only_where_nothing_else_leads_there() -> None:
    tcp = FLOWS.get("192.0.2.8", 40000, Transport.TCP)
    ((plain,),) = target_groups([binding("a")])
    assert plain.flow is None
    ((natted,),) = target_groups([binding("a", flow=tcp, natted=True)])
    assert natted.flow is tcp


def test_a_closed_connection_leads_nowhere() -> None:
    gone = FakeFlows().get("192.0.2.8", 40000, Transport.TCP)
    gone.open = False
    assert target_groups([binding("a", flow=gone, natted=True)]) == []
    assert names(binding("a", flow=gone, natted=True), binding("b", 500)) == [["b"]]


def test_a_device_rings_once_though_all_ring_together() -> None:
    """RFC 5626 §7: of its flows one is taken, the best one that answers; the others' q does not count."""
    ones = [binding("a1", 900, instance=b"1"), binding("b", 100, instance=b"2"), binding("c", 200),
            binding("a2", 500, instance=b"1"), binding("d", 200)]  # fmt: skip

    def rung(*silent: str) -> list[str]:
        found = together(
            in_order(ones), lambda one: one.contact.split(b"@")[0][4:].decode() in silent
        )
        return sorted(target.uri.decode()[4:].split("@")[0] for target in found)

    assert rung() == ["a1", "b", "c", "d"]
    assert rung("a1", "b") == ["a2", "b", "c", "d"]
    assert rung("a1", "a2") == ["a1", "b", "c", "d"]
    assert together((), lambda _: False) == []


def test_a_path_leads_there_instead_of_the_flow() -> None:
    path = (b"<sip:edge;lr>",)
    ((target,),) = target_groups([binding("a", natted=True, path=path)])
    assert (target.flow, target.path) == (None, path)


def test_a_device_is_never_rung_twice_at_once() -> None:
    one = binding("a1", instance=b"<urn:1>", reg_id=1, at=3.0)
    two = binding("a2", instance=b"<urn:1>", reg_id=2, at=2.0)
    other = binding("b", instance=b"<urn:2>", reg_id=1, at=1.0)
    plain = binding("c", at=0.0)
    assert names(one, two, other, plain) == [["a1", "b", "c"], ["a2"]]


def test_who_is_reached_by_tls() -> None:
    tls, tcp = (FLOWS.get("192.0.2.8", 40000, one) for one in (Transport.TLS, Transport.TCP))
    assert is_by_tls(binding("a", flow=tls, natted=True))
    assert not is_by_tls(binding("a", flow=tcp, natted=True))
    assert not is_by_tls(binding("a"))
    for contact, told in (
        (b"sips:a@h", True), (b"sip:a@h;transport=TLS", True), (b"sip:a@h;transport=tcp", False),
        (b"tel:1", False), (b"sip:[", False),
    ):  # fmt: skip
        one = binding("a")
        one.contact = contact
        assert is_by_tls(one) is told, contact
