"""Writing files whole or not at all."""

import os
import shutil
from pathlib import Path
from uuid import uuid4

__all__ = ["write_whole"]


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
    finally:
        draft.unlink(missing_ok=True)
