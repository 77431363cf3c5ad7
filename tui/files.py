"""Where the dashboard writes files, and how: for nobody else to read, and never over one that is there."""

import os
from pathlib import Path


def usual_path(name: str) -> str:
    """Return a path for a file of that name in the folder the dashboard was started in, `~` for home.

    The name alone where that folder is gone, as only a path that says where else is of use then.
    """
    try:
        path = Path.cwd() / name
        home = Path.home()
    except (OSError, RuntimeError):
        return name
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def write_anew(typed: str, content: bytes) -> Path:
    """Write a file that only its owner may read; return where it is.

    Args:
        typed: Its path as somebody typed it; `~` is his home, `~NAME` another's.
        content: What it will hold.

    Raises:
        OSError: It cannot be written, or is there already; says why.
    """
    try:
        path = Path(typed).expanduser().absolute()
    except RuntimeError:  # pathlib's own, where there is no such user
        raise OSError("there is no such home folder") from None
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return path
