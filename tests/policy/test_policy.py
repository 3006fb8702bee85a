"""A policy says what it means, or says where it does not."""

import json
import re
from contextlib import suppress
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from xseg.exceptions import DefinitionError, XsegError
from xseg.policy import FeaturePolicy, Policy, Purpose, RightLink

FULL = """\
version: 1
controller: {name: Harbour Books, contact: privacy@harbour.example}
minimum_group_size: 20
purposes:
  offers: {label: choosing offers, concept: dpv:PersonalisedAdvertising, legal_basis: consent, retention_days: 365}
rights:
  object: https://harbour.example/me/object
  person: {label: ask us, url: "mailto:privacy@harbour.example"}
features:
  spend_year: {label: spend, unit: EUR, number_format: "#,##0.00", source: first-party, purposes: [offers]}
  area_income: {source: third-party, vendor: GeoStat Ltd}
segments:
  Loyal readers: {sentence: You read a lot., consequence: You see new books first.}
"""

words = st.text(min_size=1, max_size=20).filter(str.strip)
names = st.text(max_size=12) | st.sampled_from(
    ["no", "yes", "null", "1", "2026-01-01", "12:30", "<<", "=", "~", "0123"]
)
features = st.fixed_dictionaries(
    {},
    optional={
        "label": words,
        "unit": words,
        "number_format": st.sampled_from(["0", "#,##0.00", "0%", "¤#,##0.00"]),
        "source": st.sampled_from(["second-party", "third-party"]),
        "collected_from": words,
        "window_days": st.integers(min_value=1, max_value=4000),
        "purposes": st.lists(st.sampled_from(["offers", "no"])),
        "sensitive": st.booleans(),
        "mutable": st.none() | st.booleans(),
        "direction": st.sampled_from(["up", "down", None]),
        "shown": st.booleans(),
    },
)
policies = st.builds(
    Policy,
    minimum_group_size=st.integers(min_value=1, max_value=10**9),
    controller=st.none() | st.fixed_dictionaries({"name": words, "contact": words}),
    purposes=st.just({"offers": {"label": "offers"}, "no": {"label": "No", "retention_days": 3}}),
    rights=st.dictionaries(names, st.just("https://harbour.example/")),
    vendors=st.dictionaries(
        names,
        st.fixed_dictionaries(
            {},
            optional={
                "contract": st.booleans(),
                "audited": st.dates(),
                "propagates_opt_out": st.none() | st.booleans(),
            },
        ),
        max_size=2,
    ),
    features=st.dictionaries(names, features, max_size=4),
    segments=st.dictionaries(names, st.fixed_dictionaries({"sentence": words}), max_size=2),
)


def message_of(text: str) -> str:
    with pytest.raises(DefinitionError) as caught:
        Policy.parse(text, source="p.yaml")
    return str(caught.value)


def test_an_empty_policy_claims_nothing():
    policy = Policy()
    assert policy.minimum_group_size == 50
    assert policy.feature("x") == FeaturePolicy(label="x")
    assert policy.feature("x").origin == "source not stated"


def test_every_field_is_read():
    policy = Policy.parse(FULL)
    assert policy.controller is not None
    assert policy.controller.name == "Harbour Books"
    assert policy.purposes["offers"] == Purpose(
        label="choosing offers", concept="dpv:PersonalisedAdvertising", legal_basis="consent", retention_days=365
    )
    assert policy.rights["object"] == RightLink(url="https://harbour.example/me/object")
    assert policy.features["spend_year"].purposes == ("offers",)
    assert policy.segments["Loyal readers"].consequence == "You see new books first."


@given(policies)
@example(Policy(segments={"\x85": {"sentence": "a\u2028b"}}))
def test_yaml_round_trip(policy):
    assert Policy.parse(policy.to_yaml()) == policy


@pytest.mark.slow
@given(policies)
def test_what_is_written_satisfies_the_published_schema(policy):
    jsonschema.validate(yaml.safe_load(json.dumps(policy.model_dump(mode="json"))), Policy.json_schema())


def test_schema_accepts_short_rights_and_refuses_unknown_keys():
    schema = Policy.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(FULL), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"featurez": {}}, schema)


