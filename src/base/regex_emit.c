/*
 * regex_emit.c: the tree of a JavaScript pattern in PCRE2's language.
 *
 * Only constructs that mean the same in both are written; nothing of the pattern's text gets through
 * as it stands. What needs care:
 *
 * 1. Loops whose body can match nothing. JavaScript rejects an iteration that consumed nothing and
 *    tries the body's next way; PCRE2 accepts it and leaves the loop. Where that shows (captures
 *    within, or nothing tried before something) an empty group notes where the iteration began and a
 *    callout at its end rejects it when it got nowhere. PCRE2 restores groups when it backtracks, so
 *    the note is always right.
 * 2. Captures in a loop. JavaScript forgets them when an iteration begins, PCRE2 keeps them. A capture
 *    that an iteration may skip counts only if it starts after the note of the last iteration: applied
 *    when reporting, and by callouts around backreferences.
 * 3. Lookbehind is matched backwards in JavaScript. Of fixed length and without loops around captures
 *    or references within it makes no difference. Another one without captures becomes a pattern of its
 *    own with everything from right to left, which a callout matches on the text from right to left; as
 *    it only holds or not, empty iterations need no care there. What is left is refused.
 * 4. A reference to a group that cannot have matched yet matches nothing in JavaScript: nothing is
 *    written for it.
 *
 * What cannot be said so is refused, with the reason.
 */
#include "postgres.h"

#include <ctype.h>

#include "base/compat.h"
#include "base/regex_internal.h"
#include "miscadmin.h"

#define MOST_OUTPUT (256 * 1024)

typedef struct Emitter
{
	WfRegexTree *tree;
	StringInfo	out;
	bool		behind;			/* within what is a lookbehind for PCRE2 */
	bool		apart;			/* a pattern of its own, which only holds or not */
	bool		backwards;		/* everything is written from right to left */
} Emitter;

static void emit(Emitter *e, const WfRegexNode *node);

/* -- what a part of the tree is like -- */

static int
add_capped(int a, int b)
{
	return Min(a + b, 1 << 20);
}

static int	min_length(WfRegexNode *node);

static int
compute_min_length(WfRegexNode *node)
{
	int			length = 0;

	check_stack_depth();
	switch (node->kind)
	{
		case WF_REGEX_CHAR:
		case WF_REGEX_SET:
		case WF_REGEX_BOTH:
		case WF_REGEX_MINUS:
		case WF_REGEX_NEITHER:
			return 1;
		case WF_REGEX_GROUP:
			return min_length(node->children[0]);
		case WF_REGEX_SEQUENCE:
			for (int i = 0; i < node->n; i++)
				length = add_capped(length, min_length(node->children[i]));
			return length;
		case WF_REGEX_CHOICE:
			length = 1 << 20;
			for (int i = 0; i < node->n; i++)
				length = Min(length, min_length(node->children[i]));
			return length;
		case WF_REGEX_REPEAT:
			length = min_length(node->children[0]);
			return (int) Min((int64) length * node->min, 1 << 20);
		default:
			return 0;
	}
}

/* The least number of characters that it matches. */
static int
min_length(WfRegexNode *node)
{
	if (node->least == 0)
		node->least = compute_min_length(node) + 1;
	return node->least - 1;
}

/* The number of characters that it matches, if that is always the same; otherwise -1. */
static int
fixed_length(WfRegexNode *node)
{
	int			length = 0;
	int			one;

	check_stack_depth();
	switch (node->kind)
	{
		case WF_REGEX_GROUP:
			return fixed_length(node->children[0]);
		case WF_REGEX_SEQUENCE:
			for (int i = 0; i < node->n; i++)
			{
				one = fixed_length(node->children[i]);
				if (one < 0 || length + one > 255)
					return -1;
				length += one;
			}
			return length;
		case WF_REGEX_CHOICE:
			length = fixed_length(node->children[0]);
			for (int i = 1; i < node->n; i++)
			{
				if (fixed_length(node->children[i]) != length)
					return -1;
			}
			return length;
		case WF_REGEX_REPEAT:
			one = fixed_length(node->children[0]);
			if (one < 0 || node->min != node->max || (int64) one * node->min > 255)
				return -1;
			return one * node->min;
		case WF_REGEX_BACKREF:
			return -1;
		default:
			return min_length(node);
	}
}

static bool
has_group(const WfRegexNode *node)
{
	check_stack_depth();
	if (node->kind == WF_REGEX_GROUP && node->group > 0)
		return true;
	for (int i = 0; i < node->n; i++)
	{
		if (has_group(node->children[i]))
			return true;
	}
	return false;
}

