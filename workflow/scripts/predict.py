"""Rule `predict`: plain values to hakken.stages.predict."""

from typing import TYPE_CHECKING

from hakken.stages.predict import predict

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

predict(
    study=snakemake.params.study,
    model=snakemake.input.model,
    freeze=snakemake.input.freeze,
    prepared=snakemake.input.prepared,
    output=snakemake.output.predictions,
    threads=snakemake.threads,
    log=snakemake.log[0],
)
