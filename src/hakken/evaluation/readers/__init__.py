"""Reader studies: several readers read the same cases in several modalities (multi-reader multi-case, MRMC)."""
