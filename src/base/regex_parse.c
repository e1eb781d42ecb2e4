/*
 * regex_parse.c: the grammar of ECMAScript 2023 patterns.
 *
 * Recursive descent over code points (flags u and v) or UTF-16 code units (neither), as JavaScript
 * itself reads a pattern; without u or v, Annex B's leniencies hold (a lone `{`, `\8`, octal escapes,
 * quantified lookaheads ...). What JavaScript refuses is refused here: the tree that comes out is of
 * a valid pattern, whatever PCRE2 would make of its text.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/regex_internal.h"
#include "base/text.h"
#include "miscadmin.h"

#define MOST_DEPTH 150			/* nested groups; PCRE2 allows 250, of which loops may take more than one */

static WfRegexNode *parse_choice(WfRegexParser *p);

void
wf_regex_refuse(WfRegexTree *tree, const char *fmt, ...)
{
	StringInfoData message;

	if (tree->problem != NULL)
		return;
	initStringInfo(&message);
	WF_APPEND_ARGS(&message, fmt);
	tree->problem = message.data;
}

WfRegexNode *
wf_regex_node(WfRegexKind kind)
{
	WfRegexNode *node = palloc0(sizeof(WfRegexNode));

	node->kind = kind;
	return node;
}

void
wf_regex_add_child(WfRegexNode *parent, WfRegexNode *child)
{
	if (parent->n == parent->capacity)
	{
		parent->capacity = parent->capacity == 0 ? 2 : parent->capacity * 2;
		parent->children = parent->children == NULL ?
			palloc(parent->capacity * sizeof(WfRegexNode *)) :
			repalloc(parent->children, parent->capacity * sizeof(WfRegexNode *));
	}
	child->parent = parent;
	child->place = parent->n;
	parent->children[parent->n++] = child;
}

/* -- groups -- */

/* True for a character that a group's name may begin with, or go on with. */
static bool
name_char(pg_wchar c, bool first)
{
	bool		matches = false;

	if (c < 0x80)
		return wf_regex_is_name_char(c) && !(first && c >= '0' && c <= '9');
	if (!first && (c == 0x200C || c == 0x200D))
		return true;
	return wf_regex_probe(first ? "\\p{ID_Start}" : "\\p{ID_Continue}", &c, 1, &matches) && matches;
}

/* `name>` after the `<`. Escapes and surrogate pairs are read whatever the flags are. */
bool
wf_regex_parse_group_name(WfRegexParser *p, const char **name)
{
	StringInfoData out;
	unsigned char utf8[8];
	pg_wchar	c;

	initStringInfo(&out);
	while (!wf_regex_take(p, '>'))
	{
		if (p->at >= p->n)
			return false;
		c = p->in[p->at++];
		if (c == '\\' && (!wf_regex_take(p, 'u') || !wf_regex_parse_unicode_escape(p, true, &c)))
			return false;
		if (is_utf16_surrogate_first(c) && p->at < p->n && is_utf16_surrogate_second(p->in[p->at]))
			c = surrogate_pair_to_codepoint(c, p->in[p->at++]);
		if (!name_char(c, out.len == 0))
			return false;
		unicode_to_utf8(c, utf8);
		appendBinaryStringInfo(&out, (char *) utf8, pg_utf_mblen(utf8));
	}
	*name = out.data;
	return out.len > 0;
}

/* Counts the groups and looks for names, so that escapes can be read: past escapes and classes. */
static void
scan_groups(WfRegexParser *p)
{
	int			in_class = 0;

	for (int i = 0; i < p->n; i++)
	{
		pg_wchar	c = p->in[i];

		if (c == '\\')
			i++;
		else if (c == '[' && (in_class == 0 || p->tree->sets))
			in_class++;
		else if (c == ']' && in_class > 0)
			in_class--;
		else if (c == '(' && in_class == 0)
		{
			bool		named = i + 3 < p->n && p->in[i + 1] == '?' && p->in[i + 2] == '<' && p->in[i + 3] != '=' &&
				p->in[i + 3] != '!';

			if (named || i + 1 >= p->n || p->in[i + 1] != '?')
				p->tree->n_groups++;
			p->has_names |= named;
		}
	}
	p->tree->groups = palloc0((p->tree->n_groups + 1) * sizeof(WfRegexGroup));
}

static bool
set_group_name(WfRegexParser *p, int group)
{
	const char *name;

	if (!wf_regex_parse_group_name(p, &name))
	{
		wf_regex_refuse(p->tree, "invalid name of a group");
		return false;
	}
	for (int i = 1; i < group; i++)
	{
		if (p->tree->groups[i].name != NULL && strcmp(p->tree->groups[i].name, name) == 0)
		{
			wf_regex_refuse(p->tree, "two groups have the name \"%s\"", name);
			return false;
		}
	}
	p->tree->groups[group].name = name;
	return true;
}

