"""Make an environment of its own for a peer, so that its pins meet nobody else's.

    python benchmarks/peers/install.py FOLDER [PEER ...]

FOLDER/PEER is then a virtual environment whose python runs `run_PEER.py`. Done twice it only looks whether all is
there. `run_transformers.py` and `run_probe.py` need none: landbridge's own environment holds what they import.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv
from pathlib import Path

TORCH = "torch==2.13.0"  # on both sides the same
PEERS = {
    "setfit": (TORCH, "setfit==1.2.0", "transformers<5", "pandas<3"),
    "fastai": (TORCH, "fastai==2.8.12", "timm==1.0.31"),
    "autogluon": (TORCH, "autogluon.tabular[all]==1.6.3"),
    "automm": (TORCH, "autogluon.multimodal==1.6.3"),
}


def install(peer: str, folder: Path) -> Path:
    """The python of the peer's environment, made where it is missing."""
    place = folder / peer
    python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        venv.create(place, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS[peer]], check=True)
    return python


def main() -> None:
    """Make the asked environments, default all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("peers", nargs="*", help=f"of {', '.join(PEERS)}; default all")
    asked = parser.parse_args()
    for peer in asked.peers or PEERS:
        print(f"{peer}: {install(peer, asked.folder)}", flush=True)


if __name__ == "__main__":
    main()
