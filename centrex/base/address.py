"""Addresses as people write them into a configuration: `host:port`."""


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of `host:port`, where an IPv6 address stands in brackets.

    Raises:
        ValueError: It is none.
    """
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    if not bare or (":" in bare and not bracketed):
        raise ValueError("is no address and port, such as 127.0.0.1:9090 or [::1]:9090")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("its port is not between 1 and 65535")
    return bare, int(port)
