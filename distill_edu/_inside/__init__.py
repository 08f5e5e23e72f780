"""What the package needs and nobody has to read: checks, batches, files. Imported by the package alone."""
