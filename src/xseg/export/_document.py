"""What every saved model has in common. Everything that is read from a file passes a schema before it is built."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from xseg.exceptions import ModelFileError

__all__ = ["FORMAT", "VERSION", "Count", "Finite", "ModelDocument", "SignOffDocument", "StrictDocument", "check"]

FORMAT = "xseg-model"
VERSION = 1

Count = Annotated[int, Field(ge=0, lt=2**63)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class StrictDocument(BaseModel):
    """A part of a document: nothing is missing, nothing is left over, nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class SignOffDocument(StrictDocument):
    """What somebody signed; whether it holds is for `check_sign_offs` to say."""

    state: Literal["draft", "reviewed", "approved"]
    by: Annotated[str, Field(min_length=1)]
    review: Digest
    at: str
    expires: str | None
    fingerprint: Digest
    digest: Digest
    seal: Digest | None


class ModelDocument(StrictDocument):
    """A fitted segmenter of any kind; each kind adds what it holds."""

    format: Literal["xseg-model"]
    version: Literal[1]
    xseg: str
    kind: str
    parameters: dict[str, object]
    fingerprint: Digest
    sign_offs: list[SignOffDocument] = Field(default_factory=list)


def check(holds: bool, where: str, problem: str) -> None:
    """Raise an error for a document whose parts do not fit together."""
    if not holds:
        message = f"{where}: {problem}"
        raise ModelFileError(message)
