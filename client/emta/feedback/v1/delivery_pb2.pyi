import datetime

from emta.bounce.v1 import qualification_pb2 as _qualification_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeliveryState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELIVERY_STATE_UNSPECIFIED: _ClassVar[DeliveryState]
    DELIVERY_STATE_UNANNOUNCED: _ClassVar[DeliveryState]
    DELIVERY_STATE_OPEN: _ClassVar[DeliveryState]
    DELIVERY_STATE_CLOSED: _ClassVar[DeliveryState]
DELIVERY_STATE_UNSPECIFIED: DeliveryState
DELIVERY_STATE_UNANNOUNCED: DeliveryState
DELIVERY_STATE_OPEN: DeliveryState
DELIVERY_STATE_CLOSED: DeliveryState

class Delivery(_message.Message):
    __slots__ = ("delivery_id", "label", "announced", "validity", "limit_time", "metadata", "state", "open_time", "close_time")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    ANNOUNCED_FIELD_NUMBER: _ClassVar[int]
    VALIDITY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_TIME_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OPEN_TIME_FIELD_NUMBER: _ClassVar[int]
    CLOSE_TIME_FIELD_NUMBER: _ClassVar[int]
    delivery_id: str
    label: str
    announced: int
    validity: _duration_pb2.Duration
    limit_time: _timestamp_pb2.Timestamp
    metadata: _containers.ScalarMap[str, str]
    state: DeliveryState
    open_time: _timestamp_pb2.Timestamp
    close_time: _timestamp_pb2.Timestamp
    def __init__(self, delivery_id: _Optional[str] = ..., label: _Optional[str] = ..., announced: _Optional[int] = ..., validity: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., limit_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., metadata: _Optional[_Mapping[str, str]] = ..., state: _Optional[_Union[DeliveryState, str]] = ..., open_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., close_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DeliveryKpis(_message.Message):
    __slots__ = ("delivery_id", "read_time", "to_deliver", "accepted", "pending", "in_flight", "deferred", "sent", "success_percent", "failed", "cancelled", "processed", "over_announced", "presumed", "possible_duplicates", "complaints", "conflicts", "failures", "domains", "compat", "seeds", "delivery", "requalified")
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    READ_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_DELIVER_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    DEFERRED_FIELD_NUMBER: _ClassVar[int]
    SENT_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_PERCENT_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    PROCESSED_FIELD_NUMBER: _ClassVar[int]
    OVER_ANNOUNCED_FIELD_NUMBER: _ClassVar[int]
    PRESUMED_FIELD_NUMBER: _ClassVar[int]
    POSSIBLE_DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    COMPLAINTS_FIELD_NUMBER: _ClassVar[int]
    CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    DOMAINS_FIELD_NUMBER: _ClassVar[int]
    COMPAT_FIELD_NUMBER: _ClassVar[int]
    SEEDS_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    REQUALIFIED_FIELD_NUMBER: _ClassVar[int]
    delivery_id: str
    read_time: _timestamp_pb2.Timestamp
    to_deliver: int
    accepted: int
    pending: int
    in_flight: int
    deferred: int
    sent: int
    success_percent: float
    failed: int
    cancelled: int
    processed: int
    over_announced: bool
    presumed: int
    possible_duplicates: int
    complaints: int
    conflicts: int
    failures: _containers.RepeatedCompositeFieldContainer[FailureCount]
    domains: _containers.RepeatedCompositeFieldContainer[DomainKpis]
    compat: CompatKpis
    seeds: int
    delivery: Delivery
    requalified: int
    def __init__(self, delivery_id: _Optional[str] = ..., read_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., to_deliver: _Optional[int] = ..., accepted: _Optional[int] = ..., pending: _Optional[int] = ..., in_flight: _Optional[int] = ..., deferred: _Optional[int] = ..., sent: _Optional[int] = ..., success_percent: _Optional[float] = ..., failed: _Optional[int] = ..., cancelled: _Optional[int] = ..., processed: _Optional[int] = ..., over_announced: _Optional[bool] = ..., presumed: _Optional[int] = ..., possible_duplicates: _Optional[int] = ..., complaints: _Optional[int] = ..., conflicts: _Optional[int] = ..., failures: _Optional[_Iterable[_Union[FailureCount, _Mapping]]] = ..., domains: _Optional[_Iterable[_Union[DomainKpis, _Mapping]]] = ..., compat: _Optional[_Union[CompatKpis, _Mapping]] = ..., seeds: _Optional[int] = ..., delivery: _Optional[_Union[Delivery, _Mapping]] = ..., requalified: _Optional[int] = ...) -> None: ...

class FailureCount(_message.Message):
    __slots__ = ("type", "reason", "bounce_code", "count")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BOUNCE_CODE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    type: _qualification_pb2.FailureType
    reason: _qualification_pb2.FailureReason
    bounce_code: _qualification_pb2.BounceCode
    count: int
    def __init__(self, type: _Optional[_Union[_qualification_pb2.FailureType, str]] = ..., reason: _Optional[_Union[_qualification_pb2.FailureReason, str]] = ..., bounce_code: _Optional[_Union[_qualification_pb2.BounceCode, str]] = ..., count: _Optional[int] = ...) -> None: ...

class DomainKpis(_message.Message):
    __slots__ = ("domain", "accepted", "in_flight", "sent", "failed", "cancelled")
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    SENT_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    domain: str
    accepted: int
    in_flight: int
    sent: int
    failed: int
    cancelled: int
    def __init__(self, domain: _Optional[str] = ..., accepted: _Optional[int] = ..., in_flight: _Optional[int] = ..., sent: _Optional[int] = ..., failed: _Optional[int] = ..., cancelled: _Optional[int] = ...) -> None: ...

class CompatKpis(_message.Message):
    __slots__ = ("success", "hard", "soft", "other")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    HARD_FIELD_NUMBER: _ClassVar[int]
    SOFT_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    success: int
    hard: int
    soft: int
    other: int
    def __init__(self, success: _Optional[int] = ..., hard: _Optional[int] = ..., soft: _Optional[int] = ..., other: _Optional[int] = ...) -> None: ...