@given(st.text(max_size=60) | st.text(alphabet="&*!{}[]:- \n\t'\"#|>?%@a1", max_size=60))
def test_any_text_gives_a_policy_or_a_policy_error(text):
    with suppress(DefinitionError):
        assert isinstance(Policy.parse(text), Policy)


@pytest.mark.parametrize("path", ["policy.yaml", Path("policy.yaml")])
def test_save_and_load(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    policy = Policy.parse(FULL)
    policy.save(path)
    assert Policy.load(path) == policy == Policy.coerce(path)
    assert [file.name for file in tmp_path.iterdir()] == ["policy.yaml"]


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "policy.yaml"
    file.write_text("minimum_group_size: 7")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(DefinitionError, match="No space left"):
        Policy().save(file)
    assert Policy.load(file).minimum_group_size == 7
    assert list(tmp_path.iterdir()) == [file]


def test_of_takes_what_people_have():
    policy = Policy(minimum_group_size=3)
    assert Policy.coerce(policy) is policy
    assert Policy.coerce(None) == Policy()
    assert Policy.coerce({"minimum_group_size": 3}) == policy
    with pytest.raises(DefinitionError, match=r"Policy\.parse"):
        Policy.coerce("version: 1\nfeatures: {}")
    with pytest.raises(DefinitionError, match="int"):
        Policy.coerce(3)


def test_all_problems_are_listed_with_line_and_path():
    message = message_of(
        "version: 2\n"
        "purposes: {offers: {label: 3}}\n"
        "controller: {name: Harbour}\n"
        "features:\n"
        "  spend_year:\n"
        "    sorce: first-party\n"
        "    source: firstparty\n"
        "    purposes: [offers, ofers]\n"
        "  visits: {number_format: abc}\n"
        "minimum_group_size: 0\n"
        "featurez: {}\n"
    )
    lines = message.splitlines()
    assert lines[0] == "p.yaml has 9 problems:"
    assert [line.split(": ")[0].split()[-1] for line in lines[1:]] == ["1", "2", "3", "6", "7", "8", "9", "10", "11"]
    for expected in [
        "purposes.offers.label: found 3",
        "controller.contact: is missing",
        "features.spend_year.sorce: unknown key",
        "Did you mean 'source'?",
        "features.spend_year.source: found 'firstparty'; allowed: 'zero-party', 'first-party'",
        "Did you mean 'first-party'?",
        "features.spend_year.purposes.1: found 'ofers'; not declared under purposes (declared: offers)",
        "Did you mean 'features'?",
    ]:
        assert expected in message


def test_constructing_reports_like_reading():
    with pytest.raises(DefinitionError, match=r"features\.a\.source: found 'me'"):
        Policy(features={"a": {"source": "me"}})
    with pytest.raises(DefinitionError, match=r"features\.a\.purposes\.0: found 'x'"):
        Policy(features={"a": FeaturePolicy(purposes=["x"])})
    assert issubclass(DefinitionError, XsegError)


def test_a_value_with_braces_is_quoted_as_it_is():
    assert "found '{0}{reason}'" in message_of("features: {a: {purposes: ['{0}{reason}']}}")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: [", r"p\.yaml, line 1, column \d+"),
        ("features:\n\t- x", r"line 2, column 1"),
        ("x: !!python/object/apply:os.system [ls]", r"line 1, column 4.*tag"),
        ("a: &x 1", r"anchor '&x'"),
        ("a: *x", r"alias '\*x'"),
        ("[" * 5000, r"nesting deeper"),
        ("a: 1\n---\nb: 2", r"line 2.*another document"),
        ("? [a]\n: 1", r"used as a key"),
        ("- 1", r"holds a list"),
        ("", r"holds nothing"),
        ("# only a comment", r"holds nothing"),
        ("#" * (1 << 20) + "\n", r"1,048,577 bytes"),
        ("\x07", r"cannot be read as YAML"),
        ("version: 1\nfeatures:\n  a: {}\n  b: {}\n  a: {}", r"line 5: features\.a: already given on line 3"),
    ],
)
def test_yaml_that_is_refused(text, found):
    assert re.search(found, message_of(text))


