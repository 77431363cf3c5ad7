"""What no single key can tell: rules between keys, and whether the files named can be read.

Errors make a configuration unusable; warnings are for a configuration that works but hardly as
its author meant it.
"""

import ipaddress
import os
import time
from collections.abc import Iterator, Sequence, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

from centrex.base import PeerError
from centrex.config.keys import nearest_choice
from centrex.config.model import Config
from centrex.routing.lint import Known, lint, lint_directory
from centrex.routing.next_hop import next_hop
from centrex.routing.settings import GROUP
from centrex.sip.uri import SipUri, parse_uri
from centrex.sip.validate import METHODS

SHORT_SECRET: Final = 16
"""Characters; a shared secret of fewer ones is warned of."""

_UNASKED: Final = {
    "REGISTER": "register as anybody",
    "INVITE": "call users here as anybody",
}
"""What anybody may do where a method needs no password."""

Finding: TypeAlias = tuple[str, str]
"""The dotted key and what is wrong with it."""


def _unreadable(file: str) -> str:
    """Return why a file cannot be read, or nothing."""
    path = Path(file)
    if not path.exists():
        return f"{file} does not exist"
    if path.is_dir():
        return f"{file} is a folder, not a file"
    return "" if os.access(path, os.R_OK) else f"{file} cannot be read by this user"


def _tls_files(config: Config) -> tuple[tuple[str, str], ...]:
    network = config.network
    return (("tls_certificate", network.tls_certificate), ("tls_key", network.tls_key))


def _tls(config: Config) -> Iterator[Finding]:
    network = config.network
    if "tls" not in network.transports:
        return
    for key, file in _tls_files(config):
        if not file:
            yield f"network.{key}", 'is needed because network.transports names "tls"'
    if "tcp" in network.transports and network.port == network.tls_port != 0:
        yield "network.tls_port", "must differ from network.port, which TCP uses"


def _addresses(config: Config) -> Iterator[Finding]:
    parsed = [ipaddress.ip_address(text) for text in config.network.address]
    for wide in parsed:
        covered = [a for a in parsed if a.version == wide.version and a != wide]
        if wide.is_unspecified and covered:
            yield "network.address", f"{wide} already covers {covered[0]}; name one of them"
            return


def _expiry(config: Config) -> Iterator[Finding]:
    registrar = config.registrar
    if registrar.min_expires > registrar.max_expires:
        yield "registrar.min_expires", "must not exceed registrar.max_expires"
    elif registrar.default_expires < registrar.min_expires:
        yield "registrar.default_expires", "must not be below registrar.min_expires"
    elif registrar.default_expires > registrar.max_expires:
        yield "registrar.default_expires", "must not exceed registrar.max_expires"


def _store(config: Config) -> Iterator[Finding]:
    if config.registrar.store == "database":
        yield "registrar.store", 'a database comes with a later version; use "memory"'


def _workers(config: Config) -> Iterator[Finding]:
    if config.network.workers > 1:
        yield "network.workers", "more than one worker comes with a later version; use 1"


def _media(config: Config) -> Iterator[Finding]:
    media = config.media
    if media.backend == "rtpengine" and media.mode != "never" and not media.rtpengines:
        what = "one that is enabled" if media.rtpengine else "one control address"
        yield "media.rtpengine", f'backend = "rtpengine" needs at least {what}'
    seen: set[str] = set()
    for row, one in enumerate(media.rtpengine):
        address = one if isinstance(one, str) else one.address
        if address in seen:
            yield f"media.rtpengine[{row}]", f"{address} is named twice"
        seen.add(address)


def _guard(config: Config) -> Iterator[Finding]:
    guard = config.network.guard
    if guard.burst < guard.requests_per_second:
        yield "network.guard.burst", "must not be below network.guard.requests_per_second"


def _logins(config: Config) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for row, credential in enumerate(config.auth.credentials):
        first = seen.setdefault(credential.login, row)
        if first != row:
            yield (
                f"auth.credentials[{row}].login",
                f"{credential.login!r} is already the login of auth.credentials[{first}]",
            )


def _certificates(config: Config) -> Iterator[Finding]:
    if "tls" in config.network.transports:
        for key, file in _tls_files(config):
            if file and (why := _unreadable(file)):
                yield f"network.{key}", why


def _credentials_file(config: Config) -> Iterator[Finding]:
    if config.auth.credentials_file and (why := _unreadable(config.auth.credentials_file)):
        yield "auth.credentials_file", why


def _log_file(config: Config) -> Iterator[Finding]:
    file = config.events.file
    if not file:
        return
    folder = Path(file).parent
    if not folder.is_dir():
        yield "events.file", f"the folder {folder} does not exist"
    elif Path(file).is_dir():
        yield "events.file", f"{file} is a folder, not a file"
    elif not os.access(file if Path(file).exists() else folder, os.W_OK):
        yield "events.file", f"{file} cannot be written by this user"


def errors(config: Config) -> tuple[Finding, ...]:
    """Return everything that makes a well-formed configuration unusable, wherever it is used."""
    rules = (_addresses, _tls, _workers, _media, _guard, _expiry, _store, _logins)
    return tuple(finding for rule in rules for finding in rule(config))


def missing(config: Config) -> tuple[Finding, ...]:
    """Return what makes it unusable on this machine: files that cannot be read or written."""
    return (*_certificates(config), *_log_file(config), *_credentials_file(config))


def _domain_warnings(config: Config) -> Iterator[Finding]:
    network = config.network
    try:
        version = ipaddress.ip_address(network.domain).version
    except ValueError:
        return  # a name, which may lead to either
    if all(ipaddress.ip_address(text).version != version for text in network.address):
        yield (
            "network.domain",
            f"{network.domain} is an IPv{version} address, and network.address has none: no phone "
            "can reach it",
        )


