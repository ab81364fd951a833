package phasegate.packs.feature_flags_test

import rego.v1

import data.phasegate.lib.given
import data.phasegate.packs.feature_flags

all := {"feature_flags.rollback_plan", "feature_flags.registered"}

flagged := given.file("src/a.py", ["if is_enabled('new_search'):"])

entered := given.file("flags.md", ["new_search: the search team"])

change(files) := given.planned(given.change(files, {"registry": ["flags.md"]}), true)

ids := given.rules(feature_flags.deny)

test_another_change_passes if feature_flags.passed == all with input as change([given.file("src/a.py", ["x = 1"])])

test_a_flag_without_a_way_back_is_denied if {
	ids == {"feature_flags.rollback_plan"} with input as given.planned(change([flagged, entered]), false)
}

test_a_file_of_flags_is_one_too if {
	ids == {"feature_flags.rollback_plan"} with input as given.change([given.file("config/flags/a.yaml", ["x"])], {})
}

test_a_flag_that_is_not_entered_is_denied if ids == {"feature_flags.registered"} with input as change([flagged])

test_a_flag_that_is_entered_passes if {
	count(ids) == 0 with input as change([flagged, entered])
	feature_flags.passed == all with input as change([flagged, entered])
}
