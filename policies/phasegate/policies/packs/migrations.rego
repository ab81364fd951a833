# METADATA
# title: Migrations can be undone
# description: >-
#   Parameters: `migrations`, patterns of migration files; `plan` and `files`, where a rollback plan is looked for
#   (default: section Rollback of `plan.md`, or a file such as `docs/rollback.md`).
package phasegate.packs.migrations

import rego.v1

import data.phasegate.lib.globs
import data.phasegate.lib.rollback

default_migrations := ["**/migrations/**", "**/migrate/**", "**/alembic/**", "*.sql", "schema.rb", "*.prisma"]

migrations := globs.expression(object.get(input.parameters, "migrations", default_migrations))

hints := `table|index|column|type|schema`

statement := `(?:^|[^a-z0-9_])(?:alter|drop|create)\s+(?:table|index|column|type|schema)(?:[^a-z0-9_]|$)`

migrating contains file.path if {
	some file in input.change.files
	not rollback.is_plan(file)
	regex.match(migrations, file.path)
}

migrating contains sprintf("%s line %d", [file.path, line.line]) if {
	some file in rollback.changed
	regex.match(hints, file.text)
	some line in file.lines
	regex.match(statement, lower(line.text))
}

read if {
	is_string(migrations)
	rollback.read
}

# METADATA
# title: A migration comes with a rollback plan
# custom:
#   id: migrations.rollback_plan
#   remedy: write how the migration is undone, in `Rollback` of the plan or in a file of the patch
deny contains finding if {
	count(migrating) > 0
	not rollback.exists
	finding := {
		"rule": "migrations.rollback_plan",
		"place": min(migrating),
		"message": concat("", ["the patch contains a migration and ", rollback.missing]),
	}
}

passed contains "migrations.rollback_plan" if {
	read
	count(migrating) == 0
}

passed contains "migrations.rollback_plan" if {
	read
	rollback.exists
}

rewritten contains file.path if {
	some file in input.change.files
	not file.status in {"add", "copy"}
	regex.match(migrations, file.path)
	not regex.match(rewritable, file.path)
}

# A dump of the schema changes with each migration.
rewritable := globs.expression(object.get(input.parameters, "rewritable", default_rewritable))

default_rewritable := ["schema.rb", "schema.sql", "structure.sql", "*.prisma"]

# METADATA
# title: A migration that may have run is not rewritten
# custom:
#   id: migrations.rewritten
#   remedy: leave it as it is, and add another migration
deny contains finding if {
	some path in rewritten
	message := sprintf("`%s` may have run somewhere, and is changed", [path])
	finding := {"rule": "migrations.rewritten", "place": path, "message": message}
}

passed contains "migrations.rewritten" if {
	read
	is_string(rewritable)
	count(rewritten) == 0
}
