"""SIP grammar: bytes to values and back, exactly; no state, no clock, no policy."""
