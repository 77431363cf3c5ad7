"""The proxy without its short way, to hold the two against each other."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from centrex.proxy import short_way


@contextmanager
def only_the_long_way() -> Iterator[None]:
    """Have every message take the long way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(short_way, "request", lambda *_: False)
        patch.setattr(short_way, "response", lambda *_: False)
        yield
