# METADATA
# title: Inputs for tests of packs
# description: Documents as the engine gives them, from as little as a test has to say.
package phasegate.lib.given

import rego.v1

# A file that gets these lines.
file(path, texts) := changed(path, "modify", texts, [])

added(path, texts) := changed(path, "add", texts, [])

deleted(path, texts) := changed(path, "delete", [], texts)

changed(path, status, texts, gone) := {
	"path": path,
	"old_path": path,
	"status": status,
	"mode": "",
	"binary": false,
	"added": numbered(texts),
	"removed": numbered(gone),
	"changed": count(array.concat(texts, gone)),
	"words": count(split(concat(" ", texts), " ")),
}

# Not `some at, text in texts`, which the interpreter refuses in a comprehension.
numbered(texts) := [line | text := texts[at]; line := {"line": at, "text": text}]

# A change of these files.
change(files, parameters) := {
	"version": 1,
	"parameters": parameters,
	"change": {"files": files, "paths": paths(files), "lines": sum([file.changed | some file in files])},
	"documents": {},
}

paths(files) := [file.path | some file in files]

# The same with a plan whose section Rollback is filled, or is not.
planned(document, filled) := object.union(document, {"documents": {"plan.md": sections(filled)}})

sections(filled) := [{"title": "work items", "filled": true}, {"title": "rollback", "filled": filled}]

# Ids of the rules that deny.
rules(denied) := {finding.rule | some finding in denied}
