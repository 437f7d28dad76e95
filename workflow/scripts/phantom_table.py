"""Rule `phantom_table`: plain values to hakken.stages.phantom_table."""

from typing import TYPE_CHECKING

from hakken.stages.phantom_table import phantom_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

phantom_table(
    study=snakemake.params.study,
    cases_per_job=snakemake.params.cases_per_job,
    output=snakemake.output.table,
    log=snakemake.log[0],
)
