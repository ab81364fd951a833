package phasegate.packs.rollback_plan_test

import rego.v1

import data.phasegate.lib.given
import data.phasegate.packs.rollback_plan

all := {"rollback_plan.secrets", "rollback_plan.risky"}

change(path, text) := given.change([given.file(path, [text])], {"risky": ["deploy/**"]})

ids := given.rules(rollback_plan.deny)

test_another_change_passes if rollback_plan.passed == all with input as change("src/a.py", "x = 1")

test_handling_secrets_without_a_way_back_is_denied if {
	ids == {"rollback_plan.secrets"} with input as change("src/a.py", "password = read_vault()")
}

test_a_file_of_secrets_is_handling_them if ids == {"rollback_plan.secrets"} with input as change("ops/secrets/db", "x")

test_a_risky_file_without_a_way_back_is_denied if ids == {"rollback_plan.risky"} with input as change("deploy/a.yaml", "x")

test_with_a_plan_both_pass if {
	rollback_plan.passed == all with input as given.planned(change("deploy/a.yaml", "password = read_vault()"), true)
}

test_a_plan_that_says_nothing_is_none if {
	ids == {"rollback_plan.risky"} with input as given.planned(change("deploy/a.yaml", "x"), false)
}
