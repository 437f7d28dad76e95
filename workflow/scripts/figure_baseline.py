"""Rule `figure_baseline`: plain values to hakken.stages.figure_baseline."""

from typing import TYPE_CHECKING

from hakken.stages.figure_baseline import figure_baseline

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

figure_baseline(
    study=snakemake.params.study,
    baseline=snakemake.input.baseline,
    table=snakemake.input.table,
    openings=snakemake.params.openings,
    code=snakemake.params.code,
    output=snakemake.output,
    log=snakemake.log[0],
)
