"""`relay.toml`: the configuration of a media relay, which is a process, and often a machine, of its own.

It checks the form of each value and reports everything that is wrong at once; what the machine makes
of it is for whoever opens the ports.
"""

import difflib
import hashlib
import ipaddress
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr, ValidationError

from centrex.base import ConfigError, Problem
from centrex.config.checks import SHORT_SECRET
from centrex.config.later import WanSettings
from centrex.config.problems import Blame, from_syntax, nowhere

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_PORTS_LEAST: Final = 4
_STUN_SERVER: Final = re.compile(r"[A-Za-z0-9._-]+(?::(\d{1,5}))?", re.ASCII)
AUTO: Final = "auto"
"""What stands in `advertise` for the address that `[wan]` finds."""
_MESSAGES: Final = {
    "extra_forbidden": "unknown key",
    "missing": "must be set",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "tuple_type": "must be a list",
    "model_type": "must be a table",
}


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("is no name; use at most 32 letters, digits, '.', '_' and '-'")
    return text


def _addresses(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        address = ipaddress.ip_address(text)
        if address.is_unspecified:
            raise ValueError(f"{text} is no single address; leave it out for all of the machine's")
    hosts = tuple(_spelled(text) for text in texts)  # as proxies spell them when they ask for ports
    if len(set(hosts)) != len(hosts):
        raise ValueError("names the same address twice")
    return hosts


def _several(value: Any) -> Any:
    """Let one text stand for a list of one, and an empty one for an empty list."""
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(value) if isinstance(value, list) else value


def _family(text: str) -> str:
    """Return `4` or `6`; raises `ValueError` where it is no address."""
    if text == AUTO:
        return "4"
    return str(ipaddress.ip_address(text).version)


def _advertised(value: Any) -> Any:
    """Return what is told in place of an address: by `4` and `6` for all of a family, or by address.

    One text holds for the addresses of its own family, a list of two for both; a table says it for
    each address.
    """
    if isinstance(value, dict):
        return {_spelled(host): _told(told, host) for host, told in value.items()}
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list):
        raise ValueError("must be an address, a list of them, or a table")
    told = [_told(text) for text in texts if text != ""]
    families = {_family(text): text for text in told}
    if len(families) != len(told):
        raise ValueError("names two addresses of one family; a table says which is whose")
    return families


def _told(value: Any, host: str = "") -> str:
    if value == AUTO:
        if host and _family(host) != "4":
            raise ValueError(f'"auto" finds IPv4 addresses, and {host} is none')
        return AUTO
    try:
        spelled = _spelled(value)
    except ValueError:
        raise ValueError(f"{value!r} is no IP address") from None
    if host and _family(host) != _family(spelled):
        raise ValueError(f"{spelled} and {host} are not of one family")
    return spelled


def _spelled(text: Any) -> str:
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is no IP address")
    return str(ipaddress.ip_address(text))


def _range(value: tuple[int, int]) -> tuple[int, int]:
    first, last = value
    if last - first + 1 < _PORTS_LEAST:
        raise ValueError(f"must hold at least {_PORTS_LEAST} ports, the lower one first")
    return value


Port = Annotated[int, Field(ge=1024, le=65535)]


class ProxyLink(BaseModel, frozen=True, extra="forbid"):
    """`[[proxies]]`: a SIP proxy this relay serves."""

    address: str = Field(min_length=1, description="Its host; or unix:/path for one on this host.")
    port: int = Field(5090, ge=1, le=65535, description="Its `media.control_port`.")
    secret: SecretStr = Field(min_length=1, description="Its `media.secret`.")


class RelayConfig(BaseModel, frozen=True, extra="forbid"):
    """The whole of a `relay.toml`."""

    name: Annotated[str, AfterValidator(_name)] = Field(
        "relay", description="Its name, unlike that of every other relay of the same proxies."
    )
    proxies: tuple[ProxyLink, ...] = Field(min_length=1, description="The proxies it serves.")
    address: Annotated[tuple[str, ...], BeforeValidator(_several), AfterValidator(_addresses)] = (
        Field((), description="Addresses for media; none for all of this machine's.")
    )
    advertise: Annotated[dict[str, str], BeforeValidator(_advertised)] = Field(
        default_factory=dict,
        description="What phones are told in place of an address of its family, where a router "
        'stands before this machine; or a table that says it for each address. "auto" is what '
        "[wan] finds.",
    )
    port_range: Annotated[tuple[Port, Port], AfterValidator(_range)] = Field(
        (30000, 39999), description="First and last UDP port for media."
    )
    max_sessions: int = Field(3000, ge=1, le=100_000, description="Calls carried at once.")
    offload: Literal["auto", "kernel", "userspace"] = Field(
        "auto", description="Whether the kernel carries packets, where it can."
    )
    silence_timeout: int = Field(
        60, ge=5, le=86_400, description="Seconds without any packet after which a call's ports go."
    )

    state_dir: str = Field(
        "",
        description="Folder where it writes down what it carries, so that calls go on where it and "
        "its proxies are killed at once; empty for none.",
    )

    wan: WanSettings = Field(
        WanSettings(), description="How the address is found that `auto` stands for."
    )

    @property
    def lock(self) -> Path | None:
        """The file in `state_dir` that this relay holds while it runs; None where it writes nothing."""
        return Path(self.state_dir) / f"{self.name}.lock" if self.state_dir else None

    @property
    def is_auto(self) -> bool:
        """Whether the public address is to be found."""
        return AUTO in self.advertise.values()

    def shown(self, host: str, found: str = "") -> str:
        """Return what phones are told in place of an address of this machine; empty for none yet.

        Args:
            host: It.
            found: The public address, as far as it was found. It stands for no address that is
                public itself.
        """
        told = self.advertise.get(_spelled(host))
        if not told and (self.address or not ipaddress.ip_address(host).is_loopback):
            told = self.advertise.get(_family(host))  # no router leads to a loopback by itself
        told = told or host
        if told != AUTO:
            return told
        return host if ipaddress.ip_address(host).is_global else found


