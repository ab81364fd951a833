# METADATA
# title: No secrets in a change
# description: >-
#   Looks at files by name and at added lines for keys and tokens of known shapes, and for words such as `password`
#   that are given a literal. What is found is never repeated. Parameter: `excused`, patterns of files that may hold
#   such text, as test data does.
package phasegate.packs.secrets

import rego.v1

import data.phasegate.lib.globs

excused := globs.expression(object.get(input.parameters, "excused", []))

secret_files := globs.expression([
	".env", ".env.*", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "id_rsa", "id_dsa", "id_ecdsa",
	"id_ed25519", ".netrc", ".pgpass", ".htpasswd", ".npmrc", ".pypirc",
])

token := concat("|", [
	`(?:^|[^A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?:[^A-Za-z0-9]|$)`,
	`gh[pousr]_[A-Za-z0-9]{36}`,
	`github_pat_[A-Za-z0-9_]{40}`,
	`glpat-[A-Za-z0-9_-]{20}`,
	`xox[abeprs]-[A-Za-z0-9-]{10}`,
	`sk_live_[A-Za-z0-9]{16}`,
	`sk-(?:ant-|proj-)?[A-Za-z0-9_-]{32}`,
	`AIza[A-Za-z0-9_-]{35}`,
	`npm_[A-Za-z0-9]{36}`,
	`pypi-[A-Za-z0-9_-]{50}`,
	`eyJ[A-Za-z0-9_-]{10,}[.]eyJ[A-Za-z0-9_-]{10,}[.][A-Za-z0-9_-]{10}`,
])

words := `(?:secret|passwd|password|api[_-]?key|private[_-]?key|access[_-]?token|auth[_-]?token)`

# Also in brackets, with a type, and before a literal of bytes.
named := concat("", [words, `\\*["']?\]?\s*(?::|(?::\s*[a-z][a-z0-9_.]*\s*)?=|:=|=>)\s*[bru]{0,2}`])

# The backslash before a quote is how some interpreters hold the text of a string.
assignment := concat("", [named, `\\*["'][^"'\\]{8,}\\*["']`])

# What stands for a secret and is none; another one may stand in the same line.
stand_in := concat("", [named, `\\*["'](?:\$\{|<|\{\{|%\(|\*\*\*|xxx|changeme|example|placeholder|your[_-])`])

# Short beginnings of all that is looked for, because each look costs.
hints := `-----BEGIN |AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|xox|sk_live_|sk-|AIza|npm_|pypi-|eyJ|[sS][eE][cC][rR][eE][tT]|[pP][aA][sS][sS][wW]|[kK][eE][yY]|[tT][oO][kK][eE][nN]`

suspects contains {"path": file.path, "line": line.line, "text": line.text} if {
	some file in input.change.files
	not regex.match(excused, file.path)
	regex.match(hints, concat(" ", [line.text | some line in file.added]))
	some line in file.added
	regex.match(hints, line.text)
}

place(line) := sprintf("%s line %d", [line.path, line.line])

# Whether all there is to look at was looked at.
read if {
	is_string(excused)
	count(input.change.files) > 0
	every file in input.change.files {
		is_string(file.path)
		is_string(concat(" ", [line.text | some line in file.added]))
	}
}

files contains file.path if {
	some file in input.change.files
	file.status != "delete"
	regex.match(secret_files, file.path)
	not regex.match(excused, file.path)
}

keys contains line if {
	some line in suspects
	regex.match(`-----BEGIN [A-Z ]*PRIVATE KEY`, line.text)
}

tokens contains line if {
	some line in suspects
	regex.match(token, line.text)
}

assignments contains line if {
	some line in suspects
	regex.match(assignment, regex.replace(lower(line.text), stand_in, ""))
}

# METADATA
# title: No file that holds secrets by its name
# custom:
#   id: secrets.file
#   remedy: keep it out of version control, and give a template without values instead
deny contains finding if {
	some path in files
	finding := {"rule": "secrets.file", "place": path, "message": sprintf("`%s` is a file of secrets by its name", [path])}
}

passed contains "secrets.file" if {
	read
	count(files) == 0
}

# METADATA
# title: No private key
# custom:
#   id: secrets.private_key
#   remedy: take it out, and replace the key wherever it is in use
deny contains finding if {
	some line in keys
	finding := {"rule": "secrets.private_key", "place": place(line), "message": "a private key is added"}
}

passed contains "secrets.private_key" if {
	read
	count(keys) == 0
}

# METADATA
# title: No token of a known shape
# custom:
#   id: secrets.token
#   remedy: take it out, and revoke the token where it was issued
deny contains finding if {
	some line in tokens
	finding := {"rule": "secrets.token", "place": place(line), "message": "a token of a known service is added"}
}

passed contains "secrets.token" if {
	read
	count(tokens) == 0
}

# METADATA
# title: No secret as a literal
# custom:
#   id: secrets.literal
#   remedy: read it from the environment or a vault, or excuse the file if it is test data
deny contains finding if {
	some line in assignments
	finding := {"rule": "secrets.literal", "place": place(line), "message": "a secret is given as a literal"}
}

passed contains "secrets.literal" if {
	read
	count(assignments) == 0
}
