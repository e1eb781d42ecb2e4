/*
 * regex_class.c: what stands for one character in a pattern: escapes, classes, and the sets of flag
 * v with their unions, intersections and differences.
 *
 * Flag i is applied here: a set holds all that its members equal but for case, so PCRE2 never
 * matches without regard to case by its own rules, which differ (`k` and the Kelvin sign, `s` and the
 * long s without flag u, and some more).
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/regex_internal.h"
#include "miscadmin.h"

static WfRegexNode *parse_set_operand(WfRegexParser *p, bool *is_char, pg_wchar *c);

/* -- nodes -- */

static WfRegexNode *
set_node(WfRegexParser *p, WfRegexSet *set)
{
	WfRegexNode *node = wf_regex_node(WF_REGEX_SET);

	wf_regex_set_settle(set, p->tree);
	node->set = set;
	return node;
}

WfRegexNode *
wf_regex_char_node(WfRegexParser *p, pg_wchar c)
{
	WfRegexNode *node;
	WfRegexSet *set;

	if (p->tree->ignore_case)
	{
		set = wf_regex_set_make();
		wf_regex_set_add(set, c, c);
		wf_regex_set_settle(set, p->tree);
		if (set->n != 1 || set->ranges[0].lo != set->ranges[0].hi)
		{
			node = wf_regex_node(WF_REGEX_SET);
			node->set = set;
			return node;
		}
	}
	node = wf_regex_node(WF_REGEX_CHAR);
	node->character = c;
	return node;
}

/* -- escapes of one character -- */

