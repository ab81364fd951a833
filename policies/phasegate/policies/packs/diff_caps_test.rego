package phasegate.packs.diff_caps_test

import rego.v1

import data.phasegate.lib.given
import data.phasegate.packs.diff_caps

all := {"diff_caps.files", "diff_caps.lines"}

files := [given.file("a.py", ["1", "2"]), given.file("b.py", ["1", "2"])]

change(max_files, max_lines) := given.change(files, {"max_files": max_files, "max_lines": max_lines})

test_as_many_as_allowed_pass if {
	count(diff_caps.deny) == 0 with input as change(2, 4)
	diff_caps.passed == all with input as change(2, 4)
}

test_one_file_more_is_denied if given.rules(diff_caps.deny) == {"diff_caps.files"} with input as change(1, 4)

test_one_line_more_is_denied if given.rules(diff_caps.deny) == {"diff_caps.lines"} with input as change(2, 3)

test_a_cap_that_is_no_number_lets_nothing_pass if count(diff_caps.passed) == 0 with input as change("2", "4")

test_the_caps_that_nobody_set_are_wide if diff_caps.passed == all with input as given.change(files, {})
