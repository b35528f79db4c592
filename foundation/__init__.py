"""What every floor stands on: errors, registries, whole-file writing, progress."""
