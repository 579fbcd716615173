"""The Bounce service's RPCs: proto in, proto out."""

from __future__ import annotations

from typing import Any

import grpc
from opentelemetry.trace import SpanKind

from emta.bounce.v1 import bounce_service_pb2_grpc
from emta.bounce.v1.bounce_service_pb2 import (
    QualifyRepliesItem,
    QualifyRepliesRequest,
    QualifyRepliesResponse,
    QualifyRepliesResult,
)
from emta.bounce.v1.qualification_pb2 import BounceCode, FailureType
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from emta.problems import Problem, invalid
from services.bounce.catalogue.live_rules import LiveRules
from services.bounce.guard.acceptance_service import check_acceptances, is_site
from services.bounce.guard.guard import Guard
from services.bounce.qualify import Answer, Qualifier, encoded
from services.bounce.rows.counting import Counting
from services.chassis.telemetry import begin_span

_MAX_ITEMS = 1_000
# What answers are remembered by, and rows count sites by. RFC 3463 has "5.999.999", RFC 1035 names of 253.
_LONGEST_STATUS, _LONGEST_HOST = 11, 253


class BounceService(bounce_service_pb2_grpc.BounceServiceServicer):
    """Qualifies by the rules that are in force."""

    def __init__(self, rules: LiveRules, counting: Counting, guard: Guard) -> None:
        self._rules = rules
        self._counting = counting
        self._guard = guard

    async def QualifyReplies(
        self, request: QualifyRepliesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> QualifyRepliesResponse:
        """Qualify a batch."""
        if not request.items:
            raise invalid("items", "BATCH_EMPTY", "items is empty")
        if len(request.items) > _MAX_ITEMS:
            raise invalid("items", "BATCH_TOO_LARGE", f"items has more than {_MAX_ITEMS} items")
        check_acceptances(request.acceptances)
        # One set of rules for the whole batch, which the version names.
        qualifier = self._rules.qualifier
        results = [_result(qualifier, item) for item in request.items]
        if not request.uncounted:
            for item, result in zip(request.items, results, strict=True):
                if isinstance(result, Answer):
                    self._counting.count(result, item.reply)
        held = await self._guard.held(
            request, [result.meaning if isinstance(result, Answer) else None for result in results]
        )
        # Joined responses with a result each are one response with all results: faster than building it.
        octets = [result.encoded if isinstance(result, Answer) else result for result in results]
        for place, meaning in held.items():
            octets[place] = encoded(meaning)
        response = QualifyRepliesResponse.FromString(b"".join(octets))
        response.rules_version = qualifier.version
        return response


def _result(qualifier: Qualifier, item: QualifyRepliesItem) -> Answer | bytes:
    """Give the answer or, encoded as a response with this result only, the error."""
    if not item.HasField("reply"):
        return _error(invalid("reply", "REPLY_MISSING", "reply is missing"))
    reply = item.reply
    code = reply.code
    if code and not 200 <= code <= 599:
        return _error(invalid("reply.code", "REPLY_CODE_INVALID", f"reply.code {code} is not in 200..599"))
    if (
        len(reply.enhanced_code) > _LONGEST_STATUS
        or len(reply.mx_host) > _LONGEST_HOST
        or len(reply.recipient_domain) > _LONGEST_HOST
    ):
        return _error(_too_long(reply))
    traceparent = item.traceparent
    if item.site and not is_site(item.site):
        return _error(invalid("site", "SITE_INVALID", "site is 1 to 255 printable ASCII characters"))
    if not traceparent:
        return qualifier.answer(reply)
    span = begin_span("bounce", "bounce.qualify", traceparent, kind=SpanKind.SERVER)
    answer = qualifier.answer(reply)
    span.set(
        emta__type=FailureType.Name(answer.meaning.type),
        emta__bounce_code=BounceCode.Name(answer.meaning.bounce_code),
        emta__rule=answer.meaning.rule_id,
    )
    span.end()
    return answer


def _too_long(reply: SmtpReply) -> Problem:
    longest = {
        "enhanced_code": _LONGEST_STATUS,
        "mx_host": _LONGEST_HOST,
        "recipient_domain": _LONGEST_HOST,
    }
    name = next(name for name, most in longest.items() if len(getattr(reply, name)) > most)
    text = f"reply.{name} is longer than {longest[name]} characters"
    return invalid(f"reply.{name}", "REPLY_FIELD_TOO_LONG", text)


def _error(problem: Problem) -> bytes:
    result = QualifyRepliesResult(error=problem.to_status())
    return QualifyRepliesResponse(results=[result]).SerializeToString()
