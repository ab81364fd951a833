package phasegate.packs.paths_test

import rego.v1

import data.phasegate.lib.given
import data.phasegate.packs.paths

all := {"paths.unsafe", "paths.not_allowed"}

parameters := {"allow": ["src/**", "*.md"], "deny": ["src/keys/**"]}

change(path) := given.change([given.file(path, ["x"])], parameters)

test_a_path_on_the_allowlist_passes if {
	count(paths.deny) == 0 with input as change("src/a/b.py")
	paths.passed == all with input as change("src/a/b.py")
}

test_a_pattern_without_a_slash_matches_in_every_folder if paths.passed == all with input as change("docs/a.md")

test_another_path_is_denied if given.rules(paths.deny) == {"paths.not_allowed"} with input as change("build/a.py")

test_a_path_on_the_denylist_is_denied if {
	given.rules(paths.deny) == {"paths.not_allowed"} with input as change("src/keys/a.py")
}

test_a_way_up_is_denied if given.rules(paths.deny) == {"paths.unsafe"} with input as change("src/../a.py")

test_a_path_from_the_root_is_denied if given.rules(paths.deny) == {"paths.unsafe"} with input as change("/etc/passwd")

test_the_repositorys_own_folder_is_denied if {
	given.rules(paths.deny) == {"paths.unsafe"} with input as change("src/.GIT/hooks/x")
}

test_without_an_allowlist_nothing_is_known_to_be_allowed if {
	not "paths.not_allowed" in paths.passed with input as given.change([given.file("src/a.py", ["x"])], {})
}
