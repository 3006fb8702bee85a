"""Answers become features as they were given, or are refused by row and question; consent is only ever a plain yes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xseg
from xseg.exceptions import DataError, DefinitionError, ParameterError, UnsupportedTypeError
from xseg.governance.consent import Ledger
from xseg.governance.surveys import Answers, Survey
from xseg.governance.surveys._survey import list_keys

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TEXT = """\
version: 1
id: reading
title: our survey on reading
purposes:
  offers: {label: choosing what you see, legal_basis: consent, retention_days: 30, concept: dpv:Marketing}
  service: {label: answering you}
questions:
  likes: {type: likert, text: I like reading., scale: [never, rarely, often, always], purposes: [offers, service]}
  bored: {type: likert, text: Books bore me., scale: [never, rarely, often, always], purposes: [offers],
    unanswered: [cannot say]}
  where: {type: choice, text: 'Where do you buy?', options: [shop, app], purposes: [service], sensitive: true}
  helps: {type: choices, text: 'What helps?', options: [search, chat, nothing], exclusive: [nothing], most: 2}
  books: {type: number, text: 'How many a year?', least: 0, most: 400, whole: true, unit: book}
  yes: {type: consent, text: 'May we?', purpose: offers}
scores:
  love: {items: [likes, bored], reversed: [bored], minimum_answered: 1}
  total: {items: [likes, bored], reversed: [bored], method: sum}
