"""Digests of texts, for comparing what things were made from."""

import hashlib

__all__ = ["digest_parts"]


def digest_parts(*parts: str | bytes) -> str:
    """Return the SHA-256 digest of parts, each preceded by its length, so that no two lists of parts are alike."""
    total = hashlib.sha256()
    for part in parts:
        encoded = part if isinstance(part, bytes) else part.encode()
        total.update(len(encoded).to_bytes(8, "big") + encoded)
    return total.hexdigest()