/*
 * Of something that can match nothing: is nothing the last way that it tries? Then it makes no
 * difference whether an empty iteration is rejected or ends the loop.
 */
static bool
empty_last(WfRegexNode *node)
{
	check_stack_depth();
	switch (node->kind)
	{
		case WF_REGEX_GROUP:
			return empty_last(node->children[0]);
		case WF_REGEX_SEQUENCE:
			for (int i = 0; i < node->n; i++)
			{
				if (!empty_last(node->children[i]))
					return false;
			}
			return true;
		case WF_REGEX_CHOICE:
			for (int i = 0; i < node->n - 1; i++)
			{
				if (min_length(node->children[i]) == 0)
					return false;
			}
			return empty_last(node->children[node->n - 1]);
		case WF_REGEX_REPEAT:
			return (!node->lazy || node->min == node->max) &&
				(min_length(node->children[0]) > 0 || empty_last(node->children[0]));
		default:
			return true;
	}
}

/* -- captures in loops -- */

/* Is something certain to be matched before (or after) `node` within the sequence that it is in? */
static bool
has_neighbour(const WfRegexNode *node, bool before)
{
	const WfRegexNode *sequence = node->parent;
	int			from = before ? 0 : node->place + 1;
	int			to = before ? node->place : sequence->n;

	if (sequence->kind != WF_REGEX_SEQUENCE)
		return false;
	for (int i = from; i < to; i++)
	{
		if (min_length(sequence->children[i]) > 0)
			return true;
	}
	return false;
}

static void
add_stale(WfRegexTree *tree, WfRegexGroup *group, WfRegexNode *loop, bool looked, bool before, bool after)
{
	WfRegexStale *stale = palloc(sizeof(WfRegexStale));
	bool		can_be_empty = min_length(group->node) == 0;

	if (looked || (can_be_empty && !before && !after))
		wf_regex_refuse(tree, "a group that is repeated, may be skipped and may match nothing, or is in a lookahead, cannot be used here");
	stale->loop = loop;
	stale->strict = can_be_empty && before;
	loop->marked = true;
	group->stale = lappend(group->stale, stale);
}

/* Finds the loops of which an iteration may skip this group. */
static void
find_stale(WfRegexTree *tree, WfRegexGroup *group)
{
	bool		skippable = false;
	bool		looked = false;
	bool		before = false;
	bool		after = false;

	for (WfRegexNode *node = group->node; node->parent != NULL; node = node->parent)
	{
		WfRegexNode *parent = node->parent;

		if (parent->kind == WF_REGEX_CHOICE)
			skippable = true;
		else if (parent->kind == WF_REGEX_LOOK)
		{
			if (parent->negative)
				return;			/* its captures do not outlive it */
			looked = true;
		}
		else if (parent->kind == WF_REGEX_SEQUENCE)
		{
			before |= has_neighbour(node, true);
			after |= has_neighbour(node, false);
		}
		else if (parent->kind == WF_REGEX_REPEAT)
		{
			if (skippable && parent->max != 1 && parent->max != 0)
				add_stale(tree, group, parent, looked, before, after);
			skippable |= parent->min == 0;
		}
	}
}

/* -- characters -- */

static void
emit_char(Emitter *e, pg_wchar c)
{
	if (c >= 0xD800 && c <= 0xDFFF)
		e->tree->sees_surrogates = true;
	if (c < 0x80 && isalnum((unsigned char) c))
		appendStringInfoChar(e->out, (char) c);
	else if (c > 0x20 && c < 0x7F)
		appendStringInfo(e->out, "\\%c", (char) c);
	else
		appendStringInfo(e->out, "\\x{%x}", c);
}

static void
emit_set(Emitter *e, const WfRegexSet *set)
{
	ListCell   *lc;

	if (wf_regex_set_touches(set, 0xD800, 0xDFFF))
		e->tree->sees_surrogates = true;
	if (set->n == 0 && set->properties == NIL)
	{
		appendStringInfoString(e->out, set->negated ? "." : "(?!)");
		return;
	}
	appendStringInfoString(e->out, set->negated ? "[^" : "[");
	for (int i = 0; i < set->n; i++)
	{
		emit_char(e, set->ranges[i].lo);
		if (set->ranges[i].hi > set->ranges[i].lo + 1)
			appendStringInfoChar(e->out, '-');
		if (set->ranges[i].hi > set->ranges[i].lo)
			emit_char(e, set->ranges[i].hi);
	}
	foreach(lc, set->properties)
		appendStringInfoString(e->out, lfirst(lc));
	appendStringInfoChar(e->out, ']');
}

