"""From a configuration to the values the core decides by; made anew, and swapped whole, on reload."""

import contextlib
import datetime as dt
import ipaddress
import socket
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from centrex.auth import (
    Gate,
    Login,
    Logins,
    Nonces,
    Window,
    algorithms_of,
    login_of_row,
    parse_htdigest,
)
from centrex.base import ConfigError, Problem
from centrex.base.networks import Networks
from centrex.config.htdigest import doubled
from centrex.config.model import Config
from centrex.events import Kind
from centrex.proxy.access import Access
from centrex.proxy.patience import Patience
from centrex.proxy.routes import Routes
from centrex.registrar.register import Options
from centrex.routing.plans import Plans
from centrex.routing.target import request_uri
from centrex.watching.roll import Standing

_ALWAYS: Final = (Kind.SERVER, Kind.ERRORS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a reload replaces."""

    access: Access
    """Who must show credentials."""
    users: frozenset[bytes]
    """Users that exist whether or not they are registered, in canonical spelling."""
    logins: int
    """How many logins there are."""
    options: Options
    """How registrations are accepted."""
    patience: Patience
    """How long targets are waited for."""
    routes: Routes
    """Where calls go."""
    directory: Mapping[bytes, Standing]
    """The standing names that are enabled, in canonical spelling."""
    kinds: frozenset[Kind]
    """The kinds of events switched on."""
    guard: dict[str, Any]
    """The arguments of the flood guard."""
    warnings: tuple[str, ...]
    """What works, but is hardly meant so."""


def make_policy(config: Config, nonces: Nonces, window: Window) -> Policy:
    """Return the policy a configuration asks for. Reads the credentials file, resolves host names.

    Args:
        config: The configuration.
        nonces: Mints and checks nonces; kept over reloads where the realm stays.
        window: The nonce counts used; kept over reloads.

    Raises:
        ConfigError: The credentials file cannot be read.
    """
    logins, warnings = _logins(config)
    auth, registrar, timeouts = config.auth, config.registrar, config.timeouts
    guard, router = config.network.guard, config.network.router_address
    if auth.enabled and not logins:
        warnings.append(
            "there are no logins: nobody can register; `centrex user add NAME` makes one"
        )
    listed = Logins(logins)
    gate = Gate(
        config.realm.encode(),
        algorithms_of(auth.algorithms),
        listed,
        nonces,
        window,
        login_must_match_user=auth.login_must_match_user,
    )
    fold = (lambda user: user) if registrar.case_sensitive else bytes.lower
    users = {fold(user) for login in logins for user in (login.users or (login.name,))}
    users |= {fold(row.name.encode()) for row in config.directory.entries if row.enabled}
    return Policy(
        access=Access(
            enabled=auth.enabled,
            methods=auth.methods,
            gate=gate,
            trusted=Networks(without(_numeric(auth.trusted, warnings), router)),
            match_user=auth.login_must_match_user,
            case_sensitive=registrar.case_sensitive,
        ),
        users=frozenset(users - {b"*", b""}),
        logins=len(listed),
        options=Options(
            default_expires=registrar.default_expires,
            min_expires=registrar.min_expires,
            max_expires=registrar.max_expires,
            max_contacts=registrar.max_contacts,
        ),
        patience=Patience(
            start_response_s=timeouts.start_response,
            rollover_s=timeouts.rollover,
            final_answer_s=timeouts.final_answer,
            call_maximum_s=timeouts.call_maximum,
        ),
        routes=make_routes(config),
        directory={
            fold(row.name.encode()): Standing(row.display.encode(), row.contact.encode())
            for row in config.directory.entries
            if row.enabled
        },
        kinds=frozenset(
            kind for kind in Kind if kind in _ALWAYS or getattr(config.events, kind.value)
        ),
        guard={**guard.model_dump(), "exempt": tuple(without(guard.exempt, router))},
        warnings=tuple(warnings),
    )


def make_routes(config: Config) -> Routes:
    """Return where calls go by a configuration."""
    routing = config.routing
    zone = zoneinfo.ZoneInfo(routing.time_zone) if routing.time_zone else None
    fold: Callable[[str], str] = str if config.registrar.case_sensitive else str.lower
    return Routes(
        plans=Plans(routing.plans, fold),
        gateways={gateway.name: gateway for gateway in routing.gateways},
        fixed={
            _canonical(row.name, config): request_uri(row.contact.encode())
            for row in config.directory.entries
            if row.enabled and row.contact
        },
        follows=routing.redirects == "follow",
        decline_ends=routing.decline_ends,
        local_time=lambda _: dt.datetime.now(zone),
    )


def _canonical(name: str, config: Config) -> bytes:
    """Return a user's name as the registry spells it."""
    raw = name.encode()
    return raw if config.registrar.case_sensitive else raw.lower()


def without(networks: Iterable[str], outside: str) -> list[str]:
    """Return networks with one address taken out of them.

    What the outermost router sends under its inner address comes from anywhere; so that address is
    never among those that are trusted or spared (`network.router_address`).

    Args:
        networks: Networks or addresses.
        outside: The address; "" for none.
    """
    if not outside:
        return list(networks)
    gone = ipaddress.ip_network(outside)
    left: list[str] = []
    for text in networks:
        network = ipaddress.ip_network(text, strict=False)
        if isinstance(gone, ipaddress.IPv4Network):
            if isinstance(network, ipaddress.IPv4Network) and gone.subnet_of(network):
                left += map(str, network.address_exclude(gone))
                continue
        elif isinstance(network, ipaddress.IPv6Network) and gone.subnet_of(network):
            left += map(str, network.address_exclude(gone))
            continue
        left.append(text)
    return left


def _logins(config: Config) -> tuple[list[Login], list[str]]:
    rows = [
        login_of_row(
            row.login,
            ha1_md5=row.ha1_md5.get_secret_value(),
            ha1_sha256=row.ha1_sha256.get_secret_value(),
            users=row.users,
            enabled=row.enabled,
        )
        for row in config.auth.credentials
    ]
    path = config.auth.credentials_file
    if not path:
        return rows, []
    try:
        with Path(path).open("rb") as file:
            more, problems = parse_htdigest(file, config.realm.encode(), path)
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigError(
            (Problem(file=path, key="auth.credentials_file", message=f"cannot be read: {why}"),)
        ) from error
    warnings = [str(problem) for problem in problems]
    filed = (one.name.decode("utf-8", "backslashreplace") for one in more)
    if doubles := doubled((row.login for row in config.auth.credentials), filed, path):
        warnings.append(f"auth.credentials: {doubles}")
    return more + rows, warnings


def _numeric(hosts: tuple[str, ...], warnings: list[str]) -> list[str]:
    """Return networks as they are, and host names as the addresses they have now."""
    found: list[str] = []
    for host in hosts:
        with contextlib.suppress(ValueError):
            Networks((host,))
            found.append(host)
            continue
        try:
            rows = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
        except OSError as error:
            warnings.append(f"auth.trusted: {host} cannot be resolved: {error.strerror or error}")
            continue
        found += sorted({str(row[4][0]) for row in rows})
    return found
