"""Writing files whole or not at all, and digests of what they hold."""

import hashlib
import os
import re
import shutil
from pathlib import Path
from uuid import uuid4

__all__ = ["digest_parts", "remove_drafts", "write_whole"]

_DRAFT = re.compile(r"\..+\.[0-9a-f]{32}")


def write_whole(path: str | os.PathLike[str], content: str | bytes, *, durable: bool = True) -> None:
    """Write a file so that at every moment either the old content or all of the new one is there.

    A file that is not `durable` survives the death of this process, but perhaps not a power failure; many small files
    are written much faster so.

    Raises
    ------
    OSError
        The file cannot be written; what was there is unchanged.
    """
    file = Path(path)
    draft = file.with_name(f".{file.name}.{uuid4().hex}")
    try:
        with draft.open("xb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        if file.exists():
            shutil.copymode(file, draft)
        draft.replace(file)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def remove_drafts(folder: Path) -> None:
    """Remove what `write_whole` left in a folder where the process was killed; no other may be writing there."""
    for file in folder.iterdir():
        if _DRAFT.fullmatch(file.name):
            file.unlink(missing_ok=True)


def digest_parts(*parts: str | bytes) -> str:
    """Return the SHA-256 digest of parts, each preceded by its length, so that no two lists of parts are alike."""
    total = hashlib.sha256()
    for part in parts:
        encoded = part if isinstance(part, bytes) else part.encode()
        total.update(len(encoded).to_bytes(8, "big") + encoded)
    return total.hexdigest()
