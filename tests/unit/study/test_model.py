"""Every key of the study model, those of the plug-ins among them: misspelt, missing, out of range."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple, get_args

import pytest
from pydantic import ValidationError

from hakken import plugins
from hakken.core.errors import HakkenError
from hakken.search import SAMPLERS
from hakken.study import Phantom, Section, Study
from hakken.study.reading import parse_study
from hakken.study.reference import section_of
from hakken.study.search import Sampler
from hakken.study.variants import Sweep

Content = dict[str, Any]
Place = tuple[str, ...]

NAMED = {"channels": "T1", "scalars": "weight", "space": "dropout", "weights": "alexnet", "variants": "set"}
"""A key of each mapping whose values are sections."""
OUTSIDE: dict[str, Callable[[float], float]] = {
    "minimum": lambda bound: bound - 1,
    "exclusiveMinimum": lambda bound: bound,
    "maximum": lambda bound: bound + 1,
    "exclusiveMaximum": lambda bound: bound,
}


class Key(NamedTuple):
    """A key of the model: the section that holds it, the place of that section in a study, the study around it."""

    section: type[Section]
    name: str
    place: Place
    whole: Content

    def study(self, **keys: Any) -> Content:
        """A study whose section has these keys and no others."""
        content: Content = dict(keys)
        for part in reversed(self.place):
            content = {part: content}
        return merged(self.whole, content)

    @property
    def path(self) -> str:
        return ".".join((*self.place, self.name))


def merged(one: Content, other: Content) -> Content:
    both = {key for key in one.keys() & other.keys() if isinstance(one[key], dict)}
    return one | other | {key: merged(one[key], other[key]) for key in both}


def walk(section: type[Section], place: Place, whole: Content) -> Iterator[Key]:
    for name, field in section.model_fields.items():
        yield Key(section, name, place, whole)
        inner = section_of(field)
        if inner not in (None, Section, Phantom, Sweep):  # plug-ins bring their own; levels may have any name
            assert inner is not None
            yield from walk(inner, (*place, name, *([NAMED[name]] if name in NAMED else [])), whole)


def plugged() -> Iterator[Key]:
    """The keys of all plug-ins, each in a study that names it."""
    for name in plugins.names("methods"):
        method = {"method": name}
        yield from walk(plugins.load("methods", name).Parameters, ("parameters",), method)
        yield from walk(plugins.load("methods", name).Inference, ("inference",), method)
    for name in plugins.names("outcomes"):
        yield from walk(plugins.load("outcomes", name).Settings, ("outcomes", name), {})
    for name in plugins.names("phantoms"):
        phantom = {"cohort": {"phantom": {"generator": name}}}
        yield from walk(plugins.load("phantoms", name).Options, ("cohort", "phantom"), phantom)


def unique(keys: Iterator[Key]) -> dict[str, Key]:
    """The keys by a name for the test; those that plug-ins share come once, as do those of the phantoms' base."""
    found: dict[tuple[Place, str, str], Key] = {}
    for key in keys:
        owner = next(kind for kind in reversed(key.section.__mro__) if key.name in getattr(kind, "model_fields", {}))
        found.setdefault((key.place, key.name, owner.__module__), key)
    names = [f"{key.path}-{number}" for number, key in enumerate(found.values())]
    return dict(zip(names, found.values(), strict=True))


CORE = list(walk(Study, (), {}))
KEYS = unique(iter([*CORE, *plugged()]))
EVERY = pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)


@cache
def schema_of(section: type[Section]) -> Content:
    return section.model_json_schema()


def bounds(key: Key) -> Iterator[tuple[Any, float, str]]:
    """Values just outside each bound of a key, or of the first item of a list; with the item and the key's place."""
    entry = schema_of(key.section)["properties"][key.name]
    for schema in (entry, *entry.get("anyOf", ())):
        item = schema.get("items") or next(iter(schema.get("prefixItems", ())), {})
        for word, outside in OUTSIDE.items():
            if word in schema:
                yield outside(schema[word]), outside(schema[word]), key.path
            if word in item:
                count = len(schema.get("prefixItems", ())) or schema.get("minItems", 1)
                yield [outside(item[word])] * count, outside(item[word]), f"{key.path}.0"


def complaints(content: Content) -> list[str]:
    with pytest.raises(HakkenError) as caught:
        parse_study(content)
    return str(caught.value).splitlines()


