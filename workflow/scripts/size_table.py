"""Rule `size_table`: plain values to hakken.stages.size_table."""

from typing import TYPE_CHECKING

from hakken.stages.size_table import size_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

size_table(
    study=snakemake.params.study,
    tables=snakemake.input.tables,
    costs=snakemake.input.costs,
    output=snakemake.output.sizes,
    log=snakemake.log[0],
)
