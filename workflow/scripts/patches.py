"""Rule `patches`: plain values to hakken.stages.patches."""

from typing import TYPE_CHECKING

from hakken.stages.patches import patches

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

patches(
    study=snakemake.params.study,
    part=snakemake.params.part,
    prepared=snakemake.input.prepared,
    output=snakemake.output.store,
    log=snakemake.log[0],
)
