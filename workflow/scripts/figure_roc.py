"""Rule `figure_roc`: plain values to hakken.stages.figure_roc."""

from typing import TYPE_CHECKING

from hakken.stages.figure_roc import figure_roc

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

figure_roc(
    study=snakemake.params.study,
    validation=snakemake.input.validation,
    test=snakemake.input.test,
    default=snakemake.input.default,
    selected=snakemake.input.selected,
    table=snakemake.input.table,
    openings=snakemake.params.openings,
    code=snakemake.params.code,
    output=snakemake.output,
    log=snakemake.log[0],
)
