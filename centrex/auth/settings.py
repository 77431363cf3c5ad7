"""`[auth]` and `[[auth.credentials]]`: who must prove who they are, and by which logins.

Passwords never stand here, only HA1 hashes (RFC 7616 §3.4.2); those count as secrets too.
"""

import ipaddress
import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr, field_validator

METHODS: Final = (
    "REGISTER",
    "INVITE",
    "BYE",
    "SUBSCRIBE",
    "NOTIFY",
    "MESSAGE",
    "REFER",
    "PUBLISH",
    "UPDATE",
    "INFO",
    "OPTIONS",
)
"""The methods a form offers; any other method name may be written too."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_LOGIN: Final = re.compile(r'[^\x00-\x20\x7f":\\]+')


def _hash(digits: int, algorithm: str) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        text = value.get_secret_value().lower()
        if text and (len(text) != digits or not all(c in "0123456789abcdef" for c in text)):
            raise ValueError(
                f"must be the {algorithm} of login:realm:password, {digits} hexadecimal digits; "
                "`centrex user passwd LOGIN` writes it"
            )
        return SecretStr(text)

    return AfterValidator(check)


class Credential(BaseModel, frozen=True, extra="forbid"):
    """`[[auth.credentials]]`: one login and what it may speak for."""

    login: str = Field(
        min_length=1,
        max_length=128,
        title="Login",
        description="The name given when a phone is asked for its password.",
        json_schema_extra={"effect": "live"},
    )
    ha1_md5: Annotated[SecretStr, _hash(32, "MD5")] = Field(
        SecretStr(""),
        title="MD5 hash",
        description="MD5 of login:realm:password, for phones that know no better.",
        json_schema_extra={"effect": "live"},
    )
    ha1_sha256: Annotated[SecretStr, _hash(64, "SHA-256")] = Field(
        SecretStr(""),
        title="SHA-256 hash",
        description="SHA-256 of login:realm:password.",
        json_schema_extra={"effect": "live"},
    )
    users: tuple[str, ...] = Field(
        (),
        title="May be",
        description='Users this login may be; empty for its own name, ["*"] for everybody '
        "(a group login).",
        json_schema_extra={"effect": "live"},
    )
    enabled: bool = Field(
        True,
        title="Enabled",
        description="Let this login in.",
        json_schema_extra={"effect": "live"},
    )
    note: str = Field(
        "",
        max_length=200,
        title="Note",
        description="Whatever you want to remember about it.",
        json_schema_extra={"effect": "live"},
    )

    @field_validator("login")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not _LOGIN.fullmatch(value):
            raise ValueError("must not hold spaces, colons, quotes or backslashes")
        return value


class Settings(BaseModel, frozen=True, extra="forbid"):
    """`[auth]`: Digest authentication (RFC 3261 §22, RFC 7616, RFC 8760)."""

    enabled: bool = Field(
        True,
        title="Authentication",
        description="Ask for a password. Without it anybody can call as anybody.",
        json_schema_extra={"effect": "live"},
    )
    realm: str = Field(
        "",
        max_length=128,
        title="Realm",
        description="The realm phones see; empty for the domain. Part of every password hash: "
        "after a change all passwords must be set anew.",
        json_schema_extra={
            "effect": "live",
            "calls": "no phone can log in until passwords are set anew",
        },
    )
    methods: tuple[str, ...] = Field(
        ("*",),
        title="Methods",
        description='Methods that need a password; ["*"] for all but ACK, CANCEL and a ping.',
        json_schema_extra={"effect": "live", "choices": ["*", *METHODS]},
    )
    algorithms: tuple[Literal["SHA-256", "MD5"], ...] = Field(
        ("SHA-256", "MD5"),
        min_length=1,
        title="Algorithms",
        description="Hash algorithms offered, strongest first.",
        json_schema_extra={"effect": "live"},
    )
    nonce_life: int = Field(
        300,
        ge=10,
        le=86_400,
        title="Challenge life",
        description="How long a challenge may be answered and reused.",
        json_schema_extra={"effect": "live", "unit": "s"},
    )
    login_must_match_user: bool = Field(
        True,
        title="Login must match user",
        description="A login speaks only for the user of its own name; false for group logins.",
        json_schema_extra={"effect": "live"},
    )
    trusted: tuple[str, ...] = Field(
        (),
        title="Trusted hosts",
        description="Networks, addresses or host names that need no password, such as a gateway.",
        json_schema_extra={"effect": "live", "kind": "networks"},
    )
    credentials_file: str = Field(
        "",
        title="Credentials file",
        description="File of login:realm:HA1 lines (htdigest format), besides the logins here; "
        "a reload reads it again.",
        json_schema_extra={"effect": "live", "kind": "file"},
    )
    credentials: tuple[Credential, ...] = Field((), title="Logins", description="The logins.")

    @field_validator("realm")
    @classmethod
    def _quotable(cls, value: str) -> str:
        if any(c in '":\\' or not c.isprintable() for c in value):
            raise ValueError("must not hold quotes, colons, backslashes or control characters")
        return value

    @field_validator("methods")
    @classmethod
    def _names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _TOKEN.fullmatch(name):
                raise ValueError(f"{name!r} is no method name")
            if name.upper() in ("ACK", "CANCEL"):
                raise ValueError(f"{name} cannot be challenged (RFC 3261 §22.1)")
        return tuple(name.upper() for name in value)

    @field_validator("trusted")
    @classmethod
    def _peers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError:
                if (
                    "/" in text
                    or ":" in text
                    or not re.fullmatch(r"[A-Za-z0-9_.-]*[A-Za-z][A-Za-z0-9_.-]*", text)
                ):
                    raise ValueError(f"{text!r} is neither a network nor a host name") from None
        return value
