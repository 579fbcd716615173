import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class KeyAlgorithm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KEY_ALGORITHM_UNSPECIFIED: _ClassVar[KeyAlgorithm]
    KEY_ALGORITHM_RSA_SHA256: _ClassVar[KeyAlgorithm]
    KEY_ALGORITHM_ED25519_SHA256: _ClassVar[KeyAlgorithm]
KEY_ALGORITHM_UNSPECIFIED: KeyAlgorithm
KEY_ALGORITHM_RSA_SHA256: KeyAlgorithm
KEY_ALGORITHM_ED25519_SHA256: KeyAlgorithm

class SignRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[SignItem]
    def __init__(self, items: _Optional[_Iterable[_Union[SignItem, _Mapping]]] = ...) -> None: ...

class SignItem(_message.Message):
    __slots__ = ("content", "header_and_body_hash", "domain", "selector", "traceparent", "tenant")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    HEADER_AND_BODY_HASH_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    header_and_body_hash: HeaderAndBodyHash
    domain: str
    selector: str
    traceparent: str
    tenant: str
    def __init__(self, content: _Optional[bytes] = ..., header_and_body_hash: _Optional[_Union[HeaderAndBodyHash, _Mapping]] = ..., domain: _Optional[str] = ..., selector: _Optional[str] = ..., traceparent: _Optional[str] = ..., tenant: _Optional[str] = ...) -> None: ...

class HeaderAndBodyHash(_message.Message):
    __slots__ = ("header_block", "body_sha256")
    HEADER_BLOCK_FIELD_NUMBER: _ClassVar[int]
    BODY_SHA256_FIELD_NUMBER: _ClassVar[int]
    header_block: bytes
    body_sha256: bytes
    def __init__(self, header_block: _Optional[bytes] = ..., body_sha256: _Optional[bytes] = ...) -> None: ...

class SignResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[SignResult]
    def __init__(self, results: _Optional[_Iterable[_Union[SignResult, _Mapping]]] = ...) -> None: ...

class SignResult(_message.Message):
    __slots__ = ("signature_header", "error")
    SIGNATURE_HEADER_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    signature_header: bytes
    error: _status_pb2.Status
    def __init__(self, signature_header: _Optional[bytes] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class ListSigningKeysRequest(_message.Message):
    __slots__ = ("domain",)
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    domain: str
    def __init__(self, domain: _Optional[str] = ...) -> None: ...

class ListSigningKeysResponse(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[SigningKey]
    def __init__(self, keys: _Optional[_Iterable[_Union[SigningKey, _Mapping]]] = ...) -> None: ...

class SigningKey(_message.Message):
    __slots__ = ("domain", "selector", "algorithm", "bits", "dns_record", "current", "load_time")
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    BITS_FIELD_NUMBER: _ClassVar[int]
    DNS_RECORD_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    LOAD_TIME_FIELD_NUMBER: _ClassVar[int]
    domain: str
    selector: str
    algorithm: KeyAlgorithm
    bits: int
    dns_record: str
    current: bool
    load_time: _timestamp_pb2.Timestamp
    def __init__(self, domain: _Optional[str] = ..., selector: _Optional[str] = ..., algorithm: _Optional[_Union[KeyAlgorithm, str]] = ..., bits: _Optional[int] = ..., dns_record: _Optional[str] = ..., current: _Optional[bool] = ..., load_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