def test_the_walk_finds_the_whole_model() -> None:
    paths = [key.path for key in KEYS.values()]
    for path in (
        *("cohort.fractions.train", "channels.T1.modality", "search.space.dropout.low", "variants.set.folds"),
        *("parameters.sizes.levels", "parameters.weights.alexnet.sha256", "outcomes.candidates.hit"),
        *("cohort.phantom.cases.train", "cohort.phantom.snr", "inference.least_inside"),
    ):
        assert path in paths
    assert sum(1 for key in KEYS.values() for _ in bounds(key)) > 150


@EVERY
def test_a_misspelt_key_is_named_with_the_nearest_valid_one(key: Key) -> None:
    wrong = key.name + key.name[-1]
    place = ".".join((*key.place, wrong))
    assert f"study: {place}: unknown key; did you mean `{key.name}`?" in complaints(key.study(**{wrong: 1}))


@EVERY
def test_a_missing_key_is_named(key: Key) -> None:
    if key.section.model_fields[key.name].is_required() and key.name != "generator":
        assert f"study: {key.path}: this key is missing" in complaints(key.study())


@EVERY
def test_a_value_out_of_range_is_named_with_its_bound(key: Key) -> None:
    for value, outside, path in bounds(key):
        lines = complaints(key.study(**{key.name: value}))
        (line,) = [line for line in lines if line.startswith(f"study: {path}: ")]
        assert line.startswith(f"study: {path}: input should be "), line
        assert line.endswith(f"(found {outside!r})"), line


@EVERY
def test_a_value_of_another_kind_is_named(key: Key) -> None:
    lines = complaints(key.study(**{key.name: [{"not": "a value"}]}))
    wanted = "method" if key.path == "method" else key.path
    assert any(line.startswith(f"study: {wanted}") or f"`{wanted}` must be a name" in line for line in lines)


@EVERY
def test_every_key_is_described(key: Key) -> None:
    assert key.section.__doc__
    description = key.section.model_fields[key.name].description
    assert description
    assert description.endswith(".")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_are_finite(value: float) -> None:
    (line,) = complaints(BASE | {"training": {"checkpoint_seconds": value}})
    assert line == f"study: training.checkpoint_seconds: input should be a finite number (found {value!r})"


@pytest.mark.parametrize("name", plugins.names("methods"))
def test_the_defaults_of_a_method_are_valid(name: str) -> None:
    for section in (plugins.load("methods", name).Parameters, plugins.load("methods", name).Inference):
        assert section() == section.model_validate(section().model_dump())


BASE: Content = {
    "name": "example",
    "seed": 1,
    "method": "patch_classifier",
    "cohort": {"table": "cases.csv"},
    "channels": {"T1": {"modality": "mr"}, "late": {"modality": "mr"}},
}
ITEMS: Content = {
    "name": "example",
    "seed": 1,
    "method": "parameter_regression",
    "cohort": {"kind": "items", "files": ["signals"], "table": "cases.csv"},
    "outcomes": {"numbers": {"quantities": ["D"]}},
}
CASES = {"train": 3, "validation": 2, "test": 2}


def changed(**sections: Any) -> Content:
    """The study with other keys in its sections."""
    base = ITEMS if sections.get("method") == "parameter_regression" else BASE
    return {
        key: base[key] | value if key != "cohort" and isinstance(value, dict) and key in base else value
        for key, value in (base | sections).items()
    }


def test_values_never_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        parse_study(BASE).seed = 2  # type: ignore[misc]


def test_the_first_channel_is_the_reference_unless_another_is_named() -> None:
    assert parse_study(BASE).reference == "T1"
    assert parse_study(BASE | {"reference": "late"}).reference == "late"


def test_a_method_brings_its_sections_outcomes_and_figures() -> None:
    study = parse_study(BASE)
    module = plugins.load("methods", "patch_classifier")
    assert (type(study.parameters), type(study.inference)) == (module.Parameters, module.Inference)
    assert tuple(study.outcomes) == module.OUTCOMES
    assert study.objective == "candidates"
    assert study.drawn == ("froc", "search", "strata", "overlays", "registration")
    assert parse_study(BASE | {"figures": ["froc"]}).drawn == ("froc",)
    assert parse_study(changed(method="autoencoder")).drawn == ("roc", "search", "learnt", "anomalies")


