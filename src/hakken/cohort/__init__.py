"""Who is in the study: case table, checks, split by patient, phantoms."""
