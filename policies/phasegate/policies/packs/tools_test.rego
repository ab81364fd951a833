package phasegate.packs.tools_test

import rego.v1

import data.phasegate.packs.tools

process := {
	"name": "p",
	"version": 1,
	"digest": "0",
	"read_only_tools": ["Read"],
	"phases": {"A": ["Edit", "mcp__repo__*"], "B": ["Bash"]},
}

at(status) := {"phase": "A", "status": status}

asked(call) := {"version": 1, "parameters": {}, "process": process, "call": object.union(standing, call)}

standing := {"tool": "Edit", "task": "T-1", "state": at("open"), "personas": [], "lease": ""}

reader := {"name": "reader", "version": 2, "tools": ["Read"]}

writer := {"name": "writer", "version": 1, "tools": ["Edit"]}

ids := {finding.rule | some finding in tools.deny}

test_a_tool_of_the_phase_passes if {
	count(ids) == 0 with input as asked({})
	count(tools.passed) == 8 with input as asked({})
}

test_a_name_of_many_passes if count(tools.passed) == 8 with input as asked({"tool": "mcp__repo__commit"})

test_a_tool_of_another_phase_is_denied if ids == {"tools.out_of_phase"} with input as asked({"tool": "Bash"})

test_another_case_is_another_tool if ids == {"tools.out_of_phase"} with input as asked({"tool": "edit"})

test_what_is_no_name_is_denied if ids == {"tools.malformed"} with input as asked({"tool": "Edit "})

test_reading_passes_without_a_task if count(ids) == 0 with input as asked({"tool": "Read", "task": "", "state": null})

test_writing_without_a_task_is_denied if ids == {"tools.no_task"} with input as asked({"task": "", "state": null})

test_an_unknown_task_is_none if ids == {"tools.unknown_task"} with input as asked({"state": null})

test_a_finished_task_is_none if ids == {"tools.task_finished"} with input as asked({"state": at("completed")})

test_a_paused_task_waits if ids == {"tools.task_paused"} with input as asked({"state": at("paused")})

test_a_lease_in_the_way_is_denied if ids == {"tools.lease"} with input as asked({"lease": "lease.held"})

test_a_persona_that_does_not_list_it_is_denied if {
	ids == {"tools.out_of_persona"} with input as asked({"personas": [writer, reader]})
}

test_a_persona_that_lists_it_passes if count(ids) == 0 with input as asked({"personas": [writer]})
