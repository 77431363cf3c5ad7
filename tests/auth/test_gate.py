from hypothesis import given
from hypothesis import strategies as st

from centrex.auth.digest import MD5, SHA256, Algorithm, ha1
from centrex.auth.gate import Authenticated, Challenge, Gate, Refused, Verdict, Why, strip
from centrex.auth.logins import Login, Logins
from centrex.auth.nonce import Nonces, Window
from centrex.proxy.context import Context
from centrex.sip.credentials import parse_credentials
from centrex.sip.message import Message
from centrex.sip.names import AUTHORIZATION, CSEQ, FROM, PROXY_AUTHORIZATION
from tests.support.registering import credentials, flow_from, register_request

REALM = b"example.com"
NOW = 5000.0
SOURCE = b"192.0.2.7"
SECRET = ha1(b"1001", REALM, b"secret", MD5)
SECRET256 = ha1(b"1001", REALM, b"secret", SHA256)
GROUP = Login(b"group", ha1(b"group", REALM, b"g", MD5), b"", users=(b"*",))
OFF = Login(b"off", ha1(b"off", REALM, b"o", MD5), b"", enabled=False)
BOTH = (SHA256, MD5)


def make(
    *more: Login,
    algorithms: tuple[Algorithm, ...] = BOTH,
    key: bytes = b"k" * 32,
    strict: bool = True,
) -> Gate:
    logins = Logins([Login(b"1001", SECRET, SECRET256), *more])
    nonces = Nonces(key, 300, realm=REALM)
    return Gate(REALM, algorithms, logins, nonces, Window(300), login_must_match_user=strict)


def nonce_of(gate: Gate, now: float = NOW) -> bytes:
    line = gate.challenge_lines(b"WWW-Authenticate", SOURCE, now)[0]
    return parse_credentials(line.partition(b": ")[2])[1][b"nonce"]


def request(*values: bytes, header: bytes = b"Authorization") -> Message:
    return register_request(extra=tuple(header + b": " + value for value in values))


def judge(gate: Gate, *values: bytes, now: float = NOW) -> Verdict:
    message = request(*values)
    return gate.check(message.values(AUTHORIZATION), message.method, message.uri, SOURCE, now)


def reason(verdict: Verdict) -> tuple[Why, bool]:
    assert isinstance(verdict, Challenge)
    return verdict.why, verdict.stale


def test_right_credentials_pass_in_both_algorithms() -> None:
    gate = make()
    for algorithm, secret in ((MD5, SECRET), (SHA256, SECRET256)):
        verdict = judge(gate, credentials(nonce_of(gate), secret, algorithm=algorithm))
        assert isinstance(verdict, Authenticated)
        assert verdict.login == b"1001"
        assert verdict.record.md5 == SECRET


def test_md5_is_meant_where_no_algorithm_is_named() -> None:
    gate = make()
    assert isinstance(
        judge(gate, credentials(nonce_of(gate), SECRET, algorithm=None)), Authenticated
    )


def test_the_older_form_without_qop_passes_for_its_own_target_only() -> None:
    gate = make()
    for uri in (b"sip:example.com", b"sip:192.0.2.1:5060", b"sips:example.com;transport=tcp"):
        value = credentials(nonce_of(gate), SECRET, qop=b"", uri=uri)
        assert isinstance(judge(gate, value), Authenticated), uri
    for uri in (b"sip:1002@example.com", b"nonsense", b"tel:1002"):
        verdict = judge(gate, credentials(nonce_of(gate), SECRET, qop=b"", uri=uri))
        assert isinstance(verdict, Refused)
        assert verdict.why is Why.OTHER_URI


def test_with_a_nonce_count_the_digest_uri_may_be_another() -> None:
    gate = make()
    value = credentials(nonce_of(gate), SECRET, uri=b"sip:127.0.0.1:5060")
    assert isinstance(judge(gate, value), Authenticated)


def test_ours_is_found_among_others() -> None:
    gate = make(algorithms=(MD5,))
    value = credentials(nonce_of(gate), SECRET)
    others = (
        b"Basic QWxhZGRpbg==",
        b'Digest username="broken',
        value.replace(b'realm="example.com"', b'realm="example.org"'),
        value.replace(b"algorithm=MD5", b"algorithm=SHA-256"),
    )
    assert isinstance(judge(gate, *others, value), Authenticated)


def test_the_header_asked_for_is_read() -> None:
    gate = make()
    flow = flow_from("192.0.2.7")
    message = request(credentials(nonce_of(gate), SECRET), header=b"Proxy-Authorization")
    ctx = Context(message.method, message.uri, flow, b"c", [])
    ctx.message = message
    assert ctx.credentials(AUTHORIZATION) == []
    values = ctx.credentials(PROXY_AUTHORIZATION)
    assert reason(gate.check([], message.method, message.uri, SOURCE, NOW)) == (Why.NONE, False)
    verdict = gate.check(values, message.method, message.uri, SOURCE, NOW)
    assert isinstance(verdict, Authenticated)


