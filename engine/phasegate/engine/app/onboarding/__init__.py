"""Getting to know a repository, and the process that is made for it. Nothing of the repository is run."""
