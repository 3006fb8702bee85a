"""Promises in ten languages: each kind that is broken is found, and what promises less is left alone."""

import random
from functools import cache

import pytest

import xseg
from promise_cases import BROKEN, INNOCENT, LABELS
from review_cases import NOW, clean_case
from xseg.exceptions import ParameterError
from xseg.governance.reviews._notice_text import find_languages, read_notice
from xseg.i18n import LOCALES, TONES, load_language
from xseg.policy import Policy

KINDS = {"sharing", "third parties", "told by people", "profiling", "consent", "retention", "special categories"}
EACH_BROKEN = [(locale, sentence) for locale, sentences in BROKEN.items() for sentence in sentences]
EACH_INNOCENT = [(locale, sentence) for locale, sentences in INNOCENT.items() for sentence in sentences]


@cache
def shop():
    """The clean shop, with two labels in every language and one column that is marked sensitive."""
    case = clean_case()
    policy = {**case.policy, "features": {**case.policy["features"]}, "translations": {**case.policy["translations"]}}
    policy["features"]["orders_90d"] = {**policy["features"]["orders_90d"], "sensitive": True}
    for locale, labels in LABELS.items():
        said = policy["translations"].get(locale, {})
        features = {**said.get("features", {})} | {name: {"label": label} for name, label in labels.items()}
        if locale != "en":
            policy["translations"][locale] = {**said, "features": features}
    return case.segmenter, Policy(**policy)


def promises(text, *, locale=None):
    segmenter, policy = shop()
    notice = read_notice(text, locale=locale)
    review = xseg.governance.reviews.review(segmenter, policy=policy, notice=notice, random_state=0, at=NOW)
    return [finding for finding in review.findings if finding.check == "notice-promise"]


def broken(text, *, locale=None):
    return {finding.location.removeprefix("notice ") for finding in promises(text, locale=locale)}


def test_every_kind_is_tried_in_every_language():
    assert set(BROKEN) == set(LOCALES)
    for sentences in BROKEN.values():
        assert set(sentences.values()) >= KINDS | {"features.area_income"}


@pytest.mark.slow
@pytest.mark.parametrize("tone", TONES)
@pytest.mark.parametrize("locale", LOCALES)
def test_what_the_policy_writes_promises_nothing_untrue(locale, tone):
    for form in ("markdown", "html", "text"):
        assert promises(xseg.governance.reviews.write_notice(shop()[1], locale=locale, form=form, tone=tone)) == []


@pytest.mark.slow
@pytest.mark.parametrize(("locale", "sentence"), EACH_BROKEN)
def test_a_broken_promise_is_found_by_what_was_said_declared_or_told(locale, sentence):
    where = BROKEN[locale][sentence]
    assert broken(f"{sentence}\n", locale=locale) == {where}
    assert broken(f"<p lang='{locale}'>{sentence}</p>") >= {where}
    own = xseg.governance.reviews.write_notice(shop()[1], locale=locale, form="text")
    assert broken(f"{own}\n\n{sentence}\n") == {where}


@pytest.mark.parametrize("locale", LOCALES)
def test_promises_are_found_wherever_they_stand_and_however_they_are_set(locale):
    """Every promise in one notice, in any order, between its own sentences, in capitals and over lines."""
    source = random.Random(locale)
    for _ in range(4):
        lines = xseg.governance.reviews.write_notice(shop()[1], locale=locale, form="text").splitlines()
        for sentence in source.sample(sorted(BROKEN[locale]), len(BROKEN[locale])):
            said = source.choice([sentence, sentence.upper(), sentence.replace(" ", "\u00a0 "), f"**{sentence}**"])
            lines.insert(source.randrange(len(lines)), f"\n{said}\n")
        assert broken("\n".join(lines)) == set(BROKEN[locale].values())


@pytest.mark.slow
@pytest.mark.parametrize(("locale", "sentence"), EACH_INNOCENT)
def test_what_promises_less_is_left_alone(locale, sentence):
    assert promises(f"{sentence}\n", locale=locale) == []
    assert (
        promises(xseg.governance.reviews.write_notice(shop()[1], locale=locale, form="text") + f"\n{sentence}\n") == []
    )


@pytest.mark.parametrize("locale", LOCALES)
def test_sentences_of_our_cards_promise_nothing(locale):
    for tone in TONES:
        words = load_language(locale, tone).messages
        text = "\n".join(str(one) for message in words.values() for one in _texts(message))
        assert promises(text.replace("{days}", "3").replace("{people}", "2"), locale=locale) == []


def _texts(message):
    return message.values() if isinstance(message, dict) else getattr(message, "forms", {"": message}).values()


@pytest.mark.parametrize("locale", LOCALES)
def test_a_kept_promise_is_no_finding(locale):
    segmenter, policy = shop()
    kept = policy.model_copy(update={"recipients": ()})
    for sentence, where in BROKEN[locale].items():
        if where == "sharing":
            review = xseg.governance.reviews.review(
                segmenter, policy=kept, notice=read_notice(f"{sentence}\n", locale=locale), at=NOW, random_state=0
            )
            assert "notice sharing" not in {finding.location for finding in review.findings}


@pytest.mark.parametrize("locale", LOCALES)
def test_a_language_is_told_by_its_words(locale):
    text = "\n".join(BROKEN[locale])
    languages, unknown = find_languages(read_notice(text))
    assert languages[0].tag == locale
    assert unknown == []
    wrong = "de" if locale != "de" else "fr"
    assert broken(f"<html lang='{wrong}'><p>{'<p>'.join(BROKEN[locale])}</html>") == set(BROKEN[locale].values())


def test_a_notice_in_two_languages_is_read_in_both():
    text = "\n".join([*list(BROKEN["de"])[:6], *list(BROKEN["en"])[:6]])
    assert broken(text) >= {BROKEN["de"][s] for s in list(BROKEN["de"])[:6]} | {
        BROKEN["en"][s] for s in list(BROKEN["en"])[:6]
    }


@pytest.mark.parametrize(
    ("notice", "found"),
    [
        ("Vi delar aldrig dina uppgifter.\nVi profilerar dig aldrig.\n", "cannot be told"),
        ("<p lang='sv'>Vi delar aldrig dina uppgifter.</p>", "'sv'"),
        ("<div><p>We never share your data.</p><p lang='fi'>Emme jaa tietojasi.</p></div>", "'fi'"),
        ("<p>4711</p>", "cannot be told"),
    ],
)
def test_a_language_that_is_not_read_is_said(notice, found):
    [note] = [finding for finding in promises(notice) if finding.location == "notice language"]
    assert note.severity == "note"
    assert found in note.message
    assert "read_notice" in note.remediation


def test_what_was_said_holds():
    assert promises("Vi delar aldrig dina uppgifter.\n", locale="de-AT") == []
    assert broken("<p lang='sv'>Wir geben Ihre Daten niemals weiter.</p>", locale="de") == {"sharing"}
    with pytest.raises(ParameterError, match="got 'sv'"):
        promises("We never share your data.\n", locale="sv")
