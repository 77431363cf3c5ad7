from centrex.registrar.binding import Binding, in_order, shared


def binding(contact: bytes, q: int = 1000, registered_at: float = 0.0) -> Binding:
    return Binding(
        contact,
        b"",
        q=q,
        expires_at=100.0,
        call_id=b"c",
        cseq=1,
        flow=None,
        registered_at=registered_at,
        user_agent=bytes(bytearray(b"Phone 1.0" * 30)),
    )


def test_bindings_are_tried_best_first_then_newest() -> None:
    bindings = [
        binding(b"a", 500, 1.0),
        binding(b"b", 1000, 1.0),
        binding(b"c", 1000, 2.0),
        binding(b"d", 0, 9.0),
    ]
    assert [one.contact for one in in_order(bindings)] == [b"c", b"b", b"a", b"d"]


def test_equal_user_agents_are_one_short_object() -> None:
    assert binding(b"a").user_agent is binding(b"b").user_agent
    assert len(binding(b"a").user_agent) == 128


def test_sharing_is_bounded() -> None:
    for number in range(3000):
        assert shared(b"%d" % number) == b"%d" % number
    assert shared(bytes([65, 66])) == b"AB"
