import datetime

from emta.bounce.v1 import qualification_pb2 as _qualification_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class IncidentEnd(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INCIDENT_END_UNSPECIFIED: _ClassVar[IncidentEnd]
    INCIDENT_END_RECOVERED: _ClassVar[IncidentEnd]
    INCIDENT_END_TIME: _ClassVar[IncidentEnd]
    INCIDENT_END_BELIEVED: _ClassVar[IncidentEnd]
    INCIDENT_END_REAL: _ClassVar[IncidentEnd]
    INCIDENT_END_OUTAGE: _ClassVar[IncidentEnd]
INCIDENT_END_UNSPECIFIED: IncidentEnd
INCIDENT_END_RECOVERED: IncidentEnd
INCIDENT_END_TIME: IncidentEnd
INCIDENT_END_BELIEVED: IncidentEnd
INCIDENT_END_REAL: IncidentEnd
INCIDENT_END_OUTAGE: IncidentEnd

class Incident(_message.Message):
    __slots__ = ("incident_id", "site", "reasons", "begin_time", "open_time", "hold_until_time", "latest_end_time", "close_time", "end", "actor", "comment", "usual", "opening", "latest", "unknown_hard", "held", "samples")
    INCIDENT_ID_FIELD_NUMBER: _ClassVar[int]
    SITE_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    BEGIN_TIME_FIELD_NUMBER: _ClassVar[int]
    OPEN_TIME_FIELD_NUMBER: _ClassVar[int]
    HOLD_UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    LATEST_END_TIME_FIELD_NUMBER: _ClassVar[int]
    CLOSE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    USUAL_FIELD_NUMBER: _ClassVar[int]
    OPENING_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_HARD_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    incident_id: str
    site: str
    reasons: _containers.RepeatedScalarFieldContainer[_qualification_pb2.FailureReason]
    begin_time: _timestamp_pb2.Timestamp
    open_time: _timestamp_pb2.Timestamp
    hold_until_time: _timestamp_pb2.Timestamp
    latest_end_time: _timestamp_pb2.Timestamp
    close_time: _timestamp_pb2.Timestamp
    end: IncidentEnd
    actor: str
    comment: str
    usual: KnownAddresses
    opening: KnownAddresses
    latest: KnownAddresses
    unknown_hard: int
    held: int
    samples: _containers.RepeatedCompositeFieldContainer[IncidentSample]
    def __init__(self, incident_id: _Optional[str] = ..., site: _Optional[str] = ..., reasons: _Optional[_Iterable[_Union[_qualification_pb2.FailureReason, str]]] = ..., begin_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., open_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., hold_until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., latest_end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., close_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end: _Optional[_Union[IncidentEnd, str]] = ..., actor: _Optional[str] = ..., comment: _Optional[str] = ..., usual: _Optional[_Union[KnownAddresses, _Mapping]] = ..., opening: _Optional[_Union[KnownAddresses, _Mapping]] = ..., latest: _Optional[_Union[KnownAddresses, _Mapping]] = ..., unknown_hard: _Optional[int] = ..., held: _Optional[int] = ..., samples: _Optional[_Iterable[_Union[IncidentSample, _Mapping]]] = ...) -> None: ...

class KnownAddresses(_message.Message):
    __slots__ = ("accepted", "hard")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    HARD_FIELD_NUMBER: _ClassVar[int]
    accepted: int
    hard: int
    def __init__(self, accepted: _Optional[int] = ..., hard: _Optional[int] = ...) -> None: ...

class IncidentSample(_message.Message):
    __slots__ = ("normalized_text", "mx_host", "reason", "bounce_code")
    NORMALIZED_TEXT_FIELD_NUMBER: _ClassVar[int]
    MX_HOST_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BOUNCE_CODE_FIELD_NUMBER: _ClassVar[int]
    normalized_text: str
    mx_host: str
    reason: _qualification_pb2.FailureReason
    bounce_code: _qualification_pb2.BounceCode
    def __init__(self, normalized_text: _Optional[str] = ..., mx_host: _Optional[str] = ..., reason: _Optional[_Union[_qualification_pb2.FailureReason, str]] = ..., bounce_code: _Optional[_Union[_qualification_pb2.BounceCode, str]] = ...) -> None: ...

class ListIncidentsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "only_open")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ONLY_OPEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    only_open: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., only_open: _Optional[bool] = ...) -> None: ...

class ListIncidentsResponse(_message.Message):
    __slots__ = ("incidents", "next_page_token")
    INCIDENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    incidents: _containers.RepeatedCompositeFieldContainer[Incident]
    next_page_token: str
    def __init__(self, incidents: _Optional[_Iterable[_Union[Incident, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetIncidentRequest(_message.Message):
    __slots__ = ("incident_id",)
    INCIDENT_ID_FIELD_NUMBER: _ClassVar[int]
    incident_id: str
    def __init__(self, incident_id: _Optional[str] = ...) -> None: ...

class GetIncidentResponse(_message.Message):
    __slots__ = ("incident",)
    INCIDENT_FIELD_NUMBER: _ClassVar[int]
    incident: Incident
    def __init__(self, incident: _Optional[_Union[Incident, _Mapping]] = ...) -> None: ...

class CloseIncidentRequest(_message.Message):
    __slots__ = ("incident_id", "verdict", "actor", "comment")
    INCIDENT_ID_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    incident_id: str
    verdict: IncidentEnd
    actor: str
    comment: str
    def __init__(self, incident_id: _Optional[str] = ..., verdict: _Optional[_Union[IncidentEnd, str]] = ..., actor: _Optional[str] = ..., comment: _Optional[str] = ...) -> None: ...

class CloseIncidentResponse(_message.Message):
    __slots__ = ("incident",)
    INCIDENT_FIELD_NUMBER: _ClassVar[int]
    incident: Incident
    def __init__(self, incident: _Optional[_Union[Incident, _Mapping]] = ...) -> None: ...
