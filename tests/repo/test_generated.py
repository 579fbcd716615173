"""The committed stubs are what protos/ gives today."""

from pathlib import Path

from tools import protos


def _stubs(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted((root / "emta").glob("*/v1/*"))
        if path.suffix in (".py", ".pyi")
    }


def test_the_committed_stubs_are_fresh(tmp_path: Path) -> None:
    protos.generate(tmp_path)

    assert _stubs(protos.STUBS) == _stubs(tmp_path), "run: make protos"
