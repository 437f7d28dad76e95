"""Every key of the study model: misspelt, removed, out of range; and what must hold between keys."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from hakken.core.errors import HakkenError
from hakken.study.reference import section_of
from hakken.search import SAMPLERS
from hakken.study import Hyperparameters, Section, Study
from hakken.study.search import Sampler
from hakken.study.reading import parse_study

Content = dict[str, Any]
Key = tuple[str, ...]

PARTS = {"train": 3, "validation": 2, "test": 2}
MINIMAL: Content = {
    "name": "example",
    "seed": 1,
    "cohort": {"table": "cases.csv"},
    "channels": {"T1": {"modality": "mr"}},
    "reference": "T1",
}
FULL: Content = Study.model_validate(
    MINIMAL
    | {
        "published": {"citation": "A, B, 2017", "system": "a network", "result": "70 %"},
        "task": "classification",
        "cohort": {
            "phantom": {"generator": "liver_phases", "cases": PARTS},
            "truth": "lesion_table",
            "classes": ["early", "poor"],
        },
        "channels": {name: {"modality": "ct"} for name in ("T1", "late", "plain")},
        "patches": {"axes": 2},
        "training": {
            "network": "efficientnet_lite0",
            "weights": {"efficientnet_lite0": {"path": "w.pth", "sha256": "0" * 64}},
        },
        "grid": {
            "networks": ["efficientnet_lite0"],
            "misregistration": {"shift": [1.0], "rotation": [2.0], "skew": [3.0]},
        },
        "search": {
            "space": {"learning_rate": {"type": "real", "low": 0.001, "high": 0.1}},
            "warm_start": {"study": "small"},
            "comparison": {},
        },
        "scaling": {},
    }
).model_dump(mode="json")
OUTSIDE: dict[str, Callable[[float], float]] = {
    "minimum": lambda bound: bound - 1,
    "exclusiveMinimum": lambda bound: bound,
    "maximum": lambda bound: bound + 1,
    "exclusiveMaximum": lambda bound: bound,
}


def walk(section: type[Section], content: Content, above: Key = ()) -> Iterator[tuple[Key, type[Section], str]]:
    """Every key of the model: where it stands in ``content``, its section and its name."""
    for name, field in section.model_fields.items():
        yield (*above, name), section, name
        inner, value = section_of(field), content[name]
        if inner is None:
            continue
        sections = {(): value} if set(value) <= set(inner.model_fields) else {(key,): value[key] for key in value}
        for names, part in sections.items():
            yield from walk(inner, part, (*above, name, *names))


KEYS = [key for key, _, _ in walk(Study, FULL)]
REQUIRED = [key for key, section, name in walk(Study, FULL) if section.model_fields[name].is_required()]


def bounds() -> Iterator[tuple[Key, float]]:
    """Every bounded key, or first item of a bounded list, with a value just outside each of its bounds."""
    for key, section, name in walk(Study, FULL):
        entry = section.model_json_schema()["properties"][name]
        item = entry.get("items") or next(iter(entry.get("prefixItems", ())), {})
        for where, schema in ((key, entry), ((*key, "0"), item)):
            yield from ((where, outside(schema[word])) for word, outside in OUTSIDE.items() if word in schema)


def changed(key: Key, value: Any = None, rename: str | None = None, remove: bool = False) -> Content:
    """The full study with one key changed, renamed or removed."""
    content: Any = copy.deepcopy(FULL)
    here = content
    for part in key[:-1]:
        here = here[part]
    if remove:
        del here[key[-1]]
    elif rename:
        here[rename] = here.pop(key[-1])
    elif isinstance(here, list):
        place = int(key[-1])
        here[place : place + 1] = [value]  # the list may be empty
    else:
        here[key[-1]] = value
    return content


def complaints(content: Content) -> list[str]:
    with pytest.raises(HakkenError) as caught:
        parse_study(content)
    return str(caught.value).splitlines()


def test_the_walk_finds_the_whole_model() -> None:
    names = {name for section in _all_sections(Study) for name in section.model_fields}
    assert {key[-1] for key in KEYS} == names
    assert ("cohort", "phantom", "cases", "train") in KEYS
    assert ("channels", "T1", "modality") in KEYS
    assert ("search", "space", "learning_rate", "low") in KEYS
    assert len(list(bounds())) > 80
    assert parse_study(FULL).model_dump(mode="json") == FULL


def _all_sections(section: type[Section]) -> Iterator[type[Section]]:
    yield section
    for field in section.model_fields.values():
        inner = section_of(field)
        if inner is not None:
            yield from _all_sections(inner)


@pytest.mark.parametrize("key", KEYS, ids=".".join)
def test_a_misspelt_key_is_named_with_the_nearest_valid_one(key: Key) -> None:
    wrong = key[-1] + key[-1][-1]
    place = ".".join((*key[:-1], wrong))
    assert f"study: {place}: unknown key; did you mean `{key[-1]}`?" in complaints(changed(key, rename=wrong))


@pytest.mark.parametrize("key", REQUIRED, ids=".".join)
def test_a_missing_key_is_named(key: Key) -> None:
    assert f"study: {'.'.join(key)}: this key is missing" in complaints(changed(key, remove=True))


@pytest.mark.parametrize(
    ("key", "value"), [*bounds()], ids=lambda part: ".".join(part) if type(part) is tuple else str(part)
)
def test_a_value_out_of_range_is_named_with_its_bound(key: Key, value: float) -> None:
    (line,) = complaints(changed(key, value))
    assert line.startswith(f"study: {'.'.join(key)}: input should be ")
    assert line.endswith(f"(found {value!r})")


@pytest.mark.parametrize("key", KEYS, ids=".".join)
def test_a_value_of_another_kind_is_named(key: Key) -> None:
    lines = complaints(changed(key, [{"not": "a value"}]))
    assert any(line.startswith(f"study: {'.'.join(key)}") for line in lines)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_are_finite(value: float) -> None:
    (line,) = complaints(changed(("training", "checkpoint_seconds"), value))
    assert line == f"study: training.checkpoint_seconds: input should be a finite number (found {value!r})"


def test_every_key_is_described() -> None:
    for section in _all_sections(Study):
        assert section.__doc__
        for name, field in section.model_fields.items():
            assert field.description, f"{section.__name__}.{name}"
            assert field.description.endswith("."), f"{section.__name__}.{name}"


def test_values_never_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        parse_study(MINIMAL).seed = 2  # type: ignore[misc]


PHANTOM = FULL["cohort"]["phantom"]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (
            ("cohort", "fractions"),
            {"train": 0.5, "validation": 0.2, "test": 0.2},
            "cohort.fractions: train + validation + test must be 1",
        ),
        (
            ("cohort",),
            {"table": "a.csv", "phantom": PHANTOM},
            "cohort: give either `table` or `phantom`, not both and not neither",
        ),
        (("cohort",), {}, "cohort: give either `table` or `phantom`, not both and not neither"),
        (
            ("channels", "T1"),
            {"modality": "ct", "normalise": "window"},
            "channels.T1: `normalise: window` needs `range: [low, high]`",
        ),
        (
            ("channels", "T1"),
            {"modality": "ct", "normalise": "window", "range": [5, 5]},
            "channels.T1: `range` must be [low, high] with low < high",
        ),
        (("channels",), {}, "channels: dictionary should have at least 1 item after validation, not 0"),
        (
            ("channels",),
            {"bad name": {"modality": "mr"}},
            "channels.bad name: string should match pattern '^[A-Za-z0-9][A-Za-z0-9_]*$' (found 'bad name')",
        ),
        (("reference",), "T2", "study: reference `T2` is no channel, only T1, late, plain"),
        (
            ("preparation", "mask_channel"),
            "T11",
            "study: preparation.mask_channel `T11` is no channel, only T1, late, plain; did you mean `T1`?",
        ),
        (("reference",), "T11", "study: reference `T11` is no channel, only T1, late, plain; did you mean `T1`?"),
        (("parameters", "kernel"), 4, "parameters.kernel: kernel must be odd (found 4)"),
        (
            ("parameters", "patch_size"),
            25,
            "patch_size may reach 25, above patches.size_voxel 24; raise the latter",
        ),
        (
            ("search", "space"),
            {"patch_size": {"type": "integer", "low": 8, "high": 32}},
            "patch_size may reach 32, above patches.size_voxel 24; raise the latter",
        ),
        (
            ("evaluation", "hit"),
            "insid",
            "evaluation.hit: use distance, distance-inclusive, inside or fixed:MM; did you mean `inside`? "
            "(found 'insid')",
        ),
        (
            ("evaluation", "hit"),
            "fixed:",
            "evaluation.hit: use distance, distance-inclusive, inside or fixed:MM; did you mean `fixed:5`? "
            "(found 'fixed:')",
        ),
        (
            ("evaluation", "hit"),
            "fixed:0.0",
            "evaluation.hit: use distance, distance-inclusive, inside or fixed:MM; did you mean `fixed:5`? "
            "(found 'fixed:0.0')",
        ),
        (
            ("registration", "shrink"),
            [],
            "registration.shrink: tuple should have at least 1 item after validation, not 0",
        ),
        (
            ("registration", "shrink"),
            [4, 0],
            "registration.shrink.1: input should be greater than or equal to 1 (found 0)",
        ),
    ],
)
def test_what_must_hold_between_keys(key: Key, value: Any, expected: str) -> None:
    assert complaints(changed(key, value)) == [f"study: {expected}"]


def parameter(**keys: Any) -> Content:
    return {"type": "real", "low": 0.1, "high": 0.2} | keys


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ({"dropuot": parameter()}, "search.space: unknown parameter `dropuot`; did you mean `dropout`?"),
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
        ({"dropout": parameter(high=1)}, "search.space: `dropout` = 1.0: input should be less than 1"),
        (
            {"poolings": {"type": "integer", "low": -1, "high": 2}},
            "search.space: `poolings` = -1: input should be greater than or equal to 0",
        ),
        (
            {"kernel": {"type": "integer", "low": 3, "high": 5}},
            "search.space: `kernel` = 4: kernel must be odd",
        ),
        (
            {"kernel": {"type": "categorical", "choices": [3, 4]}},
            "search.space: `kernel` = 4: kernel must be odd",
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
    (line,) = complaints(changed(("search", "space"), space))
    assert line == f"study: {expected}"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (
            ("search", "sampler"),
            "optuna-tp",
            "search.sampler: input should be 'bayesian', 'skopt', 'random', 'sobol', 'optuna-tpe' or 'optuna-gp' "
            "(found 'optuna-tp'); did you mean `optuna-tpe`?",
        ),
        (("search", "comparison", "slots"), [1, 4, 4], "search.comparison.slots: 4 stands twice; name each number"),
        (("search", "comparison", "slots"), [], "search.comparison.slots: tuple should have at least 1 item"),
        (
            ("search", "warm_start"),
            {"study": "example"},
            "study: search.warm_start names this very study and scale; name another study or another scale",
        ),
        (
            ("search", "warm_start"),
            {"study": "example", "scale": "paper"},
            "study: search.warm_start names this very study and scale; name another study or another scale",
        ),
        (("search", "warm_start"), {}, "search.warm_start.study: this key is missing"),
    ],
)
def test_what_must_hold_of_the_sweeps(key: Key, value: Any, expected: str) -> None:
    (line,) = complaints(changed(key, value))
    assert line.startswith(f"study: {expected}")


def test_a_search_may_start_from_the_same_study_at_another_scale() -> None:
    start = {"study": "example", "scale": "small"}
    assert parse_study(changed(("search", "warm_start"), start)).source == ("example", "small")
    assert parse_study(FULL).source == ("small", "paper")
    assert parse_study(MINIMAL).source is None


def test_the_samplers_of_a_study_are_those_of_the_search() -> None:
    assert get_args(Sampler) == SAMPLERS


def test_conditions_may_build_on_each_other() -> None:
    space = {
        "poolings": {"type": "integer", "low": 0, "high": 2},
        "dense_layers": {"type": "integer", "low": 0, "high": 2, "when": {"poolings": [1, 2]}},
        "dense_units": {"type": "integer", "low": 8, "high": 64, "when": {"dense_layers": 1, "poolings": 2}},
    }
    assert parse_study(changed(("search", "space"), space)).search.space["dense_units"].when == {
        "dense_layers": 1,
        "poolings": 2,
    }


@pytest.mark.parametrize("hit", ["distance", "distance-inclusive", "inside", "fixed:5", "fixed:2.5"])
def test_hit_rules(hit: str) -> None:
    assert parse_study(changed(("evaluation", "hit"), hit)).evaluation.hit == hit


def test_all_problems_are_listed_at_once() -> None:
    content = changed(("training", "steps"), 0) | {"seed": -1}
    content["inference"]["stride"] = 2
    assert complaints(content) == [
        "study: seed: input should be greater than or equal to 0 (found -1)",
        "study: training.steps: input should be greater than or equal to 1 (found 0)",
        "study: inference.stride: unknown key; did you mean `stride_voxel`?",
    ]


def test_the_default_of_every_hyperparameter_is_valid() -> None:
    assert Hyperparameters() == Hyperparameters.model_validate(Hyperparameters().model_dump())