/* After `(`. */
static WfRegexNode *
parse_group(WfRegexParser *p)
{
	WfRegexNode *node = wf_regex_node(WF_REGEX_GROUP);
	WfRegexNode *inner;

	if (wf_regex_take(p, '?'))
	{
		if (wf_regex_take(p, ':'))
			;
		else if (wf_regex_peek(p, 0) == '<' && wf_regex_peek(p, 1) != '=' && wf_regex_peek(p, 1) != '!')
		{
			p->at++;
			node->group = p->next_group++;
			if (!set_group_name(p, node->group))
				return node;
		}
		else
		{
			node->kind = WF_REGEX_LOOK;
			node->behind = wf_regex_take(p, '<');
			node->negative = wf_regex_peek(p, 0) == '!';
			if (!wf_regex_take(p, '=') && !wf_regex_take(p, '!'))
			{
				wf_regex_refuse(p->tree, "invalid group at position %d", p->at);
				return node;
			}
		}
	}
	else
		node->group = p->next_group++;
	if (node->group > 0)
		p->tree->groups[node->group].node = node;
	if (++p->depth > MOST_DEPTH)
	{
		wf_regex_refuse(p->tree, "groups are nested too deeply");
		return node;
	}
	inner = parse_choice(p);
	p->depth--;
	wf_regex_add_child(node, inner);
	if (!wf_regex_take(p, ')'))
		wf_regex_refuse(p->tree, "a group is not ended");
	node->end = p->at;
	return node;
}

/* -- escapes that are no character -- */

/* \k<name>, after the k. */
static WfRegexNode *
parse_named_reference(WfRegexParser *p)
{
	WfRegexNode *node = wf_regex_node(WF_REGEX_BACKREF);

	if (!wf_regex_take(p, '<') || !wf_regex_parse_group_name(p, &node->name))
		wf_regex_refuse(p->tree, "\"\\k\" must be followed by the name of a group in angle brackets");
	node->end = p->at;
	return node;
}

/* A number after the backslash that is a reference; NULL, nothing read, when it is none (Annex B). */
static WfRegexNode *
parse_numbered_reference(WfRegexParser *p)
{
	int			start = p->at;
	int64		number = 0;
	WfRegexNode *node;

	while (p->at < p->n && p->in[p->at] >= '0' && p->in[p->at] <= '9')
	{
		if (number <= PG_INT32_MAX)
			number = number * 10 + (p->in[p->at] - '0');
		p->at++;
	}
	if (number > p->tree->n_groups)
	{
		if (p->tree->unicode)
			wf_regex_refuse(p->tree, "reference to a group that is not there");
		p->at = start;
		return NULL;
	}
	node = wf_regex_node(WF_REGEX_BACKREF);
	node->group = (int) number;
	node->end = p->at;
	return node;
}

/* After the backslash. */
static WfRegexNode *
parse_escape(WfRegexParser *p)
{
	pg_wchar	c = wf_regex_peek(p, 0);
	WfRegexNode *node;

	if (p->at >= p->n)
	{
		wf_regex_refuse(p->tree, "\\ at the end of the pattern");
		return wf_regex_node(WF_REGEX_EMPTY);
	}
	if (c == 'b' || c == 'B')
	{
		p->at++;
		return wf_regex_node(c == 'b' ? WF_REGEX_BOUNDARY : WF_REGEX_NO_BOUNDARY);
	}
	if (c >= '1' && c <= '9' && (node = parse_numbered_reference(p)) != NULL)
		return node;
	if (c == 'k' && (p->tree->unicode || p->has_names))
	{
		p->at++;
		return parse_named_reference(p);
	}
	return wf_regex_parse_atom_escape(p);
}

/* -- quantifiers -- */

/* Digits as a number, capped. False, nothing read, when there is none. */
static bool
parse_number(WfRegexParser *p, int *out)
{
	int			start = p->at;

	*out = 0;
	while (p->at < p->n && p->in[p->at] >= '0' && p->in[p->at] <= '9')
	{
		if (*out <= WF_REGEX_MOST_REPEATS)
			*out = *out * 10 + (int) (p->in[p->at] - '0');
		p->at++;
	}
	return p->at > start;
}

/* {n}, {n,} or {n,m}; false, nothing read, when it is none. */
static bool
parse_braces(WfRegexParser *p, int *min, int *max)
{
	int			start = p->at;

	if (wf_regex_take(p, '{') && parse_number(p, min))
	{
		*max = *min;
		if (wf_regex_take(p, ',') && !parse_number(p, max))
			*max = WF_REGEX_INFINITE;
		if (wf_regex_take(p, '}'))
			return true;
	}
	p->at = start;
	return false;
}

static bool
parse_quantifier(WfRegexParser *p, int *min, int *max, bool *lazy)
{
	pg_wchar	c = wf_regex_peek(p, 0);

	*max = WF_REGEX_INFINITE;
	*min = c == '+';
	if (c == '*' || c == '+')
		p->at++;
	else if (c == '?')
	{
		p->at++;
		*max = 1;
	}
	else if (c != '{' || !parse_braces(p, min, max))
		return false;
	*lazy = wf_regex_take(p, '?');
	if (*max != WF_REGEX_INFINITE && *max < *min)
		wf_regex_refuse(p->tree, "numbers out of order in a quantifier");
	else if (*min > WF_REGEX_MOST_REPEATS || *max > WF_REGEX_MOST_REPEATS)
		wf_regex_refuse(p->tree, "repeat counts go up to %d here", WF_REGEX_MOST_REPEATS);
	return true;
}

