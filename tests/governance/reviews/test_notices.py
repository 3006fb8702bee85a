"""Notices: what a policy writes is complete and clean in every language, and what is read is what a reader sees."""

import pytest

import xseg
from review_cases import NOW, clean_case
from xseg.exceptions import DataError, ParameterError
from xseg.governance.reviews._notice_text import read_notice
from xseg.i18n import LOCALES, TONES
from xseg.policy import Policy

FORMS = ("markdown", "html", "text")


@pytest.fixture(scope="module")
def clean():
    return clean_case()


@pytest.mark.slow
@pytest.mark.parametrize("tone", TONES)
@pytest.mark.parametrize("locale", LOCALES)
def test_a_policy_and_its_own_notice_agree_in_every_language(clean, locale, tone):
    for form in FORMS:
        notice = xseg.governance.reviews.write_notice(clean.policy, locale=locale, form=form, tone=tone)
        review = xseg.governance.reviews.review(
            clean.segmenter, policy=clean.policy, notice=notice, at=NOW, random_state=0
        )
        assert [finding for finding in review.findings if finding.check.startswith("notice")] == []


@pytest.mark.parametrize("locale", LOCALES)
def test_a_notice_names_everything_that_the_policy_states(clean, locale):
    policy = Policy(**clean.policy)
    spoken = policy.translate(locale)
    for form in FORMS:
        notice = read_notice(xseg.governance.reviews.write_notice(policy, locale=locale, form=form))
        for feature in spoken.features.values():
            assert notice.says(feature.label)
            assert feature.collected_from is None or notice.says(feature.collected_from)
        for purpose in spoken.purposes.values():
            assert notice.says(purpose.label)
            assert str(purpose.retention_days) in notice.text
            assert purpose.interest is None or notice.says(purpose.interest)
        wanted = [*policy.recipients, "GeoStat Ltd", policy.controller.name, policy.controller.contact]
        wanted += [policy.controller.authority, policy.controller.officer, spoken.automation, spoken.human_review]
        for words in (*wanted, spoken.transfers, spoken.special_categories):
            assert notice.says(words.rstrip(".")), (locale, form, words)
    pages = xseg.governance.reviews.write_notice(policy, locale=locale, form="html")
    assert all(f'href="{link.url}"' in pages for link in policy.rights.values())
    assert f'dir="{"rtl" if locale == "ar" else "ltr"}"' in pages


def test_a_notice_escapes_what_the_policy_says():
    policy = {"features": {"x": {"label": "<script>alert(1)</script> *a* [b](c)", "source": "inferred"}}}
    assert "<script>" not in xseg.governance.reviews.write_notice(policy, form="html")
    assert r"\<script\>" in xseg.governance.reviews.write_notice(policy)


def test_an_empty_policy_says_that_nobody_answers():
    assert "It is not stated who answers for this." in xseg.governance.reviews.write_notice({})


@pytest.mark.parametrize(
    ("given", "found"), [({"form": "pdf"}, "pdf"), ({"locale": "tlh"}, "tlh"), ({"tone": "rude"}, "rude")]
)
def test_what_cannot_be_written_is_refused(given, found):
    with pytest.raises(ParameterError, match=found):
        xseg.governance.reviews.write_notice({}, **given)


def test_what_nobody_sees_is_not_read():
    page = (
        "<!doctype html><html><head><title>No</title><style>p{}</style></head><body><p>"
        "We use your&nbsp;<b>Age</b> group.<script>secret()</script><!-- hidden words -->"
        "<span style='display: none'>unseen <span>more</span> words</span>"
        "<br><template>later</template><input hidden>Then more.</p></body></html>"
    )
    notice = read_notice(page)
    assert notice.sentences == ("we use your age group.", "then more.")
    for words in ("secret", "hidden words", "unseen", "words", "later", "no"):
        assert not notice.says(words)