_TABLES: Final[Mapping[object, type[BaseModel]]] = {"proxies": ProxyLink, "wan": WanSettings}


def _unused(config: RelayConfig) -> str:
    """Return what of `advertise` no address of the relay has use for, or nothing."""
    if not config.address:
        return ""  # those of the machine, which may change
    hosts = {_spelled(host) for host in config.address} | {_family(host) for host in config.address}
    idle = [config.advertise[key] for key in config.advertise if key not in hosts]
    return f"{idle[0]} stands for no address of the relay (address)" if idle else ""


def _wan_amiss(config: RelayConfig) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what keeps the public address from being found: the key, and why."""
    wan = config.wan
    if not config.is_auto:
        if wan.enabled:
            yield ("wan", "enabled"), 'is of no use unless advertise is "auto"'
        return
    if not wan.enabled:
        yield ("advertise",), '"auto" needs [wan], with enabled = true and a method'
        return
    wants = {"static": "address", "dns": "host", "http": "url", "stun": "stun_servers"}
    key = wants[wan.method]
    value = getattr(wan, key)
    if not value:
        yield ("wan", key), f'must be set for method = "{wan.method}"'
    elif key == "address" and not _is_ipv4(value):
        yield ("wan", key), f"{value!r} is no IPv4 address"
    elif key == "url" and not value.startswith(("http://", "https://")):
        yield ("wan", key), "must begin with http:// or https://"
    elif key == "stun_servers":
        bad = [one for one in value if not _is_stun_server(one)]
        if bad:
            yield ("wan", key), f"{bad[0]!r} is no host:port"


def _is_stun_server(text: str) -> bool:
    found = _STUN_SERVER.fullmatch(text)
    return found is not None and 0 < int(found[1] or 1) < 65_536


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def fingerprint(config: RelayConfig) -> str:
    """Return what is the same for the same configuration, secrets aside."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:16]


def load_relay(path: Path) -> RelayConfig:
    """Read a `relay.toml`.

    Raises:
        ConfigError: With every problem found.
    """
    file = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError((nowhere(file, "does not exist"),)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError((nowhere(file, f"cannot be read: {error}"),)) from error
    return relay_of(text, file)


def relay_of(text: str, file: str) -> RelayConfig:
    """Check the text of a `relay.toml`.

    Args:
        text: The TOML text.
        file: The file's name, for problems.

    Raises:
        ConfigError: With every problem found.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((from_syntax(error, file, text),)) from None
    blame = Blame(file, text)
    try:
        config = RelayConfig.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        raise ConfigError(tuple(_problems(error, blame))) from None
    wrong = []
    if words := _unused(config):
        wrong.append(blame.problem("advertise", ("advertise",), words))
    for key, words in _wan_amiss(config):
        wrong.append(blame.problem(".".join(key), key, words))
    if wrong:
        raise ConfigError(tuple(wrong))
    return config


def relay_warnings(path: Path, config: RelayConfig) -> tuple[Problem, ...]:
    """Return what works but is hardly meant so."""
    file = str(path)
    found = []
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError((nowhere(file, f"cannot be read: {error}"),)) from error
    if mode & 0o077:
        found.append(
            nowhere(file, "holds a secret that others on this machine can read; chmod 600")
        )
    if config.wan != WanSettings() and not config.wan.enabled:
        message = "is not acted upon, for it is not enabled"
        found.append(Problem(file=file, key="wan", message=message))
    for row, proxy in enumerate(config.proxies):
        if len(proxy.secret.get_secret_value()) < SHORT_SECRET:
            message = f"is short and may be guessed; use {SHORT_SECRET} characters or more"
            found.append(Problem(file=file, key=f"proxies.{row}.secret", message=message))
    return tuple(found)


def _problems(failure: ValidationError, blame: Blame) -> list[Problem]:
    found = []
    errors = failure.errors(include_url=False)
    parents = {error["loc"][:depth] for error in errors for depth in range(len(error["loc"]))}
    for error in errors:
        if error["loc"] in parents:
            continue  # a list counts as too short because its rows are wrong: they say it better
        location = tuple(error["loc"])
        dotted = ".".join(str(part) for part in location)
        message = _MESSAGES.get(error["type"]) or error["msg"].removeprefix("Value error, ")
        nearest = ""
        if error["type"] == "extra_forbidden":
            model = _TABLES.get(location[0], RelayConfig) if len(location) > 1 else RelayConfig
            close = difflib.get_close_matches(str(location[-1]), model.model_fields, n=1)
            nearest = close[0] if close else ""
        found.append(blame.problem(dotted, location, message, nearest))
    return found