def test_what_a_study_names_in_other_folders() -> None:
    phantom = {"generator": "brain_metastasis", "cases": CASES}
    study = parse_study(BASE | {"cohort": {"phantom": phantom}, "baselines": ["laplacian_blobs"], "figures": ["froc"]})
    assert study.named() == {
        "methods": ("patch_classifier",),
        "phantoms": ("brain_metastasis",),
        "outcomes": ("candidates",),
        "baselines": ("laplacian_blobs",),
        "figures": ("froc",),
    }


def test_parts_are_folds_in_a_cross_validation() -> None:
    assert parse_study(BASE).parts == ("train", "validation", "test")
    crossed = parse_study(BASE | {"evaluation": {"design": "cross_validation", "folds": 3}})
    assert (crossed.crossed, crossed.parts) == (True, ("fold0", "fold1", "fold2"))


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        (
            {"cohort": {"table": "a.csv", "fractions": {"train": 0.5, "validation": 0.2, "test": 0.2}}},
            "cohort.fractions: train + validation + test must be 1",
        ),
        (
            {"cohort": {"table": "a.csv", "phantom": {"generator": "head_ct", "cases": CASES}}},
            "cohort: give either `table` or `phantom`, not both and not neither",
        ),
        ({"cohort": {}}, "cohort: give either `table` or `phantom`, not both and not neither"),
        (
            {"cohort": {"kind": "none", "table": "a.csv"}},
            "cohort: `kind: none` has no cases; remove `table`, `phantom` and `files`",
        ),
        (
            {"cohort": {"kind": "items", "table": "a.csv"}},
            "cohort: `files` names the columns of cases that are `items`; give it with `kind: items` alone",
        ),
        (
            {"cohort": {"table": "a.csv", "files": ["signals"]}},
            "cohort: `files` names the columns of cases that are `items`; give it with `kind: items` alone",
        ),
        ({"cohort": {"table": "a.csv", "classes": ["a", "a"]}}, "cohort.classes: a stands twice; name each once"),
        (
            {"channels": {"T1": {"modality": "ct", "normalise": "window"}}},
            "channels.T1: `normalise: window` needs `range: [low, high]`",
        ),
        (
            {"channels": {"T1": {"modality": "ct", "local_mm": 12}}},
            "channels.T1: `local_mm` takes away what intensities mean, which is for radiographs alone; remove it",
        ),
        (
            {"channels": {"T1": {"modality": "ct", "normalise": "window", "range": [5, 5]}}},
            "channels.T1: `range` must be [low, high] with low < high",
        ),
        (
            {"channels": {"bad name": {"modality": "mr"}}},
            "channels.bad name: is no name: use letters A to Z, digits and `_`, and begin with a letter or a digit "
            "(found 'bad name')",
        ),
        (
            {"channels": {"T1": {"modality": "mr"}, "t1": {"modality": "mr"}}},
            "study: `T1` and `t1` differ in capitals alone, which not every disk tells apart; rename one",
        ),
        (
            {"channels": {"T1": {"modality": "mr"}, "Split": {"modality": "mr"}}},
            "study: `Split` is a column of the case table with a meaning of its own; take another name",
        ),
        (
            {"cohort": {"kind": "items", "table": "a.csv", "files": ["label"]}, "channels": {}, "reference": None},
            "study: `label` is a column of the case table with a meaning of its own; take another name",
        ),
        (
            {"cohort": {"table": "{x}/a.csv"}},
            "cohort.table: `{x}/a.csv` holds signs with a meaning of their own in paths; rename it without { and } "
            "(found '{x}/a.csv')",
        ),
        ({"figures": "froc"}, "figures: must be a list: [ ... ] (found 'froc')"),
        ({"evaluation": None}, "evaluation: must be a section of keys (found None)"),
        ({"figures": ["froc", "froc"]}, "figures: froc stands twice; name each once"),
        (
            {"variants": {"set": {"factors": {"x": {"a": {}}}, "beside": {"a-b": {}}}}},
            "variants.set.beside: beside: `a-b` is no name of a level: it is made of letters A to Z, digits, `_` and "
            "`.`, and begins with a letter or a digit",
        ),
        ({"reference": "T2"}, "study: reference `T2` is no channel, only T1, late"),
        (
            {"preparation": {"mask_channel": "lat"}},
            "study: preparation.mask_channel `lat` is no channel, only T1, late; did you mean `late`?",
        ),
        ({"parameters": {"kernel": 4}}, "parameters.kernel: kernel must be odd (found 4)"),
        (
            {"parameters": {"patch_size": 25}},
            "patch_size may reach 25, above patches.size_voxel 24; raise the latter",
        ),
        (
            {"search": {"space": {"patch_size": {"type": "integer", "low": 8, "high": 32}}}},
            "patch_size may reach 32, above patches.size_voxel 24; raise the latter",
        ),
        (
            {"registration": {"shrink": []}},
            "registration.shrink: must hold one entry at least (found [])",
        ),
        (
            {"evaluation": {"objective": "mask"}},
            "study: evaluation.objective: `mask` is no outcome of the study; the study has candidates",
        ),
        (
            {"outcomes": {"masks": {}}},
            "study: outcomes: the method `patch_classifier` gives no masks; it gives candidates",
        ),
        (
            {"search": {"warm_start": {"study": "example"}}},
            "study: search.warm_start names this very study and scale; name another study or another scale",
        ),
        (
            {"search": {"warm_start": {"study": "example", "scale": "paper"}}},
            "study: search.warm_start names this very study and scale; name another study or another scale",
        ),
        (
            {"search": {"trials": 4, "ensemble": 5}},
            "search: `ensemble` is 5, but the sweep has 4 trials; lower it",
        ),
        (
            {"method": "autoencoder", "search": {"ensemble": 2}},
            "study: search.ensemble: models of the method `autoencoder` cannot be averaged; remove it",
        ),
        (
            {"search": {"trials": 4, "confirm": 5}},
            "search: `confirm` is 5, but the sweep has 4 trials; lower it",
        ),
        (
            {"search": {"comparison": {"slots": [1, 4, 4]}}},
            "search.comparison.slots: 4 stands twice; name each once",
        ),
        (
            {"search": {"sampler": "optuna-tp"}},
            "search.sampler: input should be 'bayesian', 'skopt', 'random', 'sobol', 'optuna-tpe' or 'optuna-gp' "
            "(found 'optuna-tp'); did you mean `optuna-tpe`?",
        ),
        (
            {"variants": {"set": {"factors": {"x": {"one": {}}}, "folds": 3, "part": "test"}}},
            "variants.set: folds are of the development cases; remove `folds` or `part: test`",
        ),
        (
            {"variants": {"set": {"factors": {"x": {"key": "training.steps", "values": [1, 1]}}}}},
            "variants.set.factors.x: a value stands twice in `values`, or two are written alike",
        ),
        (
            {"variants": {"set": {"factors": {"x": {}}}}},
            "variants.set.factors: the factor `x` has no levels; name some, or remove it",
        ),
        (
            {"variants": {"set": {"factors": {"x": {10: {}}}}}},
            'variants.set.factors: x: the level 10 is no text; write it in quotes: "10"',
        ),
        (
            {"variants": {"set": {"factors": {"x": {"a-b": {}}}}}},
            "variants.set.factors: x: `a-b` is no name of a level: it is made of letters A to Z, digits, `_` and `.`, "
            "and begins with a letter or a digit",
        ),
        (
            {"variants": {"set": {"factors": {"x": {"a": None}}}}},
            "variants.set.factors: x: the level `a` is empty; write {} for the study as it stands",
        ),
        (
            {"variants": {"set": {"factors": {"x": {"a": {"training.steps": 2}}}, "common": {"training.steps": 3}}}},
            "variants.set: `common` changes `training.steps` without effect: so does every level of `x`",
        ),
        (
            {"variants": {"set": {"factors": {"x": {"a": {"training.steps": 2}}, "y": {"b": {"training.steps": 3}}}}}},
            "variants.set: the factors `x` and `y` both change `training.steps`; let one do it",
        ),
        (
            {"evaluation": {"design": "cross_validation"}, "scaling": {"processes": [1, 2]}},
            "scaling: trains on all cases that are not of the test set, and with `evaluation.design: cross_validation` "
            "there are none; remove it, or copy the study to one with a holdout",
        ),
        ({"scaling": {"processes": [2, 1]}}, "scaling.processes: name each number once, in rising order"),
        (
            {"scaling": {"processes": [1, 12]}},
            "scaling: 12 processes do not fill nodes of 8; use a multiple of `per_node`, or fewer",
        ),
    ],
)
def test_what_must_hold_between_keys(sections: Content, expected: str) -> None:
    assert complaints(changed(**sections)) == [f"study: {expected}"]


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        (
            {"method": "patch_clasifier"},
            f"study: no method `patch_clasifier`, there are {', '.join(plugins.names('methods'))}; did you mean "
            "`patch_classifier`?",
        ),
        ({"method": None}, f"method: this key is missing; there are {', '.join(plugins.names('methods'))}"),
        (
            {"cohort": {"phantom": {"generator": "head_ctt", "cases": CASES}}},
            f"cohort.phantom: no phantom `head_ctt`, there are {', '.join(plugins.names('phantoms'))}; did you mean "
            "`head_ct`?",
        ),
        (
            {"outcomes": {"candidate": {}}},
            f"outcomes: no outcome `candidate`, there are {', '.join(plugins.names('outcomes'))}; did you mean "
            "`candidates`?",
        ),
        (
            {"baselines": ["brightest_component"]},
            f"baselines: no baseline `brightest_component`, there are {', '.join(plugins.names('baselines'))}; did you "
            "mean `brightest_components`?",
        ),
        (
            {"figures": ["frok"]},
            f"figures: no figure `frok`, there are {', '.join(plugins.names('figures'))}; did you mean `froc`?",
        ),
    ],
)
def test_a_name_that_no_folder_has_answers_with_the_nearest(sections: Content, expected: str) -> None:
    assert complaints(BASE | sections) == [f"study: {expected}"]


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"cohort": {"kind": "none"}}, "cohort.kind is `none`; the method `patch_classifier` learns from images"),
        ({"channels": None}, "channels: must be a section of keys (found None)"),
        (
            {
                "method": "mean_classifier",
                "cohort": {"table": "a.csv", "classes": ["a", "b"]},
                "training": {"steps": 3},
            },
            "training: has no effect on the method `mean_classifier` and cases that are images; remove it",
        ),
        (
            {"method": "parameter_regression", "patches": {}},
            "patches: has no effect on the method `parameter_regression` and cases that are items; remove it",
        ),
        (
            {"method": "parameter_regression", "registration": {}},
            "registration: has no effect on the method `parameter_regression` and cases that are items; remove it",
        ),
        (
            {"method": "parameter_regression", "inference": {"signals": "signal"}},
            "inference.signals: `signal` is no file of the cases; cohort.files names signals",
        ),
        (
            {"channels": {"pet": {"modality": "pet", "target": True}}},
            "channel `pet` is a `target`; the method `patch_classifier` predicts no channel",
        ),
        (
            {"method": "expectation"},
            "0 channels are a `target`; the method `expectation` predicts exactly one channel from the others",
        ),
        (
            {"patches": {"jitter_voxel": 3}},
            "`patches.jitter_voxel` is for methods that mark every voxel; elsewhere the centre is what counts",
        ),
        (
            {"cohort": {"phantom": {"generator": "brain_metastasis", "cases": CASES | {"train": 0}}}},
            "cohort.phantom.cases.train is 0; the method `patch_classifier` learns from cases; use 1 or more",
        ),
        (
            {
                "method": "parameter_regression",
                "cohort": {
                    "kind": "items",
                    "files": ["signals"],
                    "phantom": {"generator": "diffusion", "cases": CASES},
                },
            },
            "cohort.phantom.cases.train is 3; the method `parameter_regression` draws what it learns from; use 0",
        ),
        (
            {"cohort": {"phantom": {"generator": "diffusion", "cases": CASES, "b_values": [1, 2, 3]}}},
            "cohort.phantom: b_values must hold 0, which signals are normalised by",
        ),
        (
            {"cohort": {"phantom": {"generator": "diffusion", "cases": CASES, "ranges": {"K": [0, 1]}}}},
            "cohort.phantom: `ivim` has no quantity `K`, only D, D_star, f",
        ),
        (
            {"preparation": {"mask": "lung"}, "channels": {"X": {"modality": "xray"}}, "reference": "X"},
            "preparation.mask is `lung`, which is found on CT or MR, and the channel X is of `modality: xray`; name "
            "another one in `preparation.mask_channel`, or another mask",
        ),
        (
            {"method": "projection_classifier", "patches": {"axes": 2}},
            "patches.axes: use 3, for the method `projection_classifier` projects cubes",
        ),
    ],
)
def test_what_a_method_has_no_use_for(sections: Content, expected: str) -> None:
    assert complaints(changed(**sections)) == [f"study: {expected}"]