"""


@pytest.fixture(scope="module")
def survey():
    return Survey.parse(TEXT, "reading.yaml")


ROWS = [
    {"respondent": "a", "likes": "always", "bored": 1, "where": "app", "helps": ["chat", "search"], "books": 12},
    {"respondent": 7, "likes": 2, "bored": "cannot say", "helps": [], "yes": True},
    {"respondent": "c", "bored": "often", "helps": "nothing", "yes": "no", "books": None},
]


def test_answers_become_features_in_the_words_of_the_survey(survey):
    table = survey.features(ROWS)
    assert list(table.index) == ["a", "7", "c"]
    assert list(table.columns) == ["likes", "bored", "where", "helps: search", "helps: chat", "helps: nothing", "books"]
    assert table["likes"].tolist() == ["always", "rarely", np.nan]
    assert table["likes"].cat.ordered
    assert list(table["likes"].cat.categories) == ["never", "rarely", "often", "always"]
    assert table["helps: chat"].tolist() == [True, False, False]
    assert table["bored"].isna().tolist() == [False, True, False]
    assert not table["where"].cat.ordered
    assert set(survey.policy_features()) == {*table.columns, *survey.scores}


def test_scores_count_from_the_other_end_where_agreeing_means_less(survey):
    scores = survey.score(ROWS)
    assert scores["love"].tolist() == [4.0, 2.0, 2.0]
    assert scores["total"].tolist()[0] == 8.0
    assert scores["total"].isna().tolist() == [False, True, True]


def test_every_kind_of_table_says_the_same(survey):
    flat = [{**row, "respondent": str(row["respondent"]), "helps": "; ".join(row["helps"]) if
             isinstance(row["helps"], list) else row["helps"]} for row in ROWS]  # fmt: skip
    flat = [{name: row.get(name) for name in ("respondent", "where", "helps", "books")} for row in flat]
    expected = survey.read(flat)
    assert survey.read(pd.DataFrame(flat)) == expected
    assert survey.read(pl.DataFrame(flat)) == expected


def test_tables_with_open_questions_hold_whole_numbers_as_decimals(survey):
    table = pd.DataFrame({"respondent": ["a", "b"], "likes": [4, np.nan], "books": [3, None], "yes": [True, None]})
    table["where"] = pd.Categorical(["app", None], categories=["app", "fax"])
    answers = survey.read(table)
    assert answers.values["likes"] == ("always", None)
    assert answers.values["books"] == (3.0, None)
    assert answers.values["yes"] == (True, None)
    assert answers.values["where"] == ("app", None)


def test_the_policy_says_that_people_told_it_themselves(survey):
    told = survey.policy_features()
    assert {feature.source for feature in told.values()} == {"zero-party"}
    assert told["books"].origin == "you told us (our survey on reading)"
    assert told["helps: chat"].label == "What helps?: chat"
    assert told["where"].sensitive
    assert told["love"].purposes == ("offers",)
    with pytest.raises(ParameterError, match="makes no column 'lov'"):
        survey.policy_features(["lov"])
    policy = xseg.Policy(purposes=dict(survey.purposes), features=told)
    assert xseg.Policy.parse(policy.to_yaml()) == policy


def test_what_people_said_is_on_their_cards(survey):
    rng = np.random.default_rng(0)
    rows = [{"respondent": i, "likes": int(a), "books": int(30 * a)} for i, a in enumerate(rng.integers(1, 5, 300))]
    table = survey.features(rows)[["likes", "books"]]
    policy = xseg.Policy(purposes=dict(survey.purposes), features=survey.policy_features(table.columns))
    segmenter = xseg.TreeSegmenter(2, random_state=0).fit(table)
    card = xseg.make_cards(segmenter, table, policy=policy)[0]
    assert card.reasons[0].origin.source == "zero-party"
    assert xseg.verify_card(segmenter, table.head(1), card=card, policy=policy).holds


words = st.text(st.characters(codec="utf-8", exclude_characters=";", exclude_categories=["C", "Z"]), min_size=1)
scales = st.lists(words, min_size=2, max_size=7, unique=True)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), scale=scales, options=scales)
def test_round_trips(data, scale, options):
    survey = Survey(
        id="s",
        title="t",
        questions={
            "a": {"type": "likert", "text": "x", "scale": scale},
            "b": {"type": "choice", "text": "x", "options": options},
            "c": {"type": "choices", "text": "x", "options": options},
            "d": {"type": "number", "text": "x", "least": -5, "most": 5},
        },
    )
    again = Survey.parse(survey.to_yaml())
    assert again == survey
    assert again.digest == survey.digest
    said = {
        "a": st.sampled_from(scale),
        "b": st.sampled_from(options),
        "c": st.lists(st.sampled_from(options), unique=True),
        "d": st.floats(-5, 5),
    }
    rows = data.draw(st.lists(st.fixed_dictionaries({}, optional=said), max_size=6))
    answers = survey.read([{"respondent": i, **row} for i, row in enumerate(rows)])
    assert survey.read(answers.to_records()) == answers
    table = survey.features(answers)
    for i, row in enumerate(rows):
        for name in "abd":
            value = table[name].iloc[i]
            assert (value == row[name]) if name in row else pd.isna(value)
        for option in options:
            value = table[f"c: {option}"].iloc[i]
            assert (value == (option in row["c"])) if "c" in row else pd.isna(value)


@settings(max_examples=100, deadline=None)
@given(
    answers=st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=1, max_size=6),
    data=st.data(),
    method=st.sampled_from(["sum", "mean"]),
)
def test_a_score_is_the_mean_of_what_was_answered(answers, data, method):
    names = [f"q{i}" for i in range(len(answers))]
    turned = data.draw(st.sets(st.sampled_from(names)))
    needed = data.draw(st.integers(1, len(names)))
    question = {"type": "likert", "text": "x", "scale": list("abcde")}
    score = {"items": names, "reversed": sorted(turned), "method": method, "minimum_answered": needed}
    survey = Survey(id="s", title="t", questions=dict.fromkeys(names, question), scores={"total": score})
    found = survey.score([{"respondent": 1, **dict(zip(names, answers, strict=True))}])["total"].iloc[0]
    parts = [6 - a if n in turned else a for n, a in zip(names, answers, strict=True) if a is not None]
    if len(parts) < needed:
        assert np.isnan(found)
    else:
        mean = Fraction(sum(parts), len(parts))
        assert found == pytest.approx(float(mean * (len(names) if method == "sum" else 1)))
        opposite = {**score, "reversed": sorted(set(names) - turned)}
        other = Survey(id="s", title="t", questions=dict.fromkeys(names, question), scores={"total": opposite})
        mirrored = other.score([{"respondent": 1, **dict(zip(names, answers, strict=True))}])["total"].iloc[0]
        assert found + mirrored == pytest.approx(6 * (len(names) if method == "sum" else 1))


BAD_ANSWERS = [
    ({"liks": 1}, r"row 1: 'liks' is not a question of this survey. Did you mean 'likes'\?"),
    ({"likes": 5}, r"row 1, question 'likes': 5 is outside the scale; it has steps 1 to 4"),
    ({"likes": 0}, r"outside the scale"),
    ({"likes": "Always"}, r"Did you mean 'always'\?"),
    ({"likes": True}, r"True is not a step of the scale"),
    ({"likes": 1.5}, r"1.5 is not a step"),
    ({"likes": float("inf")}, r"inf is not a step"),
    ({"likes": ["often"]}, r"is not a step"),
    ({"where": 1}, r"1 is none of 'shop', 'app'"),
    ({"helps": ["chat", "nothing"]}, r"'nothing' stands alone, and 2 options are chosen"),
    ({"helps": "chat;chat"}, r"'chat' is chosen twice"),
    ({"helps": 3}, r"3 is not a list of options"),
    ({"helps": {"chat": 1}}, r"is not a list of options"),
    ({"books": 1.5}, r"1.5 is not a whole number"),
    ({"books": 401}, r"401 is outside 0 to 400"),
    ({"books": "12"}, r"'12' is not a number"),
    ({"books": True}, r"True is not a number"),
    ({"books": float("inf")}, r"inf is not a number"),
    ({"yes": 1}, r"1 is neither yes nor no"),
    ({"yes": "Yes"}, r"'Yes' is neither"),
    ({"respondent": "a"}, r"row 1: 'a' has answered already, in row 0"),
    ({"respondent": "x"}, r"row 1: 'x' is not among the 2 people who were asked"),
    ({"respondent": None}, r"row 1: respondent is None; each row says whose"),
    ({"respondent": " "}, r"each row says whose"),
    ({"respondent": 1.5}, r"each row says whose"),
    ({"respondent": True}, r"each row says whose"),
    ({"respondent": float("nan")}, r"each row says whose"),
    ({"respondent": 2**64}, r"each row says whose"),
    ({"respondent": 10**5_000}, r"each row says whose"),
    ({"respondent": "b" * 201}, r"each row says whose"),
    ({"respondent": " a "}, r"row 1: ' a ' has answered already, in row 0"),
    ({"likes": 10**5_000}, r"a int is outside the scale"),
    ({"likes": "x" * 10**6}, r"'xxx.*\.\.\. is none of"),
    ({"x" * 10**6: 1}, r"'xxx.*\.\.\. is not a question"),
    ({3: 1}, r"3 is not a question"),
    ({"where": 10**5_000}, r"a int is none of"),
    ({"books": 10**400}, r"is not a number"),
    ({"books": 10**5_000}, r"a int is not a number"),
    ({"books": float("nan"), "likes": -1}, r"-1 is outside the scale"),
    ({"books": Fraction(10**400, 3)}, r"is not a number"),
    ({"yes": 10**5_000}, r"a int is neither yes nor no"),
    ({"helps": [10**5_000]}, r"a int is none of"),
]


@pytest.mark.parametrize(("answer", "said"), BAD_ANSWERS)
def test_bad_answers_are_refused_by_row_and_question(survey, answer, said):
    with pytest.raises(DataError, match=said) as refused:
        survey.read([{"respondent": "a"}, {"respondent": "b", **answer}], known=["a", "b"])
    assert len(str(refused.value)) < 1_000


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=3)
    | st.complex_numbers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(
        st.dictionaries(st.sampled_from(["respondent", "likes", "where", "helps", "books", "yes", "x"]), junk),
        max_size=3,
    )
)
def test_whatever_is_said_is_an_answer_or_is_refused(survey, rows):
    try:
        answers = survey.read(rows)
    except DataError:
        return
    assert len(answers) == len(rows)
    assert survey.read(answers.to_records()) == answers
    assert len(survey.features(answers)) == len(rows)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_a_survey_or_is_refused(data):
    place = data.draw(st.integers(0, len(TEXT)))
    cut = data.draw(st.integers(0, 12))
    put = data.draw(st.text(max_size=4))
    try:
        survey = Survey.parse(TEXT[:place] + put + TEXT[place + cut :])
    except DefinitionError:
        return
    assert Survey.parse(survey.to_yaml()) == survey


def test_all_problems_are_listed_in_the_order_of_the_rows(survey):
    rows = [{"respondent": i, "likes": 9} for i in range(30)]
    with pytest.raises(DataError) as error:
        survey.read(rows)
    told = str(error.value).splitlines()
    assert told[0] == "the answers have 30 problems:"
    assert told[1].startswith("  row 0, question 'likes'")
    assert told[-1] == "  and 10 more"


@pytest.mark.parametrize("given", [3, None, "text", object()])
def test_what_is_no_table_is_refused(survey, given):
    with pytest.raises(UnsupportedTypeError):
        survey.read(given)
    with pytest.raises(DataError, match="row 0 is a int"):
        survey.read([3])


def test_one_person_answers_once_however_the_name_is_typed(survey):
    for first, again in ((1, "1"), ("a", "a "), ("\u00e9", "e\u0301"), (np.int64(4), 4)):
        with pytest.raises(DataError, match="has answered already, in row 0"):
            survey.read([{"respondent": first, "likes": 1}, {"respondent": again, "likes": 4}])
    assert survey.read([{"respondent": "a", "likes": 1}, {"respondent": "A", "likes": 4}]).respondents == ("a", "A")


def test_two_columns_of_one_name_are_refused(survey):
    with pytest.raises(DataError, match="two columns have one name"):
        survey.read(pd.DataFrame([["a", 1, 4]], columns=["respondent", "likes", "likes"]))


def test_answers_to_another_version_are_refused(survey):
    other = Survey.parse(TEXT.replace("Books bore me.", "Books please me."))
    answers = survey.read(ROWS)
    for use in (other.features, other.score, lambda said: other.receipts(said, at=NOW), other.read):
        with pytest.raises(DataError, match="read them with the survey that was answered"):
            use(answers)


def test_only_a_plain_yes_lets_answers_be_used(survey):
    used = survey.features(ROWS, purpose="offers")
    assert list(used.columns) == ["likes", "bored"]
    assert used["likes"].isna().tolist() == [True, False, True]
    assert survey.score(ROWS, purpose="offers")["love"].isna().tolist() == [True, False, True]
    assert survey.features(ROWS, purpose="service")["likes"].isna().tolist() == [False, False, True]
    with pytest.raises(ParameterError, match=r"Did you mean 'offers'\?"):
        survey.features(ROWS, purpose="offer")


def test_receipts_are_written_for_a_yes_and_for_nothing_else(survey):
    (receipt,) = survey.receipts(ROWS, at=NOW)
    assert (receipt.respondent, receipt.survey, receipt.version) == ("7", "reading", survey.digest)
    assert receipt.until == "2026-12-24T12:00:00+00:00"
    receipt.check(survey, at=NOW)
    ledger = Ledger(clock=lambda: NOW)
    entry = ledger.append(**receipt.statement())
    assert ledger.mask(["7", "8"], receipt.purpose, at=NOW).tolist() == [True, False]
    assert not ledger.mask(["7"], receipt.purpose, at=NOW + timedelta(days=31))[0]
    assert entry.reference == f"reading@{survey.digest}"


def test_forged_replayed_expired_and_early_receipts_are_refused(survey):
    (receipt,) = survey.receipts(ROWS, at=NOW)
    for name in ("respondent", "survey", "version", "purpose", "at", "until", "digest"):
        with pytest.raises(DataError, match="altered"):
            replace(receipt, **{name: "x"}).check(survey, at=NOW)
        with pytest.raises(DataError, match="altered"):
            replace(receipt, **{name: object()}).check(survey, at=NOW)
    other = Survey.parse(TEXT.replace("May we?", "May we do more?"))
    with pytest.raises(DataError, match="ask again"):
        receipt.check(other, at=NOW)
    with pytest.raises(DataError, match="it ended at 2026-12-24"):
        receipt.check(survey, at=NOW + timedelta(days=30))
    receipt.check(survey, at=NOW + timedelta(days=29))
    with pytest.raises(DataError, match="has not come yet"):
        receipt.check(survey, at=NOW - timedelta(seconds=1))
    with pytest.raises(DataError, match="no time zone"):
        survey.receipts(ROWS, at=datetime(2026, 11, 24))


@pytest.mark.parametrize("now", [datetime(2026, 1, 1), NOW.date(), "2026-01-01T00:00:00Z", 0, float("nan")])
def test_receipts_need_a_time_with_its_zone(survey, now):
    (receipt,) = survey.receipts(ROWS, at=NOW)
    # Text is a time for `receipts`, which reads columns of it, and none for `check`.
    asks = [
        lambda: receipt.check(survey, at=now),
        *([] if isinstance(now, str) else [lambda: survey.receipts(ROWS, at=now)]),
    ]
    for ask in asks:
        with pytest.raises(DataError, match="time zone"):
            ask()


def test_receipts_end_within_the_calendar(survey):
    long = Survey.parse(TEXT.replace("retention_days: 30", "retention_days: 99999999999"))
    for asked, now in ((survey, datetime(9999, 12, 31, tzinfo=UTC)), (long, NOW)):
        with pytest.raises(DataError, match=r"is outside the calendar; shorten the purpose's retention_days"):
            asked.receipts(ROWS, at=now)


def test_a_receipt_that_is_replayed_after_a_withdrawal_changes_nothing(survey):
    (receipt,) = survey.receipts(ROWS, at=NOW)
    ledger = Ledger(clock=lambda: NOW + timedelta(days=2))
    ledger.append(**receipt.statement())
    ledger.append("7", "offers", "withdrawn", source="account", at=NOW + timedelta(days=1))
    for _ in range(2):
        ledger.append(**receipt.statement())
        assert not ledger.mask(["7"], "offers", at=NOW + timedelta(days=2))[0]


def test_answers_before_the_consent_do_not_count_and_do_after(survey):
    (receipt,) = survey.receipts(ROWS, at=NOW)
    ledger = Ledger(clock=lambda: NOW)
    ledger.append(**receipt.statement())
    assert not ledger.mask(["7"], "offers", at=NOW - timedelta(seconds=1))[0]
    assert ledger.mask(["7"], "offers", at=NOW)[0]
    # Whoever answered first and agrees only now is a new reading of the same answers.
    before = survey.read([{"respondent": "b", "likes": 3}])
    assert survey.features(before, purpose="offers")["likes"].isna().all()
    assert survey.receipts(before, at=NOW) == ()
    after = survey.read([{**before.to_records()[0], "yes": True}])
    assert survey.features(after, purpose="offers")["likes"].tolist() == ["often"]


BAD_SURVEYS = [
    ("likes: {type: likert", "likes: {type: likrt", r"line 8: questions.likes: .*likrt"),
    ("unit: book", "unti: book", r"line 13: questions.books.unti: unknown key; .*Did you mean 'unit'\?"),
    ("reversed: [bored], min", "reversed: [boring], min", r"line 16: scores.love.reversed: 'boring' is not an item"),
    ("items: [likes, bored], reversed: [bored], min", "items: [likes, where], min", r"'where' has no range"),
    ("items: [likes, bored], reversed: [bored], min", "items: [likes, books], min", r"have different ranges"),
    ("items: [likes, bored], reversed: [bored], min", "items: [likes, likes], min", r"'likes' is there twice"),
    ("minimum_answered: 1", "minimum_answered: 3", r"3 answers are asked for, and there are 2 items"),
    ("minimum_answered: 1", "minimum_answered: 0", r"line 16: scores.love.minimum_answered"),
    ("  love:", "  likes:", r"scores.likes: a question has the same name"),
    ("[offers, service]", "[offers, servce]", r"'servce' is not declared under purposes. Did you mean 'service'\?"),
    ("purpose: offers", "purpose: service", r"purposes.offers: rests on consent, and no question of type consent"),
    ("purpose: offers", "purpose: offrs", r"questions.yes.purpose: 'offrs' is not declared"),
    ("exclusive: [nothing]", "exclusive: [none]", r"'none' is not an option"),
    ("[search, chat, nothing]", "['a;b', chat, nothing]", r"stands between the options"),
    ("[shop, app]", "[shop]", r"line 11: questions.where.options"),
    ("[shop, app]", "[shop, shop]", r"'shop' is there twice"),
    ("unanswered: [cannot say]", "unanswered: [often]", r"it is an answer or it is none"),
    ("least: 0, most: 400", "least: 4, most: 4", r"4 is not above least"),
    ("id: reading", "id: 3 x", r"line 2: id"),
    ("version: 1", "version: 2", r"line 1: version"),
    ("title: our", "id: our", r"repeats keys"),
    ("title: our", "title: &a our", r"the anchor '&a'.*"),
    ("sensitive: true", "sensitive: maybe", r"sensitive"),
    ("title: our", "title: *a our", r"alias|anchor|not a survey in YAML"),
    ("id: reading", "id: !!python/name:os.system reading", r"found the tag"),
    ("id: reading", "id: reading\n<<: {id: x}", r"<<: unknown key"),
    ("  bored: {", "  likes: {", r"questions.likes: already given on line 8"),
    ("least: 0", "least: .nan", r"questions.books.least"),
    ("most: 400", "most: .inf", r"questions.books.most"),
    ("least: 0", "least: 1e999", r"questions.books.least"),
    ("[never, rarely, often, always], purposes: [offers, service]", "[1, 2]", r"put it in quotes"),
    ("type: choice,", "type: [choice],", r"questions.where"),
    ("scores:", "---\nscores:", r"expected a single document"),
]


@pytest.mark.parametrize(("part", "instead", "said"), BAD_SURVEYS)
def test_bad_surveys_are_refused_by_line(part, instead, said):
    assert part in TEXT
    with pytest.raises(DefinitionError, match=said):
        Survey.parse(TEXT.replace(part, instead, 1))


def test_giant_and_deep_surveys_are_refused():
    for instead, said in (("[" * 2_000, "nesting deeper"), ("x" * 2**20, "at most 1,048,576 bytes")):
        with pytest.raises(DefinitionError, match=said):
            Survey.parse(TEXT.replace("our survey on reading", instead))


@pytest.mark.parametrize("text", ["", "[]", "id: a", "id: a\ntitle: b\nquestions: {}", "a: [", "questions: 3"])
def test_what_is_no_survey_is_refused(text):
    with pytest.raises(DefinitionError):
        Survey.parse(text)


def test_files(survey, tmp_path):
    survey.save(tmp_path / "s.yaml")
    assert Survey.load(tmp_path / "s.yaml") == survey
    with pytest.raises(DefinitionError, match="cannot read the survey file"):
        Survey.load(tmp_path / "none.yaml")
    with pytest.raises(DefinitionError, match="cannot write the survey file"):
        survey.save(tmp_path / "no" / "s.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(DefinitionError, match="not UTF-8"):
        Survey.load(tmp_path / "bad.yaml")


def test_every_change_of_words_is_another_version(survey):
    for part in ("on reading", "do you buy?", "app]", "30", "most: 2", "unit: book", "bored], min", "method: sum"):
        other = part.replace("o", "0", 1) if "most" not in part and "method" not in part else part
        other = {"30": "31", "most: 2": "most: 1", "app]": "app, web]", "method: sum": "method: mean",
                 "bored], min": "likes], min"}.get(part, other)  # fmt: skip
        assert Survey.parse(TEXT.replace(part, other, 1)).digest != survey.digest
    assert len(Answers(survey.digest, (), {})) == 0


def test_the_keys_that_a_message_names_are_those_of_a_survey():
    assert list_keys(("x",)) == tuple(Survey.model_fields)


YESES = [
    {"respondent": "a", "yes": True, "when": "2023-06-01T10:00:00+02:00"},
    {"respondent": "b", "yes": True, "when": "2024-02-29T23:59:59Z"},
    {"respondent": "c", "yes": False, "when": None},
]


@pytest.mark.parametrize("form", [list, pd.DataFrame, pl.DataFrame])
def test_each_yes_is_dated_when_it_was_said(survey, form):
    expected = ["2023-06-01T08:00:00+00:00", "2024-02-29T23:59:59+00:00"]
    assert [one.at for one in survey.receipts(form(YESES), at="when")] == expected
    bare = form([{name: row[name] for name in ("respondent", "yes")} for row in YESES])
    times = [row["when"] for row in YESES]
    assert [one.at for one in survey.receipts(bare, at=times)] == expected
    assert [one.at for one in survey.receipts(bare, at=pd.to_datetime(times, utc=True, format="ISO8601"))] == expected
    assert {one.at for one in survey.receipts(bare, at=NOW)} == {NOW.isoformat()}
    assert {one.at for one in survey.receipts(bare, at="2026-11-24T12:00:00Z")} == {NOW.isoformat()}


@pytest.mark.parametrize(
    "at", [None, 7, "wehn", "2026-11-24", "2026-11-24T12:00:00", [NOW], [NOW, None, None], [NOW, "x", NOW], []]
)
def test_no_yes_is_dated_without_a_time(survey, at):
    rows = [{name: row[name] for name in ("respondent", "yes")} for row in YESES]
    with pytest.raises(DataError):
        survey.receipts(rows, at=at)
    with pytest.raises(TypeError):
        survey.receipts(rows)
