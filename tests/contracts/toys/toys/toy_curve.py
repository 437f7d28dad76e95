"""Figure `toy_curve`: the objective of each trial."""

from hakken.core.files import read_json
from hakken.figures import Drawing, Files, Table
from hakken.plots.style import new_figure, place
from hakken.study import Study

INPUTS = {"trials": "trials/search"}
CAPTION = "The objective of each trial."


def draw(study: Study, files: Files) -> Drawing:
    """Draw it."""
    records = [read_json(path) for path in files.all("trials")]
    rows = tuple((record["number"], record["objective"]) for record in records)
    figure = new_figure(4, 3, files.origin)
    axes = place(figure, 0.8, 0.7, 2.8, 2)
    axes.plot([row[0] for row in rows], [row[1] for row in rows], "o")
    return Drawing(figure, Table(("trial", "objective"), rows), f"{len(rows)} trials")
