import datetime

from emta.bounce.v1 import qualification_pb2 as _qualification_pb2
from emta.bounce.v1 import smtp_reply_pb2 as _smtp_reply_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InboundKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INBOUND_KIND_UNSPECIFIED: _ClassVar[InboundKind]
    INBOUND_KIND_BOUNCE: _ClassVar[InboundKind]
    INBOUND_KIND_COMPLAINT: _ClassVar[InboundKind]
    INBOUND_KIND_AUTO_REPLY: _ClassVar[InboundKind]
    INBOUND_KIND_CHALLENGE: _ClassVar[InboundKind]
    INBOUND_KIND_SUBSCRIBE: _ClassVar[InboundKind]
    INBOUND_KIND_UNSUBSCRIBE: _ClassVar[InboundKind]
    INBOUND_KIND_AUTHENTICATION: _ClassVar[InboundKind]
    INBOUND_KIND_OTHER: _ClassVar[InboundKind]

class FoundBy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FOUND_BY_UNSPECIFIED: _ClassVar[FoundBy]
    FOUND_BY_RETURN_PATH: _ClassVar[FoundBy]
    FOUND_BY_MESSAGE_ID: _ClassVar[FoundBy]
    FOUND_BY_RECIPIENT: _ClassVar[FoundBy]

class InboundEffect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INBOUND_EFFECT_UNSPECIFIED: _ClassVar[InboundEffect]
    INBOUND_EFFECT_FAILED: _ClassVar[InboundEffect]
    INBOUND_EFFECT_RECORDED: _ClassVar[InboundEffect]
    INBOUND_EFFECT_DUPLICATE: _ClassVar[InboundEffect]
INBOUND_KIND_UNSPECIFIED: InboundKind
INBOUND_KIND_BOUNCE: InboundKind
INBOUND_KIND_COMPLAINT: InboundKind
INBOUND_KIND_AUTO_REPLY: InboundKind
INBOUND_KIND_CHALLENGE: InboundKind
INBOUND_KIND_SUBSCRIBE: InboundKind
INBOUND_KIND_UNSUBSCRIBE: InboundKind
INBOUND_KIND_AUTHENTICATION: InboundKind
INBOUND_KIND_OTHER: InboundKind
FOUND_BY_UNSPECIFIED: FoundBy
FOUND_BY_RETURN_PATH: FoundBy
FOUND_BY_MESSAGE_ID: FoundBy
FOUND_BY_RECIPIENT: FoundBy
INBOUND_EFFECT_UNSPECIFIED: InboundEffect
INBOUND_EFFECT_FAILED: InboundEffect
INBOUND_EFFECT_RECORDED: InboundEffect
INBOUND_EFFECT_DUPLICATE: InboundEffect

class QualifyInboundRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[QualifyInboundItem]
    def __init__(self, items: _Optional[_Iterable[_Union[QualifyInboundItem, _Mapping]]] = ...) -> None: ...

class QualifyInboundItem(_message.Message):
    __slots__ = ("content", "envelope_recipient", "arrival_time", "traceparent")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    ARRIVAL_TIME_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    envelope_recipient: str
    arrival_time: _timestamp_pb2.Timestamp
    traceparent: str
    def __init__(self, content: _Optional[bytes] = ..., envelope_recipient: _Optional[str] = ..., arrival_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., traceparent: _Optional[str] = ...) -> None: ...

class QualifyInboundResponse(_message.Message):
    __slots__ = ("results", "forged_return_paths", "rules_version")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    FORGED_RETURN_PATHS_FIELD_NUMBER: _ClassVar[int]
    RULES_VERSION_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[QualifyInboundResult]
    forged_return_paths: int
    rules_version: str
    def __init__(self, results: _Optional[_Iterable[_Union[QualifyInboundResult, _Mapping]]] = ..., forged_return_paths: _Optional[int] = ..., rules_version: _Optional[str] = ...) -> None: ...

class QualifyInboundResult(_message.Message):
    __slots__ = ("report", "error")
    REPORT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    report: InboundReport
    error: _status_pb2.Status
    def __init__(self, report: _Optional[_Union[InboundReport, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class InboundReport(_message.Message):
    __slots__ = ("kind", "recipients", "forged_return_path")
    KIND_FIELD_NUMBER: _ClassVar[int]
    RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
    FORGED_RETURN_PATH_FIELD_NUMBER: _ClassVar[int]
    kind: InboundKind
    recipients: _containers.RepeatedCompositeFieldContainer[InboundRecipient]
    forged_return_path: bool
    def __init__(self, kind: _Optional[_Union[InboundKind, str]] = ..., recipients: _Optional[_Iterable[_Union[InboundRecipient, _Mapping]]] = ..., forged_return_path: _Optional[bool] = ...) -> None: ...

class InboundRecipient(_message.Message):
    __slots__ = ("address", "reply", "qualification", "found_by", "tenant", "delivery_id", "message_id", "effect")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    QUALIFICATION_FIELD_NUMBER: _ClassVar[int]
    FOUND_BY_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    address: str
    reply: _smtp_reply_pb2.SmtpReply
    qualification: _qualification_pb2.Qualification
    found_by: FoundBy
    tenant: str
    delivery_id: str
    message_id: str
    effect: InboundEffect
    def __init__(self, address: _Optional[str] = ..., reply: _Optional[_Union[_smtp_reply_pb2.SmtpReply, _Mapping]] = ..., qualification: _Optional[_Union[_qualification_pb2.Qualification, _Mapping]] = ..., found_by: _Optional[_Union[FoundBy, str]] = ..., tenant: _Optional[str] = ..., delivery_id: _Optional[str] = ..., message_id: _Optional[str] = ..., effect: _Optional[_Union[InboundEffect, str]] = ...) -> None: ...