/* The set operations of flag v, by looking ahead at the one character. */
static void
emit_set_operation(Emitter *e, const WfRegexNode *node)
{
	bool		both = node->kind == WF_REGEX_BOTH;

	e->tree->sees_surrogates = true;
	appendStringInfoString(e->out, "(?:");
	appendStringInfoString(e->out, both ? "(?=" : "(?!");
	emit(e, node->children[node->kind == WF_REGEX_NEITHER ? 0 : 1]);
	appendStringInfoChar(e->out, ')');
	if (node->kind == WF_REGEX_NEITHER)
		appendStringInfoChar(e->out, '.');
	else
		emit(e, node->children[0]);
	appendStringInfoChar(e->out, ')');
}

/* -- assertions -- */

#define LINE_END "\\n\\r\\x{2028}\\x{2029}"

/* Where the text, or with flag m a line, begins or ends. */
static void
emit_edge(Emitter *e, bool start)
{
	if (e->tree->multiline)
		appendStringInfoString(e->out, start ? "(?<![^" LINE_END "])" : "(?![^" LINE_END "])");
	else
		appendStringInfoString(e->out, start ? "^" : "\\z");
}

static void
emit_boundary(Emitter *e, bool negative)
{
	/* with flags i and u two more characters are of words, which \b does not know */
	if (e->tree->ignore_case && e->tree->unicode)
		appendStringInfoString(e->out, negative ?
							   "(?:(?<=[\\w\\x{17f}\\x{212a}])(?=[\\w\\x{17f}\\x{212a}])|(?<![\\w\\x{17f}\\x{212a}])(?![\\w\\x{17f}\\x{212a}]))" :
							   "(?:(?<=[\\w\\x{17f}\\x{212a}])(?![\\w\\x{17f}\\x{212a}])|(?<![\\w\\x{17f}\\x{212a}])(?=[\\w\\x{17f}\\x{212a}]))");
	else
		appendStringInfoString(e->out, negative ? "\\B" : "\\b");
}

/* Has every way of a lookbehind a length of its own that is fixed? */
static bool
ways_are_fixed(WfRegexNode *inner)
{
	if (inner->kind != WF_REGEX_CHOICE)
		return fixed_length(inner) >= 0;
	for (int i = 0; i < inner->n; i++)
	{
		if (fixed_length(inner->children[i]) < 0)
			return false;
	}
	return true;
}

static int	add_check(Emitter *e, WfRegexCheckKind kind, WfRegexNode *loop, int entry, int group);

/* A callout that matches what is behind, in the other direction: backwards, or a lookahead within that. */
static void
emit_behind(Emitter *e, const WfRegexNode *node)
{
	Emitter		inner = {.tree = e->tree,.out = makeStringInfo(),.apart = true,.backwards = !e->backwards};
	WfRegexBehind *behind = palloc(sizeof(WfRegexBehind));

	/* what captures in a negative one is never seen, and is no group then (emit_group) */
	if (!node->negative && !e->apart && has_group(node->children[0]))
		wf_regex_refuse(e->tree, "a lookbehind with a group that captures, whose length is not fixed, cannot be used here");
	appendStringInfo(inner.out, "(?C%d)(?:", WF_REGEX_COST_CALLOUT);
	emit(&inner, node->children[0]);
	appendStringInfoChar(inner.out, ')');
	behind->out = inner.out;
	behind->negative = node->negative;
	appendStringInfo(e->out, "(?C%d)", add_check(e, WF_REGEX_CHECK_BEHIND, NULL, list_length(e->tree->behinds), 0));
	e->tree->behinds = lappend(e->tree->behinds, behind);
}

static void
emit_look(Emitter *e, const WfRegexNode *node)
{
	bool		outer = e->behind;
	bool		behind = node->behind != e->backwards;

	if (behind && !ways_are_fixed(node->children[0]))
	{
		emit_behind(e, node);
		return;
	}
	appendStringInfo(e->out, "(?%s%s", behind ? "<" : "", node->negative ? "!" : "=");
	/* a lookahead within is matched forwards */
	e->behind = behind;
	emit(e, node->children[0]);
	e->behind = outer;
	appendStringInfoChar(e->out, ')');
}

/* -- groups and references -- */

