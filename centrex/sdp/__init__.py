"""Session descriptions: bytes to values and back, every untouched line as it came (RFC 8866)."""