MR = {"modality": "mr"}
OPTIONAL = MR | {"optional": True}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            {"channels": {"T1": OPTIONAL, "T2": MR}},
            "channels.T1 is `optional`, but it is the reference that all others are registered to; name as `reference` "
            "a channel that every case has",
        ),
        (
            {"channels": {"T1": MR, "T2": OPTIONAL}, "preparation": {"mask": "body", "mask_channel": "T2"}},
            "channels.T2 is `optional`, but preparation.mask_channel finds the region of interest on it; name a "
            "channel there that every case has",
        ),
        (
            {"channels": {"T1": MR, "T2": OPTIONAL, "T2_present": MR}},
            "channels.T2_present: this name says where the optional channel `T2` was measured; call the channel "
            "otherwise",
        ),
        (
            {"channels": {"T1": MR, "T2": OPTIONAL}, "method": "autoencoder"},
            "channels.T2.optional: the method `autoencoder` needs every channel of every case; remove this key, and "
            "the cases that lack the channel",
        ),
        (
            {"channels": {"T1": MR | {"target": True}, "T2": OPTIONAL}, "method": "expectation"},
            "every channel that the method sees is `optional`; it needs one that every case has",
        ),
    ],
)
def test_nothing_rests_on_a_channel_that_a_case_may_lack(content: Content, expected: str) -> None:
    small = {key: BASE[key] for key in ("name", "seed", "cohort")}
    assert [line.removeprefix("study: ") for line in complaints(small | {"method": "patch_classifier"} | content)] == [
        expected if "the method `autoencoder`" in expected else f"study: {expected}"
    ]


