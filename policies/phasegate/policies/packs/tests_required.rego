# METADATA
# title: Tests change when sources do
# description: >-
#   Parameters: `sources`, patterns of files that need tests (required); `tests`, patterns of tests (what matches both
#   is a test); `excused`, patterns of sources that need none.
package phasegate.packs.tests_required

import rego.v1

import data.phasegate.lib.globs

default_tests := [
	"test/**", "tests/**", "**/tests/**", "**/test/**", "**/__tests__/**", "spec/**/*.rb",
	"test*.py", "*_test.py", "*_tests.py", "conftest.py", "*_test.go", "*.test.*", "*.spec.*",
	"*Test.java", "*Tests.java", "*TestCase.java", "*IT.java", "*Test.kt", "*Tests.kt", "*Spec.kt",
	"*Test.scala", "*Spec.scala", "*Spec.groovy", "*Test.cs", "*Tests.cs", "*Test.php", "*Tests.swift",
	"*_spec.rb", "*_test.rb", "test_*.rb", "*_test.exs", "*_test.dart", "*_test.cc", "*_test.cpp",
]

tests := globs.expression(object.get(input.parameters, "tests", default_tests))

source_files := globs.expression(input.parameters.sources)

excused := globs.expression(object.get(input.parameters, "excused", []))

changes_content(file) if file.changed > 0

changes_content(file) if file.binary == true

sources contains file.path if {
	some file in input.change.files
	changes_content(file)
	regex.match(source_files, file.path)
	not regex.match(excused, file.path)
	not regex.match(tests, file.path)
}

# A blank line or a comment in a test tests nothing.
tested if {
	some file in input.change.files
	file.status != "delete"
	regex.match(tests, file.path)
	some line in file.added
	regex.match(`[A-Za-z0-9]|[^ -~]`, line.text)
	not regex.match(`^\s*(?:#|//)`, line.text)
}

understood if {
	count(input.parameters.sources) > 0
	is_string(source_files)
	is_string(tests)
	is_string(excused)
	count(input.change.files) > 0
}

# METADATA
# title: A change of sources adds to tests
# custom:
#   id: tests_required.untested
#   remedy: add tests that fail without the change, in the same patch
deny contains finding if {
	count(sources) > 0
	not tested
	first := min(sources)
	message := sprintf("%d source files change, `%s` first, and no test does", [count(sources), first])
	finding := {"rule": "tests_required.untested", "place": first, "message": message}
}

passed contains "tests_required.untested" if {
	understood
	count(sources) == 0
}

passed contains "tests_required.untested" if {
	understood
	tested
}