static bool
can_repeat(const WfRegexParser *p, const WfRegexNode *node)
{
	switch (node->kind)
	{
		case WF_REGEX_START:
		case WF_REGEX_END:
		case WF_REGEX_BOUNDARY:
		case WF_REGEX_NO_BOUNDARY:
			return false;
		case WF_REGEX_LOOK:
			return !node->behind && !p->tree->unicode;
		default:
			return true;
	}
}

/* -- terms -- */

/* A character that stands for itself, where the grammar allows it. */
static WfRegexNode *
parse_plain(WfRegexParser *p)
{
	pg_wchar	c = p->in[p->at];
	int			min,
				max;
	bool		lone = c == '{' || c == '}' || c == ']';

	if (c == '*' || c == '+' || c == '?' || (c == '{' && !p->tree->unicode && parse_braces(p, &min, &max)))
		wf_regex_refuse(p->tree, "nothing to repeat at position %d", p->at);
	else if (lone && p->tree->unicode)
		wf_regex_refuse(p->tree, "lone \"%c\" at position %d", (char) c, p->at);
	p->at++;
	return wf_regex_char_node(p, c);
}

static WfRegexNode *
dot_node(const WfRegexParser *p)
{
	WfRegexNode *node = wf_regex_node(WF_REGEX_SET);

	node->set = wf_regex_set_make();
	node->set->negated = true;
	if (!p->tree->dot_all)
	{
		wf_regex_set_add(node->set, '\n', '\n');
		wf_regex_set_add(node->set, '\r', '\r');
		wf_regex_set_add(node->set, 0x2028, 0x2029);
	}
	wf_regex_set_settle(node->set, NULL);
	return node;
}

static WfRegexNode *
parse_term(WfRegexParser *p)
{
	WfRegexNode *node;
	WfRegexNode *repeat;
	int			min,
				max;
	bool		lazy = false;

	switch (p->in[p->at])
	{
		case '^':
			p->at++;
			node = wf_regex_node(WF_REGEX_START);
			break;
		case '$':
			p->at++;
			node = wf_regex_node(WF_REGEX_END);
			break;
		case '(':
			p->at++;
			node = parse_group(p);
			break;
		case '.':
			p->at++;
			node = dot_node(p);
			break;
		case '[':
			p->at++;
			node = wf_regex_parse_class(p);
			break;
		case '\\':
			p->at++;
			node = parse_escape(p);
			break;
		default:
			node = parse_plain(p);
	}
	if (p->tree->problem != NULL || p->at >= p->n || !can_repeat(p, node) || !parse_quantifier(p, &min, &max, &lazy))
		return node;
	repeat = wf_regex_node(WF_REGEX_REPEAT);
	repeat->min = min;
	repeat->max = max;
	repeat->lazy = lazy;
	wf_regex_add_child(repeat, node);
	return repeat;
}

static WfRegexNode *
parse_choice(WfRegexParser *p)
{
	WfRegexNode *choice = wf_regex_node(WF_REGEX_CHOICE);
	WfRegexNode *sequence = wf_regex_node(WF_REGEX_SEQUENCE);

	check_stack_depth();
	wf_regex_add_child(choice, sequence);
	while (p->tree->problem == NULL && p->at < p->n && p->in[p->at] != ')')
	{
		if (wf_regex_take(p, '|'))
		{
			sequence = wf_regex_node(WF_REGEX_SEQUENCE);
			wf_regex_add_child(choice, sequence);
			continue;
		}
		wf_regex_add_child(sequence, parse_term(p));
	}
	return choice->n == 1 ? sequence : choice;
}

/* -- the whole -- */

/* Gives references by name their number. */
static void
resolve_names(WfRegexTree *tree, WfRegexNode *node)
{
	check_stack_depth();
	if (node->kind == WF_REGEX_BACKREF && node->name != NULL)
	{
		for (int i = 1; i <= tree->n_groups; i++)
		{
			if (tree->groups[i].name != NULL && strcmp(tree->groups[i].name, node->name) == 0)
				node->group = i;
		}
		if (node->group == 0)
			wf_regex_refuse(tree, "reference to the group \"%s\", which is not there", node->name);
	}
	for (int i = 0; i < node->n; i++)
		resolve_names(tree, node->children[i]);
}

/* Fills tree->root and tree->groups, or tree->problem. */
void
wf_regex_parse(WfRegexTree *tree, const pg_wchar *in, int n)
{
	WfRegexParser p = {.tree = tree, .in = in, .n = n, .next_group = 1};

	scan_groups(&p);
	tree->root = parse_choice(&p);
	if (tree->problem == NULL && p.at < p.n)
		wf_regex_refuse(tree, "\")\" without a group at position %d", p.at);
	if (tree->problem == NULL)
		resolve_names(tree, tree->root);
}