def _auth_warnings(config: Config) -> Iterator[Finding]:
    auth = config.auth
    if not auth.enabled:
        yield "auth.enabled", "no password is asked for: anybody can register and call as anybody"
        return
    yield from _method_warnings(auth.methods)
    if not auth.credentials and not auth.credentials_file:
        yield "auth.credentials", "there are no logins: no phone can register; `centrex user add`"
    for row, credential in enumerate(auth.credentials):
        usable = {"MD5": credential.ha1_md5, "SHA-256": credential.ha1_sha256}
        if credential.enabled and not any(usable[name] for name in auth.algorithms):
            yield (
                f"auth.credentials[{row}]",
                f"{credential.login!r} has no hash for {' or '.join(auth.algorithms)} and cannot "
                f"log in; `centrex user passwd {credential.login}`",
            )


def _method_warnings(methods: Sequence[str]) -> Iterator[Finding]:
    for name, may in _UNASKED.items():
        if name not in methods and "*" not in methods:
            yield "auth.methods", f"leaves out {name}: anybody can {may}, without a password"
    for row, name in enumerate(methods):
        if name != "*" and name.encode() not in METHODS:
            nearest = nearest_choice(name, (known.decode() for known in sorted(METHODS)))
            hint = (
                f"; did you mean {nearest}?" if nearest else ", and never comes from a usual phone"
            )
            yield f"auth.methods[{row}]", f"{name} is no known method{hint}"


def _trust_warnings(config: Config) -> Iterator[Finding]:
    for row, text in enumerate(config.auth.trusted):
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            continue  # a host name, which the model has let pass
        if network.prefixlen == 0:
            yield f"auth.trusted[{row}]", f"{text} trusts everybody without a password"


def _gateway_warnings(config: Config) -> Iterator[Finding]:
    """Gateways without a login, by address alone: they call here, too, and know no password of ours."""
    if not config.auth.enabled:
        return
    trusted = []
    for text in config.auth.trusted:
        try:
            trusted.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            return  # a host name: it may be the gateway's
    for row, gateway in enumerate(config.routing.gateways):
        for address in gateway.addresses if gateway.enabled and not gateway.login else ():
            hop = next_hop(address.encode())
            host = hop[1] if isinstance(hop, tuple) else ""
            if host and not any(ipaddress.ip_address(host) in network for network in trusted):
                yield (
                    f"routing.gateways[{row}].addresses",
                    f"{host} is not in auth.trusted: calls from it are asked for a password (407)",
                )


def _routing_warnings(config: Config) -> Iterator[Finding]:
    def canonical(name: str) -> str:
        return name if config.registrar.case_sensitive else name.lower()

    users: set[str] | None = None
    if not config.auth.credentials_file:
        users = {canonical(row.name) for row in config.directory.entries if row.enabled}
        for credential in config.auth.credentials:
            users |= {canonical(user) for user in credential.users or (credential.login,)}
        if "*" in users:
            users = None
    network = config.network
    names = (network.domain, *network.aliases, *network.address)
    hosts = frozenset(host.lower() for host in names if host)
    today = datetime.fromtimestamp(time.time(), UTC).date()
    known = Known(
        users=users, canonical=canonical, hosts=hosts, today=today, registrar=config.registrar.name
    )
    yield from lint_directory(config.directory, known)
    yield from lint(config.routing, known)
    if not config.auth.enabled:
        yield from _ways_out(config)


def _ways_out(config: Config) -> Iterator[Finding]:
    """Without passwords only a source in `auth.trusted` counts as ours."""
    routing = config.routing
    names = {gateway.name for gateway in routing.gateways if gateway.enabled}
    ours = {config.network.domain, *config.network.aliases}
    for number, plan in enumerate(routing.plans):
        if not plan.enabled or plan.name or plan.strangers:
            continue
        steps = [step if isinstance(step, str) else step.to for step in plan.destinations]
        if any(_leads_outside(to, names, ours) for to in steps):
            yield (
                f"routing.plans[{number}]",
                "leads to other servers; since auth.enabled is off, only callers from auth.trusted may "
                "use it" + ("" if config.auth.trusted else ", where nobody is"),
            )


def _leads_outside(to: str, gateways: Set[str], ours: Set[str]) -> bool:
    if not to.lower().startswith(("sip:", "sips:")):
        return to.rpartition("@")[2] in gateways
    try:
        uri = parse_uri(GROUP.sub("0", to).encode())
    except PeerError:
        return False
    return isinstance(uri, SipUri) and uri.host.decode() not in ours


def _media_warnings(config: Config) -> Iterator[Finding]:
    media = config.media
    secret = media.secret.get_secret_value()
    if media.mode == "never" or media.backend != "relay":
        return
    if not media.embedded and not secret:
        yield (
            "media.secret",
            "is empty, and media.embedded is off: no relay can log in, so no call is relayed",
        )
    if 0 < len(secret) < SHORT_SECRET:
        yield "media.secret", f"is short and may be guessed; use {SHORT_SECRET} characters or more"


def _later_warnings(config: Config) -> Iterator[Finding]:
    if config.wan.enabled:
        yield (
            "wan.enabled",
            "has no effect yet, it comes with a later version: phones are told this machine's own address",
        )


def warnings(config: Config) -> tuple[Finding, ...]:
    """Return what works but is hardly meant so."""
    rules = (
        _domain_warnings,
        _auth_warnings,
        _trust_warnings,
        _media_warnings,
        _routing_warnings,
        _gateway_warnings,
        _later_warnings,
    )
    return tuple(finding for rule in rules for finding in rule(config))