def test_what_is_to_be_predicted_cannot_be_optional() -> None:
    channels = {"T1": MR, "late": OPTIONAL | {"target": True}}
    (said,) = complaints(BASE | {"method": "expectation", "channels": channels})
    assert "a channel that is a `target` cannot be `optional`; remove one of the two" in said


@pytest.mark.parametrize(
    ("drawn", "overrides", "expected"),
    [
        ("average precision", {}, []),
        ("sensitivity at 1 FP/case", {}, []),
        (
            "averge precision",
            {},
            [
                "study: variants.set.drawn: `averge precision` is no row of what candidates measure; there are "
                "sensitivity at 1 FP/case, partial AUC to 10 FP/case, average precision, PI-CAI score; did you mean "
                "`average precision`?"
            ],
        ),
        ("mean Dice", {"outcomes.candidates.at": [2]}, []),  # what is measured of variants is another matter
    ],
)
def test_what_variants_draw_is_measured(drawn: str, overrides: Content, expected: list[str]) -> None:
    variants = {"set": {"factors": {"x": {"a": {}, "b": {"training.steps": 3} | overrides}}, "drawn": drawn}}
    small = {key: BASE[key] for key in ("name", "seed", "cohort", "channels")}
    content = small | {"method": "patch_classifier", "outcomes": {"candidates": {"at": [1]}}, "variants": variants}
    assert (complaints(content) if expected else bool(parse_study(content))) == (expected or True)