def test_words_are_matched_whole_and_whatever_their_case_and_spaces():
    notice = read_notice("We use Your  AGE\u00a0group\nand what’s in your package.")
    assert notice.says("your age group")
    assert notice.says("What's in your package")
    assert not notice.says("pack")
    assert not notice.says("")
    assert read_notice("当社は購入回数を使用します。\n").says("購入回数")


INNOCENT = [
    "We do not use your orders to set prices.",
    "We do not use your spending for credit decisions.",
    "We do not share your data without your consent.",
    "We never sell your data.",
    "We do not share your data with anyone except our delivery partner.",
    "We do not use your birthday.",
    "We do not use cookies on this page.",
    "We use no information about health, faith, origin or opinions.",
    "You do not have to give us this information.",
    "We keep your data for 365 days.",
    "Your data are deleted after 2 years.",
    "With your consent we use your orders.",
    "We answer within 30 days.",
    "We do not make decisions about you without a person.",
    "If you do not use the app, orders are placed in the shop.",
    "You can ask us not to use your orders.",
    "We do not buy books from third parties.",
    "We delete your data within 30 days of your request.",
    "We keep server logs for 30 days.",
    "We do not share your age.",
    "We do not share your data with the police.",
    "We do not transfer your data to the United States.",
]


@pytest.mark.parametrize("sentence", INNOCENT)
def test_sentences_that_promise_nothing_untrue_are_left_alone(clean, sentence):
    notice = f"{clean.notice}<p>{sentence}</p>"
    review = xseg.governance.reviews.review(clean.segmenter, policy=clean.policy, notice=notice, at=NOW, random_state=0)
    assert [str(finding) for finding in review.findings if finding.check == "notice-promise"] == []


BROKEN = {
    "We do not use your income.": "notice features.area_income",
    "We don’t collect information about your income or your birthday.": "notice features.area_income",
    "Your spend is never used.": "notice features.spend_year",
    "We do not use income data.": "notice features.area_income",
    "We don't share any personal information with third parties.": "notice sharing",
    "We do not look at orders.": "notice features.orders_90d",
    "Our team and us do not use your age, income or gender.": "notice features.area_income",
    "We will never share your data.": "notice sharing",
    "Your data is never shared.": "notice sharing",
    "We do not and will not pass on your information.": "notice sharing",
    "We do not obtain data from data brokers.": "notice third parties",
    "We use no third-party data.": "notice third parties",
    "We only collect what you tell us.": "notice told by people",
    "We do not put you into groups.": "notice profiling",
    "We act only with your explicit consent.": "notice consent",
    "We store your data for at most 2 weeks.": "notice retention",
}


@pytest.mark.parametrize("sentence", BROKEN)
def test_promises_that_are_not_kept_are_found(clean, sentence):
    notice = f"{clean.notice}<p>{sentence}</p>"
    review = xseg.governance.reviews.review(clean.segmenter, policy=clean.policy, notice=notice, at=NOW, random_state=0)
    assert BROKEN[sentence] in {finding.location for finding in review.at_least("error")}


def test_promises_about_what_is_not_so_are_kept(clean):
    policy = {**clean.policy, "recipients": []}
    review = xseg.governance.reviews.review(
        clean.segmenter, policy=policy, notice="We never share your data.\n", at=NOW, random_state=0
    )
    assert "notice-promise" not in {finding.check for finding in review.findings}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (None, "check the path"),
        (b"\xff\xfe", "UTF-8"),
        (b"", "says nothing"),
        (b"<html><script>x</script></html>", "says nothing"),
    ],
)
def test_a_notice_that_cannot_be_read_is_named(clean, tmp_path, content, found):
    path = tmp_path / "privacy.html"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=found) as error:
        xseg.governance.reviews.review(clean.segmenter, policy=clean.policy, notice=path, random_state=0)
    assert str(path) in str(error.value)


def test_a_notice_of_another_kind_is_refused(clean):
    with pytest.raises(DataError, match="int"):
        xseg.governance.reviews.review(clean.segmenter, policy=clean.policy, notice=3, random_state=0)
