"""Rule `figure_overlays`: plain values to hakken.stages.figure_overlays."""

from typing import TYPE_CHECKING

from hakken.stages.figure_overlays import figure_overlays

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

figure_overlays(
    study=snakemake.params.study,
    candidates=snakemake.input.candidates,
    prepared=snakemake.input.prepared,
    evaluation=snakemake.input.evaluation,
    table=snakemake.input.table,
    openings=snakemake.params.openings,
    code=snakemake.params.code,
    output=snakemake.output,
    log=snakemake.log[0],
)
