"""Whether what a company says of its segments is fit to be said to the people in them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from xseg.exceptions import PolicyError
from xseg.ink import found_words, language_of
from xseg.policy import Policy, SegmentPolicy

__all__ = ["UnfitWords", "check_words", "hints_at_a_special_category", "lint_words"]


@dataclass(frozen=True, slots=True)
class UnfitWords:
    """Words in a policy that may not stand on a card.

    Attributes
    ----------
    where : str
        The place in the policy, such as ``"segments.Loyal readers.sentence"``.
    locale : str
        The language.
    kind : {"special category", "unfit"}
        A hint at a special category of personal data, or jargon, blame, urgency and flattery.
    words : tuple of str
        The beginnings of the words found.
    """

    where: str
    locale: str
    kind: Literal["special category", "unfit"]
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.where} ({self.locale}): {', '.join(map(repr, self.words))} ({self.kind})"


def lint_words(policy: Policy, segment_names: Iterable[str] = ()) -> list[UnfitWords]:
    """Find words in a policy's segments and wording that may not stand on a card, in every language it speaks.

    Parameters
    ----------
    policy : Policy
        What people are told.
    segment_names : iterable of str
        Names of segments that the policy may not mention.

    Returns
    -------
    list of UnfitWords
        What was found; nothing is proof, and a person should read the texts too.

    Examples
    --------
    >>> from xseg.cards import lint_words
    >>> from xseg.policy import Policy
    >>> print(lint_words(Policy(segments={"Diabetics": {"sentence": "You buy sugar-free books."}}))[0])
    segments.Diabetics (en): 'diabet' (special category)
    """
    names = dict.fromkeys([*policy.segments, *segment_names])
    found = [*_in_texts(policy.locale, ((f"segments.{name}", name) for name in names))]
    for name, said in policy.segments.items():
        found += _in_segment(policy.locale, f"segments.{name}", said)
    for locale, words in policy.translations.items():
        for name, said in words.segments.items():
            found += _in_segment(locale, f"translations.{locale}.segments.{name}", said)
    for locale, wording in policy.wording.items():
        for key, message in wording.items():
            texts = [message] if isinstance(message, str) else list(message.values())
            found += _in_texts(locale, ((f"wording.{locale}.{key}", text) for text in texts))
    return found


def check_words(policy: Policy, locale: str) -> None:
    """Raise an error for a policy whose words in one language hint at a special category, or press or flatter.

    Raises
    ------
    PolicyError
        Listing what was found.
    """
    tag = language_of(locale).tag
    # A name that hints at something is not shown, unless the policy says it in so many words.
    names = {f"segments.{name}" for name in policy.segments}
    found = [one for one in lint_words(policy) if language_of(one.locale).tag == tag and one.where not in names]
    if found:
        listing = "\n".join(f"  {one}" for one in found)
        message = f"the policy says what may not stand on a card; say it otherwise:\n{listing}"
        raise PolicyError(message)


def hints_at_a_special_category(name: str, locale: str) -> bool:
    """Return whether a segment's name hints at a special category of personal data."""
    return bool(found_words(name, language_of(locale).tag).special)


def _in_segment(locale: str, where: str, said: SegmentPolicy) -> Iterator[UnfitWords]:
    texts = ((f"{where}.{field}", getattr(said, field)) for field in ("shown_name", "sentence", "consequence"))
    return _in_texts(locale, ((place, text) for place, text in texts if text is not None))


def _in_texts(locale: str, texts: Iterable[tuple[str, str]]) -> Iterator[UnfitWords]:
    tag = language_of(locale).tag
    for where, text in texts:
        found = found_words(text, tag)
        if found.special:
            yield UnfitWords(where, locale, "special category", found.special)
        if found.unfit:
            yield UnfitWords(where, locale, "unfit", found.unfit)
