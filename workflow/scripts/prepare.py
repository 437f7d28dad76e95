"""Rule `prepare`: plain values to hakken.stages.prepare."""

from typing import TYPE_CHECKING

from hakken.stages.prepare import prepare

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

prepare(
    study=snakemake.params.study,
    cases=snakemake.params.cases,
    table=snakemake.input.table,
    registered=snakemake.input.registered,
    output=snakemake.output.prepared,
    log=snakemake.log[0],
)
