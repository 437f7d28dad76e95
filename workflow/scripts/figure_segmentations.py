"""Rule `figure_segmentations`: plain values to hakken.stages.figure_segmentations."""

from typing import TYPE_CHECKING

from hakken.stages.figure_segmentations import figure_segmentations

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

figure_segmentations(
    study=snakemake.params.study,
    predictions=snakemake.input.predictions,
    prepared=snakemake.input.prepared,
    cases=snakemake.input.cases,
    table=snakemake.input.table,
    openings=snakemake.params.openings,
    code=snakemake.params.code,
    output=snakemake.output,
    log=snakemake.log[0],
)
