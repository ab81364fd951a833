"""A task for programs that know nothing of this one: in-toto layout and links, and its plain statements."""
