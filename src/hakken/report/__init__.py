"""Gallery, report page, provenance."""