def test_yaml_is_read_as_written():
    policy = Policy.parse("features: {no: {label: No, mutable: yes}, 0123: {unit: 12:30, collected_from: 2026-01-01}}")
    assert policy.features["no"] == FeaturePolicy(label="No", mutable=True)
    assert policy.features["0123"] == FeaturePolicy(unit="12:30", collected_from="2026-01-01")


@pytest.mark.parametrize("content", [b"label: \xff", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    file = tmp_path / "policy.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DefinitionError, match=re.escape(str(file))):
        Policy.load(file)


def test_a_large_file_is_not_read(tmp_path, monkeypatch):
    file = tmp_path / "policy.yaml"
    file.write_bytes(b"#" * ((1 << 20) + 1))
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("read"))
    with pytest.raises(DefinitionError, match="1 MiB"):
        Policy.load(file)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "//harbour.example",
        "/me",
        "https:///me",
        "mailto:",
        "http://[",
        " https://harbour.example",
        "https://harbour.example/\u202e",
    ],
)
def test_links_that_are_refused(url):
    with pytest.raises(DefinitionError, match=r"rights\.object\.url"):
        Policy(rights={"object": url})


@pytest.mark.parametrize(
    ("fields", "origin"),
    [
        ({"source": "zero-party"}, "you told us"),
        ({"source": "zero-party", "collected_from": "your profile"}, "you told us (your profile)"),
        ({"source": "first-party"}, "from your dealings with us"),
        ({"source": "first-party", "collected_from": "your orders"}, "from your orders"),
        ({"source": "third-party", "vendor": "GeoStat Ltd"}, "from partner GeoStat Ltd"),
        ({"source": "second-party"}, "from a partner that is not named"),
        ({}, "source not stated"),
    ],
)
def test_origin(fields, origin):
    assert FeaturePolicy(**fields).origin == origin


@pytest.mark.parametrize("source", ["zero-party", "first-party", None])
def test_only_partners_are_vendors(source):
    with pytest.raises(DefinitionError, match=r"features\.a\.vendor: found 'GeoStat'"):
        Policy(features={"a": {"source": source, "vendor": "GeoStat"}})


def test_feature_keeps_what_is_stated_and_fills_the_label():
    policy = Policy(features={"a": {"unit": "EUR"}, "b": {"label": "bee"}})
    assert policy.feature("a") == FeaturePolicy(label="a", unit="EUR")
    assert policy.feature("b").label == "bee"
    assert policy.features["a"].label is None


def test_check_columns():
    policy = Policy(features={"orders90d": {}, "spend": {}, "moon": {}})
    policy.check_columns(["spend", "moon", "orders90d", "more"])
    with pytest.raises(DefinitionError) as caught:
        policy.check_columns(["orders_90d", "spend"])
    lines = str(caught.value).splitlines()
    assert lines[1:] == [
        "  features.orders90d: no column 'orders90d'. Did you mean 'orders_90d'?",
        "  features.moon: no column 'moon'.",
    ]


def test_a_policy_cannot_be_changed():
    policy = Policy.parse(FULL)
    with pytest.raises(ValueError, match="frozen"):
        policy.minimum_group_size = 1
    with pytest.raises(ValueError, match="frozen"):
        policy.features["spend_year"].sensitive = True


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("vendors: {Geo: {contrct: true}}", "vendors.Geo.contrct: unknown key; allowed: contract, audited"),
        ("vendors: {Geo: {contract: 1}}", "vendors.Geo.contract: found 1"),
        ("vendors: {Geo: {audited: soon}}", "vendors.Geo.audited: found 'soon'"),
        ("features: {spend: {window_days: 0}}", "features.spend.window_days: found 0"),
        ("purposes: {offers: {label: offers, steps_to_agree: 0}}", "purposes.offers.steps_to_agree: found 0"),
        ('rights: {object: {url: "https://harbour.example", steps: 1.5}}', "rights.object.steps: found 1.5"),
    ],
)
def test_what_reviews_read_is_checked(text, found):
    assert found in message_of(text)
