"""Phase runners: code that does a phase's work and produces its evidence."""
