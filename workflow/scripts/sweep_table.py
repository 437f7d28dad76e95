"""Rule `sweep_table`: plain values to hakken.stages.sweep_table."""

from typing import TYPE_CHECKING

from hakken.stages.sweep_table import sweep_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

sweep_table(
    trials=snakemake.input.trials,
    parameters=snakemake.params.parameters,
    output=snakemake.output.table,
    log=snakemake.log[0],
)
