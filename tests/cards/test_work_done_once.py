from datetime import UTC, datetime

import pytest

import xseg
import xseg.core.tables
import xseg.export._model_file

NOW = datetime(2026, 5, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def customers():
    return xseg.make_customers(500, random_state=0)


@pytest.fixture
def segmenter(customers):
    return xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)


@pytest.fixture
def counted(monkeypatch):
    """Count the calls of a private function of a module."""

    def count(module, name):
        calls, inner = [], getattr(module, name)

        def counting(*arguments, **options):
            calls.append(arguments)
            return inner(*arguments, **options)

        monkeypatch.setattr(module, name, counting)
        return calls

    return count


def test_a_model_is_serialised_once_for_all_its_cards(segmenter, customers, counted):
    calls = counted(xseg.export._model_file, "_describe")
    first = xseg.make_cards(segmenter, customers, at=NOW)[0]
    second = xseg.make_cards(segmenter, customers.head(3), at=NOW, locale="de")[0]
    assert xseg.verify_card(segmenter, customers.head(1), card=first).holds
    assert first.model == second.model == xseg.export.fingerprint(segmenter)
    assert len(calls) == 1


def test_a_model_that_is_fitted_again_or_has_other_parameters_has_another_fingerprint(segmenter, customers):
    prints = [xseg.export.fingerprint(segmenter)]
    segmenter.set_params(random_state=1)
    prints.append(xseg.export.fingerprint(segmenter))
    prints.append(xseg.export.fingerprint(segmenter.fit(customers.tail(400))))
    assert len(set(prints)) == 3


def test_cards_read_their_table_once(segmenter, customers, counted):
    calls = counted(xseg.core.tables, "_read_frame")
    card = xseg.make_cards(segmenter, customers.head(5), at=NOW)[0]
    assert len(calls) == 1
    calls.clear()
    assert xseg.verify_card(segmenter, customers.head(1), card=card).holds
    # The other reads are of rows that are not the person's: those with a change that the card speaks of.
    n_changes = sum(
        change is not None and bool(change.requirements) for change in (card.alternative, card.counterfactual)
    )
    assert len(calls) == 1 + n_changes
