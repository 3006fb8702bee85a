"""What an interactive card carries: the model narrowed down to one person, with labels and words for the page."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from xseg.cards._card_record import Card
from xseg.cards._sentences import build_quantity
from xseg.cards._shared_facts import CardLabels
from xseg.core.schema import Kind
from xseg.explanations import EditOption, build_portable_model
from xseg.i18n import Language, one_line
from xseg.segmenters import FittedSegmenter

__all__ = ["WhatIf", "interactive_parts"]

_SCRIPTS = ("model.js", "page.js")
_MESSAGES = ("title", "intro", "withhold", "result", "same_result", "reset", "unknown")


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Narrows a model down to any person.

    Attributes
    ----------
    segmenter : fitted segmenter
        The model.
    naming : CardLabels
        What may be named and changed.
    """

    segmenter: FittedSegmenter
    naming: CardLabels

    def facts(self, values: Mapping[int, Any], language: Language) -> dict[str, Any]:
        """Return what the page needs, as JSON can hold it.

        Parameters
        ----------
        values : mapping of int to bool, float, str or None
            The person's values, by column.
        language : Language
            What it is told in.

        Raises
        ------
        UnsupportedTypeError
            The model is too large to travel, or would describe a group of too few people.
        """
        portable = build_portable_model(self.segmenter, minimum_group_size=self.naming.policy.minimum_group_size)
        freedom = {j: self._freedom(j) for j in portable.used}
        model = portable.narrow(values, freedom)
        for j, feature in zip(portable.used, model["features"], strict=True):
            feature["hidden"] = bool(self.naming.hidden[j])
        return {
            "model": model,
            "values": [values[j] for j in portable.used],
            "fields": [self._field(j, values[j], freedom[j], language) for j in portable.used],
            "segments": [one_line(segment.name) for segment in self.naming.segments],
            "locale": str(language.cldr).replace("_", "-"),
            "say": {name: language.say(f"what_if.{name}", **_open_slots(name)) for name in _MESSAGES},
            "points": _points(language),
            "yes": language.say("value.yes"),
            "no": language.say("value.no"),
        }

    def _freedom(self, j: int) -> EditOption:
        if self.naming.hidden[j]:
            return EditOption.STAY
        return EditOption.LEAVE_OUT if self.naming.features[j].mutable is False else EditOption.CHANGE

    def _field(self, j: int, value: Any, freedom: EditOption, language: Language) -> dict[str, Any] | None:
        """Return the control of a feature; None where it is not to be named."""
        if freedom is EditOption.STAY:
            return None
        kind = self.segmenter.profile_.bins[j].feature.kind
        feature = self.naming.features[j]
        quantity = build_quantity(self.naming.units[j], feature.number_format, language)
        number = isinstance(value, float) and not isinstance(value, bool)
        return {
            "label": language.capitalise(self.naming.labels[j]),
            "kind": "yes or no" if kind is Kind.BOOLEAN else "number" if kind.is_numeric else "choice",
            "fixed": freedom is EditOption.LEAVE_OUT,
            "shown": quantity.format_rounded(value) if number else one_line(value) if isinstance(value, str) else None,
            "whole": bool(self.segmenter.profile_.bins[j].feature.integral),
        }


def _open_slots(name: str) -> dict[str, str]:
    """Keep the place of the group's name in a message, for the page to fill."""
    return {"group": "{group}"} if name in {"result", "same_result"} else {}


def _points(language: Language) -> dict[str, str]:
    """Return the forms of "3 points", with the place of the number left open."""
    message = language.messages["sum.points"]
    assert not isinstance(message, str)
    return dict(message)


def interactive_parts(card: Card) -> dict[str, Any]:
    """Return what the template of an interactive page needs: the model, the script, and the digest that allows it."""
    script = _script()
    carried = json.dumps(card.embedded_model(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        carried = carried.replace(mark, f"\\u{ord(mark):04x}")
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Nothing in the model can end the element it stands in, and the script is ours.
    return {"carried": Markup(carried), "script": Markup(script), "digest": digest}


@cache
def _script() -> str:
    parts = (files("xseg.cards").joinpath("scripts", name).read_text(encoding="utf-8") for name in _SCRIPTS)
    return "(() => {\n" + "".join(parts) + "})();\n"
