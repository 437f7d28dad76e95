"""Rule `figure_strata`: plain values to hakken.stages.figure_strata."""

from typing import TYPE_CHECKING

from hakken.stages.figure_strata import figure_strata

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

figure_strata(
    study=snakemake.params.study,
    evaluation=snakemake.input.evaluation,
    strata=snakemake.input.strata,
    table=snakemake.input.table,
    openings=snakemake.params.openings,
    code=snakemake.params.code,
    output=snakemake.output,
    log=snakemake.log[0],
)
