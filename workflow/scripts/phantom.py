"""Rule `phantom`: plain values to hakken.stages.phantom."""

from typing import TYPE_CHECKING

from hakken.stages.phantom import phantom

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

phantom(
    study=snakemake.params.study,
    cases=snakemake.params.cases,
    output=snakemake.output.images,
    log=snakemake.log[0],
)
