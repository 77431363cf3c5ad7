"""Session descriptions in the form phones write them."""

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
