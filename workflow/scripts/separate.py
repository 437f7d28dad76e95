"""Rule `separate`: plain values to hakken.stages.separate."""

from typing import TYPE_CHECKING

from hakken.stages.separate import separate

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

separate(
    study=snakemake.params.study,
    table=snakemake.input.table,
    digests=snakemake.input.digests,
    output=snakemake.output.separated,
    log=snakemake.log[0],
)
