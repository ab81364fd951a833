# METADATA
# title: Which tools may be called
# description: >-
#   The engine's own tables, said once more: the decision is that of `engine tool check`, with the same rule. One
#   thing decides each call, the first in the order of the rules below.
package phasegate.packs.tools

import rego.v1

call := input.call

process := input.process

is_name if regex.match(`^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,126}$`, call.tool)

listed(names) if call.tool in names

listed(names) if {
	some name in names
	endswith(name, "*")
	startswith(call.tool, trim_suffix(name, "*"))
}

reads if listed(process.read_only_tools)

in_phase if listed(process.phases[call.state.phase])

strangers := [persona | some persona in call.personas; not listed(persona.tools)]

fault := {"rule": "tools.malformed", "place": "name"} if {
	not is_name
} else := {"rule": "tools.out_of_persona", "place": narrowed_by} if {
	reads
	count(strangers) > 0
} else := {"rule": "none", "place": concat(":", [process.name, "read_only_tools"])} if {
	reads
} else := {"rule": "tools.no_task", "place": "task"} if {
	call.state == null
	call.task == ""
} else := {"rule": "tools.unknown_task", "place": "task"} if {
	call.state == null
} else := {"rule": "tools.task_finished", "place": "task.status"} if {
	call.state.status in {"completed", "aborted"}
} else := {"rule": "tools.task_paused", "place": "task.status"} if {
	call.state.status == "paused"
} else := {"rule": "tools.lease", "place": "lease"} if {
	call.lease != ""
} else := {"rule": "tools.out_of_phase", "place": phase_list} if {
	not in_phase
} else := {"rule": "tools.out_of_persona", "place": narrowed_by} if {
	count(strangers) > 0
} else := {"rule": "none", "place": phase_list} if {
	in_phase
	call.state.status == "open"
}

narrowed_by := sprintf("persona:%s@%d", [strangers[0].name, strangers[0].version])

phase_list := sprintf("%s:%s.tools", [process.name, call.state.phase])

refuses(rule) if fault.rule == rule

# Only a decision that was reached says that nothing refuses the call.
decided if is_string(fault.place)

messages := {
	"tools.malformed": "it is no tool's name",
	"tools.no_task": "there is no active task",
	"tools.unknown_task": "there is no such task",
	"tools.task_finished": "the task has ended",
	"tools.task_paused": "the task is paused",
	"tools.lease": "a lease, or the want of one, is in the way",
	"tools.out_of_phase": "the phase does not allow the tool",
	"tools.out_of_persona": "a persona does not list the tool",
}

finding(rule) := {"rule": rule, "place": fault.place, "message": messages[rule]} if refuses(rule)

# METADATA
# title: A tool is called by its exact name
# custom:
#   id: tools.malformed
#   remedy: "call a tool by its exact name: letters, digits and `_ . : / -`, at most 127 of them"
deny contains finding("tools.malformed")

# METADATA
# title: More than reading needs a task
# custom:
#   id: tools.no_task
#   remedy: "open one, and name it: `engine open TASK --process autopilot --repo DIR`"
deny contains finding("tools.no_task")

# METADATA
# title: The task exists
# custom:
#   id: tools.unknown_task
#   remedy: "open it, or name the one that is open: `engine status`"
deny contains finding("tools.unknown_task")

# METADATA
# title: The task goes on
# custom:
#   id: tools.task_finished
#   remedy: open a new task for further work
deny contains finding("tools.task_finished")

# METADATA
# title: The task is not paused
# custom:
#   id: tools.task_paused
#   remedy: "a person lets it go on: `engine resume TASK --reason TEXT --key FILE`"
deny contains finding("tools.task_paused")

# METADATA
# title: No lease is in the way
# custom:
#   id: tools.lease
#   remedy: "see `engine lease list TASK`; acquire the phase when it is free"
deny contains finding("tools.lease")

# METADATA
# title: The phase lists the tool
# custom:
#   id: tools.out_of_phase
#   remedy: "`engine tool list TASK` shows what may be called now"
deny contains finding("tools.out_of_phase")

# METADATA
# title: Every persona lists the tool
# custom:
#   id: tools.out_of_persona
#   remedy: leave the step to whose persona lists it; a persona narrows what a phase allows
deny contains finding("tools.out_of_persona")

passed contains rule if {
	decided
	some rule, _ in messages
	not refuses(rule)
}
