# METADATA
# title: Path patterns
# description: >-
#   `src/**`, `*.py`, `tests/**/test_*.py`, as in the engine's own checks: `*` and `?` stay within one folder, `**`
#   spans any number; a pattern without a slash matches the last part of a path, one that ends in a slash all below
#   it. Paths are percent-encoded, so one character beyond plain ASCII is several of them here. A pattern that is not
#   printable ASCII, or has three stars in a row, is not understood: nothing is defined by it.
package phasegate.lib.globs

import rego.v1

any_character := `(?:[^/%]|%[0-7][0-9A-F]|%[C-F][0-9A-F](?:%[89AB][0-9A-F])+)`

# One expression for a whole list, to be made once: `regex.match(expression(patterns), path)`. That of an empty list
# matches no path.
expression(patterns) := concat("", ["^(?:", concat("|", [one(pattern) | some pattern in patterns]), ")$"]) if {
	understood(patterns)
}

understood(patterns) if {
	is_array(patterns)
	every pattern in patterns {
		is_pattern(pattern)
	}
}

is_pattern(text) if {
	regex.match(`^[ -~]+$`, text)
	not contains(text, "***")
}

one(pattern) := filled(escaped(trim_prefix(anchored(below(encoded(pattern))), "/")))

encoded(pattern) := replace(replace(replace(pattern, "%", "%25"), "\"", "%22"), "\\", "%5C")

below(pattern) := concat("", [pattern, "**"]) if endswith(pattern, "/")

below(pattern) := pattern if not endswith(pattern, "/")

anchored(pattern) := pattern if contains(pattern, "/")

anchored(pattern) := concat("", ["**/", pattern]) if not contains(pattern, "/")

# Wildcards become marks that no encoded pattern holds, then all else is taken literally.
escaped(pattern) := literal(replace(replace(replace(replace(pattern, "**/", "%s"), "**", "%d"), "*", "%o"), "?", "%q"))

literal(text) := dashed(bracketed(replace(replace(replace(text, ".", `\.`), "+", `\+`), "$", `\$`)))

bracketed(text) := replace(replace(replace(replace(text, "(", `\(`), ")", `\)`), "[", `\[`), "]", `\]`)

dashed(text) := replace(replace(replace(replace(text, "{", `\{`), "}", `\}`), "^", `\^`), "|", `\|`)

filled(text) := replace(replace(replace(replace(text, "%s", `(?:[^/]+/)*`), "%d", ".*"), "%o", "[^/]*"), "%q", any_character)
