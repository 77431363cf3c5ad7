"""Events and counters of the identity step; its rules are in `tests/scenarios/test_access.py`."""

from centrex.events import Kind
from tests.support.calling import Phone, answer_challenge, names
from tests.support.proxy import DOMAIN, Proxy

BOB = f"sip:bob@{DOMAIN}"


def told(proxy: Proxy) -> list[str]:
    return [event.name for event in proxy.core.events if event.kind is Kind.AUTHENTICATION]


def test_a_refusal_is_told_with_its_source() -> None:
    proxy = Proxy(users=["alice"], auth=True)
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    ((_, challenge),) = alice.sends("MESSAGE", BOB)
    line = answer_challenge(challenge, "MESSAGE", BOB, "alice", "wrong")
    assert names(alice.sends("MESSAGE", BOB, cseq=2, extra=line)) == ["403"]
    (event,) = [event for event in proxy.core.events if event.name == "auth.refused"]
    assert event.fields["src"] == "udp 192.0.2.7:5060"
    assert event.fields["login"] == b"alice"
    assert proxy.statistics.challenges_refused == 1


def test_speaking_as_another_is_told() -> None:
    proxy = Proxy(users=["alice"], auth=True)
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    ((_, challenge),) = alice.sends("MESSAGE", BOB, sender="bob")
    line = answer_challenge(challenge, "MESSAGE", BOB, "alice")
    alice.sends("MESSAGE", BOB, sender="bob", cseq=2, extra=line)
    assert told(proxy) == ["auth.not-himself"]


def test_a_challenge_alone_is_nothing_to_tell() -> None:
    proxy = Proxy(users=["alice"], auth=True)
    Phone(proxy, "alice", "192.0.2.7", register=False).sends("MESSAGE", BOB)
    assert told(proxy) == []


def test_repeated_wrong_passwords_lead_to_a_ban_of_the_source() -> None:
    """The nonce was given to that address, so nobody else can have brought this upon it."""
    proxy = Proxy(users=["alice"], auth=True)
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    answers = []
    for number in range(1200):
        sent = alice.sends("MESSAGE", BOB, call_id=f"a{number}")
        if not sent:
            break
        ((_, challenge),) = sent
        line = answer_challenge(challenge, "MESSAGE", BOB, "alice", f"guess{number}")
        answers += names(alice.sends("MESSAGE", BOB, call_id=f"a{number}", cseq=2, extra=line))
    assert set(answers) == {"403"}
    assert alice.sends("OPTIONS", f"sip:{DOMAIN}") == []


def offers(data: bytes) -> list[str]:
    lines = data.decode().split("\r\n")
    return [
        line.partition("algorithm=")[2].partition(",")[0]
        for line in lines
        if "-Authenticate:" in line
    ]


def test_an_old_phone_is_offered_md5_alone_which_is_told_once() -> None:
    proxy = Proxy(users=["alice"], auth=True)
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    for number in (1, 2):
        ((_, challenge),) = alice.sends(
            "MESSAGE", BOB, call_id=f"a{number}", extra="User-Agent: baresip v1.0.0 (x86_64/linux)"
        )
        assert offers(challenge) == ["MD5"]
    ((_, challenge),) = alice.sends("MESSAGE", BOB, call_id="a3", extra="User-Agent: other 1.0")
    assert offers(challenge) == ["SHA-256", "MD5"]
    (event,) = [event for event in proxy.core.events if event.name == "auth.quirk"]
    assert event.fields["src"] == "udp 192.0.2.7:5060"
    assert event.fields["user_agent"] == b"baresip v1.0.0 (x86_64/linux)"
