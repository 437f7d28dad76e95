"""Rule `unseal`: plain values to hakken.stages.unseal."""

from typing import TYPE_CHECKING

from hakken.stages.unseal import unseal

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

unseal(
    freeze=snakemake.input.freeze,
    ledger=snakemake.params.ledger,
    output=snakemake.output.opening,
    log=snakemake.log[0],
)