def test_every_channel_cannot_be_predicted() -> None:
    channels = {name: {"modality": "pet", "target": True} for name in ("T1", "late")}
    assert complaints(BASE | {"method": "expectation", "channels": channels}) == [
        "study: study: every channel is a `target`; the method needs one to see"
    ]


def test_a_study_of_images_has_channels() -> None:
    content = {key: value for key, value in BASE.items() if key != "channels"}
    assert complaints(content) == ["study: channels: this key is missing"]


LEVELS = "`1` or `2` or `3` or `4`"


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        (
            {"parameters": {"focal_gamma": 2.0}},  # its default, and yet without effect
            "parameters.focal_gamma: has an effect only where `loss` is `focal`; it is `cross_entropy`",
        ),
        (
            {"search": {"space": {"focal_gamma": {"type": "real", "low": 1, "high": 3}}}},
            "search.space.focal_gamma: has an effect only where `loss` is `focal`; it is `cross_entropy`",
        ),
        (
            {"parameters": {"poolings": 0, "growth": 1.5}},
            f"parameters.growth: has an effect only where `poolings` is {LEVELS} or `5`; it is `0`",
        ),
        (
            {"parameters": {"dense_layers": 0, "dense_units": 8}},
            f"parameters.dense_units: has an effect only where `dense_layers` is {LEVELS}; it is `0`",
        ),
        (
            {"training": {"rate_scaling": "none", "warm_up": 0.1}},
            "training.warm_up: has an effect only where `rate_scaling` is `linear`; it is `none`",
        ),
        (
            {"registration": {"mesh": 3}},
            "registration.mesh: has an effect only where `method` is `bspline`; it is `rigid`",
        ),
        (
            {"registration": {"method": "none", "iterations": 5}},
            "registration.iterations: has an effect only where `method` is `rigid` or `affine` or `bspline`; it is "
            "`none`",
        ),
        (
            {"preparation": {"mask": "none", "rim_mm": 4}},
            "preparation.rim_mm: has an effect only where `mask` is `brain` or `lung` or `body` or `nonzero` or "
            "`given`; it is `none`",
        ),
        (
            {"evaluation": {"folds": 4}},
            "evaluation.folds: has an effect only where `design` is `cross_validation`; it is `holdout`",
        ),
        (
            {"search": {"confirm": 3}},
            "search.confirm: no effect without parameters to search; name some in search.space, or remove it",
        ),
        (
            {"search": {"slots": 2, "trials": 9}},
            "search.trials, search.slots: no effect without parameters to search; name some in search.space, or "
            "remove it",
        ),
        (
            {"channels": {"T1": {"modality": "mr", "range": [1, 2]}}},
            "channels.T1.range: has an effect only where `normalise` is `percentile` or `window`; it is `zscore`",
        ),
    ],
)
def test_a_key_without_effect_is_an_error_that_says_why(sections: Content, expected: str) -> None:
    assert complaints(changed(**sections)) == [f"study: {expected}"]


