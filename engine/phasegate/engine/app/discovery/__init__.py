"""Policy discovery: what work would touch, how large it would be, what it lacks; all before it begins."""
