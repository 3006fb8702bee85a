"""A language from outside the package: one file, and every card can be written in it."""

import tomllib
from importlib.resources import files

import pytest

import xseg
from xseg.cards import WriteOptions, _write_cards, write_cards
from xseg.exceptions import DefinitionError, ParameterError, UntranslatedTextsWarning
from xseg.i18n import _catalogues, register_language

ENGLISH = files("xseg.i18n").joinpath("catalogues", "en.toml").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _no_language_stays_registered(monkeypatch):
    monkeypatch.setattr(_catalogues, "_REGISTERED", {})


def test_cards_are_written_and_verified_in_a_registered_language(tmp_path):
    file = tmp_path / "da.toml"
    text = ENGLISH.replace('cldr = "en_001"\n', "").replace("You are in “{group}”", "Du er i “{group}”")
    file.write_text(text.replace("unfit = [\n", 'unfit = [\n  "skynd dig",\n'), encoding="utf-8")
    assert register_language(file) == "da"

    customers = xseg.make_customers(300, random_state=0)
    segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    cards = xseg.make_cards(segmenter, customers.head(2), locale="da")
    assert "Du er i “" in cards[0].text()
    assert 'lang="da"' in cards[0].html()
    assert all(check.holds for check in xseg.verify_cards(segmenter, customers.head(2), cards=cards))


@pytest.mark.parametrize(
    ("name", "change", "error"),
    [
        ("da.toml", ("{group}", "gruppen"), "leaves out {group}"),
        ("da.toml", ("alternative =", "other ="), "lacks 1: card.alternative"),
        ("da.toml", ("[words_to_avoid]", "[words]"), "words_to_avoid"),
        ("da.toml", ("[card]", "[card"), "is not a catalogue"),
    ],
)
def test_a_catalogue_that_leaves_something_out_is_refused(tmp_path, name, change, error):
    file = tmp_path / name
    file.write_text(ENGLISH.replace(*change, 1), encoding="utf-8")
    with pytest.raises(DefinitionError, match=error):
        register_language(file)


def test_a_language_has_one_catalogue(tmp_path):
    file = tmp_path / "de.toml"
    file.write_text(ENGLISH, encoding="utf-8")
    with pytest.raises(ParameterError, match=r"got de\.toml"):
        register_language(file)
    with pytest.raises(DefinitionError, match="cannot read"):
        register_language(tmp_path / "da.toml")


def test_every_built_in_catalogue_would_be_accepted(tmp_path):
    for entry in files("xseg.i18n").joinpath("catalogues").iterdir():
        text = entry.read_text(encoding="utf-8")
        assert "words_to_avoid" in tomllib.loads(text)
        file = tmp_path / f"x-{entry.name}"
        file.write_text(text, encoding="utf-8")
        assert register_language(file) == file.stem


@pytest.mark.slow
def test_processes_that_write_cards_know_a_registered_language(tmp_path, monkeypatch):
    monkeypatch.setattr(_write_cards, "PEOPLE_IN_A_PART", 20)
    file = tmp_path / "da.toml"
    file.write_text(ENGLISH, encoding="utf-8")
    register_language(file)
    customers = xseg.make_customers(300, random_state=0)
    segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    rows = customers.head(60)
    options = WriteOptions(n_jobs=2)
    written = write_cards(segmenter, rows, folder=tmp_path / "cards", ids=rows.index, locale="da", options=options)
    assert len(list(written.folder.rglob("*.html"))) == 60


def test_cards_in_a_language_that_the_policy_lacks_words_in_say_so_or_are_refused(customers_and_model):
    customers, model = customers_and_model
    policy = {"features": {"orders_90d": {"label": "orders in 90 days"}}, "translations": {"de": {}}}
    with pytest.warns(UntranslatedTextsWarning, match=r"'de'.*features\.orders_90d\.label"):
        xseg.make_cards(model, customers, policy=policy, locale="de")
    with pytest.raises(DefinitionError, match=r"translations\.de"):
        xseg.make_cards(model, customers, policy=policy, locale="de", strict_locale=True)
    whole = xseg.datasets.customers_policy(segments=True)
    for locale in whole.translations:
        assert whole.list_untranslated(locale) == []


@pytest.fixture(scope="module")
def customers_and_model():
    customers = xseg.make_customers(400, random_state=0)
    return customers, xseg.TreeSegmenter(3, segment_names=["A1", "B1", "C1"], random_state=0).fit(customers)
