# METADATA
# title: Ways back
# description: >-
#   Whether a change comes with a rollback plan: a filled section of the plan, or a file of the patch that says
#   something. Both are read by the engine, which knows a placeholder from a text.
package phasegate.lib.rollback

import rego.v1

import data.phasegate.lib.globs

titles := {"rollback", "rollback plan", "roll back", "backout", "backout plan", "reverting"}

default_files := ["*rollback*", "*ROLLBACK*", "**/rollback/**"]

words_min := 5

files := globs.expression(object.get(input.parameters, "files", default_files))

plan := object.get(input.parameters, "plan", "plan.md")

# Joined, since `sprintf` puts a string that was computed into quotation marks.
missing := concat("", ["`", plan, "` has no rollback plan"])

is_plan(file) if regex.match(files, file.path)

exists if {
	some section in input.documents[plan]
	section.title in titles
	section.filled == true
}

exists if {
	some file in input.change.files
	file.status != "delete"
	file.words >= words_min
	is_plan(file)
}

# Files but those that are a plan, with their lines in one: what is in none of them is in no line.
changed contains {"path": file.path, "lines": lines, "text": text} if {
	some file in input.change.files
	not is_plan(file)
	lines := array.concat(file.added, file.removed)
	text := lower(concat(" ", [line.text | some line in lines]))
}

# Whether all there is to look at was looked at.
read if {
	is_string(files)
	count(input.change.files) > 0
	every file in input.change.files {
		readable(file)
	}
}

readable(file) if is_plan(file)

readable(file) if {
	some other in changed
	other.path == file.path
}
