"""Image files, registration and preparation."""
