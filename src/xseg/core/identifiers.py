"""Detection of columns that identify rows rather than describe them.

Most genuine quantities are nearly distinct (spend, income, charges), so a numeric column counts as an identifier only
with evidence beyond distinctness: its name, consecutive keys, or a fixed width as account numbers have.
"""

import re

__all__ = ["has_identifier_name", "number_evidence", "text_evidence"]

# In English and the other languages in which customer tables are often named.
_ALWAYS = frozenset(
    {
        "id",
        "ids",
        "uid",
        "uuid",
        "guid",
        "pk",
        "key",
        "keys",
        "rowid",
        "rownum",
        "identifier",
        "identifiant",
        "identificador",
        "identificativo",
        "kennung",
        "bsn",
        "ssn",
        "nif",
        "dni",
        "cpf",
        "cnpj",
        "siret",
        "iban",
        "vat",
        "passport",
        "email",
        "mail",
        "msisdn",
        "phone",
        "telephone",
        "mobile",
    }
)
_AT_THE_END = frozenset(
    {
        "no",
        "nr",
        "num",
        "number",
        "nummer",
        "numero",
        "número",
        "numer",
        "code",
        "index",
        "idx",
        "ref",
        "reference",
    }
)
_GLUED = re.compile(r"[a-z]{3,}(?:id|nr|num|number)", re.IGNORECASE)
_OWNERS = frozenset(
    {
        "client",
        "clients",
        "cliente",
        "customer",
        "cust",
        "user",
        "account",
        "acct",
        "member",
        "person",
        "subscriber",
        "invoice",
        "order",
        "ticket",
        "card",
        "kunde",
        "kunden",
        "konto",
        "klant",
        "row",
        "record",
        "case",
        "contract",
        "policy",
        "transaction",
        "respondent",
    }
)
_WORDS = re.compile(r"[A-Z]?[a-zà-ÿ]+|[A-Z]+(?![a-zà-ÿ])|\d+|#")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

_MIN_ROWS = 20
_MIN_ROWS_OF_KEYS = 30
_MIN_DISTINCT_TEXTS = 0.5
_MIN_DISTINCT_NUMBERS = 0.9
_MIN_DENSITY = 0.5
_MIN_WIDTH = 8


def has_identifier_name(name: str) -> bool:
    """Return whether a column's name says that it holds identifiers: ``customer_id``, ``Row ID``, ``clientNo``."""
    words = [word.casefold() for word in _WORDS.findall(name.replace("e-mail", "email"))]
    if not words:
        return False
    if _ALWAYS & set(words) or words[-1] == "#":
        return True
    ends_as_key = words[-1] in _AT_THE_END and (len(words) == 1 or bool(_OWNERS & set(words)))
    glued = _GLUED.fullmatch(words[-1]) and any(words[-1].startswith(owner) for owner in _OWNERS)
    return ends_as_key or bool(glued)


def text_evidence(name: str, n_distinct: int, n_rows: int, sample: str) -> str:
    """Return the evidence that a column of texts holds identifiers; "" if there is none.

    Parameters
    ----------
    name : str
        The column's name.
    n_distinct, n_rows : int
        Different texts, and rows that have one.
    sample : str
        One of the texts.
    """
    if n_distinct < _MIN_DISTINCT_TEXTS * n_rows or n_distinct < 2:
        return ""
    if n_rows < _MIN_ROWS and not (n_distinct == n_rows and (has_identifier_name(name) or _EMAIL.fullmatch(sample))):
        return ""
    return f"{n_distinct:,} different values in {n_rows:,} rows"


def number_evidence(name: str, n_distinct: int, n_rows: int, low: float, high: float) -> str:
    """Return the evidence that a column of whole numbers holds identifiers; "" if there is none.

    Parameters
    ----------
    name : str
        The column's name.
    n_distinct, n_rows : int
        Different numbers, and rows that have one.
    low, high : float
        The lowest and the highest number.
    """
    if n_rows < _MIN_ROWS or n_distinct < _MIN_DISTINCT_NUMBERS * n_rows:
        return ""
    found = f"{n_distinct:,} different whole numbers in {n_rows:,} rows"
    if has_identifier_name(name):
        return found
    if n_rows >= _MIN_ROWS_OF_KEYS and high - low + 1 <= n_rows / _MIN_DENSITY and low >= 0:
        return f"{found}, nearly consecutive"
    if low >= 10 ** (_MIN_WIDTH - 1) and len(f"{low:.0f}") == len(f"{high:.0f}"):
        return f"{found}, all of {len(f'{low:.0f}')} digits"
    return ""
