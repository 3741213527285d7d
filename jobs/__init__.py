"""One thin driver a path, for `ray job submit`: parse, build, call, write."""
