"""Gates 0 to 5: bundles of checks, run on a copy of the working tree and on a task's documents."""
