"""The rules that decide: every refusal, drop, re-routing and success names one of these.

A decision is a small tuple `(now, rule, *facts)`; what the facts of a rule are stands behind it.
Facts are bytes as they came from the wire (untrusted), strings of our own, or numbers.
"""

import enum


class Rule(enum.Enum):
    """What decided. The value is the name under which it is counted, logged and tested."""

    # what came: (method, request-URI, From URI, flow name)
    REQUEST = "request"
    # what the server sends by itself, in somebody's name: (method, Request-URI, From URI, who says so)
    REQUEST_MADE = "request-made"
    # grammar and the guard: (what, rule broken) / (flow name,)
    MALFORMED = "malformed"
    TOO_LARGE = "too-large"
    GUARD_LIMITED = "guard-limited"
    OVERLOADED = "overloaded"
    STOPPING = "stopping"
    # RFC 3261 §16.3: (detail,)
    UNSUPPORTED_SCHEME = "unsupported-scheme"
    TOO_MANY_HOPS = "too-many-hops"
    LOOP = "loop"
    BAD_EXTENSION = "bad-extension"
    MAX_BREADTH = "max-breadth"
    # authentication: (method, realm, reason) / (login,) / (login, reason) / (login, identity claimed)
    CHALLENGED = "challenged"
    AUTHENTICATED = "authenticated"
    CREDENTIALS_REFUSED = "credentials-refused"
    NOT_YOUR_IDENTITY = "not-your-identity"
    TRUSTED = "trusted"  # (flow name,)
    # registrar: (aor, contact, expires seconds) / (aor, contact) / (aor, status, reason)
    REGISTERED = "registered"
    REFRESHED = "refreshed"
    UNREGISTERED = "unregistered"
    EXPIRED = "expired"
    CONTACT_SILENT = "contact-silent"  # (aor, contact, how that was noticed)
    CONTACT_ANSWERS = "contact-answers"  # (aor, contact, seconds)
    FETCHED = "fetched"  # (aor, number of bindings)
    REGISTRATION_REFUSED = "registration-refused"
    # routing: (user,) / (user,) / (uri,) / (route,) / (user, number of targets)
    UNKNOWN_USER = "unknown-user"
    NOBODY_THERE = "nobody-there"
    RELAY_DENIED = "relay-denied"
    ROUTE_DENIED = "route-denied"
    LOCATED = "located"
    # plans: (plan, number of destinations) / (destination, why) / (plan,) / () / (uri, uri)
    PLAN = "plan"
    PLAN_NOT_NOW = "plan-not-now"  # (number,)
    PLAN_SKIPPED = "plan-skipped"
    PLAN_EMPTY = "plan-empty"
    TIME_UP = "time-up"  # (seconds,)
    NOBODY_ANSWERED = "nobody-answered"
    REDIRECTED = "redirected"
    NOT_FOLLOWED = "not-followed"  # (uri, why)
    LEG_ENDED = "leg-ended"  # (uri, why)
    LEG_LEFT = "leg-left"  # (uri, why)
    GATEWAY_ASKED = "gateway-asked"  # (gateway, status)
    GATEWAY_REFUSED = "gateway-refused"  # (gateway, why)
    GATEWAY_TRIED = "gateway-tried"  # (uri, gateway, how it is)
    NEXT_ADDRESS = "next-address"  # (uri, flow, why)
    GATEWAY_SILENT = "gateway-silent"  # (uri, next uri)
    OUTSIDE_TARGET = "outside-target"  # (uri,)
    IN_DIALOG = "in-dialog"  # (method, flow name)
    UNKNOWN_DIALOG = "unknown-dialog"  # (method,)
    # targets: (uri, flow name) / (uri, status) / (uri, status, reason phrase) / (uri,)
    TARGET_IS_SILENT = "target-is-silent"  # (uri, how that was noticed, seconds)
    TARGET_TRIED = "target-tried"
    TARGET_PROGRESS = "target-progress"
    TARGET_ANSWERED = "target-answered"
    TARGET_REFUSED = "target-refused"
    TARGET_SILENT = "target-silent"  # (uri, seconds)
    TARGET_RANG_OUT = "target-rang-out"  # (uri, seconds)
    TARGET_CANCELLED = "target-cancelled"
    TARGET_NOT_STOPPED = "target-not-stopped"  # (uri, seconds)
    TARGET_UNREACHABLE = "target-unreachable"  # (uri, why)
    DNS_FAILED = "dns-failed"  # (host, why)
    SWITCHED_TRANSPORT = "switched-transport"  # (uri, from, to, octets)
    # watchers: (target, package, seconds) / (target, package, seconds) / (target, package, reason)
    SUBSCRIBED = "subscribed"
    SUBSCRIPTION_REFRESHED = "subscription-refreshed"
    SUBSCRIPTION_ENDED = "subscription-ended"
    # (package,) / (detail,) / (seconds,) / (owner,) / (owner,)
    BAD_EVENT = "bad-event"
    NOT_ACCEPTABLE = "not-acceptable"
    SUBSCRIPTION_TOO_BRIEF = "subscription-too-brief"
    SUBSCRIPTIONS_FULL = "subscriptions-full"
    TOO_MANY_SUBSCRIPTIONS = "too-many-subscriptions"
    # media: (relay, why) / (why,) / (why,) / (why, status) / (kinds, why) / (relay, what, uri, family)
    # / (why,) / (what, rule broken) / (what,) / (relay, why)
    MEDIA_RELAYED = "media-relayed"
    MEDIA_TAKEN_ON = "media-taken-on"  # (instance,)
    MEDIA_DIRECT = "media-direct"
    MEDIA_UNRELAYED = "media-unrelayed"
    MEDIA_REFUSED = "media-refused"
    MEDIA_FORK_REFUSED = "media-fork-refused"  # (why, status)
    MEDIA_OFFER_UNREAD = "media-offer-unread"  # (why, status)
    MEDIA_DECLINED = "media-declined"
    MEDIA_FAMILY = "media-family"
    MEDIA_LEFT_ALONE = "media-left-alone"  # (kind, why)
    MEDIA_UNFIT = "media-unfit"  # (kind, why)
    MEDIA_TOO_LATE = "media-too-late"
    MEDIA_UNREADABLE = "media-unreadable"
    MEDIA_NOTICE = "media-notice"  # (words, kind)
    MEDIA_LOST = "media-lost"
    # what came of it: (status, reason phrase) / () / (who: "caller"|"callee"|"timeout"|"operator")
    ANSWERED = "answered"
    CANCELLED = "cancelled"
    ENDED = "ended"
    # drops that have no answer: (what,)
    STRAY_RESPONSE = "stray-response"
    STRAY_ACK = "stray-ack"
    INTERNAL_ERROR = "internal-error"
