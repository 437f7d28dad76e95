"""Rule `figure_comparison`: plain values to hakken.stages.figure_comparison."""

from typing import TYPE_CHECKING

from hakken.stages.figure_comparison import figure_comparison

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

figure_comparison(
    study=snakemake.params.study,
    trials=snakemake.input.trials,
    default=snakemake.input.default,
    table=snakemake.input.table,
    openings=snakemake.params.openings,
    code=snakemake.params.code,
    comparison=snakemake.output.comparison,
    output=snakemake.output[:4],
    log=snakemake.log[0],
)
