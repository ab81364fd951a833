# METADATA
# title: How large a change may be
# description: "Parameters: `max_files` (default 50); `max_lines`, added and removed together (default 1500)."
package phasegate.packs.diff_caps

import rego.v1

max_files := object.get(input.parameters, "max_files", 50)

max_lines := object.get(input.parameters, "max_lines", 1500)

files := count({file.path | some file in input.change.files})

# METADATA
# title: A change touches few enough files to be read
# custom:
#   id: diff_caps.files
#   remedy: split the change into smaller ones, each with its own task
deny contains finding if {
	files > max_files
	message := sprintf("the patch touches %d files, more than %d", [files, max_files])
	finding := {"rule": "diff_caps.files", "place": "document", "message": message}
}

passed contains "diff_caps.files" if {
	is_number(max_files)
	files <= max_files
}

# METADATA
# title: A change is short enough to be read
# custom:
#   id: diff_caps.lines
#   remedy: split the change into smaller ones, each with its own task
deny contains finding if {
	input.change.lines > max_lines
	message := sprintf("the patch adds and removes %d lines, more than %d", [input.change.lines, max_lines])
	finding := {"rule": "diff_caps.lines", "place": "document", "message": message}
}

passed contains "diff_caps.lines" if {
	is_number(max_lines)
	is_number(input.change.lines)
	input.change.lines <= max_lines
}