static int
hex_value(pg_wchar c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Exactly n hexadecimal digits; false, nothing read, otherwise. */
static bool
parse_hex(WfRegexParser *p, int n, pg_wchar *out)
{
	*out = 0;
	for (int i = 0; i < n; i++)
	{
		int			digit = p->at + i < p->n ? hex_value(p->in[p->at + i]) : -1;

		if (digit < 0)
			return false;
		*out = *out * 16 + digit;
	}
	p->at += n;
	return true;
}

bool
wf_regex_parse_unicode_escape(WfRegexParser *p, bool unicode, pg_wchar *out)
{
	int			start = p->at;
	pg_wchar	second;

	if (unicode && wf_regex_take(p, '{'))
	{
		int			digit;

		*out = 0;
		while (p->at < p->n && (digit = hex_value(p->in[p->at])) >= 0)
		{
			*out = *out * 16 + digit;
			if (*out > WF_REGEX_MAX_CHAR)
				return false;
			p->at++;
		}
		return p->at > start + 1 && wf_regex_take(p, '}');
	}
	if (!parse_hex(p, 4, out))
		return false;
	if (unicode && is_utf16_surrogate_first(*out) && wf_regex_peek(p, 0) == '\\' && wf_regex_peek(p, 1) == 'u')
	{
		start = p->at;
		p->at += 2;
		if (parse_hex(p, 4, &second) && is_utf16_surrogate_second(second))
			*out = surrogate_pair_to_codepoint(*out, second);
		else
			p->at = start;
	}
	return true;
}

/* Up to three octal digits, at most 0377 (Annex B). */
static pg_wchar
parse_octal(WfRegexParser *p)
{
	pg_wchar	value = 0;

	for (int i = 0; i < 3; i++)
	{
		pg_wchar	c = wf_regex_peek(p, 0);

		if (c < '0' || c > '7' || value * 8 + (c - '0') > 0377)
			break;
		value = value * 8 + (c - '0');
		p->at++;
	}
	return value;
}

static bool
is_letter(pg_wchar c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* \c and what follows, after the c. Without a letter it is a backslash, and the c is read again. */
static pg_wchar
parse_control(WfRegexParser *p, bool in_class)
{
	pg_wchar	c = wf_regex_peek(p, 0);

	if (is_letter(c) || (in_class && !p->tree->unicode && ((c >= '0' && c <= '9') || c == '_')))
	{
		p->at++;
		return c % 32;
	}
	if (p->tree->unicode)
		wf_regex_refuse(p->tree, "\"\\c\" must be followed by a letter");
	p->at--;
	return '\\';
}

/* A backslash before a character that has no meaning of its own. */
static pg_wchar
parse_identity(WfRegexParser *p, pg_wchar c, bool in_class)
{
	bool		allowed;

	if (p->tree->unicode)
		allowed = c < 0x80 && c != 0 && (strchr("^$\\.*+?()[]{}|/", (int) c) != NULL || (in_class && c == '-') ||
										 (in_class && p->tree->sets && strchr("&-!#%,:;<=>@`~", (int) c) != NULL));
	else
		allowed = c != 'k' || !p->has_names;
	if (!allowed)
		wf_regex_refuse(p->tree, "invalid escape at position %d", p->at - 1);
	return c;
}

/* The character that an escape stands for, after the backslash. */
static pg_wchar
parse_char_escape(WfRegexParser *p, bool in_class)
{
	static const char letters[] = "tnvfr";
	static const char values[] = "\t\n\v\f\r";
	pg_wchar	c = p->in[p->at++];
	pg_wchar	value;
	const char *letter;

	if (c < 0x80 && c != 0 && (letter = strchr(letters, (int) c)) != NULL)
		return values[letter - letters];
	if (in_class && c == 'b')
		return '\b';
	if (c == 'c')
		return parse_control(p, in_class);
	if (c == 'x' && parse_hex(p, 2, &value))
		return value;
	if (c == 'u' && wf_regex_parse_unicode_escape(p, p->tree->unicode, &value))
		return value;
	if ((c == 'x' || c == 'u') && p->tree->unicode)
	{
		wf_regex_refuse(p->tree, "invalid escape at position %d", p->at - 1);
		return c;
	}
	if (c >= '0' && c <= '9')
	{
		pg_wchar	next = wf_regex_peek(p, 0);

		if (c == '0' && !(next >= '0' && next <= '9'))
			return 0;
		if (p->tree->unicode)
			wf_regex_refuse(p->tree, "invalid escape at position %d", p->at - 1);
		else if (c <= '7')
		{
			p->at--;
			return parse_octal(p);
		}
		return c;
	}
	return parse_identity(p, c, in_class);
}

/* -- escapes of classes -- */

/* \p{...} or \P{...}, after the letter. */
static bool
parse_property(WfRegexParser *p, bool negated, WfRegexSet *set)
{
	char		name[80];
	int			len = 0;
	const char *item;

	if (wf_regex_take(p, '{'))
	{
		while (p->at < p->n && p->in[p->at] != '}' && len < lengthof(name) - 1 &&
			   (wf_regex_is_name_char(p->in[p->at]) || p->in[p->at] == '='))
			name[len++] = (char) p->in[p->at++];
		name[len] = '\0';
		item = len > 0 ? wf_regex_property(name, len) : NULL;
		if (item != NULL && wf_regex_take(p, '}'))
		{
			wf_regex_set_add_property(set, psprintf("\\%c%s", (item[0] == '^') != negated ? 'P' : 'p',
													item + (item[0] == '^')));
			return true;
		}
	}
	wf_regex_refuse(p->tree, "unknown property of characters at position %d", p->at);
	return false;
}

/* \d \s \w \D \S \W \p \P: added to `set`. False, nothing read, when it is another escape. */
static bool
parse_class_escape(WfRegexParser *p, WfRegexSet *set)
{
	pg_wchar	c = wf_regex_peek(p, 0);

	if (c == 'd' || c == 'D' || c == 's' || c == 'S' || c == 'w' || c == 'W')
	{
		p->at++;
		wf_regex_set_add_class(set, (char) c, p->tree->ignore_case && p->tree->unicode);
		return true;
	}
	if ((c == 'p' || c == 'P') && p->tree->unicode)
	{
		p->at++;
		parse_property(p, c == 'P', set);
		return true;
	}
	return false;
}

/* A property's complement under flags v and i is that of the folded set, so it needs a node. */
static WfRegexNode *
class_escape_node(WfRegexParser *p)
{
	WfRegexSet *set = wf_regex_set_make();
	bool		complement = p->tree->sets && p->tree->ignore_case && wf_regex_peek(p, 0) == 'P';
	WfRegexNode *node;

	if (!complement)
		return parse_class_escape(p, set) ? set_node(p, set) : NULL;
	p->at++;
	parse_property(p, false, set);
	node = wf_regex_node(WF_REGEX_NEITHER);
	wf_regex_add_child(node, set_node(p, set));
	return node;
}

WfRegexNode *
wf_regex_parse_atom_escape(WfRegexParser *p)
{
	WfRegexNode *node = class_escape_node(p);
	pg_wchar	c;

	if (node != NULL)
		return node;
	c = parse_char_escape(p, false);
	return wf_regex_char_node(p, c);
}

/* -- classes without flag v -- */

/* One atom of a class: *c, or a class of its own added to `set` (then *is_class). */
static void
parse_class_atom(WfRegexParser *p, WfRegexSet *set, pg_wchar *c, bool *is_class)
{
	*is_class = false;
	*c = p->in[p->at++];
	if (*c != '\\')
		return;
	if (p->at >= p->n)
	{
		wf_regex_refuse(p->tree, "\\ at the end of the pattern");
		return;
	}
	*is_class = parse_class_escape(p, set);
	if (!*is_class)
		*c = parse_char_escape(p, true);
}

/* The rest of a range whose first atom was read; the dash is next. */
static void
parse_class_range(WfRegexParser *p, WfRegexSet *set, pg_wchar first, bool first_is_class)
{
	pg_wchar	last;
	bool		last_is_class;

	p->at++;
	parse_class_atom(p, set, &last, &last_is_class);
	if (first_is_class || last_is_class)
	{
		/* Annex B: a class at either end makes the dash a plain one */
		if (p->tree->unicode)
			wf_regex_refuse(p->tree, "a class cannot be an end of a range");
		if (!first_is_class)
			wf_regex_set_add(set, first, first);
		if (!last_is_class)
			wf_regex_set_add(set, last, last);
		wf_regex_set_add(set, '-', '-');
	}
	else if (last < first)
		wf_regex_refuse(p->tree, "range out of order in a class");
	else
		wf_regex_set_add(set, first, last);
}

static WfRegexNode *
parse_plain_class(WfRegexParser *p)
{
	WfRegexSet *set = wf_regex_set_make();
	bool		negated = wf_regex_take(p, '^');

	while (p->tree->problem == NULL && !wf_regex_take(p, ']'))
	{
		pg_wchar	c;
		bool		is_class;

		if (p->at >= p->n)
		{
			wf_regex_refuse(p->tree, "a class is not ended");
			break;
		}
		parse_class_atom(p, set, &c, &is_class);
		if (wf_regex_peek(p, 0) == '-' && p->at + 1 < p->n && wf_regex_peek(p, 1) != ']')
			parse_class_range(p, set, c, is_class);
		else if (!is_class)
			wf_regex_set_add(set, c, c);
	}
	wf_regex_set_settle(set, p->tree);
	set->negated = negated;
	{
		WfRegexNode *node = wf_regex_node(WF_REGEX_SET);

		node->set = set;
		return node;
	}
}

/* -- sets of flag v -- */

/* \q{a|b|...}, after the q: one character each, as a longer string is no member of a set here. */
static WfRegexNode *
parse_strings(WfRegexParser *p)
{
	WfRegexSet *set = wf_regex_set_make();

	if (!wf_regex_take(p, '{'))
		wf_regex_refuse(p->tree, "invalid escape at position %d", p->at - 1);
	while (p->tree->problem == NULL && !wf_regex_take(p, '}'))
	{
		pg_wchar	c = wf_regex_peek(p, 0);

		p->at++;
		if (c == '\\' && p->at < p->n)
			c = parse_char_escape(p, true);
		if (p->at >= p->n || (wf_regex_peek(p, 0) != '|' && wf_regex_peek(p, 0) != '}') || c == '|' || c == '}')
			wf_regex_refuse(p->tree, "strings of other than one character in a class cannot be used here");
		wf_regex_set_add(set, c, c);
		wf_regex_take(p, '|');
	}
	return set_node(p, set);
}

/* Characters that must be escaped in a set, and pairs that are reserved. */
static bool
is_reserved_in_set(const WfRegexParser *p)
{
	pg_wchar	c = wf_regex_peek(p, 0);

	if (c >= 0x80)
		return false;
	if (strchr("()[]{}/-|", (int) c) != NULL && c != 0)
		return true;
	return c != 0 && wf_regex_peek(p, 1) == c && strchr("&!#$%*+,.:;<=>?@^`~", (int) c) != NULL;
}

/* One member: a nested set, a class, or a character (then *is_char). */
static WfRegexNode *
parse_set_operand(WfRegexParser *p, bool *is_char, pg_wchar *c)
{
	WfRegexNode *node;

	*is_char = false;
	if (wf_regex_take(p, '['))
		return wf_regex_parse_class(p);
	if (wf_regex_peek(p, 0) == '\\' && p->at + 1 < p->n)
	{
		p->at++;
		if (wf_regex_take(p, 'q'))
			return parse_strings(p);
		node = class_escape_node(p);
		if (node != NULL)
			return node;
		*c = parse_char_escape(p, true);
	}
	else
	{
		if (p->at >= p->n || is_reserved_in_set(p))
			wf_regex_refuse(p->tree, "invalid character in a class at position %d", p->at);
		*c = wf_regex_peek(p, 0);
		p->at++;
	}
	*is_char = true;
	return wf_regex_char_node(p, *c);
}

/* Is an operator next? */
static bool
at_operator(const WfRegexParser *p, pg_wchar c)
{
	return wf_regex_peek(p, 0) == c && wf_regex_peek(p, 1) == c;
}

/* The operands of `--` or `&&` after the first. */
static WfRegexNode *
parse_operation(WfRegexParser *p, WfRegexNode *left, pg_wchar operator)
{
	while (p->tree->problem == NULL && at_operator(p, operator))
	{
		WfRegexNode *node = wf_regex_node(operator == '-' ? WF_REGEX_MINUS : WF_REGEX_BOTH);
		bool		is_char;
		pg_wchar	c;

		p->at += 2;
		wf_regex_add_child(node, left);
		if (operator == '&' && wf_regex_peek(p, 0) == '&')
			wf_regex_refuse(p->tree, "invalid character in a class at position %d", p->at);
		wf_regex_add_child(node, parse_set_operand(p, &is_char, &c));
		left = node;
	}
	if (p->tree->problem == NULL && wf_regex_peek(p, 0) != ']')
		wf_regex_refuse(p->tree, "operators cannot be mixed in a class");
	return left;
}

static WfRegexNode *
parse_set_members(WfRegexParser *p)
{
	WfRegexNode *members = wf_regex_node(WF_REGEX_CHOICE);
	WfRegexNode *member;
	bool		is_char;
	pg_wchar	first = 0;
	pg_wchar	last = 0;

	while (p->tree->problem == NULL && wf_regex_peek(p, 0) != ']')
	{
		if (p->at >= p->n)
		{
			wf_regex_refuse(p->tree, "a class is not ended");
			break;
		}
		member = parse_set_operand(p, &is_char, &first);
		if (members->n == 0 && (at_operator(p, '-') || at_operator(p, '&')))
			return parse_operation(p, member, wf_regex_peek(p, 0));
		if (is_char && wf_regex_peek(p, 0) == '-')
		{
			WfRegexSet *set = wf_regex_set_make();

			p->at++;
			parse_set_operand(p, &is_char, &last);
			if (p->tree->problem == NULL && (!is_char || last < first))
				wf_regex_refuse(p->tree, "invalid range in a class");
			else
				wf_regex_set_add(set, first, last);
			member = set_node(p, set);
		}
		wf_regex_add_child(members, member);
	}
	if (members->n == 0)
		return set_node(p, wf_regex_set_make());
	return members->n == 1 ? members->children[0] : members;
}

/* After `[`. */
WfRegexNode *
wf_regex_parse_class(WfRegexParser *p)
{
	bool		negated;
	WfRegexNode *members;
	WfRegexNode *node;

	check_stack_depth();
	if (!p->tree->sets)
		return parse_plain_class(p);
	if (++p->depth > 100)
		wf_regex_refuse(p->tree, "classes are nested too deeply");
	negated = wf_regex_take(p, '^');
	members = parse_set_members(p);
	p->depth--;
	if (p->tree->problem == NULL)
		wf_regex_take(p, ']');
	if (!negated)
		return members;
	node = wf_regex_node(WF_REGEX_NEITHER);
	wf_regex_add_child(node, members);
	return node;
}
