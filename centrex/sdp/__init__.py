"""Session descriptions: bytes to values and back, every untouched line as it came (RFC 8866)."""

from centrex.sdp.description import Description, Media, parse
from centrex.sdp.multipart import find, replace
from centrex.sdp.rewrite import DECLINED, Place, rewrite, with_later_version

__all__ = [
    "DECLINED",
    "Description",
    "Media",
    "Place",
    "find",
    "parse",
    "replace",
    "rewrite",
    "with_later_version",
]
