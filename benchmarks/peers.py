"""Peers that cannot live beside today's numpy: an environment of their own, made once under `.peers/`."""

import shutil
import subprocess
from pathlib import Path

HOME = Path(__file__).parent.parent / ".peers"
EXKMC = (
    ("python3.9", "python3.8"),
    ("setuptools<60", "wheel", "numpy<1.22", "scipy<1.8", "scikit-learn<1.2", "pandas<1.5", "matplotlib<3.6"),
    "ExKMC==0.0.3",
)


class PeerMissingError(Exception):
    """A peer cannot be measured here, and why."""


def exkmc() -> Path:
    """Give a Python that has ExKMC, which is built from source against an older numpy."""
    names, requirements, package = EXKMC
    python = HOME / "exkmc" / "bin" / "python"
    if not python.exists():
        base = next((found for name in names if (found := _works(name))), None)
        if base is None:
            message = f"ExKMC needs one of {', '.join(names)}, and none is installed"
            raise PeerMissingError(message)
        _run(base, "-m", "venv", str(python.parent.parent))
        _run(python, "-m", "pip", "install", "-q", *requirements)
    if subprocess.run([python, "-c", "import ExKMC.Tree"], capture_output=True, check=False).returncode:
        _run(python, "-m", "pip", "install", "-q", "--no-build-isolation", package)
    return python


def _works(name: str) -> str | None:
    """Give the path of an interpreter that starts; a shim of a version manager may not."""
    found = shutil.which(name)
    works = found and not subprocess.run([found, "-c", "pass"], capture_output=True, check=False).returncode
    return found if works else None


def _run(*words: object) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"{' '.join(map(str, words))} failed: {done.stderr.strip().splitlines()[-1:]}"
        raise PeerMissingError(message)
