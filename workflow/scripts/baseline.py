"""Rule `baseline`: plain values to hakken.stages.baseline."""

from typing import TYPE_CHECKING

from hakken.stages.baseline import baseline

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

baseline(
    study=snakemake.params.study,
    validation=snakemake.input.validation,
    prepared=snakemake.input.prepared,
    candidates=snakemake.input.candidates,
    output=snakemake.output.baseline,
    table=snakemake.output.table,
    log=snakemake.log[0],
)
