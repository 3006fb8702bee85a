"""Public functions are called in one way, and say in one way what is wrong with their first argument."""

import inspect
from importlib import import_module

import pytest
from sklearn.cluster import KMeans
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import xseg
from xseg.governance.rights import FitRecord, Profile
from xseg.governance.routing import Touchpoint

PACKAGES = [
    "backends",
    "cards",
    "datasets",
    "explanations",
    "export",
    "metrics",
    "policy",
    "reports",
    "segmenters",
    *(f"governance.{name}" for name in xseg.governance.__all__),
]
PUBLIC = {
    f"{package}.{name}": getattr(import_module(f"xseg.{package}"), name)
    for package in PACKAGES
    for name in import_module(f"xseg.{package}").__all__
}
FUNCTIONS = {name: one for name, one in PUBLIC.items() if inspect.isfunction(one)}
CLASSES = {name: one for name, one in PUBLIC.items() if inspect.isclass(one) and one.__module__.startswith("xseg")}
METHODS = {
    f"{owner}.{name}": method
    for owner, kind in CLASSES.items()
    for name, method in inspect.getmembers(kind, lambda one: callable(one) and not inspect.isclass(one))
    if (name == "__init__" or not name.startswith("_")) and str(getattr(method, "__module__", "")).startswith("xseg")
}
# The other names that an option once had.
OTHER_NAMES = {
    "as_of": "at",
    "background_weight": "background_sample_weight",
    "n_workers": "n_jobs",
    "now": "at, or clock",
    "subject_ids": "ids",
    "subjects": "ids",
    "weights": "sample_weight",
}
# The words of a ledger: a subject is whom an entry is about.
LEDGER = (
    "governance.consent.ConsentResolver.",
    "governance.consent.Ledger.",
    "governance.consent.Identities.",
    "governance.rights.ActionLog.",
    "governance.reviews.LedgerLike.",
    "cards.ConsentLedger.",
    "cards.IdentityLinks.",
)
# Blocks of rows carry integer weights, which sample_weight was turned into; a family of models is asked about tables
# that were read, by so many workers.
LAID_OUT = (
    *("backends.CodedBlock.", "backends.RawBlock.", "explanations.ModelFamily.", "explanations.Explainer."),
    *("explanations.ChangeSearch.", "explanations.NearestChanges."),
)
MAX_PARAMETERS = 12


def parameters(function):
    return list(inspect.signature(function).parameters.values())


def positional(function):
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [one.name for one in parameters(function) if one.kind in kinds]


def takes_segmenter(function):
    return positional(function)[:1] in (["segmenter"], ["gate"])


@pytest.mark.parametrize("name", [name for name, one in FUNCTIONS.items() if takes_segmenter(one)])
def test_a_segmenter_comes_first_then_the_rows_and_the_rest_by_name(name):
    assert positional(FUNCTIONS[name])[1:] in ([], ["X"], ["path"], ["require"], ["sign_off"], ["basis"])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_few_parameters(name):
    assert len(parameters(FUNCTIONS[name])) <= MAX_PARAMETERS


@pytest.mark.parametrize("name", [*FUNCTIONS, *METHODS])
def test_an_option_has_one_name_and_one_default(name):
    for one in parameters({**FUNCTIONS, **METHODS}[name]):
        if not name.startswith((*LEDGER, *LAID_OUT)):
            assert one.name not in OTHER_NAMES, f"call it {OTHER_NAMES[one.name]}"
        if one.name == "random_state":
            assert one.default is None


def test_the_top_level_is_what_segmenting_and_explaining_start_from():
    assert set(xseg.__all__) == {
        *("TreeSegmenter", "RuleSegmenter", "SurrogateSegmenter", "OutcomeSegmenter", "PrototypeSegmenter"),
        *("MixtureSegmenter", "explain", "explain_agnostic", "contrast", "counterfactual", "change", "make_cards"),
        *("verify_card", "verify_cards", "make_report", "segment_card", "compare", "inspect", "load_table"),
        *("rfm_table", "make_customers", "save", "load", "Policy", "Scorer", "fold", "XsegError", "XsegWarning"),
        "listen_to_progress",
    }


# ------------------------------------------------------------------------------------------- a wrong first argument


@pytest.fixture(scope="module")
def customers():
    return xseg.make_customers(300, random_state=0)[["orders_90d", "spend_year"]]


KEYWORDS = {
    "before": "customers",
    "by": "Ada Marsh",
    "card": "{}",
    "cards": ["{}"],
    "ids": range(300),
    "key": "sixteen letters, or more",
    "minimum_group_size": 0,
    "path": "model.json",
    "policy": {},
    "purpose": "offers",
    "require": "draft",
    "review": b"seen",
    "segment": 0,
    "sign_off": None,
    "subject": "ann",
    "touchpoints": [Touchpoint("desk", "phone", automated=False)],
    "basis": "objected",
}
CALLS = {
    **{name: one for name, one in FUNCTIONS.items() if positional(one)[:1] == ["segmenter"]},
    "explanations.Scorer": xseg.Scorer,
    "explanations.NearestChangeFinder": xseg.explanations.NearestChangeFinder,
    "governance.rights.FitRecord.from_fit": FitRecord.from_fit,
    "governance.rights.Profile": Profile,
    "segmenters.RuleSegmenter.from_tree": xseg.RuleSegmenter.from_tree,
    "segmenters.fold": xseg.fold,
}
# These return what they cannot read as it is, for another function to refuse.
CALLS.pop("segmenters.get_segmenter", None)
WRONG = {
    "a text": (lambda _: "model.json", "str"),
    "a table": (lambda customers: customers, "DataFrame"),
    "nothing": (lambda _: None, "NoneType"),
    "a class": (lambda _: xseg.TreeSegmenter, "TreeSegmenter"),
    "another estimator": (lambda customers: KMeans(2, n_init=1, random_state=0).fit(customers), "KMeans"),
    "a pipeline of another": (
        lambda customers: make_pipeline(StandardScaler(), KMeans(2, n_init=1, random_state=0)).fit(customers),
        "KMeans|Pipeline",
    ),
    "one that is not fitted": (lambda _: xseg.TreeSegmenter(), "not fitted"),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_first_argument_is_refused_in_one_line(name, kind, customers, tmp_path):
    make, found = WRONG[kind]
    call = CALLS[name]
    given = {**KEYWORDS, "X": customers, "before": customers, "folder": tmp_path, "ledger": None}
    needed = [one for one in parameters(call)[1:] if one.default is inspect.Parameter.empty]
    asked = {one.name: given[one.name] for one in needed}
    if "X" in positional(call):
        asked["X"] = customers
    with pytest.raises(xseg.XsegError, match=found) as refused:
        call(make(customers), **asked)
    message = str(refused.value)
    assert "\n" not in message
    assert "not fitted" in message or "must be a fitted" in message
