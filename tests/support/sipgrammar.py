"""Hypothesis strategies for pieces of SIP, as bytes: well-formed, and nearly so."""

from hypothesis import strategies as st

TOKEN_CHARS = "abcXYZ019.!%*_+`'~-"

tokens = st.text(TOKEN_CHARS, min_size=1, max_size=12).map(str.encode)
names = st.sampled_from([b"x", b"ob", b"Foo", b"+sip.instance", b"a1", b"reg-id"])
plain_values = st.text("abcXYZ019.!%*_+`'~-=:@/|#?[]{}()$&^\\", min_size=1, max_size=12).map(
    str.encode
)
quoted_values = st.lists(
    st.one_of(
        st.text("abc ,;<>=\t", min_size=1, max_size=4).map(str.encode),
        st.sampled_from([b'\\"', b"\\\\", b"\\\x00", "й".encode()]),
    ),
    max_size=5,
).map(lambda parts: b'"' + b"".join(parts) + b'"')
spaces = st.sampled_from([b"", b"", b"", b" ", b"\t", b"  "])

hostnames = st.lists(
    st.text("abcXYZ019-_", min_size=1, max_size=8).map(str.encode), min_size=1, max_size=4
).map(b".".join)
ipv4 = st.ip_addresses(v=4).map(lambda ip: str(ip).encode())
ipv6 = st.ip_addresses(v=6).map(lambda ip: f"[{ip}]".encode())
hosts = st.one_of(hostnames, ipv4, ipv6)
ports = st.one_of(st.just(b""), st.integers(1, 65535).map(lambda port: b":%d" % port))


@st.composite
def params(draw: st.DrawFn, *, quoted: bool = True) -> bytes:
    """Return `*( SEMI generic-param )` with white space around."""
    out = b""
    values = st.one_of(plain_values, quoted_values) if quoted else plain_values
    for name in draw(st.lists(names, max_size=4, unique_by=bytes.lower)):
        out += draw(spaces) + b";" + draw(spaces) + name
        if draw(st.booleans()):
            out += draw(spaces) + b"=" + draw(spaces) + draw(values)
    return out


@st.composite
def via_values(draw: st.DrawFn) -> bytes:
    """Return a Via value; mostly of the common form."""
    gap = spaces if draw(st.booleans()) else st.just(b"")
    value = b"SIP" + draw(gap) + b"/" + draw(gap) + b"2.0" + draw(gap) + b"/" + draw(gap)
    value += draw(st.sampled_from([b"UDP", b"TCP", b"TLS", b"tcp", b"WS", b"NEW-1"]))
    value += b" " + draw(gap) + draw(hosts) + draw(ports)
    pieces = [b";branch=z9hG4bK" + draw(tokens), b";rport", b";rport=5070"]
    pieces += [b";received=192.0.2.7", b";received=2001:db8::1", b";maddr=x.org", b";ttl=7"]
    chosen = draw(st.lists(st.sampled_from(pieces), max_size=4))
    return value + b"".join(chosen) + draw(params())


@st.composite
def sip_uris(draw: st.DrawFn) -> bytes:
    """Return a SIP or SIPS URI without headers."""
    uri = draw(st.sampled_from([b"sip:", b"sips:", b"SIP:"]))
    if draw(st.booleans()):
        uri += draw(st.text("abcXYZ019-_.!~*'()&=+$,;?/#", min_size=1, max_size=10)).encode()
        uri += draw(st.sampled_from([b"", b"%00", b"%41", b":secret", b":"])) + b"@"
    uri += draw(hosts) + draw(ports)
    pieces = [b";lr", b";transport=tcp", b";Transport=UDP", b";maddr=h.org", b";x=1", b";%6Cr"]
    pieces += [b";user=phone", b";ob", b";y=%41b", b";ttl=5", b";method=BYE"]
    return uri + b"".join(draw(st.lists(st.sampled_from(pieces), max_size=3, unique=True)))


@st.composite
def name_addrs(draw: st.DrawFn) -> bytes:
    """Return a name-addr or addr-spec with parameters."""
    tail = draw(st.sampled_from([b"", b";tag=abc-1", b" ; tag = Z"])) + draw(params())
    if draw(st.booleans()):
        return draw(st.sampled_from([b"sip:a@example.com", b"tel:+1201"])) + tail
    display = draw(
        st.one_of(
            quoted_values.map(lambda quoted: quoted + b" "),
            quoted_values,
            st.sampled_from([b"", b"Bob ", b"A. Bell ", b"x", " Jürg\t".encode()]),
        )
    )
    return display + b"<" + draw(sip_uris()) + b">" + tail


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Return a well-formed request or response with known, unknown and folded headers."""
    body = draw(st.binary(max_size=40))
    lines = draw(
        st.sampled_from(
            [
                [b"INVITE sip:bob@example.com SIP/2.0"],
                [b"SIP/2.0 180 Ringing"],
                [b"SIP/2.0 200 \xd0\xb4\xd0\xb0"],
            ]
        )
    ).copy()
    headers = [b"Via: SIP/2.0/UDP a.example.com;branch=z9hG4bK1", b"v:SIP/2.0/TCP b;branch=2"]
    headers += [b"FROM : sip:a@example.com;tag=1", b"t: <sip:b@example.com>", b"i: x@y"]
    headers += [
        b"CSeq: 1\r\n INVITE",
        b"X-Odd:",
        b"Subject: \r\n\t \xff\x00 fold",
        b"m:  <sip:c@d>",
    ]
    lines += draw(st.permutations(headers))
    lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