@pytest.mark.parametrize(
    "sections",
    [
        {"parameters": {"focal_gamma": 3, "loss": "focal"}},
        {
            "parameters": {"focal_gamma": 3},
            "search": {"space": {"loss": {"type": "categorical", "choices": ["focal", "cross_entropy"]}}},
        },
        {
            "parameters": {"poolings": 0, "growth": 1.5},
            "search": {"space": {"poolings": {"type": "integer", "low": 0, "high": 1}}},
        },
        {"registration": {"method": "bspline", "mesh": 3}},
    ],
)
def test_a_key_has_an_effect_where_its_condition_holds_or_may_hold(sections: Content) -> None:
    parse_study(changed(**sections))


def parameter(**keys: Any) -> Content:
    return {"type": "real", "low": 0.1, "high": 0.2} | keys


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (
            {"dropuot": parameter()},
            "study: search.space: the method `patch_classifier` has no parameter `dropuot`; did you mean `dropout`?",
        ),
        (
            {"dropout": parameter(type="categorical")},
            "search.space.dropout: a categorical parameter needs `choices` and no bounds",
        ),
        (
            {"dropout": {"type": "categorical", "choices": []}},
            "search.space.dropout: a categorical parameter needs `choices` and no bounds",
        ),
        (
            {"kernel": {"type": "categorical", "choices": [3, 3]}},
            "search.space.kernel: a choice stands twice in `choices`",
        ),
        (
            {"dropout": parameter(high=None)},
            "search.space.dropout: a parameter of type real needs `low` and `high` and no `choices`",
        ),
        ({"dropout": parameter(low=0.3)}, "search.space.dropout: `low` 0.3 is above `high` 0.2"),
        ({"dropout": parameter(low=0, scale="log")}, "search.space.dropout: `scale: log` needs `low` above 0"),
        (
            {"poolings": parameter(type="integer")},
            "search.space.poolings: an integer parameter needs whole numbers for `low` and `high`",
        ),
        ({"dropout": parameter(high=1)}, "study: search.space: `dropout` = 1.0: input should be less than 1"),
        (
            {"poolings": {"type": "integer", "low": -1, "high": 2}},
            "study: search.space: `poolings` = -1: input should be greater than or equal to 0",
        ),
        (
            {"kernel": {"type": "integer", "low": 3, "high": 5}},
            "study: search.space: `kernel` = 4: kernel must be odd",
        ),
        (
            {"kernel": {"type": "categorical", "choices": [3, 4]}},
            "study: search.space: `kernel` = 4: kernel must be odd",
        ),
        (
            {"dropout": parameter(when={"pooling": 1}), "poolings": {"type": "integer", "low": 0, "high": 2}},
            "search.space: `dropout` depends on `pooling`, which is not searched; did you mean `poolings`?",
        ),
        (
            {"dropout": parameter(when={"momentum": 0.5}), "momentum": parameter(high=0.9)},
            "search.space: `dropout` depends on `momentum`, a real number; only integers and choices can be conditions",
        ),
        (
            {"dropout": parameter(when={"poolings": [1, 3]}), "poolings": {"type": "integer", "low": 0, "high": 2}},
            "search.space: `dropout` depends on `poolings` = 3, which `poolings` cannot be",
        ),
        (
            {"dropout": parameter(when={"batch_norm": 3}), "batch_norm": {"type": "categorical", "choices": [True]}},
            "search.space: `dropout` depends on `batch_norm` = 3, which `batch_norm` cannot be",
        ),
        (
            {
                "poolings": {"type": "integer", "low": 0, "high": 2, "when": {"dense_layers": 1}},
                "dense_layers": {"type": "integer", "low": 0, "high": 2, "when": {"poolings": 1}},
            },
            "search.space: the conditions (`when`) of poolings, dense_layers go round in a circle",
        ),
    ],
)
def test_what_must_hold_in_the_search_space(space: Content, expected: str) -> None:
    assert complaints(BASE | {"search": {"space": space}}) == [f"study: {expected}"]


