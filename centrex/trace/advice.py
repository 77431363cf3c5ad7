"""What to say and what to do when something did not work: by rule, and by status code.

It knows what an installer can look at, in which order, and which command helps. In every text
`{0}` … are the facts of the rule, `{user}` is whom the first of them means and `{name}` the same
where it is safe to type into a shell, `{host}` the host it names, as safe; `{caller}`, `{callee}` and
`{source}` are the request's. All have been made fit for a reader. It refuses to know which of its texts
applies.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from centrex.trace.rules import Rule


class Verdict(NamedTuple):
    """Why something did not work, and what to do."""

    why: str
    """A part of a sentence."""
    advice: tuple[str, ...]
    """Whole sentences, the likeliest help first; may be empty."""


_WRONG_PASSWORD: Final = Verdict(
    "wrong password",
    (
        "Type the password anew in the phone, or set a new one with `centrex user passwd {name}`.",
        "If the phone keeps its password for another server name (realm), delete the account in "
        "the phone and make it anew.",
    ),
)

_REGISTRATION: Final = Verdict(
    "the registrar answered {1} {2}",
    ("See `centrex status` for warnings, and `centrex registrations` for who is there.",),
)

_NO_PASSWORD: Final = Verdict(
    "it was asked for a password and never gave one",
    (
        "Type login and password into the phone; `centrex user list` shows the logins.",
        "If they are there, compare the domain (realm) in the phone with `centrex status`.",
        "The server's answer may also not reach the phone: look at the firewall and at `SIP ALG` "
        "in the router.",
    ),
)

CREDENTIALS: Final[tuple[tuple[tuple[str, ...], Verdict], ...]] = (
    (("no credentials",), _NO_PASSWORD),
    (
        ("no such", "unknown"),
        Verdict(
            "no login {user} is known here",
            (
                "Compare the login (authentication name) in the phone with `centrex user list`.",
                "If it is new, add it with `centrex user add {name}`.",
            ),
        ),
    ),
    (
        ("disabled",),
        Verdict(
            "the login {user} is switched off",
            ("Set `enabled = true` for it in the configuration, and `centrex reload`.",),
        ),
    ),
    (
        ("hash",),
        Verdict(
            "the password of {user} is not stored in the form this phone uses",
            ("Set it again with `centrex user passwd {name}`: that stores every form.",),
        ),
    ),
    (
        ("nonce", "stale"),
        Verdict(
            "its answer to the password question was out of date ({1})",
            (
                "A phone should then try again by itself; if it does not, restart it.",
                "If it happens all the time, raise `auth.nonce_life`, and see that nothing between "
                "phone and server repeats messages.",
            ),
        ),
    ),
    (
        ("uri", "read", "lack", "algorithm", "qop"),
        Verdict(
            "it answered the password question in a way that cannot be used ({1})",
            (
                "Update the phone's software.",
                'If it is old, let it use MD5: `auth.algorithms = ["SHA-256", "MD5"]`.',
            ),
        ),
    ),
)
"""By a word in the reason; the first that fits, else a wrong password."""

_RELAYS: Final = "See `centrex relays`: a relay must be there, available, and have ports left."

UNHEARD: Final = (
    "Let the firewall of the side that is not heard pass UDP to the relay's ports "
    "(`media.port_range`, or `port_range` of its relay.toml).",
    "See whether that phone is muted: some send nothing then. `centrex relays calls NAME` tells "
    "what came of it, and what was dropped.",
)
"""Where a relay hears one side of a call only."""

LET_GO: Final = (
    "If people still talk: hold and resume takes a relay anew.",
    "Else see whether both phones lost their network, or were switched off.",
)
"""Where a relay has ended its part of a call."""

UNRELAYED: Final = (_RELAYS,)
"""Where a call is left to find its own way."""

REFUSALS: Final[Mapping[Rule, Verdict]] = {
    Rule.MALFORMED: Verdict(
        "the message breaks a rule of SIP: {0} ({1})",
        (
            "Update the phone's software, and look for unusual characters in its account settings.",
            "Switch off every `SIP ALG` or `SIP helper` in the routers: they damage messages.",
        ),
    ),
    Rule.TOO_LARGE: Verdict(
        "its messages are too large ({0})",
        (
            "Switch off codecs and video that are not needed in the phone, or let it use TCP.",
            "Or raise `network.max_message_bytes`.",
        ),
    ),
    Rule.GUARD_LIMITED: Verdict(
        "{0} sends more messages than the flood guard allows",
        (
            "See `centrex bans`, and whether a phone there tries again and again.",
            "If many phones share that address, add it to `network.guard.exempt`.",
        ),
    ),
    Rule.OVERLOADED: Verdict(
        "the server had too much to do (503)",
        ("Try again in a minute; `centrex status` tells what keeps it busy.",),
    ),
    Rule.STOPPING: Verdict(
        "the server was about to stop (503)", ("Try again when it has been started anew.",)
    ),
    Rule.BAD_EVENT: Verdict(
        "the server does not tell of {0} (489)",
        (
            "A busy lamp watches the extension itself (event `dialog`); the list of who is there is "
            "at the registrar's name (event `reg`), which `centrex status` shows.",
            "Presence and voice mail lamps are asked of a phone or of a voice mail server by name.",
        ),
    ),
    Rule.NOT_ACCEPTABLE: Verdict(
        "the phone does not take documents of the type {0} (406)",
        ("Look for another kind of busy lamp or directory in the phone's settings.",),
    ),
    Rule.SUBSCRIPTION_TOO_BRIEF: Verdict(
        "it asked to watch for {0} s only (423)",
        ("Set a longer interval in the phone, or a shorter `registrar.min_expires`.",),
    ),
    Rule.SUBSCRIPTIONS_FULL: Verdict(
        "the server has too many watchers (503)",
        ("See `centrex subscriptions` for who watches so much.",),
    ),
    Rule.TOO_MANY_SUBSCRIPTIONS: Verdict(
        "{0} watches too much already (403)",
        ("See `centrex subscriptions`: a phone may have lost count of what it watches.",),
    ),
    Rule.MEDIA_REFUSED: Verdict(
        "{0} ({1})",
        (
            _RELAYS,
            'Or let such calls try without one: `media.without_relay = "pass"`.',
        ),
    ),
    Rule.MEDIA_FORK_REFUSED: Verdict(
        "the server before this one has forked the call, and one relay cannot have all of it: {0} ({1})",
        (
            "Let that server offer the same at each branch: it must not relay the call as well.",
            'Or leave the relaying to it: `media.mode = "never"` here.',
            'Or let such branches try without a relay: `media.without_relay = "pass"`.',
        ),
    ),
    Rule.MEDIA_OFFER_UNREAD: Verdict(
        "its description of voice and video cannot be read, and so not be relayed ({1})",
        (
            "Where it breaks a rule, that is named above; the phone, or a server before it, wrote it.",
            "Where it is compressed (Content-Encoding), have the phone send it plain.",
        ),
    ),
    Rule.PLAN_NOT_NOW: Verdict(
        "the routing plan of {0} is not in force now (480)",
        (
            "See its `times`; `centrex route test NUMBER` tells which plans were looked at.",
            "Let a second plan of the same name, without times, lead somewhere meanwhile.",
        ),
    ),
    Rule.PLAN_EMPTY: Verdict(
        "no destination of the routing plan {0} can be tried (480)",
        (
            "`centrex route test NUMBER` tells why each of them is left out.",
            "Let the last destination be one that always answers, such as voicemail.",
        ),
    ),
    Rule.TIME_UP: Verdict(
        "nobody answered within the {0} s that all its destinations have together",
        (
            "Raise `timeouts.call_maximum`, or set it to 0 for no such limit.",
            "Or let the first destinations ring for less: `timeouts.rollover`, or `ring` in the plan.",
        ),
    ),
    Rule.NOBODY_ANSWERED: Verdict(
        "nobody answered at any of the plan's destinations (480)",
        (
            "Let the last destination be one that always answers, such as voicemail.",
            "Or give them longer: `timeouts.rollover` and `timeouts.final_answer`.",
        ),
    ),
    Rule.GATEWAY_REFUSED: Verdict(
        "the gateway {0} did not take the call from this server: {1} (500)",
        (
            "Compare `login` and `password` of {0} under `routing.gateways` with what its operator gave.",
        ),
    ),
    Rule.UNSUPPORTED_SCHEME: Verdict(
        "this kind of address cannot be called here: {0}",
        ("Dial a number or an address that begins with `sip:`.",),
    ),
    Rule.TOO_MANY_HOPS: Verdict(
        "it passed through too many servers (483)",
        (
            "Two servers or phones probably send it back and forth: look for call forwarding from "
            "{callee} that ends at {callee} again.",
        ),
    ),
    Rule.LOOP: Verdict(
        "it came back to this server unchanged (482)",
        (
            "Look for call forwarding in the phone of {callee} that leads back to {callee}.",
            "See that `network.domain` and `network.aliases` name every name this server has.",
        ),
    ),
    Rule.BAD_EXTENSION: Verdict(
        "the phone insists on an extension that the server does not have: {0} (420)",
        ("Switch that extension off in the phone, or set it from `required` to `optional`.",),
    ),
    Rule.MAX_BREADTH: Verdict(
        "it was split among too many phones (440)",
        ("Look for forwarding that multiplies calls, or lower `registrar.max_contacts`.",),
    ),
    Rule.NOT_YOUR_IDENTITY: Verdict(
        "the login {0} may not speak as {1}",
        (
            "Set the same name for user and login in the phone.",
            "If one login is meant to serve several names, list them in its `users`, or set "
            "`auth.login_must_match_user = false`.",
        ),
    ),
    Rule.UNKNOWN_USER: Verdict(
        "there is no {user} here (404)",
        (
            "See whether the number was dialled rightly; `centrex user list` shows who is known.",
            "If {user} is new, add it with `centrex user add {name}`.",
        ),
    ),
    Rule.NOBODY_THERE: Verdict(
        "nobody is registered as {user} (480)",
        (
            "See that the phone of {user} is on, has network, and shows that it is registered.",
            "`centrex registrations` shows who is here; `centrex log` shows why a phone is refused.",
        ),
    ),
    Rule.RELAY_DENIED: Verdict(
        "{0} is not at this server, and strangers' calls are not passed on",
        (
            "If {0} is meant to be here, add its domain to `network.aliases`.",
            "If the caller is one of yours, let its phone log in; a gateway belongs into "
            "`auth.trusted`.",
        ),
    ),
    Rule.ROUTE_DENIED: Verdict(
        "the phone wants it sent by way of {0}, which is not this server",
        ("Set the phone's `outbound proxy` to this server's address, or leave it empty.",),
    ),
    Rule.UNKNOWN_DIALOG: Verdict(
        "the {0} belongs to no call that is known (481)",
        ("The call was over already, or the server was restarted; hang up and call again.",),
    ),
    Rule.INTERNAL_ERROR: Verdict(
        "the server itself failed: {0} (500)",
        ("This is a fault of Centrex. Please report it with the lines below.",),
    ),
}
"""Refused by the server itself, for whatever it was asked."""

TARGETS: Final[Mapping[Rule, Verdict]] = {
    Rule.TARGET_SILENT: Verdict(
        "the phone of {callee} at {0} gave no sign of life for {1} s",
        (
            "See that this phone is switched on and has network: it registered, and is now silent.",
            "If it stands behind a router, the way to it was probably forgotten there: let the "
            "phone register more often, lower `network.keepalive_interval`, or let it use TCP.",
            "Switch off `SIP ALG` in the router, and look at its firewall.",
        ),
    ),
    Rule.TARGET_RANG_OUT: Verdict(
        "the phone of {callee} rang for {1} s and nobody answered",
        (
            "To let it ring longer, raise `timeouts.final_answer` (one phone) or `timeouts.rollover`.",
        ),
    ),
    Rule.TARGET_UNREACHABLE: Verdict(
        "{0} could not be reached: {1}",
        (
            "See that the phone or server there is switched on and listens on that port and "
            "transport; a firewall may be in between.",
            "With TLS, see that its certificate is valid and names its host.",
        ),
    ),
    Rule.DNS_FAILED: Verdict(
        "the name {0} could not be looked up: {1}",
        (
            "See whether the name is spelled rightly.",
            "See that this machine's name servers answer: `getent hosts {host}`.",
        ),
    ),
}
"""What became of a target; whole clauses."""

_GATEWAY_HELP: Final = (
    "`centrex gateways` shows which addresses answer, and why others do not.",
    "See that the gateway is switched on, that `[[routing.gateways]]` has its address, port and "
    "transport, and that no firewall is in between.",
)

GATEWAYS: Final[Mapping[Rule, Verdict]] = {
    Rule.TARGET_SILENT: Verdict(
        "the gateway {gateway} gave no sign of life at {0} for {1} s",
        (*_GATEWAY_HELP, "Give it a second address: the next one is tried in its place."),
    ),
    Rule.TARGET_UNREACHABLE: Verdict(
        "the gateway {gateway} could not be reached at {0}: {1}", _GATEWAY_HELP
    ),
    Rule.TARGET_RANG_OUT: Verdict(
        "it rang for {1} s by way of the gateway {gateway} and nobody answered",
        ("To let it ring longer, give the destination a `ring` of its own in its plan.",),
    ),
    Rule.TARGET_REFUSED: Verdict(
        "the gateway {gateway} answered {1} {2}",
        (
            "The gateway's own log, or its provider, tells why; a login that is wrong or lacks "
            "credit is often the reason.",
            "`centrex gateways` shows how its addresses are.",
        ),
    ),
}
"""The same of a gateway; `{gateway}` is its name."""

OF_THE_CALLEE: Final = frozenset({404, 410, 480, 484, 486, 487, 488, 600, 603, 604, 606})
"""What a gateway says of whoever is called, and not of itself."""

STATUSES: Final[Mapping[int, Verdict]] = {
    301: Verdict("{callee} has moved to another address", ("Call the new address.",)),
    302: Verdict(
        "the phone of {callee} forwards its calls elsewhere",
        ("Switch the forwarding off in the phone of {callee}, or call the other number.",),
    ),
    400: Verdict(
        "the other side found the message wrong",
        ("Update the software of both phones; switch off `SIP ALG` in the routers.",),
    ),
    401: Verdict(
        "the other side asks for a password of its own",
        ("Switch off authentication of incoming calls in the phone of {callee}.",),
    ),
    403: Verdict(
        "the other side does not allow it",
        ("Look for call restrictions or `accept calls from server only` in that phone.",),
    ),
    404: Verdict(
        "the other side knows nobody of that name",
        ("See that user and number in the phone of {callee} are the ones that were called.",),
    ),
    405: Verdict("the other side does not know this kind of request", ()),
    406: Verdict("the other side cannot answer in a way the caller accepts", ()),
    408: Verdict(
        "nobody answered in time",
        ("See that the phone of {callee} is switched on and has network.",),
    ),
    410: Verdict("{callee} is gone for good", ("Remove the number from phone books.",)),
    415: Verdict(
        "the other phone does not understand what was sent",
        ("Compare the codec settings of both phones.",),
    ),
    420: Verdict(
        "the other phone lacks an extension that was insisted on",
        ("Set that extension from `required` to `optional` in the calling phone.",),
    ),
    480: Verdict(
        "{callee} cannot be reached now",
        ("See that the phone of {callee} is on and not set to `do not disturb`.",),
    ),
    481: Verdict(
        "the other phone knows no such call",
        ("The call was over already there; hang up and call again.",),
    ),
    486: Verdict(
        "{callee} is busy",
        (
            "Try again later. If {callee} is not on the phone, look for `do not disturb` and for "
            "`call waiting` there.",
        ),
    ),
    487: Verdict("the call was cancelled", ()),
    488: Verdict(
        "the phones have no way of talking in common",
        (
            "Enable a common codec in both phones, such as G.711 (PCMA, PCMU).",
            "See that encryption of speech (SRTP) is `optional` in both, or `required` in both.",
        ),
    ),
    500: Verdict("the other side failed", ("Restart the phone of {callee}.",)),
    501: Verdict("the other side does not know this kind of request", ()),
    503: Verdict(
        "the service cannot be had now",
        ("Try again in a minute; if a gateway or provider said so, look at its state.",),
    ),
    513: Verdict("the message is too large", ("Switch off codecs and video that are not needed.",)),
    600: Verdict("{callee} is busy everywhere", ("Try again later.",)),
    603: Verdict(
        "{callee} declined the call",
        ("If nobody did so by hand, look for `do not disturb` and block lists in that phone.",),
    ),
    604: Verdict("{callee} does not exist anywhere", ("Check the number.",)),
    606: Verdict(
        "the phones have no way of talking in common",
        ("Enable a common codec in both phones, such as G.711 (PCMA, PCMU).",),
    ),
}
"""By the status of a final response."""

REGISTRATIONS: Final[Mapping[int, Verdict]] = {
    400: Verdict(
        "the phone's registration breaks a rule of SIP: {2} (400)",
        ("Update the phone's software; switch off `SIP ALG` in the router.",),
    ),
    403: Verdict(
        "it may not register there: {2} (403)",
        (
            "If contacts of former phones are in the way, see `centrex registrations`, and take "
            "them away with `centrex registrations remove {name}`.",
            "If {user} really has that many phones, raise `registrar.max_contacts`.",
        ),
    ),
    404: Verdict(
        "there is no {user} here (404)",
        (
            "Compare user and domain in the phone with `centrex status` and `centrex user list`.",
            "If {user} is new, add it with `centrex user add {name}`.",
        ),
    ),
    423: Verdict(
        "the registration time asked for is too short (423)",
        (
            "Set a longer registration time in the phone (a good one tries again by itself), or "
            "lower `registrar.min_expires`.",
        ),
    ),
}
"""By the status with which the registrar refused; see `_REGISTRATION` for all others."""


SILENT: Final = (
    "See that the phone is on and has network; it is still tried at each call.",
    "If it can call but not be called, a router has forgotten it: lower "
    "`network.keepalive_interval`, or let the phone use TCP.",
)
"""What to do about a phone that is registered and does not answer."""


def by_status(status: int, reason: str) -> Verdict:
    """Return the verdict for a status code, in the words of its reason phrase if it is not known.

    Args:
        status: The status code, 300 to 699.
        reason: Its reason phrase, fit for a reader; curly brackets are taken literally.
    """
    known = STATUSES.get(status)
    if known is not None:
        return Verdict(f"{known.why} ({status})", known.advice)
    words = reason.replace("{", "{{").replace("}", "}}")
    return Verdict(f"it was answered {status} {words}".rstrip(), ())


def by_registrar(status: int) -> Verdict:
    """Return the verdict for a registration refused with that status."""
    return REGISTRATIONS.get(status, _REGISTRATION)


def by_reason(reason: str) -> Verdict:
    """Return the verdict for credentials refused for that reason."""
    lower = reason.lower()
    return next(
        (verdict for words, verdict in CREDENTIALS if any(word in lower for word in words)),
        _WRONG_PASSWORD,
    )