/* The number of a new callout; refuses when there are too many. */
static int
add_check(Emitter *e, WfRegexCheckKind kind, WfRegexNode *loop, int entry, int group)
{
	WfRegexCheck *check;

	if (e->tree->n_checks == WF_REGEX_MOST_CHECKS)
	{
		wf_regex_refuse(e->tree, "too many loops around groups");
		return 1;
	}
	if (e->tree->checks == NULL)
		e->tree->checks = palloc(sizeof(WfRegexCheck) * WF_REGEX_MOST_CHECKS);
	check = &e->tree->checks[e->tree->n_checks++];
	check->kind = kind;
	check->loop = loop;
	check->entry = entry;
	check->group = group;
	return e->tree->n_checks;
}

static void
emit_group(Emitter *e, const WfRegexNode *node)
{
	if (node->group > 0 && !e->apart)
	{
		e->tree->groups[node->group].number = ++e->tree->n_numbers;
		appendStringInfoChar(e->out, '(');
	}
	else
		appendStringInfoString(e->out, "(?:");
	emit(e, node->children[0]);
	appendStringInfoChar(e->out, ')');
}

static void
emit_backref(Emitter *e, const WfRegexNode *node)
{
	WfRegexGroup *group = &e->tree->groups[node->group];
	bool		checked = group->stale != NIL;

	if (e->behind || e->apart)
		wf_regex_refuse(e->tree, "a reference to a group within a lookbehind cannot be used here");
	/* not matched yet, or never: it matches nothing */
	if (group->number == 0 || node->end <= group->node->end)
	{
		appendStringInfoString(e->out, "(?:)");
		return;
	}
	appendStringInfoString(e->out, "(?:");
	if (checked)
		appendStringInfo(e->out, "(?C%d)", add_check(e, WF_REGEX_CHECK_FRESH, NULL, 0, node->group));
	appendStringInfo(e->out, "(?C%d)", add_check(e, WF_REGEX_CHECK_COST, NULL, 0, node->group));
	appendStringInfo(e->out, e->tree->ignore_case ? "(?i:\\g{%d})" : "\\g{%d}", group->number);
	if (e->tree->ignore_case)
		appendStringInfo(e->out, "(?C%d)", add_check(e, WF_REGEX_CHECK_SAME, NULL, 0, node->group));
	if (checked)
		appendStringInfo(e->out, "|(?C%d)", add_check(e, WF_REGEX_CHECK_NOT_FRESH, NULL, 0, node->group));
	appendStringInfoChar(e->out, ')');
}

/* -- loops -- */

static void
emit_quantifier(Emitter *e, int min, int max, bool lazy)
{
	if (min == 0 && max == WF_REGEX_INFINITE)
		appendStringInfoChar(e->out, '*');
	else if (min == 1 && max == WF_REGEX_INFINITE)
		appendStringInfoChar(e->out, '+');
	else if (min == 0 && max == 1)
		appendStringInfoChar(e->out, '?');
	else if (max == WF_REGEX_INFINITE)
		appendStringInfo(e->out, "{%d,}", min);
	else if (min == max)
		appendStringInfo(e->out, "{%d}", min);
	else
		appendStringInfo(e->out, "{%d,%d}", min, max);
	if (lazy && min != max)
		appendStringInfoChar(e->out, '?');
}

/* Every loop that may go on for longer or shorter is counted where it is left. */
static void
emit_cost(Emitter *e)
{
	if (!e->behind)
		appendStringInfo(e->out, "(?C%d)", WF_REGEX_COST_CALLOUT);
}

/* (?: note body callout ), without its quantifier. */
static void
emit_iteration(Emitter *e, WfRegexNode *loop, bool noted, int check)
{
	appendStringInfoString(e->out, "(?:");
	if (noted)
	{
		loop->marker = ++e->tree->n_numbers;
		appendStringInfoString(e->out, "()");
	}
	emit(e, loop->children[0]);
	if (check > 0)
		appendStringInfo(e->out, "(?C%d)", check);
	appendStringInfoChar(e->out, ')');
}

/* A loop of which an empty iteration must be rejected. */
static void
emit_checked_repeat(Emitter *e, WfRegexNode *node)
{
	WfRegexNode *body = node->children[0];
	int			min = node->min;
	int			max = node->max;
	int			entry = 0;
	WfRegexCheckKind kind = WF_REGEX_CHECK_PROGRESS;

	if (min > 0 && !has_group(body))
	{
		/* the first ones may be empty */
		emit_iteration(e, node, false, 0);
		emit_quantifier(e, min, min, false);
		max = max == WF_REGEX_INFINITE ? max : max - min;
		min = 0;
	}
	else if (min == 1 && empty_last(body))
	{
		/* as nothing is tried last, only a first iteration can be empty where the loop begins */
		entry = ++e->tree->n_numbers;
		appendStringInfoString(e->out, "()");
		kind = WF_REGEX_CHECK_PROGRESS_OR_FIRST;
	}
	else if (min > 0)
		wf_regex_refuse(e->tree, "a repeated group that may match nothing cannot be used here");
	emit_iteration(e, node, true, add_check(e, kind, node, entry, 0));
	emit_quantifier(e, min, max, node->lazy);
	emit_cost(e);
}

