package phasegate.packs.secrets_test

import rego.v1

import data.phasegate.lib.given
import data.phasegate.packs.secrets

all := {"secrets.file", "secrets.private_key", "secrets.token", "secrets.literal"}

change(path, text) := given.change([given.file(path, [text])], {"excused": ["tests/data/**"]})

ids := given.rules(secrets.deny)

# In two parts, so that no scanner takes this file for what it speaks of.
token := concat("", ["AKIA", "IOSFODNN7EXAMPLQ"])

key := concat("", ["-----BEGIN RSA ", "PRIVATE KEY-----"])

test_a_plain_change_passes if {
	count(ids) == 0 with input as change("src/a.py", "key = find(name)")
	secrets.passed == all with input as change("src/a.py", "key = find(name)")
}

test_a_file_of_secrets_is_denied if ids == {"secrets.file"} with input as change("deploy/.env", "A=1")

test_a_template_of_one_passes if secrets.passed == all with input as change("deploy/env.example", "A=1")

test_a_private_key_is_denied if ids == {"secrets.private_key"} with input as change("a.txt", key)

test_a_public_key_passes if secrets.passed == all with input as change("a.txt", "-----BEGIN PUBLIC KEY-----")

test_a_token_is_denied if ids == {"secrets.token"} with input as change("src/a.py", token)

test_part_of_a_word_is_no_token if secrets.passed == all with input as change("src/a.py", concat("", ["X", token]))

test_a_literal_is_denied if ids == {"secrets.literal"} with input as change("src/a.py", `password = "correct horse"`)

test_a_literal_in_another_form_is_denied if {
	places == {"src/a.py line 0", "src/a.py line 1", "src/a.py line 2"} with input as given.change(forms, {})
}

forms := [given.file("src/a.py", [
	`settings["password"] = "correct horse"`,
	`password: str = "correct horse"`,
	`password = b"correct horse"`,
	`password == "correct horse"`,
])]

test_what_stands_for_a_secret_passes if {
	secrets.passed == all with input as change("src/a.py", `password = "${DB_PASSWORD}"`)
}

beside := [`password = "correct horse"  # no "example"`, `secret = "${A}"; password = "correct horse"`]

places := {finding.place | some finding in secrets.deny}

test_what_stands_beside_one_excuses_no_literal if {
	places == {"src/a.py line 0", "src/a.py line 1"} with input as given.change([given.file("src/a.py", beside)], {})
}

test_test_data_that_is_excused_passes if secrets.passed == all with input as change("tests/data/a.txt", token)

test_what_was_found_is_not_repeated if {
	messages := [finding.message | some finding in secrets.deny]
	not contains(concat(" ", messages), token) with input as change("src/a.py", token)
}

test_without_a_change_nothing_is_known_to_be_clean if count(secrets.passed) == 0 with input as {"parameters": {}}
