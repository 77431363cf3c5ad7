"""The first configuration: what is asked, what is written, and what to type into the phones.

It asks nobody and writes nothing: a command line and a dashboard put the same questions. Passwords
leave it once, in clear, beside the text that holds their hashes only.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from centrex.base import ConfigError, Problem
from centrex.config.defaults import default_text
from centrex.config.keys import catalogue
from centrex.config.load import load_text
from centrex.config.users import credential, generate_password

_EVERYWHERE: Final = ("0.0.0.0", "::")
_LOGINS: Final = ("1001", "1002")
_PORT: Final = 5060
_NO_USER: Final = re.compile(r"[^\w.!~*'()&=+$,;?/-]")
"""What the user part of a SIP URI cannot have (RFC 3261 §25.1); letters of any script go escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the first configuration shall say."""

    domain: str
    address: tuple[str, ...] = ()
    """Where to listen; none for everywhere."""
    port: int = _PORT
    logins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """A first configuration, not written yet."""

    text: str
    domain: str
    server: str
    """The address that phones reach it at."""
    port: int
    transports: tuple[str, ...]
    passwords: Mapping[str, str]
    """The password of each login in clear, shown once."""

    def told(self, file: Path) -> dict[str, Any]:
        """Return what to type into the phones, as plain data."""
        return {
            "file": str(file),
            "domain": _in_uri(self.domain),
            "server": _in_uri(self.server),
            "port": self.port,
            "transports": [name.upper() for name in self.transports],
            "phones": [
                {"user": login, "login": login, "password": password}
                for login, password in self.passwords.items()
            ],
        }


def _in_uri(host: str) -> str:
    """Return a host as phones want it, as in a SIP URI: an IPv6 address in brackets (RFC 3261 §25.1)."""
    return f"[{host}]" if ":" in host else host


def questions(own_address: str) -> list[dict[str, Any]]:
    """Return what has to be asked, in order, each with a default that works.

    Args:
        own_address: The address of this machine that others would most likely use.
    """
    keys = catalogue()
    return [
        {
            "name": "domain",
            "key": "network.domain",
            "label": "SIP domain",
            "help": "What stands behind the @: a name that leads to this machine, or its address. "
            "All passwords belong to it.",
            "type": "text",
            "list": False,
            "default": own_address,
        },
        {
            "name": "address",
            "key": "network.address",
            "label": "Address to listen on",
            "help": "0.0.0.0 for all of this machine's.",
            "type": "text",
            "list": True,
            "default": ["0.0.0.0"],
        },
        {
            "name": "port",
            "key": "network.port",
            "label": "Port",
            "help": keys["network.port"].description,
            "type": "integer",
            "list": False,
            "default": _PORT,
        },
        {
            "name": "users",
            "key": "auth.credentials",
            "label": "Users",
            "help": "A user and login for each phone; a password is made up for each.",
            "type": "text",
            "list": True,
            "default": list(_LOGINS),
        },
    ]


def answered(answers: Mapping[str, Any]) -> Wanted:
    """Read the answers to `questions`, by their names; what is not answered takes its default.

    Raises:
        ConfigError: They have not the right form; or there is no domain.
    """
    problems = list(_misshapen(answers))
    if problems:
        raise ConfigError(tuple(problems))
    return Wanted(
        domain=answers["domain"].strip(),
        address=tuple(answers.get("address") or ()),
        port=answers.get("port", _PORT),
        logins=tuple(answers.get("users") or ()),
    )


def _misshapen(answers: Mapping[str, Any]) -> Iterator[Problem]:
    domain, port = answers.get("domain"), answers.get("port", _PORT)
    if not isinstance(domain, str) or not domain.strip():
        yield Problem(file="", key="network.domain", message="is required")
    if not isinstance(port, int) or isinstance(port, bool):
        yield Problem(file="", key="network.port", message="must be a whole number")
    for name, key in (("address", "network.address"), ("users", "auth.credentials")):
        value = answers.get(name) or ()
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
            yield Problem(file="", key=key, message="must be a list of texts")
    for name in answers.keys() - {"domain", "address", "port", "users"}:
        yield Problem(file="", key=str(name), message="was not asked for")


def compose(wanted: Wanted, file: Path, own_address: str) -> First:
    """Make a first configuration, with a password made up for each login.

    Args:
        wanted: What it shall say.
        file: Where it will stand.
        own_address: The address of this machine that others would most likely use.

    Raises:
        ConfigError: What is wanted cannot be, with every problem.
    """
    unfit = [login for login in wanted.logins if _NO_USER.search(login)]
    if unfit:
        verb = "is no name" if len(unfit) == 1 else "are no names"
        message = (
            f"{' and '.join(unfit)} {verb} a phone can register as: letters, digits and "
            "-_.!~*'()&=+$,;?/ make one"
        )
        raise ConfigError((Problem(file="", key="auth.credentials", message=message),))
    values: dict[str, Any] = {"network.domain": wanted.domain}
    if wanted.address and wanted.address != _EVERYWHERE[:1]:
        values["network.address"] = list(wanted.address)
    if wanted.port != _PORT:
        values["network.port"] = wanted.port
    config = load_text(default_text(values), file=file).config
    is_ipv6, realm = ":" in config.network.domain, config.realm
    if is_ipv6 and "network.address" not in values:
        values["network.address"] = list(_EVERYWHERE)  # the default is all of IPv4
    passwords = {login: generate_password() for login in wanted.logins}
    if len(passwords) != len(wanted.logins):
        message = "names the same user twice"
        raise ConfigError((Problem(file="", key="auth.credentials", message=message),))
    rows = [credential(login, realm, password) for login, password in passwords.items()]
    text = default_text(values, rows)
    network = load_text(text, file=file).config.network
    specific = [one for one in network.address if one not in _EVERYWHERE]
    return First(
        text=text,
        domain=network.domain,
        server=specific[0] if specific else network.domain if is_ipv6 else own_address,
        port=network.port,
        transports=network.transports,
        passwords=passwords,
    )
