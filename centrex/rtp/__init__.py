"""RTP and RTCP packets: bytes to values, and figures from them (RFC 3550); no state of sessions."""
