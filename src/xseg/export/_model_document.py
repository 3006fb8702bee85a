"""What every model file states around the state of its segmenter, and the schema of each kind of file."""

from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from xseg.segmenters import Segmenter, StrictState

__all__ = ["FORMAT", "VERSION", "ModelDocument", "SignOffDocument", "make_document_type"]

FORMAT = "xseg-model"


VERSION = 2


Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class SignOffDocument(StrictState):
    """What somebody signed; whether it holds is for `check_sign_offs` to say."""

    state: Literal["draft", "reviewed", "approved"]
    by: Annotated[str, Field(min_length=1)]
    review: Digest
    at: str
    expires: str | None
    fingerprint: Digest
    digest: Digest
    mac: Digest | None


class ModelDocument(StrictState):
    """A fitted segmenter of any kind; each kind adds what it holds."""

    format: Literal["xseg-model"]
    version: Literal[2]
    xseg: str
    kind: str
    parameters: dict[str, object]
    fingerprint: Digest
    sign_offs: list[SignOffDocument] = Field(default_factory=list)


def make_document_type(kind: type[Segmenter]) -> type[Any]:
    """Return the schema of the files of one segmenter: the frame of every file, and the declared state."""
    return create_model(f"{kind.__name__}Document", __base__=(ModelDocument, kind.saved_state))
