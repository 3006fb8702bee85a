"""An encoder of privacy signals, written from their specifications, to test the decoders against."""

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def number(value, width):
    assert 0 <= value < 2**width
    return f"{value:0{width}b}"


def field(numbers, width):
    return "".join("1" if position in numbers else "0" for position in range(1, width + 1))


def letters(text):
    return "".join(number(ord(letter) - 65, 6) for letter in text)


def text_of(bits, pad=6):
    """Base64url of bits padded to 6 bits, to whole bytes (8) or to groups of three bytes (24)."""
    bits += "0" * (-len(bits) % pad)
    bits += "0" * (-len(bits) % 6)
    return "".join(ALPHABET[int(bits[start : start + 6], 2)] for start in range(0, len(bits), 6))


def bits_of(text):
    return "".join(number(ALPHABET.index(character), 6) for character in text)


def entries(vendors):
    """Inclusive runs of consecutive numbers."""
    runs = []
    for vendor in sorted(vendors):
        if runs and runs[-1][1] == vendor - 1:
            runs[-1][1] = vendor
        else:
            runs.append([vendor, vendor])
    return runs


def ranges(vendors):
    runs = entries(vendors)
    written = [
        number(int(last > first), 1) + number(first, 16) + (number(last, 16) if last > first else "")
        for first, last in runs
    ]
    return number(len(runs), 12) + "".join(written)


def vendor_set(vendors, *, ranged, highest=None):
    highest = max(vendors, default=0) if highest is None else highest
    return number(highest, 16) + (("1" + ranges(vendors)) if ranged else ("0" + field(vendors, highest)))


TCF = {
    "version": 2,
    "created": 17_700_000_000,
    "updated": 17_700_000_000,
    "cmp_id": 10,
    "cmp_version": 3,
    "screen": 1,
    "language": "EN",
    "list_version": 120,
    "policy": 5,
    "service_specific": 1,
    "non_standard": 0,
    "special_features": {1},
    "consent": {1, 3, 4},
    "interest": {2, 7},
    "purpose_one": 0,
    "country": "DE",
    "vendors": {2, 8, 9, 10, 755},
    "vendors_interest": {10},
    "restrictions": [],
    "ranged": True,
}


def tcf_core(**changes):
    said = TCF | changes
    bits = number(said["version"], 6) + number(said["created"], 36) + number(said["updated"], 36)
    bits += number(said["cmp_id"], 12) + number(said["cmp_version"], 12) + number(said["screen"], 6)
    bits += letters(said["language"]) + number(said["list_version"], 12) + number(said["policy"], 6)
    bits += number(said["service_specific"], 1) + number(said["non_standard"], 1) + field(said["special_features"], 12)
    bits += field(said["consent"], 24) + field(said["interest"], 24) + number(said["purpose_one"], 1)
    bits += letters(said["country"])
    bits += vendor_set(said["vendors"], ranged=said["ranged"])
    bits += vendor_set(said["vendors_interest"], ranged=said["ranged"])
    bits += number(len(said["restrictions"]), 12)
    for purpose, kind, vendors in said["restrictions"]:
        bits += number(purpose, 6) + number(kind, 2) + ranges(vendors)
    return bits


def disclosed(vendors, *, ranged=True):
    return number(1, 3) + vendor_set(vendors, ranged=ranged)


def publisher(consent, interest, custom, custom_consent, custom_interest):
    bits = number(3, 3) + field(consent, 24) + field(interest, 24) + number(custom, 6)
    return bits + field(custom_consent, custom) + field(custom_interest, custom)


def fibonacci(value):
    numbers = [1, 2]
    while numbers[-1] < value:
        numbers.append(numbers[-1] + numbers[-2])
    code = []
    for one in reversed(numbers):
        if one <= value:
            value -= one
            code.append("1")
        elif code:
            code.append("0")
    return "".join(reversed(code)) + "1"


def gpp_header(sections):
    bits, last, runs = number(3, 6) + number(1, 6), 0, entries(sections)
    bits += number(len(runs), 12)
    for first, end in runs:
        bits += number(int(end > first), 1) + fibonacci(first - last) + (fibonacci(end - first) if end > first else "")
        last = end
    return bits


def us_core(layout, values=None):
    """A section whose fields hold what is said, 0 where nothing is, and a transaction that is not covered."""
    said = {"mspa_covered_transaction": 2} | (values or {})
    bits = number(layout.version, 6)
    for name, count in layout.fields:
        value = said.get(name, 0)
        bits += "".join(number(one, 2) for one in (value if isinstance(value, tuple) else (value,) * count))
    return bits


def gpc(on):
    return number(1, 2) + number(int(on), 1)


def gpp(sections, pad=6):
    return "~".join([text_of(gpp_header(sections), pad), *(sections[one] for one in sorted(sections))])
