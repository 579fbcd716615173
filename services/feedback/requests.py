"""What requests must be: the one place where Feedback checks its input."""

from __future__ import annotations

import re

from emta.feedback.v1.delivery_pb2 import Delivery, DeliveryState
from emta.feedback.v1.feedback_service_pb2 import (
    FindMessagesRequest,
    ListLogsRequest,
    OpenDeliveryRequest,
    RecordOutcomesItem,
    RecordOutcomesRequest,
)
from emta.problems import Problem, invalid
from services.chassis import paging

_IDENTIFIER = re.compile(r"[!-~]{1,128}")
_MAX_OUTCOMES = 1_000
_MAX_PRODUCER, _MAX_KEY = 128, 256
_MAX_LABEL = 256
_MAX_METADATA, _MAX_METADATA_KEY, _MAX_METADATA_VALUE = 32, 64, 256
_MAX_QUERIES = 1_000
# RFC 5322 section 2.1.1; RFC 3696 erratum 1690 with room for what is no address.
_MAX_MESSAGE_ID, _MAX_ADDRESS = 998, 320
_YEAR_10000 = 253_402_300_800  # Unix time, seconds
_MAX_PAGE, _MAX_IDS = 1_000, 1_000


def delivery_id(text: str) -> str:
    """Check a delivery's identifier."""
    if not _IDENTIFIER.fullmatch(text):
        raise invalid(
            "delivery_id",
            "DELIVERY_ID_INVALID",
            "delivery_id must be 1 to 128 printable ASCII characters without spaces",
        )
    return text


def delivery(request: OpenDeliveryRequest) -> Delivery:
    """Check what is announced; gives it as the ledger keeps it."""
    if len(request.label) > _MAX_LABEL:
        raise invalid("label", "LABEL_TOO_LONG", f"label is longer than {_MAX_LABEL} characters")
    metadata = request.metadata.items()
    if len(metadata) > _MAX_METADATA or any(
        not 1 <= len(key) <= _MAX_METADATA_KEY or len(value) > _MAX_METADATA_VALUE
        for key, value in metadata
    ):
        raise invalid(
            "metadata",
            "METADATA_INVALID",
            f"metadata: at most {_MAX_METADATA} labels, keys of 1 to {_MAX_METADATA_KEY} characters, "
            f"values of at most {_MAX_METADATA_VALUE}",
        )
    if request.HasField("validity") and request.validity.ToNanoseconds() <= 0:
        raise invalid("validity", "VALIDITY_NOT_POSITIVE", "validity must be longer than nothing")
    told = Delivery(
        delivery_id=delivery_id(request.delivery_id),
        label=request.label,
        metadata=request.metadata,
        state=DeliveryState.DELIVERY_STATE_OPEN,
    )
    if request.HasField("to_deliver"):
        told.announced = request.to_deliver
    if request.HasField("validity"):
        told.validity.CopyFrom(request.validity)
    if request.HasField("limit_time"):
        told.limit_time.CopyFrom(request.limit_time)
    return told


def outcomes(request: RecordOutcomesRequest) -> None:
    """Check the frame of a batch."""
    if not 1 <= len(request.producer) <= _MAX_PRODUCER:
        raise invalid("producer", "PRODUCER_MISSING", f"producer must be 1 to {_MAX_PRODUCER} characters")
    if not request.items:
        raise invalid("items", "BATCH_EMPTY", "items is empty")
    if len(request.items) > _MAX_OUTCOMES:
        raise invalid("items", "BATCH_TOO_LARGE", f"items has more than {_MAX_OUTCOMES} items")


def outcome(item: RecordOutcomesItem) -> Problem | None:
    """Say what is wrong with an outcome; None: nothing."""
    told = item.outcome
    what = ""
    if not 1 <= len(item.producer_key) <= _MAX_KEY:
        what = f"producer_key must be 1 to {_MAX_KEY} characters"
    elif not (_IDENTIFIER.fullmatch(told.delivery_id) and _IDENTIFIER.fullmatch(told.message_id)):
        what = "delivery_id and message_id must be identifiers"
    elif told.tenant and not _IDENTIFIER.fullmatch(told.tenant):
        what = "tenant must be an identifier"
    elif not told.HasField("event_time"):
        what = "event_time is missing"
    elif not 0 <= told.event_time.seconds < _YEAR_10000:
        what = "event_time is outside of the years 1970 to 9999"
    elif told.WhichOneof("event") is None:
        what = "event is missing"
    elif told.HasField("taken_into_account") and not told.recipient:
        what = "recipient is missing"
    elif len(told.taken_into_account.header_message_id) > _MAX_MESSAGE_ID:
        what = f"header_message_id is longer than {_MAX_MESSAGE_ID} characters"
    return invalid("outcome", "OUTCOME_INVALID", f"outcome: {what}") if what else None


def queries(request: FindMessagesRequest) -> None:
    """Check what is looked for."""
    if not request.queries:
        raise invalid("queries", "BATCH_EMPTY", "queries is empty")
    if len(request.queries) > _MAX_QUERIES:
        raise invalid("queries", "BATCH_TOO_LARGE", f"queries has more than {_MAX_QUERIES} entries")
    for number, query in enumerate(request.queries):
        match query.WhichOneof("by"):
            case "name":
                names = (query.name.delivery_id, query.name.message_id)
                good = all(map(_IDENTIFIER.fullmatch, names)) and (
                    not query.name.tenant or _IDENTIFIER.fullmatch(query.name.tenant)
                )
            case "header_message_id":
                good = 1 <= len(query.header_message_id) <= _MAX_MESSAGE_ID
            case "recipient":
                good = 1 <= len(query.recipient) <= _MAX_ADDRESS
            case _:
                good = False
        field = f"queries[{number}]"
        if not good:
            text = f"{field}: a name, a Message-ID of 1 to 998 characters, or a recipient of 1 to 320"
            raise invalid(field, "QUERY_INVALID", text)
        try:
            query.accepted_before_time.ToMilliseconds()
        except ValueError as error:
            raise invalid(field, "TIME_INVALID", f"{field}: {error}") from None


def page(request: ListLogsRequest) -> tuple[int, int]:
    """Check the frame of a listing; gives (position to go on after, rows a page)."""
    size = paging.page_size(request.page_size, _MAX_PAGE)
    if len(request.message_ids) > _MAX_IDS:
        raise invalid("message_ids", "BATCH_TOO_LARGE", f"message_ids has more than {_MAX_IDS} entries")
    return paging.decode_position(request.page_token), size
