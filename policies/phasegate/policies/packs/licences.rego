# METADATA
# title: Licences of what is depended on
# description: >-
#   Reads the manifest of licences, `licences.json` or the artifact that the check's `licences` names: what
#   pip-licenses writes, or a CycloneDX bill of materials. Parameters: `allow`, licences as the manifest spells them
#   (required); `exceptions`, names of components that were looked at by a person.
package phasegate.packs.licences

import rego.v1

exceptions := object.get(input.parameters, "exceptions", [])

excepted(row) if row.name in exceptions

named(row) if {
	count(row.licences) > 0
	every licence in row.licences {
		is_name(licence)
	}
}

is_name(licence) if {
	is_string(licence)
	not licence in {"", "UNKNOWN", "NOASSERTION", "NONE"}
}

# Each of the licences applies; of "A OR B" one may be chosen.
allowed(row) if {
	every licence in row.licences {
		some choice in split(trim(licence, "()"), " OR ")
		choice in input.parameters.allow
	}
}

understood if {
	is_array(input.parameters.allow)
	is_array(exceptions)
	count(input.licences) > 0
}

# METADATA
# title: Every component names its licence
# custom:
#   id: licences.unknown
#   remedy: find out its licence, replace it, or have the process except it
deny contains finding if {
	some row in input.licences
	not excepted(row)
	not named(row)
	message := sprintf("`%s` %s names no licence", [row.name, row.version])
	finding := {"rule": "licences.unknown", "place": row.name, "message": message}
}

passed contains "licences.unknown" if {
	understood
	every row in input.licences {
		accounted(row)
	}
}

accounted(row) if excepted(row)

accounted(row) if named(row)

# METADATA
# title: Every licence is on the allowlist
# custom:
#   id: licences.not_allowed
#   remedy: replace the component, or have the process allow its licence
deny contains finding if {
	some row in input.licences
	not excepted(row)
	named(row)
	not allowed(row)
	message := concat("", ["`", row.name, "` ", row.version, " is under `", concat(", ", row.licences), "`"])
	finding := {"rule": "licences.not_allowed", "place": row.name, "message": message}
}

passed contains "licences.not_allowed" if {
	understood
	every row in input.licences {
		permitted(row)
	}
}

permitted(row) if excepted(row)

permitted(row) if allowed(row)

# That is for the rule before to deny.
permitted(row) if not named(row)