static void
emit_repeat(Emitter *e, WfRegexNode *node)
{
	WfRegexNode *body = node->children[0];

	if (e->behind && has_group(body))
		wf_regex_refuse(e->tree, "a repeated group within a lookbehind cannot be used here");
	if (node->max == 0 || (body->kind == WF_REGEX_LOOK && node->min == 0))
		appendStringInfoString(e->out, "(?:)");	/* an iteration of a lookahead is always empty */
	else if (body->kind == WF_REGEX_LOOK)
		emit(e, body);
	else if (!e->apart && node->min != node->max && min_length(body) == 0 && (has_group(body) || !empty_last(body)))
		emit_checked_repeat(e, node);
	else
	{
		if (node->marked)
			emit_iteration(e, node, true, 0);
		else if (body->kind == WF_REGEX_SET || body->kind == WF_REGEX_CHAR || body->kind == WF_REGEX_GROUP)
			emit(e, body);
		else
			emit_iteration(e, node, false, 0);
		emit_quantifier(e, node->min, node->max, node->lazy);
		if (node->min != node->max)
			emit_cost(e);
	}
}

/* -- the whole -- */

static void
emit(Emitter *e, const WfRegexNode *node)
{
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (e->out->len > MOST_OUTPUT)
		wf_regex_refuse(e->tree, "regular expression is too large");
	if (e->tree->problem != NULL)
		return;
	switch (node->kind)
	{
		case WF_REGEX_EMPTY:
			break;
		case WF_REGEX_CHAR:
			emit_char(e, node->character);
			break;
		case WF_REGEX_SET:
			emit_set(e, node->set);
			break;
		case WF_REGEX_BOTH:
		case WF_REGEX_MINUS:
		case WF_REGEX_NEITHER:
			emit_set_operation(e, node);
			break;
		case WF_REGEX_START:
		case WF_REGEX_END:
			emit_edge(e, (node->kind == WF_REGEX_START) != e->backwards);
			break;
		case WF_REGEX_BOUNDARY:
		case WF_REGEX_NO_BOUNDARY:
			emit_boundary(e, node->kind == WF_REGEX_NO_BOUNDARY);
			break;
		case WF_REGEX_GROUP:
			emit_group(e, node);
			break;
		case WF_REGEX_LOOK:
			emit_look(e, node);
			break;
		case WF_REGEX_BACKREF:
			emit_backref(e, node);
			break;
		case WF_REGEX_SEQUENCE:
			for (int i = 0; i < node->n; i++)
				emit(e, node->children[e->backwards ? node->n - 1 - i : i]);
			break;
		case WF_REGEX_CHOICE:
			/* a group or the whole around it, except in a class of flag v */
			if (node->parent != NULL && node->parent->kind != WF_REGEX_GROUP && node->parent->kind != WF_REGEX_LOOK)
				appendStringInfoString(e->out, "(?:");
			for (int i = 0; i < node->n; i++)
			{
				if (i > 0)
					appendStringInfoChar(e->out, '|');
				emit(e, node->children[i]);
			}
			if (node->parent != NULL && node->parent->kind != WF_REGEX_GROUP && node->parent->kind != WF_REGEX_LOOK)
				appendStringInfoChar(e->out, ')');
			break;
		case WF_REGEX_REPEAT:
			emit_repeat(e, unconstify(WfRegexNode *, node));
			break;
	}
}

void
wf_regex_emit(WfRegexTree *tree)
{
	Emitter		e = {.tree = tree};

	tree->out = e.out = makeStringInfo();
	appendStringInfo(tree->out, "(?C%d)", WF_REGEX_COST_CALLOUT);
	if (tree->root->kind == WF_REGEX_CHOICE)
		appendStringInfoString(tree->out, "(?:");
	for (int i = 1; i <= tree->n_groups; i++)
	{
		CHECK_FOR_INTERRUPTS();
		find_stale(tree, &tree->groups[i]);
	}
	emit(&e, tree->root);
	if (tree->root->kind == WF_REGEX_CHOICE)
		appendStringInfoChar(tree->out, ')');
	tree->may_be_empty = min_length(tree->root) == 0;
	tree->step_cost = 1 + (tree->out->len + min_length(tree->root)) / 64;
}
