"""What a reporter says when nobody answered it: its own trouble on the way, as kinds of failure.

The words are those of the sending side (Postfix, Exim, Sendmail, qmail, Exchange, Gmail). The same words in
a receiver's reply may mean something else, and are no business of this file: Exim's "Unrouteable address" is
a domain without mail servers when it sends, and an unknown user when it receives.
"""

from __future__ import annotations

import re

from emta.bounce.v1.smtp_reply_pb2 import FailureKind

# The first that is found decides: why beats for how long.
_KINDS = [
    (kind, re.compile(words, re.IGNORECASE))
    for kind, words in (
        (
            FailureKind.FAILURE_KIND_NULL_MX,
            r"null ?mx|no smtp service|(?:does not|doesn't|do not) (?:accept|receive) (?:any )?e?-?mail",
        ),
        (
            FailureKind.FAILURE_KIND_DNS_UNAVAILABLE,
            r"servfail|try again.{0,20}dns|dns.{0,40}(?:temporar|timed? ?out|try again)|lookup did not complete"
            r"|(?:name server|nameserver).{0,40}(?:fail|time|answer|respon)|temporary (?:lookup|dns)|host not found, try again"
            r"|had no relevant answers|resolver failure",
        ),
        (
            FailureKind.FAILURE_KIND_NO_MX,
            r"no mx\b|(?:mx|mail exchanger)s? (?:record )?.{0,30}(?:not found|missing)|no (?:valid )?mail (?:server|exchanger)s?",
        ),
        (
            FailureKind.FAILURE_KIND_DOMAIN_NOT_FOUND,
            r"nxdomain|(?:host|domain|system|hostname)s?(?: name)?\b.{0,60}?(?:not found|unknown|couldn't be found|could not be found"
            r"|can ?not be (?:found|resolved)|does(?: not|n't) exist|not exist)|unknown (?:mail )?(?:host|domain|system)|unroute?able"
            r"|no such (?:domain|host)|couldn't find any host|unresolvable|cannot resolve|bad (?:destination )?(?:host|domain)"
            r"|domain (?:is )?(?:invalid|not reachable)|invalid domain|name or service not known|no route found",
        ),
        (
            FailureKind.FAILURE_KIND_TIMEOUT,
            r"tim(?:ed|e)[- ]?out|giv(?:en|ing) up|too long|failing for (?:a long|the last)|retr(?:y|ies)\b|attempts|not going to try"
            r"|expired|aborted after|could not deliver for|undeliver(?:ed|able) (?:after|for)|queue (?:life)?time|for more than"
            r"|delayed|not yet been delivered|message age|within .{0,20}(?:hours|days)|time ?limit",
        ),
        (
            FailureKind.FAILURE_KIND_CONNECTION_REFUSED,
            r"connection (?:was )?refused|network (?:is )?unreachable|no route to host|(?:unable|wasn't able|not able|couldn't|could not|failed)"
            r" .{0,20}connect|establish an? .{0,10}connection|find a gateway|(?:host|server|domain).{0,30}(?:unreachable|not reachable|down|not respond)",
        ),
        (
            FailureKind.FAILURE_KIND_CONNECTION_LOST,
            r"(?:lost|broken|closed|dropped) .{0,20}connection|connection .{0,20}(?:lost|dropped|died|closed|reset|broken)",
        ),
    )
]


def failure_in(text: str) -> FailureKind:
    """Say what kept the reporter from getting an answer; FAILURE_KIND_UNSPECIFIED where it does not say."""
    return next(
        (kind for kind, words in _KINDS if words.search(text)), FailureKind.FAILURE_KIND_UNSPECIFIED
    )
