# METADATA
# title: Paths a change may touch
# description: "Parameters: `allow`, patterns a path must match (required); `deny`, patterns it must not."
package phasegate.packs.paths

import rego.v1

import data.phasegate.lib.globs

denylist := globs.expression(object.get(input.parameters, "deny", []))

allowlist := globs.expression(input.parameters.allow)

# Backslashes are percent-encoded in the input, as is all that is not plain ASCII.
unsafe(path) if startswith(path, "/")

unsafe(path) if contains(path, "%5C")

unsafe(path) if regex.match(concat("", ["^", globs.any_character, ":"]), path)

unsafe(path) if {
	some part in split(path, "/")
	lower(part) in {"", ".", "..", ".git", "git~1"}
}

safe(path) if {
	is_string(path)
	not unsafe(path)
}

allowed(path) if {
	regex.match(allowlist, path)
	not regex.match(denylist, path)
}

# METADATA
# title: Paths stay inside the repository
# custom:
#   id: paths.unsafe
#   remedy: name files relative to the repository, and nothing of `.git`
deny contains finding if {
	some path in input.change.paths
	unsafe(path)
	message := sprintf("`%s` is no path inside the repository", [path])
	finding := {"rule": "paths.unsafe", "place": path, "message": message}
}

passed contains "paths.unsafe" if {
	every path in input.change.paths {
		safe(path)
	}
}

# METADATA
# title: Paths are on the allowlist, and on no denylist
# custom:
#   id: paths.not_allowed
#   remedy: take it out of the change, or have the process allow the path
deny contains finding if {
	some path in input.change.paths
	not unsafe(path)
	not allowed(path)
	message := sprintf("`%s` is outside what this process allows to change", [path])
	finding := {"rule": "paths.not_allowed", "place": path, "message": message}
}

passed contains "paths.not_allowed" if {
	count(input.parameters.allow) > 0
	is_string(denylist)
	every path in input.change.paths {
		permitted(path)
	}
}

permitted(path) if allowed(path)

# That is for the rule before to deny.
permitted(path) if unsafe(path)
