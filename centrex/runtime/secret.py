"""The secret an instance keeps over restarts, so that its Record-Route values stay its own."""

import os
from pathlib import Path
from typing import Final

from centrex.base import Unavailable
from centrex.runtime.atomic_file import replace_file

_OCTETS: Final = 32


def load_secret(path: Path) -> bytes:
    """Return the secret in a file, made with mode 0600 where there is none yet (or half of one).

    Raises:
        Unavailable: It can neither be read nor made; says why.
    """
    try:
        secret = path.read_bytes() if path.exists() else b""
        if len(secret) >= _OCTETS:
            return secret[:_OCTETS]
        secret = os.urandom(_OCTETS)
        replace_file(path, secret)
    except OSError as error:
        raise Unavailable(f"the secret in {path}: {error.strerror or error}") from error
    return secret
