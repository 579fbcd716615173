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
from emta.problems import Problem, invalid
from services.bounce.catalogue import Catalogue
from services.bounce.qualify import qualify
from services.chassis.telemetry import message_span

_MAX_ITEMS = 1_000


class BounceService(bounce_service_pb2_grpc.BounceServiceServicer):
    """Qualifies by one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def QualifyReplies(
        self, request: QualifyRepliesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> QualifyRepliesResponse:
        """Qualify a batch."""
        if not request.items:
            raise invalid("items", "BATCH_EMPTY", "items is empty")
        if len(request.items) > _MAX_ITEMS:
            raise invalid("items", "BATCH_TOO_LARGE", f"items has more than {_MAX_ITEMS} items")
        return QualifyRepliesResponse(
            results=[self._result(item) for item in request.items],
            rules_version=self._catalogue.version,
        )

    def _result(self, item: QualifyRepliesItem) -> QualifyRepliesResult:
        if not item.HasField("reply"):
            return _error(invalid("reply", "REPLY_MISSING", "reply is missing"))
        code = item.reply.code
        if code and not 200 <= code <= 599:
            return _error(
                invalid("reply.code", "REPLY_CODE_INVALID", f"reply.code {code} is not in 200..599")
            )
        with message_span("bounce", "bounce.qualify", item.traceparent, kind=SpanKind.SERVER) as span:
            meaning = qualify(self._catalogue, item.reply)
            span.set(
                emta__type=FailureType.Name(meaning.type),
                emta__bounce_code=BounceCode.Name(meaning.bounce_code),
                emta__rule=meaning.rule_id,
            )
        return QualifyRepliesResult(qualification=meaning)


def _error(problem: Problem) -> QualifyRepliesResult:
    return QualifyRepliesResult(error=problem.to_status())
