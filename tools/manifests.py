"""Render every kustomization of deploy/k8s and check it against Kubernetes' own schemas.

    python -m tools.manifests

Needs no cluster: kubectl's kustomize and the schemas come from wheels.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KUSTOMIZATIONS = sorted((ROOT / "deploy" / "k8s").rglob("kustomization.yaml"))
_BIN = Path(sys.executable).parent


def render(kustomization: Path) -> str:
    """Give the manifests of a kustomization as YAML documents."""
    command = [str(_BIN / "kubectl"), "kustomize", str(kustomization.parent)]
    rendered = subprocess.run(command, capture_output=True, text=True, check=False)
    if rendered.returncode != 0:
        raise SystemExit(f"{kustomization.relative_to(ROOT)}: {rendered.stderr.strip()}")
    return rendered.stdout


def main() -> None:
    """Render and check all; stops at the first kustomization with an error."""
    for kustomization in KUSTOMIZATIONS:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as manifests:
            manifests.write(render(kustomization))
            manifests.flush()
            command = [str(_BIN / "kubernetes-validate"), "--strict", "--quiet", manifests.name]
            if subprocess.run(command, check=False).returncode != 0:
                raise SystemExit(1)
        print(f"{kustomization.relative_to(ROOT)}: valid")


if __name__ == "__main__":
    main()
