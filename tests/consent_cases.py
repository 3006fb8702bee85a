"""Statements and ledgers that several tests write."""

from datetime import UTC, datetime, timedelta

from xseg.governance.consent import ConsentState, Ledger

START = datetime(2026, 1, 1, tzinfo=UTC)
ALLOWING = {"given", "renewed"}


def day(number):
    return START + timedelta(days=number)


class Clock:
    def __init__(self, number=100):
        self.number = number

    def __call__(self):
        return day(self.number)


def statement(subject, state, at, *, until=10**6, source="account", purpose="offers", feature="", recorded=100):
    return {
        "subject": subject,
        "purpose": purpose,
        "feature": feature,
        "state": state,
        "source": source,
        "at": at,
        "until": until,
        "recorded": recorded,
    }


def write(statements):
    clock = Clock()
    ledger = Ledger(clock=clock)
    for said in statements:
        clock.number = said["recorded"]
        ledger.append(
            said["subject"],
            said["purpose"],
            said["state"],
            source=said["source"],
            at=day(said["at"]),
            until=None if said["until"] == 10**6 else day(said["until"]),
            feature=said["feature"] or None,
        )
    return ledger


def full():
    said = [
        statement(
            f"p{number % 3}", state, number, recorded=number + number % 2, feature="age" if number % 4 == 1 else ""
        )
        for number, state in enumerate([*ConsentState, "given", "given"])
    ]
    said[2]["until"] = 99
    return write(said)
