"""Rule `figure_anomalies`: plain values to hakken.stages.figure_anomalies."""

from typing import TYPE_CHECKING

from hakken.stages.figure_anomalies import figure_anomalies

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

figure_anomalies(
    study=snakemake.params.study,
    errors=snakemake.input.errors,
    prepared=snakemake.input.prepared,
    evaluation=snakemake.input.evaluation,
    table=snakemake.input.table,
    openings=snakemake.params.openings,
    code=snakemake.params.code,
    output=snakemake.output,
    log=snakemake.log[0],
)
