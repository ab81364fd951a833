package phasegate.packs.licences_test

import rego.v1

import data.phasegate.packs.licences

all := {"licences.unknown", "licences.not_allowed"}

row(name, named) := {"name": name, "version": "1.0", "licences": named}

parameters := {"allow": ["MIT", "Apache-2.0"], "exceptions": ["looked-at"]}

manifest(rows) := {"version": 1, "parameters": parameters, "licences": rows}

ids := {finding.rule | some finding in licences.deny}

test_a_licence_on_the_allowlist_passes if {
	count(ids) == 0 with input as manifest([row("a", ["MIT"])])
	licences.passed == all with input as manifest([row("a", ["MIT"])])
}

test_one_choice_is_enough if licences.passed == all with input as manifest([row("a", ["(GPL-3.0 OR MIT)"])])

test_another_licence_is_denied if ids == {"licences.not_allowed"} with input as manifest([row("a", ["GPL-3.0"])])

test_all_of_several_licences_apply if {
	ids == {"licences.not_allowed"} with input as manifest([row("a", ["MIT", "GPL-3.0"])])
}

test_a_component_without_a_licence_is_denied if ids == {"licences.unknown"} with input as manifest([row("a", [])])

test_unknown_is_no_licence if ids == {"licences.unknown"} with input as manifest([row("a", ["UNKNOWN"])])

test_what_a_person_has_looked_at_passes if licences.passed == all with input as manifest([row("looked-at", [])])

test_an_empty_manifest_says_nothing if count(licences.passed) == 0 with input as manifest([])
