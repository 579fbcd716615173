"""RulesService: the rules in force, shown and read again."""

from __future__ import annotations

from typing import Any

import grpc

from emta.bounce.v1 import rules_service_pb2_grpc
from emta.bounce.v1.rules_service_pb2 import (
    GetRulesRequest,
    GetRulesResponse,
    ReloadRulesRequest,
    ReloadRulesResponse,
    RuleSet,
)
from emta.problems import failed_precondition
from services.bounce.catalogue.live_rules import LiveRules
from services.bounce.catalogue.rule_file import RuleError
from services.bounce.qualify import Qualifier


class RulesService(rules_service_pb2_grpc.RulesServiceServicer):
    """Speaks about the rules of this process."""

    def __init__(self, rules: LiveRules) -> None:
        self._rules = rules

    async def GetRules(
        self, request: GetRulesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> GetRulesResponse:
        """Show what is in force."""
        return GetRulesResponse(rules=_rule_set(self._rules.qualifier), refused=self._rules.error)

    async def ReloadRules(
        self, request: ReloadRulesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> ReloadRulesResponse:
        """Read the overrides again."""
        try:
            await self._rules.reload()
        except RuleError as error:
            raise failed_precondition("RULES_REFUSED", str(error)) from None
        return ReloadRulesResponse(rules=_rule_set(self._rules.qualifier))


def _rule_set(qualifier: Qualifier) -> RuleSet:
    catalogue = qualifier.catalogue
    return RuleSet(
        version=qualifier.version,
        rules=len(catalogue.rules),
        override_ids=[rule.id for rule in catalogue.rules[: catalogue.overrides]],
    )
