package phasegate.packs.migrations_test

import rego.v1

import data.phasegate.lib.given
import data.phasegate.packs.migrations

all := {"migrations.rollback_plan", "migrations.rewritten"}

new := given.change([given.added("db/migrations/0002.py", ["AddColumn()"])], {})

in_code := given.change([given.file("src/a.py", ["run('ALTER TABLE users')"])], {})

rewritten := given.planned(given.change([given.file("db/migrations/0001.py", ["x"])], {}), true)

ids := given.rules(migrations.deny)

test_another_change_passes if migrations.passed == all with input as given.change([given.file("src/a.py", ["x"])], {})

test_a_migration_without_a_way_back_is_denied if ids == {"migrations.rollback_plan"} with input as new

test_a_plan_that_says_nothing_is_none if ids == {"migrations.rollback_plan"} with input as given.planned(new, false)

test_a_statement_in_code_is_a_migration if ids == {"migrations.rollback_plan"} with input as in_code

test_a_migration_with_a_plan_passes if {
	count(ids) == 0 with input as given.planned(new, true)
	migrations.passed == all with input as given.planned(new, true)
}

test_a_file_of_the_patch_may_be_the_plan if {
	migrations.passed == all with input as given.change(array.concat(new.change.files, [written]), {})
}

written := given.added("docs/rollback.md", ["drop the column again, then deploy the release before"])

test_a_migration_that_may_have_run_is_not_rewritten if ids == {"migrations.rewritten"} with input as rewritten

test_a_dump_of_the_schema_may_change if {
	migrations.passed == all with input as given.planned(given.change([given.file("db/schema.sql", ["x"])], {}), true)
}
