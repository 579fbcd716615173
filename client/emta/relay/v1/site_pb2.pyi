import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Site(_message.Message):
    __slots__ = ("name", "rule", "connections", "relays", "tokens", "ready_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    RELAYS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    READY_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    rule: MxRule
    connections: int
    relays: int
    tokens: int
    ready_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., rule: _Optional[_Union[MxRule, _Mapping]] = ..., connections: _Optional[int] = ..., relays: _Optional[int] = ..., tokens: _Optional[int] = ..., ready_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class MxRule(_message.Message):
    __slots__ = ("name", "mx", "connections", "messages_per_connection", "messages_per_second", "source")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MX_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_PER_CONNECTION_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    mx: _containers.RepeatedScalarFieldContainer[str]
    connections: int
    messages_per_connection: int
    messages_per_second: float
    source: str
    def __init__(self, name: _Optional[str] = ..., mx: _Optional[_Iterable[str]] = ..., connections: _Optional[int] = ..., messages_per_connection: _Optional[int] = ..., messages_per_second: _Optional[float] = ..., source: _Optional[str] = ...) -> None: ...
