# METADATA
# title: Inputs for tests of packs
# description: Documents as the engine gives them, from as little as a test has to say.
package phasegate.lib.given

import rego.v1

# A file that gets these lines.
file(path, texts) := as_status(path, "modify", texts)

added(path, texts) := object.union(as_status(path, "add", texts), {"old_path": ""})

deleted(path, texts) := object.union(as_status(path, "delete", []), {
	"removed": # Not `some at, text in texts`, which the interpreter refuses in a comprehension.
numbered(texts) := [{"line": at + 1, "text": texts[at]} | some at in indices(texts)]

indices(texts) := [] if count(texts) == 0

indices(texts) := numbers.range(0, count(texts) - 1) if count(texts) > 0

# A change of these files.
change(files, parameters) := {
	"version": 1,
	"parameters": parameters,
	"change": {
		"files": files,
		"paths": sort({file.path | some file in files}),
		"lines": sum([file.changed | some file in files]),
	},
	"documents": {},
}

# The same with a plan whose section Rollback is filled, or is not.
planned(document, filled) := object.union(document, {"documents": {"plan.md": [
	{"title": "work items", "filled": true},
	{"title": "rollback", "filled": filled},
]}})

# Ids of the rules that deny.
rules(denied) := {finding.rule | some finding in denied}
