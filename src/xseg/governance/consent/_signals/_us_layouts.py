"""Fields of the sections for the United States, in order; each is of two bits, a number makes a list of so many."""

from dataclasses import dataclass

__all__ = ["CHILD_DENIALS", "DENY_ONLY", "LAYOUTS", "Layout"]

Fields = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """One version of a section: its number in the header, its name, its fields, and whether it may carry GPC."""

    section: int
    name: str
    version: int
    fields: Fields
    gpc: bool


_MSPA = (("mspa_covered_transaction", 1), ("mspa_opt_out_option_mode", 1), ("mspa_service_provider_mode", 1))
_ADDITIONAL = (("additional_data_processing_consent", 1),)


def _national(sensitive: int, children: int) -> Fields:
    return (
        ("sharing_notice", 1),
        ("sale_opt_out_notice", 1),
        ("sharing_opt_out_notice", 1),
        ("targeted_advertising_opt_out_notice", 1),
        ("sensitive_data_processing_opt_out_notice", 1),
        ("sensitive_data_limit_use_notice", 1),
        ("sale_opt_out", 1),
        ("sharing_opt_out", 1),
        ("targeted_advertising_opt_out", 1),
        ("sensitive_data_processing", sensitive),
        ("known_child_sensitive_data_consents", children),
        ("personal_data_consents", 1),
        *_MSPA,
    )


def _state(notice: str, sensitive: int, children: int, *more: tuple[str, int], notices: Fields = ()) -> Fields:
    return (
        (notice, 1),
        ("sale_opt_out_notice", 1),
        ("targeted_advertising_opt_out_notice", 1),
        *notices,
        ("sale_opt_out", 1),
        ("targeted_advertising_opt_out", 1),
        ("sensitive_data_processing", sensitive),
        ("known_child_sensitive_data_consents", children),
        *more,
        *_MSPA,
    )


_CALIFORNIA: Fields = (
    ("sale_opt_out_notice", 1),
    ("sharing_opt_out_notice", 1),
    ("sensitive_data_limit_use_notice", 1),
    ("sale_opt_out", 1),
    ("sharing_opt_out", 1),
    ("sensitive_data_processing", 9),
    ("known_child_sensitive_data_consents", 2),
    ("personal_data_consents", 1),
    *_MSPA,
)
_SHARING, _PROCESSING = "sharing_notice", "processing_notice"
_SENSITIVE_NOTICE: Fields = (("sensitive_data_processing_opt_out_notice", 1),)
_SENSITIVE_NOTICE_IOWA: Fields = (("sensitive_data_opt_out_notice", 1),)

_ALL = (
    Layout(7, "usnat", 1, _national(12, 2), gpc=True),
    Layout(7, "usnat", 2, _national(16, 3), gpc=True),
    Layout(8, "usca", 1, _CALIFORNIA, gpc=True),
    Layout(9, "usva", 1, _state(_SHARING, 8, 1), gpc=False),
    Layout(10, "usco", 1, _state(_SHARING, 7, 1), gpc=True),
    Layout(11, "usut", 1, _state(_SHARING, 8, 1, notices=_SENSITIVE_NOTICE), gpc=False),
    Layout(12, "usct", 1, _state(_SHARING, 8, 3), gpc=True),
    Layout(13, "usfl", 1, _state(_PROCESSING, 8, 3, *_ADDITIONAL), gpc=False),
    Layout(14, "usmt", 1, _state(_SHARING, 8, 3, *_ADDITIONAL), gpc=True),
    Layout(15, "usor", 1, _state(_PROCESSING, 11, 3, *_ADDITIONAL), gpc=True),
    Layout(16, "ustx", 1, _state(_PROCESSING, 8, 1, *_ADDITIONAL), gpc=True),
    Layout(17, "usde", 1, _state(_PROCESSING, 9, 5, *_ADDITIONAL), gpc=True),
    Layout(18, "usia", 1, _state(_PROCESSING, 8, 1, notices=_SENSITIVE_NOTICE_IOWA), gpc=True),
    Layout(19, "usne", 1, _state(_PROCESSING, 8, 1, *_ADDITIONAL), gpc=True),
    Layout(20, "usnh", 1, _state(_PROCESSING, 8, 3, *_ADDITIONAL), gpc=True),
    Layout(21, "usnj", 1, _state(_PROCESSING, 10, 5, *_ADDITIONAL), gpc=True),
    Layout(22, "ustn", 1, _state(_PROCESSING, 8, 1, *_ADDITIONAL), gpc=True),
    Layout(23, "usmn", 1, _state(_PROCESSING, 8, 1, *_ADDITIONAL), gpc=True),
)
LAYOUTS = {(layout.section, layout.version): layout for layout in _ALL}


def _recent(*fields: tuple[str, int]) -> Fields:
    """Return the fields of the sections whose agreement comes first, as encoders write them."""
    return (
        ("mspa_covered_transaction", 1),
        ("mspa_mode", 1),
        ("processing_notice", 1),
        ("sale_opt_out_notice", 1),
        ("targeted_advertising_opt_out_notice", 1),
        ("sale_opt_out", 1),
        ("targeted_advertising_opt_out", 1),
        *fields,
        *_ADDITIONAL,
    )


_CHILD = ("known_child_sensitive_data_consents", 1)
# What encoders write and what the published drafts say differ, so these sections are read for what they deny and for
# nothing else. A later segment holds the Global Privacy Control where `gpc` is true, otherwise sensitive data.
DENY_ONLY = {
    (layout.section, layout.version): layout
    for layout in (
        Layout(24, "usmd", 1, _recent(), gpc=True),
        Layout(25, "usin", 1, _recent(_CHILD), gpc=False),
        Layout(26, "usky", 1, _recent(_CHILD), gpc=False),
        Layout(27, "usri", 1, _recent(_CHILD), gpc=False),
    )
}

_SALE, _SHARING_SCOPE, _ADVERTISING = "sale", "sharing", "cross-context-advertising"
# Places (from 0) of `known_child_sensitive_data_consents` at which "no consent" is about one of the three scopes.
CHILD_DENIALS = {
    "usca": {0: _SALE, 1: _SHARING_SCOPE},
    **{name: {1: _SALE, 2: _ADVERTISING} for name in ("usct", "usmt", "usnh", "usor")},
    **{name: {1: _SALE, 2: _ADVERTISING, 3: _SALE, 4: _ADVERTISING} for name in ("usde", "usnj")},
}
