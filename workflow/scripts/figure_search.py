"""Rule `figure_search`: plain values to hakken.stages.figure_search."""

from typing import TYPE_CHECKING

from hakken.stages.figure_search import figure_search

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

figure_search(
    study=snakemake.params.study,
    trials=snakemake.input.trials,
    default=snakemake.input.default,
    table=snakemake.input.table,
    openings=snakemake.params.openings,
    code=snakemake.params.code,
    output=snakemake.output,
    log=snakemake.log[0],
)
