"""Rule `register`: plain values to hakken.stages.register."""

from typing import TYPE_CHECKING

from hakken.stages.register import register

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

register(
    study=snakemake.params.study,
    cases=snakemake.params.cases,
    table=snakemake.input.table,
    output=snakemake.output.registered,
    log=snakemake.log[0],
)
