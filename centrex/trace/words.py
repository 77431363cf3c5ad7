"""What each rule means in plain words: one line per decision.

It knows a sentence for every `Rule`, with `{0}`, `{1}` … for its facts. It refuses to judge which
decision mattered; that is `centrex.trace.explain`'s.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from centrex.base.untrusted import shown
from centrex.trace.rules import Rule

_LIMIT: Final = 120
"""Characters shown of one fact."""
_FACTS: Final = 4
"""The most facts a sentence speaks of."""

WORDS: Final[Mapping[Rule, str]] = {
    Rule.REQUEST: "{0} for {1} from {2} came in by {3}",
    Rule.REQUEST_MADE: "the server itself sends {0} to {1}, in the name of {2}",
    Rule.MALFORMED: "the message breaks a rule of SIP: {0} ({1})",
    Rule.TOO_LARGE: "the message is too large ({0}); answered 513",
    Rule.GUARD_LIMITED: "dropped, because {0} sends more than the flood guard allows",
    Rule.OVERLOADED: "refused, because the server has too much to do; answered 503",
    Rule.STOPPING: "refused, because the server is about to stop; answered 503",
    Rule.UNSUPPORTED_SCHEME: "the address is of a kind that cannot be called here: {0}",
    Rule.TOO_MANY_HOPS: "it has passed through too many servers (Max-Forwards is used up); {0}",
    Rule.LOOP: "it has been here before, unchanged: it goes round in a circle; {0}",
    Rule.BAD_EXTENSION: "the phone insists on an extension of SIP that the server does not have: {0}",
    Rule.MAX_BREADTH: "it was split among more phones than allowed; {0}",
    Rule.CHALLENGED: "{0} was asked for a password for {1}: {2}",
    Rule.AUTHENTICATED: "the password was right; logged in as {0}",
    Rule.CREDENTIALS_REFUSED: "the login {0} was refused: {1}",
    Rule.NOT_YOUR_IDENTITY: "the login {0} may not speak as {1}",
    Rule.TRUSTED: "{0} is in a trusted network and needs no password",
    Rule.REGISTERED: "{0} is now registered at {1} for {2} s",
    Rule.REFRESHED: "{0} stays registered at {1} for {2} s more",
    Rule.UNREGISTERED: "{0} is no longer registered at {1}: the phone signed off, or came another way since",
    Rule.EXPIRED: "{0} is no longer registered at {1}: the phone did not renew it in time",
    Rule.CONTACT_SILENT: "the phone of {0} at {1} does not answer when it is {2}",
    Rule.CONTACT_ANSWERS: "the phone of {0} at {1} answers again, after {2} s",
    Rule.FETCHED: "the phone asked where {0} is registered; {1} contacts were told",
    Rule.REGISTRATION_REFUSED: "registering {0} was refused: {1} {2}",
    Rule.UNKNOWN_USER: "there is no user {0} here",
    Rule.NOBODY_THERE: "{0} is a user here, but no phone is registered",
    Rule.RELAY_DENIED: "{0} is not here, and strangers' calls are not passed on to other places",
    Rule.ROUTE_DENIED: "the message wants to be sent by way of {0}, which is not this server's route",
    Rule.LOCATED: "{0} is registered; phones to try: {1}",
    Rule.PLAN: "the routing plan {0} decides; destinations: {1}",
    Rule.PLAN_NOT_NOW: "the routing plan of {0} is not in force now, and nothing else leads there",
    Rule.PLAN_SKIPPED: "{0} is left out: {1}",
    Rule.PLAN_EMPTY: "no destination of the routing plan {0} can be tried",
    Rule.TIME_UP: "all destinations together had {0} s; that is over, and no more are tried",
    Rule.NOBODY_ANSWERED: "nobody answered at any of the plan's destinations",
    Rule.REDIRECTED: "{0} sends the call on to {1}; it follows",
    Rule.NOT_FOLLOWED: "where {0} sends the call on to, it is not sent: {1}",
    Rule.LEG_ENDED: "{0} picked up in vain and was hung up: {1}",
    Rule.LEG_LEFT: "{0} should be hung up, but its answer does not tell how: {1}",
    Rule.GATEWAY_ASKED: "the gateway {0} asked who calls ({1}); sent again with its login",
    Rule.GATEWAY_REFUSED: "the gateway {0} asked who calls, and is told nothing more: {1}",
    Rule.GATEWAY_TRIED: "that is an address of the gateway {1}; {2}",
    Rule.NEXT_ADDRESS: "{1} does not serve {0}: {2}; the next address of its name is tried",
    Rule.GATEWAY_SILENT: "{0} cannot be reached; {1} is tried in its place",
    Rule.OUTSIDE_TARGET: "{0} is another server's; it is passed on there",
    Rule.IN_DIALOG: "{0} belongs to a call that stands; it goes on by {1}",
    Rule.UNKNOWN_DIALOG: "{0} says it belongs to a call, but the server knows no such call",
    Rule.TARGET_IS_SILENT: "{0} has not answered for {2} s when it was {1}; it is tried all the same",
    Rule.TARGET_TRIED: "sent to {0} by {1}",
    Rule.TARGET_PROGRESS: "{0} reports {1}",
    Rule.TARGET_ANSWERED: "{0} answered",
    Rule.TARGET_REFUSED: "{0} refused: {1} {2}",
    Rule.TARGET_SILENT: "{0} gave no sign of life for {1} s",
    Rule.TARGET_RANG_OUT: "{0} rang for {1} s and nobody answered",
    Rule.TARGET_CANCELLED: "{0} was told to stop ringing",
    Rule.TARGET_NOT_STOPPED: "{0} was told to stop ringing and has not said that it did; it was last heard {1} s ago",
    Rule.TARGET_UNREACHABLE: "{0} could not be reached: {1}",
    Rule.DNS_FAILED: "the name {0} could not be looked up: {1}",
    Rule.SWITCHED_TRANSPORT: "{3} octets are too many for {1} to {0}; sent by {2} instead",
    Rule.SUBSCRIBED: "{0} is now watched ({1}) for {2} s",
    Rule.SUBSCRIPTION_REFRESHED: "{0} stays watched ({1}) for {2} s more",
    Rule.SUBSCRIPTION_ENDED: "{0} is no longer watched ({1}): {2}",
    Rule.BAD_EVENT: "what is to be watched is not told of here: {0}",
    Rule.NOT_ACCEPTABLE: "the watcher does not take documents of the type {0}",
    Rule.SUBSCRIPTION_TOO_BRIEF: "watching for {0} s is too short",
    Rule.SUBSCRIPTIONS_FULL: "there are too many watchers already; {0} was refused",
    Rule.TOO_MANY_SUBSCRIPTIONS: "{0} watches too much already",
    Rule.MEDIA_RELAYED: "voice goes through the relay {0}: {1}",
    Rule.MEDIA_TAKEN_ON: "the rtpengine at {0} has it now",
    Rule.MEDIA_DIRECT: "voice goes directly from phone to phone: {0}",
    Rule.MEDIA_UNRELAYED: "voice should be relayed, but {0}; it is left to find its own way",
    Rule.MEDIA_REFUSED: "refused, because {0}",
    Rule.MEDIA_FORK_REFUSED: "refused, because {0}",
    Rule.MEDIA_OFFER_UNREAD: "refused: what is offered cannot be read, and would lead past the relay",
    Rule.MEDIA_DECLINED: "{0} is left out of the offer, because {1}; the rest goes on",
    Rule.MEDIA_FAMILY: "the relay {0} has no {1}: {2} is offered an IPv{3} address of it",
    Rule.MEDIA_LEFT_ALONE: "{0} is not relayed, and passed as it is: {1}",
    Rule.MEDIA_UNFIT: "{0} is left out of the answer: it was offered through the relay, and {1}",
    Rule.MEDIA_TOO_LATE: "only its answer shows that {0}: voice was offered unrelayed, the next offer will be relayed",
    Rule.MEDIA_UNREADABLE: "the description of voice and video breaks a rule: {0} ({1})",
    Rule.MEDIA_NOTICE: "the relay reports: {0}",
    Rule.MEDIA_LOST: "the relay {0} has ended its part: {1}",
    Rule.ANSWERED: "the final answer was {0} {1}",
    Rule.CANCELLED: "the caller gave up before anybody answered",
    Rule.ENDED: "the call was ended by the {0}",
    Rule.STRAY_RESPONSE: "a response came that nobody waited for; {0}",
    Rule.STRAY_ACK: "an acknowledgement came for no call that is known; {0}",
    Rule.INTERNAL_ERROR: "the server itself failed: {0}",
}

_TYPABLE: Final = re.compile(r"[A-Za-z0-9_+.][A-Za-z0-9_+.@:-]*").fullmatch
_SCHEMES: Final = ("sips:", "sip:", "tel:")


def line(rule: Rule, facts: Sequence[Any]) -> str:
    """Return the sentence for one decision; facts that are missing read `?`."""
    return WORDS[rule].format(*told(facts)).removesuffix("; ?")


def told(facts: Sequence[Any]) -> list[str]:
    """Return four facts as text fit for any reader, `?` for those that are missing."""
    texts = [_text(fact) for fact in facts[:_FACTS]]
    return texts + ["?"] * (_FACTS - len(texts))


def person(uri: str) -> str:
    """Return whom a URI means, in short: the user of a SIP URI, or its host where it has none."""
    start, end = uri.find("<"), uri.rfind(">")
    if 0 <= start < end:
        uri = uri[start + 1 : end]
    for scheme in _SCHEMES:
        if uri.lower().startswith(scheme):
            uri = uri[len(scheme) :]
            break
    else:
        if "@" not in uri:
            return uri  # a bare name
    user, at, _ = uri.rpartition("@")
    return (user.partition(":")[0] if at else uri.partition(";")[0]) or uri


def host(uri: str) -> str:
    """Return the host of a SIP URI that names one by name; of what is no URI all of it."""
    rest = uri.rpartition("@")[2]
    for scheme in _SCHEMES:
        rest = rest[len(scheme) :] if rest.lower().startswith(scheme) else rest
    return re.split("[:;?]", rest, maxsplit=1)[0]


def typable(name: str) -> str:
    """Return a name that can be typed into a shell as it is; `NAME` for one that cannot."""
    return name if _TYPABLE(name) else "NAME"


def _text(fact: Any) -> str:
    if isinstance(fact, (bytes, str)):
        return shown(fact, _LIMIT)
    if isinstance(fact, float):
        return f"{fact:.0f}" if fact >= 100 else f"{fact:.3g}"
    return shown(str(fact), _LIMIT)
