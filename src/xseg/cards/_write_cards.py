"""Writing many cards to a folder, in parallel, so that it can be stopped at any point and taken up again."""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from xseg._files import remove_drafts
from xseg.backends.base import count_workers
from xseg.cards._card_folder import FORMS, PEOPLE_IN_A_PART, build_file_stems, describe_inputs, open_folder, open_sinks
from xseg.cards._card_record import AnyCard
from xseg.cards._consent_facts import ConsentLedger, IdentityLinks, is_consent_gate
from xseg.cards._make_cards import build_cards, find_group_names, make_gated_cards
from xseg.core.pairing import order_like
from xseg.core.tables import read_table
from xseg.exceptions import DataError, ParameterError, UnnamedSegmentsWarning, warn_caller
from xseg.i18n import Catalogue, get_registered_languages, load_language, restore_languages
from xseg.policy import Policy
from xseg.segmenters import SegmenterOrPipeline, find_route, fold

__all__ = ["WriteOptions", "WrittenCards", "write_cards"]


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How `write_cards` goes about it; the cards do not depend on it.

    Parameters
    ----------
    overwrite : bool, default=False
        Whether cards that the folder holds of other inputs, such as those of last month, are removed first. Other files
        in the folder stay.
    n_jobs : int, default=None
        How many workers to use; None and -1 mean every core. More than 10,000 people are shared out among as many
        processes, since Python renders cards in one thread of a process at a time.
    progress : callable, default=None
        Called with the number of people done since the last call.
    """

    overwrite: bool = False
    n_jobs: int | None = None
    progress: Callable[[int], None] | None = None


@dataclass(frozen=True, slots=True)
class WrittenCards:
    """What `write_cards` did.

    Attributes
    ----------
    folder : Path
        Where the cards are.
    n_written : int
        How many people's cards were written now.
    n_kept : int
        How many were there already, from an earlier call that was stopped.
    """

    folder: Path
    n_written: int
    n_kept: int


@dataclass(frozen=True, slots=True)
class _WriteJob:
    """What every worker needs to know."""

    segmenter: SegmenterOrPipeline
    policy: Policy
    folder: Path
    forms: tuple[str, ...]
    issued: datetime
    locale: str | None
    tone: str
    ledger: ConsentLedger | None
    identities: IdentityLinks | None
    languages: Mapping[str, Catalogue]

    def cards(self, rows: Any, ids: Sequence[str]) -> Sequence[AnyCard]:
        """Make the cards of some people."""
        same: dict[str, Any] = {"policy": self.policy, "at": self.issued, "locale": self.locale, "tone": self.tone}
        if is_consent_gate(self.segmenter):
            # That segments have no names was said once, before the parts were shared out.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnnamedSegmentsWarning)
                return make_gated_cards(self.segmenter, rows, ids=ids, **same)
        return build_cards(self.segmenter, rows, ids=ids, ledger=self.ledger, identities=self.identities, **same)


def write_cards(
    segmenter: SegmenterOrPipeline,
    X: Any,
    *,
    folder: str | os.PathLike[str],
    ids: Sequence[Any],
    policy: Any = None,
    forms: Sequence[str] = ("html",),
    at: datetime | None = None,
    locale: str | None = None,
    tone: str = "plain",
    ledger: ConsentLedger | None = None,
    identities: IdentityLinks | None = None,
    options: WriteOptions | None = None,
) -> WrittenCards:
    """Write everybody's cards; what an earlier, stopped call wrote is kept.

    Every file is written whole or not at all, so that a call that is killed leaves no half-written card, and one that
    takes it up writes none twice.

    Parameters
    ----------
    segmenter : fitted segmenter or ConsentGate
        The model; behind a gate, whoever has not agreed gets a card that says so.
    X : table or array of shape (n_rows, n_features)
        The people.
    folder : path
        Where to write; made if it is not there. It remembers everything that the cards depend on: the model and its
        approval, the people and their values, the policy, the ledger, links, language and tone. It refuses cards of
        anything else. It also remembers the day, which stays that of the first call.
    ids : sequence of shape (n_rows,)
        A name for each person; it becomes the file name and the card's reference. A pandas Series is matched with
        `X` by its index.
    policy : Policy, path or None, default=None
        What the people may be told.
    forms : sequence of {"html", "text", "markdown", "json", "email", "svg", "png", "pdf", "jsonl", "parquet"}, \
