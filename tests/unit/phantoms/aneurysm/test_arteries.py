"""The circle of Willis: calibres, variants, sites."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from hakken.anatomy.head import Anatomy, draw_anatomy
from hakken.phantoms.aneurysm.aneurysms import TERRITORIES
from hakken.phantoms.aneurysm.arteries import Arteries, draw_arteries


def test_calibres_run_from_the_carotid_to_the_thinnest_branch(arteries: Arteries) -> None:
    radii = arteries.tubes.radii
    assert 2.2 < radii.max() < 2.8
    assert radii.min() == pytest.approx(0.4, abs=0.05)
    assert radii.min() >= 0.4


def test_every_territory_has_a_site_on_an_artery(arteries: Arteries) -> None:
    assert {site.territory for site in arteries.sites} == set(TERRITORIES)
    assert len({site.name for site in arteries.sites}) == len(arteries.sites)
    for site in arteries.sites:
        assert np.linalg.norm(site.heading) == pytest.approx(1)
        assert arteries.tubes.distance(site.place[None])[0] < 0, site.name


@pytest.mark.parametrize("shape", [(90, 100, 70), (150, 180, 130)])
def test_no_site_is_beyond_the_image(shape: tuple[float, float, float]) -> None:
    head = draw_anatomy(shape, 2.5, 60, np.random.default_rng(3))
    for seed in range(3):
        sites = draw_arteries(head, np.random.default_rng(seed)).sites
        assert len({site.territory for site in sites}) >= 6
        for site in sites:
            assert (np.abs(site.place) < np.array(shape) / 2 - 2.5).all(), site.name


def test_left_is_left(arteries: Arteries) -> None:
    for site in arteries.sites:
        if site.name.startswith(("ICA", "MCA bif", "MCA M1", "PCA", "VA")):
            assert (site.place[0] > 0) == site.name.endswith("left"), site.name


def test_great_forks_obey_the_law(arteries: Arteries) -> None:
    assert all(
        fork.parent**3 == pytest.approx(sum(radius**3 for radius in fork.daughters)) for fork in arteries.growth.forks
    )
    assert {fork.name for fork in arteries.growth.forks} >= {"MCA", "ACA", "PCA"}


def test_a_wide_hypoplastic_or_missing_vessel_now_and_then(adult: Anatomy) -> None:
    found = [draw_arteries(adult, np.random.default_rng(seed)) for seed in range(20)]
    kinds = Counter(arteries.variants[f"pcom_{word}"] for arteries in found for word in ("left", "right"))
    assert set(kinds) == {"fetal", "thin", "absent"}
    assert kinds.most_common(1)[0][0] == "thin"
    weak = Counter(arteries.variants["hypoplastic_a1"] for arteries in found)
    assert weak["none"] > 10
    assert len(weak) > 1
    assert sum(len(arteries.infundibula) for arteries in found) > 2


def test_a_small_head_keeps_its_calibres(adult: Anatomy, arteries: Arteries) -> None:
    child = draw_arteries(draw_anatomy((90, 100, 70), 2.0, 60, np.random.default_rng(1)), np.random.default_rng(2))
    shrunk = child.reach / arteries.reach
    assert shrunk < 0.75
    assert child.tubes.radii.max() / arteries.tubes.radii.max() > shrunk + 0.1
