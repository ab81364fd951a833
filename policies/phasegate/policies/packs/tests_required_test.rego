package phasegate.packs.tests_required_test

import rego.v1

import data.phasegate.lib.given
import data.phasegate.packs.tests_required

rule := "tests_required.untested"

parameters := {"sources": ["*.py"], "excused": ["docs/**"]}

change(files) := given.change(files, parameters)

source := given.file("src/a.py", ["x = 1"])

test_a_source_with_a_test_passes if {
	count(tests_required.deny) == 0 with input as change([source, given.file("tests/test_a.py", ["assert x"])])
	tests_required.passed == {rule} with input as change([source, given.file("tests/test_a.py", ["assert x"])])
}

test_a_source_without_a_test_is_denied if given.rules(tests_required.deny) == {rule} with input as change([source])

test_a_comment_in_a_test_tests_nothing if {
	given.rules(tests_required.deny) == {rule} with input as change([source, given.file("tests/test_a.py", ["  # x", ""])])
}

test_a_deleted_test_tests_nothing if {
	given.rules(tests_required.deny) == {rule} with input as change([source, given.deleted("tests/test_a.py", ["x"])])
}

test_what_is_no_source_needs_no_test if tests_required.passed == {rule} with input as change([given.file("a.md", ["x"])])

test_what_is_excused_needs_no_test if {
	tests_required.passed == {rule} with input as change([given.file("docs/conf.py", ["x"])])
}

test_without_sources_nothing_is_known_to_be_tested if {
	count(tests_required.passed) == 0 with input as given.change([source], {})
}
