"""What deploy/k8s says is what the services read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from services.bounce.settings import BounceSettings
from services.chassis.settings import ServiceSettings, SettingsError, load_settings
from services.feedback.settings import FeedbackSettings
from services.relay.settings import RelaySettings
from services.signer.settings import SignerSettings

BASE = Path(__file__).resolve().parents[2] / "deploy" / "k8s" / "base"
SETTINGS: dict[str, type[ServiceSettings]] = {
    "relay": RelaySettings,
    "signer": SignerSettings,
    "bounce": BounceSettings,
    "feedback": FeedbackSettings,
}


def manifests(service: str) -> dict[str, dict[str, Any]]:
    documents = yaml.safe_load_all((BASE / f"{service}.yaml").read_text())
    return {document["kind"]: document for document in documents}


@pytest.mark.parametrize("service", SETTINGS)
def test_every_name_of_the_config_map_is_a_setting(service: str) -> None:
    environ = manifests(service)["ConfigMap"]["data"]

    settings = load_settings(SETTINGS[service], environ)

    assert settings.listen == environ[f"EMTA_{service.upper()}_LISTEN"]


@pytest.mark.parametrize("service", SETTINGS)
def test_a_name_that_is_no_setting_would_be_noticed(service: str) -> None:
    environ = manifests(service)["ConfigMap"]["data"] | {f"EMTA_{service.upper()}_LISTEM": "x"}

    with pytest.raises(SettingsError, match="LISTEM"):
        load_settings(SETTINGS[service], environ)


@pytest.mark.parametrize("service", SETTINGS)
def test_ports_agree(service: str) -> None:
    parts = manifests(service)
    (container,) = parts["Deployment"]["spec"]["template"]["spec"]["containers"]
    (port,) = container["ports"]
    listen = int(parts["ConfigMap"]["data"][f"EMTA_{service.upper()}_LISTEN"].rpartition(":")[2])

    assert listen == port["containerPort"]
    assert {container[probe]["grpc"]["port"] for probe in container if probe.endswith("Probe")} == {listen}
    assert parts["Service"]["spec"]["ports"][0]["targetPort"] == port["name"]
    assert parts["Service"]["spec"]["clusterIP"] == "None"


def test_the_relay_finds_the_other_services() -> None:
    environ = manifests("relay")["ConfigMap"]["data"]

    for peer in ("signer", "bounce", "feedback"):
        (port,) = manifests(peer)["Service"]["spec"]["ports"]
        assert environ[f"EMTA_RELAY_{peer.upper()}"] == f"dns:///{peer}:{port['port']}"


def test_a_pod_may_finish_its_conversations_before_it_is_killed() -> None:
    parts = manifests("relay")
    drain = int(parts["ConfigMap"]["data"]["EMTA_RELAY_DRAIN_SECONDS"])

    assert parts["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > drain
