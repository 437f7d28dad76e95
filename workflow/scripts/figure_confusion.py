"""Rule `figure_confusion`: plain values to hakken.stages.figure_confusion."""

from typing import TYPE_CHECKING

from hakken.stages.figure_confusion import figure_confusion

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

figure_confusion(
    study=snakemake.params.study,
    validation=snakemake.input.validation,
    test=snakemake.input.test,
    selected=snakemake.input.selected,
    table=snakemake.input.table,
    openings=snakemake.params.openings,
    code=snakemake.params.code,
    output=snakemake.output,
    log=snakemake.log[0],
)
