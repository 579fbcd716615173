import datetime

from emta.bounce.v1 import qualification_pb2 as _qualification_pb2
from emta.feedback.v1 import delivery_pb2 as _delivery_pb2
from emta.feedback.v1 import log_pb2 as _log_pb2
from emta.feedback.v1 import outcome_pb2 as _outcome_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OpenDeliveryRequest(_message.Message):
    __slots__ = ("delivery_id", "label", "to_deliver", "validity", "limit_time", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    TO_DELIVER_FIELD_NUMBER: _ClassVar[int]
    VALIDITY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_TIME_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    delivery_id: str
    label: str
    to_deliver: int
    validity: _duration_pb2.Duration
    limit_time: _timestamp_pb2.Timestamp
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, delivery_id: _Optional[str] = ..., label: _Optional[str] = ..., to_deliver: _Optional[int] = ..., validity: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., limit_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class OpenDeliveryResponse(_message.Message):
    __slots__ = ("delivery",)
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    delivery: _delivery_pb2.Delivery
    def __init__(self, delivery: _Optional[_Union[_delivery_pb2.Delivery, _Mapping]] = ...) -> None: ...

class CloseDeliveryRequest(_message.Message):
    __slots__ = ("delivery_id",)
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    delivery_id: str
    def __init__(self, delivery_id: _Optional[str] = ...) -> None: ...

class CloseDeliveryResponse(_message.Message):
    __slots__ = ("delivery", "cancelled")
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    delivery: _delivery_pb2.Delivery
    cancelled: int
    def __init__(self, delivery: _Optional[_Union[_delivery_pb2.Delivery, _Mapping]] = ..., cancelled: _Optional[int] = ...) -> None: ...

class RecordOutcomesRequest(_message.Message):
    __slots__ = ("producer", "items")
    PRODUCER_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    producer: str
    items: _containers.RepeatedCompositeFieldContainer[RecordOutcomesItem]
    def __init__(self, producer: _Optional[str] = ..., items: _Optional[_Iterable[_Union[RecordOutcomesItem, _Mapping]]] = ...) -> None: ...

class RecordOutcomesItem(_message.Message):
    __slots__ = ("producer_key", "outcome")
    PRODUCER_KEY_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    producer_key: str
    outcome: _outcome_pb2.Outcome
    def __init__(self, producer_key: _Optional[str] = ..., outcome: _Optional[_Union[_outcome_pb2.Outcome, _Mapping]] = ...) -> None: ...

class RecordOutcomesResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[RecordOutcomesResult]
    def __init__(self, results: _Optional[_Iterable[_Union[RecordOutcomesResult, _Mapping]]] = ...) -> None: ...

class RecordOutcomesResult(_message.Message):
    __slots__ = ("recorded", "error")
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    recorded: Recorded
    error: _status_pb2.Status
    def __init__(self, recorded: _Optional[_Union[Recorded, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class Recorded(_message.Message):
    __slots__ = ("duplicate", "effect", "position", "delivery_id", "message_id")
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    duplicate: bool
    effect: _log_pb2.LogEffect
    position: int
    delivery_id: str
    message_id: str
    def __init__(self, duplicate: _Optional[bool] = ..., effect: _Optional[_Union[_log_pb2.LogEffect, str]] = ..., position: _Optional[int] = ..., delivery_id: _Optional[str] = ..., message_id: _Optional[str] = ...) -> None: ...

class WatchLogsRequest(_message.Message):
    __slots__ = ("delivery_id", "cursor", "stop_when_done")
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    STOP_WHEN_DONE_FIELD_NUMBER: _ClassVar[int]
    delivery_id: str
    cursor: str
    stop_when_done: bool
    def __init__(self, delivery_id: _Optional[str] = ..., cursor: _Optional[str] = ..., stop_when_done: _Optional[bool] = ...) -> None: ...

class WatchLogsResponse(_message.Message):
    __slots__ = ("events", "cursor")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_log_pb2.LogEvent]
    cursor: str
    def __init__(self, events: _Optional[_Iterable[_Union[_log_pb2.LogEvent, _Mapping]]] = ..., cursor: _Optional[str] = ...) -> None: ...

class ListLogsRequest(_message.Message):
    __slots__ = ("delivery_id", "statuses", "reasons", "recipient_domain", "message_ids", "page_size", "page_token")
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    delivery_id: str
    statuses: _containers.RepeatedScalarFieldContainer[_log_pb2.LogStatus]
    reasons: _containers.RepeatedScalarFieldContainer[_qualification_pb2.FailureReason]
    recipient_domain: str
    message_ids: _containers.RepeatedScalarFieldContainer[str]
    page_size: int
    page_token: str
    def __init__(self, delivery_id: _Optional[str] = ..., statuses: _Optional[_Iterable[_Union[_log_pb2.LogStatus, str]]] = ..., reasons: _Optional[_Iterable[_Union[_qualification_pb2.FailureReason, str]]] = ..., recipient_domain: _Optional[str] = ..., message_ids: _Optional[_Iterable[str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListLogsResponse(_message.Message):
    __slots__ = ("entries", "next_page_token")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[_log_pb2.LogEntry]
    next_page_token: str
    def __init__(self, entries: _Optional[_Iterable[_Union[_log_pb2.LogEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetDeliveryKpisRequest(_message.Message):
    __slots__ = ("delivery_id",)
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    delivery_id: str
    def __init__(self, delivery_id: _Optional[str] = ...) -> None: ...

class GetDeliveryKpisResponse(_message.Message):
    __slots__ = ("kpis",)
    KPIS_FIELD_NUMBER: _ClassVar[int]
    kpis: _delivery_pb2.DeliveryKpis
    def __init__(self, kpis: _Optional[_Union[_delivery_pb2.DeliveryKpis, _Mapping]] = ...) -> None: ...

class FindMessagesRequest(_message.Message):
    __slots__ = ("queries",)
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    queries: _containers.RepeatedCompositeFieldContainer[MessageQuery]
    def __init__(self, queries: _Optional[_Iterable[_Union[MessageQuery, _Mapping]]] = ...) -> None: ...

class MessageQuery(_message.Message):
    __slots__ = ("name", "header_message_id", "recipient", "accepted_before_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    HEADER_MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_BEFORE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: MessageName
    header_message_id: str
    recipient: str
    accepted_before_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[_Union[MessageName, _Mapping]] = ..., header_message_id: _Optional[str] = ..., recipient: _Optional[str] = ..., accepted_before_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class MessageName(_message.Message):
    __slots__ = ("tenant", "delivery_id", "message_id")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    delivery_id: str
    message_id: str
    def __init__(self, tenant: _Optional[str] = ..., delivery_id: _Optional[str] = ..., message_id: _Optional[str] = ...) -> None: ...

class FindMessagesResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[FoundMessages]
    def __init__(self, results: _Optional[_Iterable[_Union[FoundMessages, _Mapping]]] = ...) -> None: ...

class FoundMessages(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[_log_pb2.LogEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[_log_pb2.LogEntry, _Mapping]]] = ...) -> None: ...
