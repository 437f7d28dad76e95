"""Rule `figure_scaling`: plain values to hakken.stages.figure_scaling."""

from typing import TYPE_CHECKING

from hakken.stages.figure_scaling import figure_scaling

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

figure_scaling(
    study=snakemake.params.study,
    trials=snakemake.input.trials,
    table=snakemake.input.table,
    openings=snakemake.params.openings,
    code=snakemake.params.code,
    scaling=snakemake.output.scaling,
    output=snakemake.output[:4],
    log=snakemake.log[0],
)
