from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetRulesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetRulesResponse(_message.Message):
    __slots__ = ("rules", "refused")
    RULES_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    rules: RuleSet
    refused: str
    def __init__(self, rules: _Optional[_Union[RuleSet, _Mapping]] = ..., refused: _Optional[str] = ...) -> None: ...

class ReloadRulesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReloadRulesResponse(_message.Message):
    __slots__ = ("rules",)
    RULES_FIELD_NUMBER: _ClassVar[int]
    rules: RuleSet
    def __init__(self, rules: _Optional[_Union[RuleSet, _Mapping]] = ...) -> None: ...

class RuleSet(_message.Message):
    __slots__ = ("version", "rules", "override_ids")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_IDS_FIELD_NUMBER: _ClassVar[int]
    version: str
    rules: int
    override_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, version: _Optional[str] = ..., rules: _Optional[int] = ..., override_ids: _Optional[_Iterable[str]] = ...) -> None: ...