def test_what_cannot_be_judged_is_challenged() -> None:
    gate = make()
    value = credentials(nonce_of(gate), SECRET)
    for given_, why in (
        ((), Why.NONE),
        ((value.replace(b"example.com", b"example.org", 1),), Why.NONE),
        ((b'Digest realm="example.com',), Why.UNREADABLE),
        ((b'Digest realm="example.com"',), Why.INCOMPLETE),
        ((value.replace(b"nc=00000001", b"nc=zz"),), Why.INCOMPLETE),
        ((value.replace(b"nc=00000001", b"nc=00000000"),), Why.INCOMPLETE),
        ((value.replace(b"qop=auth", b"qop=auth-int"),), Why.UNOFFERED),
        ((value.replace(b"algorithm=MD5", b"algorithm=SHA-512-256"),), Why.UNOFFERED),
    ):
        assert reason(judge(gate, *given_)) == (why, False), given_


def test_wrong_credentials_are_refused_alike() -> None:
    gate = make(OFF, algorithms=(MD5,))
    refused = {
        Why.WRONG: credentials(nonce_of(gate), b"0" * 32),
        Why.UNKNOWN: credentials(nonce_of(gate), b"0" * 32, login=b"nobody"),
        Why.DISABLED: credentials(nonce_of(gate), OFF.md5, login=b"off"),
    }
    for why, value in refused.items():
        verdict = judge(gate, value)
        assert isinstance(verdict, Refused)
        assert verdict.why is why


def test_a_login_without_that_hash_is_refused() -> None:
    gate = make(GROUP)
    value = credentials(nonce_of(gate), b"0" * 64, login=b"group", algorithm=SHA256)
    verdict = judge(gate, value)
    assert isinstance(verdict, Refused)
    assert verdict.why is Why.NO_HASH


def test_an_old_nonce_is_stale_only_with_the_right_password() -> None:
    gate = make(OFF)
    nonce = nonce_of(gate)
    later = NOW + 400
    assert reason(judge(gate, credentials(nonce, SECRET), now=later)) == (Why.STALE, True)
    assert reason(judge(gate, credentials(nonce, b"0" * 32), now=later)) == (Why.STALE, False)
    for login, secret in ((b"nobody", b"0" * 32), (b"off", OFF.md5)):
        value = credentials(nonce, secret, login=login)
        assert reason(judge(gate, value, now=later)) == (Why.STALE, False)


def test_a_nonce_from_before_a_restart_is_stale_with_the_right_password() -> None:
    before, gate = make(key=b"x" * 32), make()
    nonce = nonce_of(before)
    assert reason(judge(gate, credentials(nonce, SECRET))) == (Why.FOREIGN, True)
    assert reason(judge(gate, credentials(nonce, b"0" * 32))) == (Why.FOREIGN, False)
    assert reason(judge(gate, credentials(b"anything", SECRET))) == (Why.FOREIGN, True)


def test_a_nonce_serves_again_with_a_higher_count_only() -> None:
    gate = make()
    nonce = nonce_of(gate)
    assert isinstance(judge(gate, credentials(nonce, SECRET)), Authenticated)
    assert reason(judge(gate, credentials(nonce, SECRET))) == (Why.REPLAYED, True)
    assert isinstance(judge(gate, credentials(nonce, SECRET, nc=b"00000002")), Authenticated)
    # A wrong response uses nothing up.
    assert isinstance(judge(gate, credentials(nonce, b"0" * 32, nc=b"00000003")), Refused)
    assert isinstance(judge(gate, credentials(nonce, SECRET, nc=b"00000003")), Authenticated)


def test_a_nonce_is_of_no_use_from_another_host() -> None:
    gate = make()
    message = request(credentials(nonce_of(gate), SECRET))
    values, other = message.values(AUTHORIZATION), b"198.51.100.1"
    verdict = gate.check(values, message.method, message.uri, other, NOW)
    assert reason(verdict) == (Why.FOREIGN, True)


def test_challenges_are_one_line_for_each_algorithm() -> None:
    lines = make().challenge_lines(b"Proxy-Authenticate", SOURCE, NOW, stale=True)
    nonce = lines[0].rpartition(b'nonce="')[2][:-1]
    assert lines == [
        b'Proxy-Authenticate: Digest realm="example.com", algorithm=SHA-256, qop="auth", '
        b'stale=true, nonce="%b"' % nonce,
        b'Proxy-Authenticate: Digest realm="example.com", algorithm=MD5, qop="auth", '
        b'stale=true, nonce="%b"' % nonce,
    ]
    assert b"stale" not in make().challenge_lines(b"WWW-Authenticate", SOURCE, NOW)[0]


