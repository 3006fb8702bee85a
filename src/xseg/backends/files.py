"""Temporary files that go when nobody needs them any more."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from weakref import finalize

from xseg.exceptions import DataError

__all__ = ["TemporaryFolder", "room_for"]


class TemporaryFolder:
    """A folder that goes with this object, and at the latest when Python ends."""

    def __init__(self) -> None:
        self.path = Path(mkdtemp(prefix="xseg-"))
        self._numbers = count()
        finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def new_file(self) -> Path:
        """Return a path that nobody writes to yet."""
        return self.path / str(next(self._numbers))


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Return what to do where a temporary file cannot be written."""
    try:
        yield
    except OSError as error:
        message = (
            f"rows could not be written to the temporary folder {path.parent}: {error.strerror}. Make room there, or "
            "set TMPDIR to a folder with more; a table needs 9 to 13 bytes a number"
        )
        raise DataError(message) from error