def test_only_what_a_method_has_can_be_searched() -> None:
    space = {"convolutions": {"type": "integer", "low": 1, "high": 3}}
    assert complaints(ITEMS | {"search": {"space": space}}) == [
        "study: study: search.space: the method `parameter_regression` has no parameter `convolutions`"
    ]


def test_a_search_may_start_from_the_same_study_at_another_scale() -> None:
    start = {"study": "example", "scale": "small"}
    space = {"learning_rate": {"type": "real", "low": 0.1, "high": 0.2}}
    assert parse_study(BASE | {"search": {"warm_start": start, "space": space}}).source == ("example", "small")
    elsewhere = {"warm_start": {"study": "small"}, "space": space}
    assert parse_study(BASE | {"search": elsewhere}).source == ("small", "paper")
    assert parse_study(BASE).source is None


def test_the_samplers_of_a_study_are_those_of_the_search() -> None:
    assert get_args(Sampler) == SAMPLERS


def test_conditions_may_build_on_each_other() -> None:
    space = {
        "poolings": {"type": "integer", "low": 0, "high": 2},
        "dense_layers": {"type": "integer", "low": 0, "high": 2, "when": {"poolings": [1, 2]}},
        "dense_units": {"type": "integer", "low": 8, "high": 64, "when": {"dense_layers": 1, "poolings": 2}},
    }
    found = parse_study(BASE | {"search": {"space": space}}).search.space["dense_units"].when
    assert found == {"dense_layers": 1, "poolings": 2}


def test_all_problems_are_listed_at_once() -> None:
    content = BASE | {"seed": -1, "training": {"steps": 0}, "preparation": {"rim": 2}}
    assert complaints(content) == [
        "study: seed: input should be greater than or equal to 0 (found -1)",
        "study: preparation.rim: unknown key; did you mean `rim_mm`?",
        "study: training.steps: input should be greater than or equal to 1 (found 0)",
    ]
    space = {"focal_gamma": parameter()}
    assert (
        len(complaints(BASE | {"search": {"space": space}, "parameters": {"dense_layers": 0, "dense_units": 8}})) == 2
    )


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        (
            {"channels": {"T1": {"modality": "mr"}}},
            "channels: has no effect on the method `toy_integral` and cases that ",
        ),
        ({"training": {}}, "training: has no effect on the method `toy_integral` and cases that are none; remove it"),
        (
            {"evaluation": {"strata": ["site"]}},
            "evaluation: a study without cases has no folds and no strata; remove it",
        ),
        (
            {"evaluation": {"design": "cross_validation"}},
            "evaluation: a study without cases has no folds and no strata; remove it",
        ),
        ({"cohort": {"table": "a.csv"}}, "cohort.kind is `images`; the method `toy_integral` learns from none"),
    ],
)
def test_a_study_without_cases_has_no_sections_about_them(sections: Content, expected: str) -> None:
    base = {"name": "example", "seed": 1, "method": "toy_integral", "cohort": {"kind": "none"}}
    assert parse_study(base).objective == "records"
    (line,) = complaints(base | sections)
    assert line.startswith(f"study: {expected}")


@pytest.mark.usefixtures("toys")
def test_a_study_without_cases_has_none_to_watch_a_training_by() -> None:
    base = {"name": "example", "seed": 1, "method": "toy_integral", "cohort": {"kind": "none"}}
    lines = complaints(base | {"training": {"validate_cases": 2}})
    assert "study: training.validate_cases: a study without cases has none to choose from; remove it" in lines
