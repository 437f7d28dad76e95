"""Rule `expect`: plain values to hakken.stages.expect."""

from typing import TYPE_CHECKING

from hakken.stages.expect import expect

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

expect(
    study=snakemake.params.study,
    model=snakemake.input.model,
    freeze=snakemake.input.freeze,
    prepared=snakemake.input.prepared,
    output=snakemake.output.expected,
    threads=snakemake.threads,
    log=snakemake.log[0],
)