def test_only_what_every_login_can_do_is_offered() -> None:
    assert make().offered == BOTH
    assert make(GROUP).offered == (MD5,)
    only256 = Login(b"new", b"", SECRET256)
    assert make(GROUP, only256).offered == BOTH
    # What is not offered any more still passes: a phone may hold an older challenge.
    gate = make(GROUP)
    value = credentials(nonce_of(gate), SECRET256, algorithm=SHA256)
    assert isinstance(judge(gate, value), Authenticated)


def test_a_login_acts_as_its_own_users() -> None:
    gate = make()
    own = Login(b"Smith", b"", b"")
    listed = Login(b"desk", b"", b"", users=(b"1001", b"1002"))
    assert gate.may_act_as(own, b"Smith", case_sensitive=True)
    assert gate.may_act_as(own, b"smith", case_sensitive=False)
    assert not gate.may_act_as(own, b"smith", case_sensitive=True)
    assert not gate.may_act_as(own, b"jones", case_sensitive=False)
    assert not gate.may_act_as(own, b"*", case_sensitive=False)
    assert gate.may_act_as(listed, b"1002", case_sensitive=True)
    assert not gate.may_act_as(listed, b"desk", case_sensitive=True)
    assert gate.may_act_as(GROUP, b"anybody", case_sensitive=True)
    assert make(strict=False).may_act_as(own, b"jones", case_sensitive=True)


def test_our_own_credentials_are_stripped_and_others_stay() -> None:
    ours = credentials(b"n", SECRET)
    theirs = ours.replace(b'realm="example.com"', b'realm="example.org"')
    odd = ours.replace(b'realm="example.com"', b'Realm = "exam\\ple.com"')
    for values, left in (
        ((ours,), ()),
        ((odd,), ()),
        ((theirs,), (theirs,)),
        ((theirs, ours, b"Basic abc", odd), (theirs, b"Basic abc")),
        ((b'Digest realm="example.com', b"Digest"), (b'Digest realm="example.com', b"Digest")),
    ):
        message = request(*values, header=b"Proxy-Authorization")
        whole = message.to_bytes()
        assert strip(message, REALM) == len(values) - len(left)
        expected = request(*left, header=b"Proxy-Authorization")
        assert message.to_bytes() == expected.to_bytes()
        assert message.at == expected.at
        assert message.repeated == expected.repeated
        assert (whole == message.to_bytes()) == (len(values) == len(left))


def test_authorization_for_our_realm_is_stripped_too() -> None:
    message = request(credentials(b"n", SECRET))
    assert strip(message, REALM) == 1
    assert b"Digest" not in message.to_bytes()
    assert message.value(CSEQ) == b"1 REGISTER"
    assert message.value(FROM)
    assert strip(message, REALM) == 0


@given(st.binary(max_size=300))
def test_any_bytes_are_challenged_or_refused(raw: bytes) -> None:
    raw = raw.replace(b"\r", b" ").replace(b"\n", b" ")
    verdict = judge(make(), raw, b"Digest " + raw, b'Digest realm="example.com",' + raw)
    assert not isinstance(verdict, Authenticated)


def offers(lines: list[bytes]) -> list[bytes]:
    return [parse_credentials(line.partition(b": ")[2])[1][b"algorithm"] for line in lines]


def test_a_phone_that_cannot_choose_is_offered_md5_alone() -> None:
    gate = make()
    assert gate.simplified(b"baresip v1.0.0 (x86_64/linux)")
    assert not gate.simplified(b"baresip v3.11.0 (x86_64/linux)")
    assert not gate.simplified(b"")
    assert offers(gate.challenge_lines(b"WWW-Authenticate", SOURCE, NOW)) == [b"SHA-256", b"MD5"]
    lines = gate.challenge_lines(b"WWW-Authenticate", SOURCE, NOW, simple=True)
    assert offers(lines) == [b"MD5"]
    nonce = parse_credentials(lines[0].partition(b": ")[2])[1][b"nonce"]
    assert isinstance(judge(gate, credentials(nonce, SECRET)), Authenticated)


def test_nobody_is_offered_what_is_not_offered_to_all() -> None:
    for algorithms in ((SHA256,), (MD5,)):
        gate = make(algorithms=algorithms)
        assert not gate.simplified(b"baresip v1.0.0 (x86_64/linux)")
        lines = gate.challenge_lines(b"WWW-Authenticate", SOURCE, NOW, simple=True)
        assert offers(lines) == [one.token for one in algorithms]


def test_such_a_phone_is_news_once() -> None:
    gate = make()
    flow = flow_from("192.0.2.7")
    assert gate.is_news(flow)
    assert not gate.is_news(flow)
