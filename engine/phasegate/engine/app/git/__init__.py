"""The repository beside a task: what really stands there, hooks that ask, and mirrors for runners."""
