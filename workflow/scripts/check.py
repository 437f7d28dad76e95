"""Rule `check`: plain values to hakken.stages.check."""

from typing import TYPE_CHECKING

from hakken.stages.check import check

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

check(
    study=snakemake.params.study,
    cases=snakemake.params.cases,
    table=snakemake.input.table,
    output=snakemake.output.digests,
    log=snakemake.log[0],
)
