"""The command line as its user sees it: one module a group, signatures and help texts only."""
