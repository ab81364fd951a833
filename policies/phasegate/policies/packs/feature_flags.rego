# METADATA
# title: Feature flags can be switched off and are known
# description: >-
#   Parameters: `flags`, patterns of files that define flags; `registry`, patterns of files in which a new flag must
#   be entered (default: none is asked for); `plan` and `files`, where a rollback plan is looked for.
package phasegate.packs.feature_flags

import rego.v1

import data.phasegate.lib.globs
import data.phasegate.lib.rollback

default_flags := ["**/flags/**", "*feature_flags*", "*feature-flags*"]

flags := globs.expression(object.get(input.parameters, "flags", default_flags))

hints := `feature|enabled[(]`

registry_patterns := object.get(input.parameters, "registry", [])

registry := globs.expression(registry_patterns)

words := concat("|", [
	`(?:^|[^a-z0-9_])feature[_ -]?(?:flag|toggle)s?(?:[^a-z0-9_]|$)`,
	`(?:^|[^a-z0-9_])is_?(?:feature_?)?enabled[(]`,
])

flagged contains file.path if {
	some file in input.change.files
	not rollback.is_plan(file)
	regex.match(flags, file.path)
}

flagged contains sprintf("%s line %d", [file.path, line.line]) if {
	some file in rollback.changed
	regex.match(hints, file.text)
	some line in file.lines
	regex.match(words, lower(line.text))
}

registered if {
	some file in input.change.files
	file.status != "delete"
	count(file.added) > 0
	regex.match(registry, file.path)
}

read if {
	is_string(flags)
	is_string(registry)
	rollback.read
}

# METADATA
# title: A feature flag comes with a rollback plan
# custom:
#   id: feature_flags.rollback_plan
#   remedy: write how the flag is switched back, in `Rollback` of the plan or in a file of the patch
deny contains finding if {
	count(flagged) > 0
	not rollback.exists
	message := concat("", ["the patch contains a feature flag and ", rollback.missing])
	finding := {"rule": "feature_flags.rollback_plan", "place": min(flagged), "message": message}
}

passed contains "feature_flags.rollback_plan" if {
	read
	count(flagged) == 0
}

passed contains "feature_flags.rollback_plan" if {
	read
	rollback.exists
}

# METADATA
# title: A feature flag is entered where flags are listed
# custom:
#   id: feature_flags.registered
#   remedy: enter the flag in the registry, with who answers for it
deny contains finding if {
	count(flagged) > 0
	count(registry_patterns) > 0
	not registered
	message := "the patch contains a feature flag and no entry in the registry of flags"
	finding := {"rule": "feature_flags.registered", "place": min(flagged), "message": message}
}

passed contains "feature_flags.registered" if {
	read
	count(flagged) == 0
}

passed contains "feature_flags.registered" if {
	read
	count(registry_patterns) == 0
}

passed contains "feature_flags.registered" if {
	read
	registered
}
