"""Session descriptions in the form phones write them."""

from typing import Final

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\n"
YEALINK = (
    HEAD + "c=IN IP4 192.0.2.7\r\nt=0 0\r\n"
    "m=audio 11780 RTP/AVP 9 8 0 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
)
BROWSER = (
    "v=0\r\no=mozilla 1 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-options:trickle\r\n"
    "a=group:BUNDLE 0\r\nm=audio 51472 UDP/TLS/RTP/SAVPF 109 0\r\nc=IN IP4 203.0.113.9\r\n"
    "a=candidate:0 1 UDP 2122252543 192.168.1.9 51472 typ host\r\na=rtpmap:109 opus/48000/2\r\n"
    "a=rtcp:51473 IN IP4 203.0.113.9\r\na=ice-ufrag:a\r\na=ice-pwd:b\r\na=rtcp-mux\r\n"
)


def _text(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


GRANDSTREAM: Final = _text(
    "v=0",
    "o=1001 8000 8000 IN IP4 192.168.5.31",
    "s=SIP Call",
    "c=IN IP4 192.168.5.31",
    "t=0 0",
    "m=audio 5004 RTP/AVP 0 8 4 18 2 97 9 101",
    "a=sendrecv",
    "a=rtcp:5005 IN IP4 192.168.5.31",
    "a=rtpmap:0 PCMU/8000",
    "a=ptime:20",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:4 G723/8000",
    "a=rtpmap:18 G729/8000",
    "a=fmtp:18 annexb=no",
    "a=rtpmap:2 G726-32/8000",
    "a=rtpmap:97 iLBC/8000",
    "a=fmtp:97 mode=20",
    "a=rtpmap:9 G722/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-15",
)
"""With `a=rtcp` in full."""
CISCO: Final = _text(
    "v=0",
    "o=CiscoSystemsSIP-GW-UserAgent 5271 4217 IN IP4 10.20.0.2",
    "s=SIP Call",
    "c=IN IP4 10.20.0.2",
    "t=0 0",
    "m=audio 17408 RTP/AVP 18 0 101",
    "c=IN IP4 10.20.0.2",
    "a=rtpmap:18 G729/8000",
    "a=fmtp:18 annexb=no",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-16",
    "m=image 0 udptl t38",
    "c=IN IP4 10.20.0.2",
    "a=T38FaxVersion:0",
)
"""The address both for the session and for each line; fax declined."""
LINPHONE: Final = _text(
    "v=0",
    "o=anna 2433 1881 IN IP4 192.168.1.40",
    "s=Talk",
    "c=IN IP4 192.168.1.40",
    "t=0 0",
    "a=ice-pwd:5a1a2c4d9a4f8cc93f1c4e9d",
    "a=ice-ufrag:77a1a2b3",
    "a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics",
    "a=record:off",
    "m=audio 7078 RTP/AVPF 96 97 98 0 8 101 99",
    "a=rtpmap:96 opus/48000/2",
    "a=fmtp:96 useinbandfec=1",
    "a=rtpmap:97 speex/16000",
    "a=rtpmap:98 speex/8000",
    "a=rtpmap:101 telephone-event/48000",
    "a=rtpmap:99 telephone-event/8000",
    "a=candidate:1 1 UDP 2130706303 192.168.1.40 7078 typ host",
    "a=candidate:1 2 UDP 2130706302 192.168.1.40 7079 typ host",
    "a=candidate:2 1 UDP 1694498687 203.0.113.40 40121 typ srflx raddr 192.168.1.40 rport 7078",
    "a=rtcp-fb:* trr-int 1000",
    "a=rtcp-fb:* ccm tmmbr",
    "m=video 9078 RTP/AVPF 96",
    "a=rtpmap:96 VP8/90000",
    "a=candidate:1 1 UDP 2130706303 192.168.1.40 9078 typ host",
    "a=rtcp-fb:96 nack pli",
)
"""ICE for the session and for each line."""
BARESIP: Final = _text(
    "v=0",
    "o=- 3915 1127 IN IP6 2001:db8:40::17",
    "s=-",
    "c=IN IP6 2001:db8:40::17",
    "t=0 0",
    "a=tool:baresip 1.0.0",
    "m=audio 19002 RTP/SAVP 96 0 8 101",
    "b=AS:125",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
    "a=rtpmap:96 opus/48000/2",
    "a=fmtp:96 stereo=1;sprop-stereo=1",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-15",
    "a=rtcp:19003",
    "a=sendrecv",
    "a=label:1",
    "a=rtcp-rsize",
    "a=ssrc:2684178103 cname:sip:anna@example.org",
    "a=ptime:20",
)
"""IPv6, a key in the description, `a=rtcp` without an address."""
WEBRTC: Final = _text(
    "v=0",
    "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    "a=ice-lite",
    "a=msid-semantic: WMS stream",
    "m=audio 58779 UDP/TLS/RTP/SAVPF 111 63 9 0 8 126",
    "c=IN IP4 203.0.113.141",
    "a=rtcp:9 IN IP4 0.0.0.0",
    "a=candidate:1467250027 1 udp 2122260223 192.168.0.196 46243 typ host generation 0",
    "a=candidate:435653019 1 tcp 1518280447 192.168.0.196 9 typ host tcptype active",
    "a=ice-ufrag:F7gI",
    "a=ice-pwd:x9cml/YzichV2+XlhiMu8g",
    "a=ice-options:trickle",
    "a=end-of-candidates",
    "a=fingerprint:sha-256 D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD",
    "a=setup:actpass",
    "a=mid:0",
    "a=sendrecv",
    "a=rtcp-mux",
    "a=rtpmap:111 opus/48000/2",
    "a=rtcp-fb:111 transport-cc",
    "a=fmtp:111 minptime=10;useinbandfec=1",
    "a=ssrc:3735928559 cname:o/i14u9pJrxRKAsu",
)
"""As Chrome has it once its candidates are gathered."""
