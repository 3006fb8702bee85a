"""A ledger in CSV is read back to the letter, and no cell of it is a formula for a spreadsheet."""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xseg.exceptions import ConsentError, UnknownPurposeWarning
from xseg.governance.consent import Ledger

SIGNS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
texts = st.builds(
    lambda quotes, sign, rest: f"{quotes}{sign}{rest}x",
    st.sampled_from(["", "'", "''", '"']),
    st.sampled_from(["", *SIGNS, "=cmd|' /C calc'!A0"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
).filter(lambda text: text == text.strip())


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(said=st.lists(st.tuples(texts, texts, texts, st.none() | texts), min_size=1, max_size=4))
def test_every_text_comes_back_and_none_is_run(said, tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "ledger.csv"
    ledger = Ledger()
    for subject, purpose, reference, feature in said:
        ledger.append(subject, purpose, "withdrawn", source="account", reference=reference, feature=feature)
    ledger.save(path)
    again = Ledger.load(path, head=ledger.head)
    assert [again[number] for number in range(len(again))] == [ledger[number] for number in range(len(ledger))]
    with path.open(encoding="utf-8", newline="") as stream:
        for row in list(csv.reader(stream))[1:]:
            assert not [cell for cell in row if cell[:1] and cell[0] in SIGNS]


def test_a_cell_that_was_edited_is_still_found(tmp_path):
    ledger = Ledger()
    ledger.append("=1+1", "offers", "given", source="account")
    ledger.save(tmp_path / "ledger.csv")
    text = (tmp_path / "ledger.csv").read_text()
    assert "'=1+1" in text
    (tmp_path / "ledger.csv").write_text(text.replace("'=1+1", "'=1+2"))
    with pytest.raises(ConsentError):
        Ledger.load(tmp_path / "ledger.csv")


def test_a_purpose_of_which_nobody_spoke_is_named_with_the_nearest():
    ledger = Ledger()
    assert not ledger.mask(["ann"], "offers").any()
    ledger.append("ann", "offers", "given", source="account")
    with pytest.warns(UnknownPurposeWarning, match="'offer'.*'offers'"):
        assert not ledger.mask(["ann"], "offer").any()
    assert ledger.mask(["ann"], "offers").all()
    everything = Ledger()
    everything.append("ann", "*", "withdrawn", source="account")
    assert not everything.mask(["ann"], "offers").any()
