"""The configuration's tabs: the dialogs of old, in their order, and the tables each one holds."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialog:
    """One tab."""

    name: str
    """What `:config NAME` calls it; the first table."""
    title: str
    tables: tuple[str, ...]
    """The tables of the file it shows."""


DIALOGS: Final = (
    Dialog(name="basic", title="Basic Settings", tables=("basic",)),
    Dialog(name="network", title="Network Configuration", tables=("network", "network.guard")),
    Dialog(name="timeouts", title="Call Processing Timeouts", tables=("timeouts",)),
    Dialog(name="directory", title="Local Directory", tables=("directory",)),
    Dialog(name="routing", title="Call Routing", tables=("routing",)),
    Dialog(name="inet", title="Global iNet Accounts", tables=("inet",)),
    Dialog(name="media", title="Media Proxy Support", tables=("media",)),
    Dialog(name="registrar", title="Registrar", tables=("registrar",)),
    Dialog(name="events", title="Event Logging", tables=("events", "metrics")),
    Dialog(name="wan", title="Wan IP/NAT Detection", tables=("wan",)),
    Dialog(name="plugins", title="Custom Plug In", tables=("plugins",)),
    Dialog(name="siplog", title="SIP Logging", tables=("siplog",)),
    Dialog(name="auth", title="Authentication", tables=("auth",)),
)
"""In the order of the original."""


def find(name: str) -> Dialog | None:
    """Return the dialog of a name, a table, or the beginning of its title."""
    wanted = name.strip().lower()
    for dialog in DIALOGS:
        if wanted == dialog.name or wanted in dialog.tables:
            return dialog
    return next((one for one in DIALOGS if wanted and one.title.lower().startswith(wanted)), None)
