# METADATA
# title: What cannot simply be reverted comes with a way back
# description: >-
#   Parameters: `risky`, patterns of files whose change needs a rollback plan besides secrets handling, such as
#   `deploy/**`; `plan` and `files`, where the plan is looked for.
package phasegate.packs.rollback_plan

import rego.v1

import data.phasegate.lib.globs
import data.phasegate.lib.rollback

secret_paths := globs.expression([".env", ".env.*", "**/secrets/**", "*.pem", "*.key", "*.p12"])

secret_words := `(?:^|[^a-z0-9_])[a-z0-9_]{0,40}(?:secret|passwd|password|(?:api|private)[_-]?key|credential|access[_-]?token)[a-z0-9_]{0,40}\\*["']?\s{0,8}(?:[:=(]|\[|$)`

hints := `secret|passw|key|credential|token`

risky := globs.expression(object.get(input.parameters, "risky", []))

secrets contains file.path if {
	some file in input.change.files
	not rollback.is_plan(file)
	regex.match(secret_paths, file.path)
}

secrets contains sprintf("%s line %d", [file.path, line.line]) if {
	some file in rollback.changed
	regex.match(hints, file.text)
	some line in file.lines
	regex.match(secret_words, lower(line.text))
}

touched contains file.path if {
	some file in input.change.files
	not rollback.is_plan(file)
	regex.match(risky, file.path)
}

read if {
	is_string(risky)
	rollback.read
}

# METADATA
# title: Secrets handling comes with a rollback plan
# custom:
#   id: rollback_plan.secrets
#   remedy: write how it is undone, in `Rollback` of the plan or in a file of the patch
deny contains finding if {
	count(secrets) > 0
	not rollback.exists
	message := concat("", ["the patch handles secrets and ", rollback.missing])
	finding := {"rule": "rollback_plan.secrets", "place": min(secrets), "message": message}
}

passed contains "rollback_plan.secrets" if {
	read
	count(secrets) == 0
}

passed contains "rollback_plan.secrets" if {
	read
	rollback.exists
}

# METADATA
# title: A risky file changes only with a rollback plan
# custom:
#   id: rollback_plan.risky
#   remedy: write how it is undone, in `Rollback` of the plan or in a file of the patch
deny contains finding if {
	count(touched) > 0
	not rollback.exists
	message := concat("", ["`", min(touched), "` changes and ", rollback.missing])
	finding := {"rule": "rollback_plan.risky", "place": min(touched), "message": message}
}

passed contains "rollback_plan.risky" if {
	read
	count(touched) == 0
}

passed contains "rollback_plan.risky" if {
	read
	rollback.exists
}
