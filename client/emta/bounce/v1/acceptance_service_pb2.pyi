from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReportAcceptancesRequest(_message.Message):
    __slots__ = ("acceptances",)
    ACCEPTANCES_FIELD_NUMBER: _ClassVar[int]
    acceptances: _containers.RepeatedCompositeFieldContainer[SiteAcceptances]
    def __init__(self, acceptances: _Optional[_Iterable[_Union[SiteAcceptances, _Mapping]]] = ...) -> None: ...

class ReportAcceptancesResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SiteAcceptances(_message.Message):
    __slots__ = ("site", "recipient_keys", "untold")
    SITE_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_KEYS_FIELD_NUMBER: _ClassVar[int]
    UNTOLD_FIELD_NUMBER: _ClassVar[int]
    site: str
    recipient_keys: _containers.RepeatedScalarFieldContainer[int]
    untold: int
    def __init__(self, site: _Optional[str] = ..., recipient_keys: _Optional[_Iterable[int]] = ..., untold: _Optional[int] = ...) -> None: ...
