"""Generate the client's stubs from protos/, lint the contract, and check that it stays compatible.

python -m tools.protos generate  write client/emta/**/v1/*_pb2*.py
python -m tools.protos lint      buf lint (STANDARD + COMMENTS)
python -m tools.protos breaking  compare with the last released contract, protos/released.binpb
python -m tools.protos release   make today's contract the released one
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

import google.rpc
import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
STUBS = ROOT / "client"
RELEASED = PROTOS / "released.binpb"

# google/rpc from googleapis-common-protos, google/protobuf from grpcio-tools.
_GOOGLEAPIS = Path(next(iter(google.rpc.__path__))).parent.parent
_WELL_KNOWN = Path(str(resources.files(grpc_tools))) / "_proto"


def _protoc(*arguments: str) -> None:
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    includes = [f"-I{path}" for path in (PROTOS, _GOOGLEAPIS, _WELL_KNOWN)]
    if protoc.main(["protoc", *includes, *arguments, *sources]) != 0:
        raise SystemExit(1)


def generate(target: Path = STUBS) -> None:
    """Write the stubs below `target`, replacing those that are there."""
    for package in (path for path in (target / "emta").glob("*/v1") if path.is_dir()):
        shutil.rmtree(package)
    _protoc(
        f"--plugin=protoc-gen-mypy_grpc={Path(sys.executable).with_name('protoc-gen-mypy_grpc')}",
        f"--python_out={target}",
        f"--pyi_out={target}",
        f"--grpc_python_out={target}",
        f"--mypy_grpc_out=quiet:{target}",
    )
    for stub in (target / "emta").glob("*/v1/*_pb2_grpc.py"):
        if not stub.stem.removesuffix("_pb2_grpc").endswith("_service"):
            stub.unlink()  # the plug-in writes one for files without a service, too
    for package in (target / "emta").glob("*/v1"):
        for folder in (package, package.parent):
            (folder / "__init__.py").write_text('"""Generated from protos/ by `make protos`."""\n')


def _image(path: Path) -> Path:
    _protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={path}")
    return path


def _buf(*arguments: str) -> None:
    buf = Path(sys.executable).with_name("buf")
    finished = subprocess.run([buf, *arguments, "--config", ROOT / "buf.yaml"], cwd=ROOT, check=False)
    if finished.returncode != 0:
        raise SystemExit(finished.returncode)


def main(arguments: list[str]) -> None:
    """Run the command named in `arguments`."""
    with tempfile.TemporaryDirectory() as folder:
        match arguments:
            case ["generate"]:
                generate()
            case ["lint"]:
                _buf("lint", str(_image(Path(folder) / "contract.binpb")))
            case ["breaking"]:
                image = _image(Path(folder) / "contract.binpb")
                _buf("breaking", str(image), "--against", str(RELEASED))
            case ["release"]:
                _image(RELEASED)
            case _:
                print(__doc__, file=sys.stderr)
                raise SystemExit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
