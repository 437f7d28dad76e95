"""Rule `figure_sizes`: plain values to hakken.stages.figure_sizes."""

from typing import TYPE_CHECKING

from hakken.stages.figure_sizes import figure_sizes

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

figure_sizes(
    study=snakemake.params.study,
    sizes=snakemake.input.sizes,
    rule=snakemake.input.rule,
    table=snakemake.input.table,
    openings=snakemake.params.openings,
    code=snakemake.params.code,
    output=snakemake.output,
    log=snakemake.log[0],
)
