"""Rule `reconstruct`: plain values to hakken.stages.reconstruct."""

from typing import TYPE_CHECKING

from hakken.stages.reconstruct import reconstruct

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

reconstruct(
    study=snakemake.params.study,
    model=snakemake.input.model,
    freeze=snakemake.input.freeze,
    candidates=snakemake.input.candidates,
    prepared=snakemake.input.prepared,
    output=snakemake.output.errors,
    threads=snakemake.threads,
    log=snakemake.log[0],
)