default=("html",)
        What to write: a file for each person, or (JSON Lines and Parquet) files of 10,000 people each.
    at : datetime, default=None
        The date on the cards; None means today (UTC).
    locale, tone, ledger, identities
        As for `make_cards`; a gate brings its own ledger.
    options : WriteOptions, default=None
        Whether other cards are removed first, how many processes write, and who is told of progress; None means
        ``WriteOptions()``.

    Returns
    -------
    WrittenCards
        The folder and the counts.

    Raises
    ------
    DataError
        Ids are missing or repeated, the folder holds other cards (the error says what differs), or a file cannot be
        written.
    ParameterError
        A form, language or tone is not known, or `n_jobs` is not allowed.
    OptionalDependencyError
        Parquet needs ``xseg[parquet]``, and PDF ``xseg[pdf]``.

    Warns
    -----
    UnnamedSegmentsWarning
        As for `make_cards`.

    Examples
    --------
    >>> import tempfile, xseg
    >>> from xseg.cards import write_cards
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> names = ["Now and then", "Loyal readers", "Collectors"]
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, segment_names=names, random_state=0).fit(customers)
    >>> some = customers.head(4)
    >>> folder = tempfile.mkdtemp()
    >>> write_cards(segmenter, some, folder=folder, ids=list(some.index)).n_written
    4
    >>> write_cards(segmenter, some, folder=folder, ids=list(some.index)).n_kept
    4
    """
    options = options or WriteOptions()
    n_workers = count_workers(options.n_jobs)
    unknown = [form for form in forms if form not in FORMS]
    if unknown or not forms:
        message = f"forms must be some of {', '.join(FORMS)}; got {list(forms)}"
        raise ParameterError(message)
    n_rows = len(read_table(X))
    if len(ids) != n_rows:
        message = f"there are {len(ids)} ids for {n_rows} rows; give one for each"
        raise DataError(message)
    model = segmenter.segmenter_ if is_consent_gate(segmenter) else segmenter
    people, target = build_file_stems(order_like(X, ids, "ids")), Path(folder)
    policy = Policy.coerce(getattr(segmenter, "policy", None) if policy is None else policy)
    policy.check_columns(read_table(X).names)
    policy.check_segments(find_route(model).segmenter.segment_names_)
    warning = find_group_names(fold(model), policy, locale, tone).describe_unnamed()
    if warning is not None:
        warn_caller(warning)
    load_language(policy.locale if locale is None else locale, tone)
    moment = datetime.now(UTC) if at is None else at
    about = describe_inputs(
        segmenter,
        read_table(X),
        list(people.values()),
        policy=policy,
        locale=locale,
        tone=tone,
        ledger=ledger,
        identities=identities,
        at=moment,
    )
    n_written = 0
    try:
        target.mkdir(parents=True, exist_ok=True)
        remove_drafts(target)
        issued = open_folder(target, about, people, moment, overwrite=options.overwrite)
        order = _WriteJob(
            segmenter,
            policy,
            target,
            tuple(forms),
            issued,
            locale,
            tone,
            ledger,
            identities,
            get_registered_languages(),
        )
        for n_done, written in _write_parts(order, X, people, n_workers):
            n_written += written
            if options.progress is not None:
                options.progress(n_done)
    except OSError as error:
        message = (
            f"cannot write the cards to {target}: {error.strerror or error}; check the folder, its permissions and the "
            "space on the disk, and call again: cards that were written whole are kept"
        )
        raise DataError(message) from error
    return WrittenCards(target, n_written, len(people) - n_written)


def _write_parts(order: _WriteJob, X: Any, people: Mapping[str, str], n_workers: int) -> Iterator[tuple[int, int]]:
    """Write part after part; returns how many people each has, and how many were written."""
    pairs = list(people.items())
    parts = (
        (first, X[first : first + PEOPLE_IN_A_PART], dict(pairs[first : first + PEOPLE_IN_A_PART]))
        for first in range(0, len(pairs), PEOPLE_IN_A_PART)
    )
    if n_workers == 1 or len(pairs) <= PEOPLE_IN_A_PART:
        return (_write_part(order, *part) for part in parts)
    # Late: only many cards need processes.
    from joblib import Parallel, delayed

    workers = Parallel(n_jobs=n_workers, return_as="generator_unordered")
    done: Iterator[tuple[int, int]] = workers(delayed(_write_part)(order, *part) for part in parts)
    return done


def _write_part(order: _WriteJob, first: int, rows: Any, people: Mapping[str, str]) -> tuple[int, int]:
    # A worker process knows only the languages that xseg comes with.
    restore_languages(order.languages)
    sinks = open_sinks(order.forms, order.folder, first // PEOPLE_IN_A_PART, list(people))
    lacking = [[sink for sink in sinks if sink.is_missing(place)] for place in range(len(people))]
    if any(lacking):
        cards = order.cards(rows, list(people.values()))
        for place, missing in enumerate(lacking):
            card = cards[place] if missing else None
            for sink in missing:
                assert card is not None
                sink.write(place, card)
        for sink in sinks:
            sink.close()
    return len(people), sum(map(bool, lacking))
