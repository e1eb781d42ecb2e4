/*
 * parse_primary.c: literals, arrays, objects, template literals, regular expressions, parentheses,
 * `new`, and arrow functions with their parameters.
 *
 * An arrow function is known by looking ahead: a name, or a closed pair of parentheses, before `=>`.
 * The lexer keeps the pairs it found, so looking ahead is linear. Variables are resolved here to
 * (environments outwards, slot); a function that holds another keeps its variables on the heap as the
 * inner one may outlive its call.
 */
#include "postgres.h"

#include "expr/parser.h"

static bool
is_word(const WfToken *t, const char *word)
{
	return t->kind == WF_T_NAME && !t->escaped && t->len == strlen(word) && memcmp(t->text, word, t->len) == 0;
}

/* -- lists -- */

typedef struct NodeList
{
	const WfExprNode **items;
	int			n;
	int			capacity;
} NodeList;

static void
add_node(NodeList *list, const WfExprNode *node)
{
	if (list->n == list->capacity)
	{
		list->capacity = list->capacity == 0 ? 4 : list->capacity * 2;
		list->items = list->items == NULL ? palloc(list->capacity * sizeof(*list->items)) :
			repalloc(list->items, list->capacity * sizeof(*list->items));
	}
	list->items[list->n++] = node;
}

static const WfExprNode *
make_list(WfParser *p, NodeList *list, int pos, WfNodeEval eval, uint8 flags)
{
	WfListNode *node = wf_expr_node(p, sizeof(WfListNode), WF_N_OTHER, pos, eval, NULL, NULL, NULL);

	if (node == NULL)
		return NULL;
	node->n = list->n;
	node->items = list->items;
	node->node.flags = flags;
	for (int i = 0; i < list->n; i++)
		if (!wf_expr_deepen(p, &node->node, list->items[i]))
			return NULL;
	return &node->node;
}

/* `[...]` */
static const WfExprNode *
parse_array(WfParser *p)
{
	NodeList	list = {0};
	int			start = peek(p)->pos;
	uint8		flags = 0;

	p->at++;
	while (!at_punct(p, P1(']')))
	{
		int			pos = peek(p)->pos;
		const WfExprNode *item;

		if (at_punct(p, P1(',')))
		{
			p->at++;
			add_node(&list, wf_expr_node(p, sizeof(WfExprNode), WF_N_HOLE, pos, NULL, NULL, NULL, NULL));
			flags |= WF_NF_SPREAD;
			continue;
		}
		if (accept(p, P3('.', '.', '.')))
		{
			item = wf_expr_parse_single(p);
			if (item != NULL)
				item = wf_expr_node(p, sizeof(WfExprNode), WF_N_SPREAD, pos, item->eval, item, NULL, NULL);
			flags |= WF_NF_SPREAD;
		}
		else
			item = wf_expr_parse_single(p);
		if (item == NULL)
			return NULL;
		add_node(&list, item);
		if (!accept(p, P1(',')))
			break;
	}
	if (!accept(p, P1(']')))
		return wf_expr_fail(p, peek(p)->pos, NULL, "expected \"]\" at the end of the array");
	return make_list(p, &list, start, wf_expr_eval_array, flags);
}

/* Text of a key that is a name, a string or a number; NULL (nothing consumed) when it is none. */
static const char *
literal_key(WfParser *p, uint32 *len)
{
	const WfToken *t = peek(p);
	char		buf[32];

	if (t->kind == WF_T_NAME || t->kind == WF_T_STRING)
	{
		*len = t->len;
		p->at++;
		return t->text;
	}
	if (t->kind == WF_T_BIGINT && t->number == 10)
	{
		*len = t->len;
		p->at++;
		return t->text;
	}
	if (t->kind == WF_T_NUMBER)
	{
		*len = wf_expr_format_number(t->number, buf);
		p->at++;
		return pnstrdup(buf, *len);
	}
	return NULL;
}

/* `[expr]` as a key; the token at the bracket. */
static const WfExprNode *
computed_key(WfParser *p)
{
	const WfExprNode *key;

	p->at++;
	key = wf_expr_parse_single(p);
	if (key == NULL)
		return NULL;
	if (!accept(p, P1(']')))
		return wf_expr_fail(p, peek(p)->pos, NULL, "expected \"]\" after the computed key");
	return key;
}

static bool
parse_property(WfParser *p, WfProperty *out)
{
	WfToken		t = *peek(p);

	memset(out, 0, sizeof(*out));
	if (accept(p, P3('.', '.', '.')))
	{
		out->spread = true;
		out->value = wf_expr_parse_single(p);
		return out->value != NULL;
	}
	if (t.kind == WF_T_PUNCT && t.punct == P1('['))
		out->computed = computed_key(p);
	else
		out->key = literal_key(p, &out->len);
	if (out->computed == NULL && out->key == NULL)
	{
		if (!p->failed)
			wf_expr_unexpected(p);
		return false;
	}
	if (accept(p, P1(':')))
	{
		if (out->key != NULL && out->len == 9 && memcmp(out->key, "__proto__", 9) == 0)
		{
			wf_expr_fail(p, t.pos, "Write [\"__proto__\"] for a member of this name.", "objects have no prototype here");
			return false;
		}
		out->value = wf_expr_parse_single(p);
		return out->value != NULL;
	}
	if (at_punct(p, P1('(')) || (t.kind == WF_T_NAME && peek(p)->kind != WF_T_PUNCT && peek(p)->kind != WF_T_END))
	{
		wf_expr_fail(p, t.pos, "Use key: (x) => value.", "methods and accessors of objects are not available");
		return false;
	}
	if (t.kind != WF_T_NAME)
	{
		wf_expr_fail(p, peek(p)->pos, NULL, "expected \":\" after the key");
		return false;
	}
	/* shorthand */
	p->at--;
	out->value = wf_expr_parse_name(p);
	return out->value != NULL;
}

/* `{...}` */
static const WfExprNode *
parse_object(WfParser *p)
{
	WfObjectNode *node = wf_expr_node(p, sizeof(WfObjectNode), WF_N_OTHER, peek(p)->pos, wf_expr_eval_object, NULL, NULL,
									  NULL);
	int			capacity = 4;

	if (node == NULL)
		return NULL;
	node->properties = palloc(capacity * sizeof(WfProperty));
	p->at++;
	while (!at_punct(p, P1('}')))
	{
		WfProperty	property;

		if (!parse_property(p, &property))
			return NULL;
		if (!wf_expr_deepen(p, &node->node, property.value) || !wf_expr_deepen(p, &node->node, property.computed))
			return NULL;
		if (node->n == capacity)
			node->properties = repalloc(node->properties, (capacity *= 2) * sizeof(WfProperty));
		node->properties[node->n++] = property;
		if (!accept(p, P1(',')))
			break;
	}
	if (!accept(p, P1('}')))
		return wf_expr_fail(p, peek(p)->pos, NULL, "expected \"}\" at the end of the object");
	return &node->node;
}

/* `text ${expr} text` */
static const WfExprNode *
parse_template(WfParser *p)
{
	NodeList	list = {0};
	int			start = peek(p)->pos;

	for (;;)
	{
		WfToken		t = *peek(p);
		const WfExprNode *item;

		if (t.kind != WF_T_TEMPLATE || (list.n > 0 && p->lexer.source[t.pos] != '}'))
		{
			if (t.kind == WF_T_BAD)
				return wf_expr_unexpected(p);
			return wf_expr_fail(p, t.pos, NULL, "expected \"}\" in the template literal");
		}
		if (t.problem)
			return wf_expr_fail(p, t.problem_pos, NULL, "%s", t.problem);
		p->at++;
		if (t.len > 0 || (t.tail && list.n == 0))
		{
			WfValue		text;

			set_string(&text, t.text, t.len, 0);
			item = wf_expr_const(p, t.pos, &text);
			if (t.tail && list.n == 0)
				return item;
			add_node(&list, item);
		}
		if (t.tail)
			break;
		item = wf_expr_parse_list(p);
		if (item == NULL)
			return NULL;
		add_node(&list, item);
	}
	return make_list(p, &list, start, wf_expr_eval_template, 0);
}

bool
wf_expr_at_template(WfParser *p)
{
	const WfToken *t = peek(p);

	return t->kind == WF_T_TEMPLATE && p->lexer.source[t->pos] == '`';
}

/* The text of a template as it is written, but for the ends of lines. */
static const WfExprNode *
raw_text(WfParser *p, const WfToken *t)
{
	const char *source = p->lexer.source + t->pos + 1;
	int			len = t->end - t->pos - (t->tail ? 2 : 3);
	char	   *raw = palloc(len + 1);
	int			n = 0;
	WfValue		text;

	for (int i = 0; i < len; i++)
		if (source[i] != '\r')
			raw[n++] = source[i];
		else if (i + 1 == len || source[i + 1] != '\n')
			raw[n++] = '\n';
	set_string(&text, raw, n, 0);
	return wf_expr_const(p, t->pos, &text);
}

/* The arguments of tag`text ${expr} text`: the texts, as one value, and the expressions. False when refused. */
bool
wf_expr_parse_tagged(WfParser *p, WfCallNode *call)
{
	NodeList	texts = {0};
	NodeList	args = {0};
	int			start = peek(p)->pos;
	bool		first = true;

	add_node(&args, NULL);
	for (;; first = false)
	{
		WfToken		t = *peek(p);
		WfValue		text;
		const WfExprNode *item;

		if (t.kind != WF_T_TEMPLATE || (!first && p->lexer.source[t.pos] != '}'))
		{
			if (t.kind == WF_T_BAD)
				wf_expr_unexpected(p);
			else
				wf_expr_fail(p, t.pos, NULL, "expected \"}\" in the template literal");
			return false;
		}
		p->at++;
		if (t.problem)
			set_undefined(&text);
		else
			set_string(&text, t.text, t.len, 0);
		add_node(&texts, wf_expr_const(p, t.pos, &text));
		add_node(&texts, raw_text(p, &t));
		if (t.tail)
			break;
		item = wf_expr_parse_list(p);
		if (item == NULL || !wf_expr_deepen(p, &call->node, item))
			return false;
		add_node(&args, item);
	}
	args.items[0] = make_list(p, &texts, start, wf_expr_eval_tagged, 0);
	call->n = args.n;
	call->args = args.items;
	return args.items[0] != NULL;
}

static const WfExprNode *
parse_regex(WfParser *p)
{
	WfToken		t = *peek(p);
	const char *problem = NULL;
	WfRegExpNode *node = wf_expr_node(p, sizeof(WfRegExpNode), WF_N_OTHER, t.pos, wf_expr_eval_regexp, NULL, NULL, NULL);

	if (node == NULL)
		return NULL;
	p->at++;
	node->regexp.regex = wf_regex_compile(t.text, t.len, t.flags, &problem);
	if (node->regexp.regex == NULL)
		return wf_expr_fail(p, t.pos, NULL, "regular expression cannot be used: %s", problem ? problem : "malformed");
	node->regexp.source = t.text;
	node->regexp.source_len = t.len;
	node->regexp.flags = wf_expr_sort_flags(t.flags);
	node->regexp.global = strchr(t.flags, 'g') != NULL;
	node->regexp.sticky = strchr(t.flags, 'y') != NULL;
	node->regexp.unicode = strchr(t.flags, 'u') != NULL;
	node->regexp.indices = strchr(t.flags, 'd') != NULL;
	return &node->node;
}

/* `new Name(...)` */
static const WfExprNode *
parse_new(WfParser *p)
{
	WfToken		t;
	const WfNamespace *space;
	WfCallNode *node;
	int			pos = peek(p)->pos;

	p->at++;
	t = *peek(p);
	space = t.kind == WF_T_NAME ? wf_expr_namespace(t.text, t.len) : NULL;
	if (space == NULL || space->construct == NULL)
		return wf_expr_fail(p, t.pos, "Date, Set, Map, RegExp and Array can be made; all else belongs in a \"code\" block.",
							"new %.*s is not available", Min(t.end - t.pos, 40), p->lexer.source + t.pos);
	p->at++;
	node = wf_expr_node(p, sizeof(WfCallNode), WF_N_OTHER, pos, wf_expr_eval_new, NULL, NULL, NULL);
	if (node == NULL)
		return NULL;
	node->space = space;
	if (at_punct(p, P1('(')) && !wf_expr_parse_arguments(p, node))
		return NULL;
	return &node->node;
}

static const WfExprNode *
parse_parens(WfParser *p)
{
	int			start = peek(p)->pos;
	WfExprNode *inner;

	p->at++;
	if (at_punct(p, P1(')')))
		return wf_expr_fail(p, start, NULL, "expected an expression in the parentheses");
	inner = (WfExprNode *) wf_expr_parse_list(p);
	if (inner == NULL)
		return NULL;
	if (!accept(p, P1(')')))
		return at_punct(p, P1(';')) ? wf_expr_unexpected(p) : wf_expr_fail(p, peek(p)->pos, NULL, "expected \")\"");
	/* a plain path may go on being one; an optional one has ended here */
	if (inner->kind == WF_N_PATH)
	{
		WfPathNode *path = (WfPathNode *) inner;

		for (int i = 0; i < path->n; i++)
			if (path->steps[i].optional)
				inner->flags |= WF_NF_PARENS;
	}
	else
		inner->flags |= WF_NF_PARENS;
	return inner;
}

const WfExprNode *
wf_expr_parse_primary(WfParser *p)
{
	const WfToken *t = peek(p);
	WfValue		value;

	switch (t->kind)
	{
		case WF_T_NUMBER:
			set_number(&value, t->number);
			p->at++;
			return wf_expr_const(p, t->pos, &value);
		case WF_T_BIGINT:
			value.tag = WF_V_BIGINT;
			value.u.bigint = wf_expr_bigint_digits(NULL, t->text, t->len, (int) t->number);
			p->at++;
			return wf_expr_const(p, t->pos, &value);
		case WF_T_STRING:
			set_string(&value, t->text, t->len, 0);
			p->at++;
			return wf_expr_const(p, t->pos, &value);
		case WF_T_TEMPLATE:
			return p->lexer.source[t->pos] == '`' ? parse_template(p) : wf_expr_unexpected(p);
		case WF_T_REGEX:
			return parse_regex(p);
		case WF_T_NAME:
			return is_word(t, "new") ? parse_new(p) : wf_expr_parse_name(p);
		case WF_T_PUNCT:
			if (t->punct == P1('('))
				return parse_parens(p);
			if (t->punct == P1('['))
				return parse_array(p);
			if (t->punct == P1('{'))
				return parse_object(p);
			return wf_expr_unexpected(p);
		default:
			return wf_expr_unexpected(p);
	}
}

/* -- arrow functions -- */

/* True when an arrow function begins here. */
bool
wf_expr_at_arrow(WfParser *p)
{
	WfToken		t = *peek(p);
	const WfToken *next;

	if (t.kind == WF_T_NAME)
		next = wf_expr_lex_at(&p->lexer, p->at + 1);
	else if (t.kind == WF_T_PUNCT && t.punct == P1('('))
	{
		int			match;

		wf_expr_lex_match(&p->lexer, p->at);
		match = wf_expr_lex_at(&p->lexer, p->at)->match;
		if (match < 0)
			return false;
		next = wf_expr_lex_at(&p->lexer, match + 1);
	}
	else
		return false;
	return next->kind == WF_T_PUNCT && next->punct == P2('=', '>');
}

/* Declares a variable of the function being read; its slot, or -1 when the name cannot be one. */
static int
declare(WfParser *p, const WfToken *t)
{
	WfFunctionScope *scope = p->scope;
	const char *what = NULL;

	if (t->kind != WF_T_NAME)
	{
		wf_expr_unexpected(p);
		return -1;
	}
	if (t->text[0] == '$' && t->len > 1 && wf_expr_is_root_name(t->text, t->len))
	{
		wf_expr_fail(p, t->pos, NULL, "\"%.*s\" cannot be the name of a parameter", (int) t->len, t->text);
		return -1;
	}
	if (!t->escaped && wf_expr_keyword_hint(t, &what) && what != NULL)
	{
		wf_expr_fail(p, t->pos, NULL, "\"%.*s\" cannot be the name of a parameter", (int) t->len, t->text);
		return -1;
	}
	for (int i = 0; i < scope->n; i++)
		if (scope->lens[i] == t->len && memcmp(scope->names[i], t->text, t->len) == 0)
		{
			wf_expr_fail(p, t->pos, NULL, "parameter \"%.*s\" is declared twice", (int) t->len, t->text);
			return -1;
		}
	if (scope->n == scope->capacity)
	{
		scope->capacity = scope->capacity == 0 ? 4 : scope->capacity * 2;
		scope->names = scope->n == 0 ? palloc(scope->capacity * sizeof(char *)) :
			repalloc(scope->names, scope->capacity * sizeof(char *));
		scope->lens = scope->n == 0 ? palloc(scope->capacity * sizeof(uint32)) :
			repalloc(scope->lens, scope->capacity * sizeof(uint32));
	}
	scope->names[scope->n] = t->text;
	scope->lens[scope->n] = t->len;
	return scope->n++;
}

static bool parse_pattern(WfParser *p, WfPattern *out);

static WfPattern *
add_part(WfPattern *pattern, int *capacity)
{
	if (pattern->n == *capacity)
	{
		*capacity = *capacity == 0 ? 4 : *capacity * 2;
		pattern->parts = pattern->parts == NULL ? palloc(*capacity * sizeof(WfPattern)) :
			repalloc(pattern->parts, *capacity * sizeof(WfPattern));
	}
	memset(&pattern->parts[pattern->n], 0, sizeof(WfPattern));
	return &pattern->parts[pattern->n++];
}

static bool
parse_default(WfParser *p, WfPattern *pattern)
{
	if (pattern->rest || !accept(p, P1('=')))
		return true;
	pattern->fallback = wf_expr_parse_single(p);
	return pattern->fallback != NULL;
}

/* One property of an object pattern. */
static bool
parse_pattern_property(WfParser *p, WfPattern *part)
{
	WfToken		t = *peek(p);
	const char *key = NULL;
	uint32		len = 0;
	const WfExprNode *computed = NULL;

	if (accept(p, P3('.', '.', '.')))
	{
		part->rest = true;
		t = *peek(p);
		p->at++;
		part->slot = declare(p, &t);
		return part->slot >= 0;
	}
	if (t.kind == WF_T_PUNCT && t.punct == P1('['))
		computed = computed_key(p);
	else
		key = literal_key(p, &len);
	if (key == NULL && computed == NULL)
	{
		wf_expr_unexpected(p);
		return false;
	}
	if (accept(p, P1(':')))
	{
		if (!parse_pattern(p, part))
			return false;
	}
	else
	{
		part->slot = declare(p, &t);
		if (part->slot < 0)
			return false;
	}
	part->key = key;
	part->len = len;
	part->computed = computed;
	return parse_default(p, part);
}

static bool
parse_pattern_list(WfParser *p, WfPattern *out, uint32 close)
{
	int			capacity = 0;

	while (!at_punct(p, close))
	{
		WfPattern  *part = add_part(out, &capacity);

		if (out->kind == WF_P_OBJECT)
		{
			if (!parse_pattern_property(p, part))
				return false;
		}
		else if (at_punct(p, P1(',')))
			part->kind = WF_P_HOLE;
		else
		{
			bool		rest = accept(p, P3('.', '.', '.'));

			if (!parse_pattern(p, part))
				return false;
			part->rest = rest;
			if (!parse_default(p, part))
				return false;
		}
		if (part->rest && !at_punct(p, close))
		{
			wf_expr_fail(p, peek(p)->pos, NULL, "a rest element must be the last");
			return false;
		}
		if (!accept(p, P1(',')))
			break;
	}
	if (!accept(p, close))
	{
		wf_expr_unexpected(p);
		return false;
	}
	return true;
}

/* A name, `{...}` or `[...]`. */
static bool
parse_pattern(WfParser *p, WfPattern *out)
{
	WfToken		t = *peek(p);
	bool		good;

	if (++p->pattern_depth > 100)
	{
		wf_expr_fail(p, t.pos, NULL, "parameters are nested too deeply");
		return false;
	}
	p->at++;
	if (t.kind == WF_T_PUNCT && (t.punct == P1('{') || t.punct == P1('[')))
	{
		out->kind = t.punct == P1('{') ? WF_P_OBJECT : WF_P_ARRAY;
		good = parse_pattern_list(p, out, t.punct == P1('{') ? P1('}') : P1(']'));
	}
	else if (t.kind != WF_T_NAME)
	{
		p->at--;
		wf_expr_unexpected(p);
		good = false;
	}
	else
	{
		out->kind = WF_P_NAME;
		out->slot = declare(p, &t);
		good = out->slot >= 0;
	}
	p->pattern_depth--;
	return good;
}

/* Parameters of an arrow function; sets simple and length. */
static bool
parse_parameters(WfParser *p, WfArrowNode *arrow)
{
	WfPattern	list = {.kind = WF_P_ARRAY};
	bool		counted = true;

	if (peek(p)->kind == WF_T_NAME)
	{
		int			capacity = 0;

		if (!parse_pattern(p, add_part(&list, &capacity)))
			return false;
	}
	else
	{
		p->at++;
		if (!parse_pattern_list(p, &list, P1(')')))
			return false;
	}
	arrow->params = list.parts;
	arrow->n_params = list.n;
	arrow->simple = true;
	for (int i = 0; i < list.n; i++)
	{
		WfPattern  *part = &list.parts[i];

		if (part->kind == WF_P_HOLE)
		{
			wf_expr_fail(p, p->start + arrow->node.pos, NULL, "a parameter is missing");
			return false;
		}
		counted &= part->fallback == NULL && !part->rest;
		arrow->length += counted;
		if (part->kind != WF_P_NAME || part->fallback != NULL || part->rest || part->slot != i)
			arrow->simple = false;
	}
	return true;
}

/* The token is at the parameters; wf_expr_at_arrow said so. */
const WfExprNode *
wf_expr_parse_arrow(WfParser *p)
{
	WfFunctionScope scope = {.parent = p->scope};
	WfArrowNode *arrow = wf_expr_node(p, sizeof(WfArrowNode), WF_N_OTHER, peek(p)->pos, wf_expr_eval_arrow, NULL, NULL,
									  NULL);
	bool		good;

	if (arrow == NULL)
		return NULL;
	if (p->scope != NULL)
		p->scope->captured = true;
	p->scope = &scope;
	good = parse_parameters(p, arrow);
	if (good && !accept(p, P2('=', '>')))
		good = wf_expr_unexpected(p) != NULL;
	if (good && at_punct(p, P1('{')))
		good = wf_expr_fail(p, peek(p)->pos,
							"Write x => value, or x => ({key: value}) for an object; statements belong in a \"code\" block.",
							"a function with statements is not available in an expression") != NULL;
	if (good)
	{
		arrow->body = wf_expr_parse_single(p);
		good = arrow->body != NULL && wf_expr_deepen(p, &arrow->node, arrow->body);
	}
	p->scope = scope.parent;
	if (!good)
		return NULL;
	arrow->n_slots = scope.n;
	arrow->captured = scope.captured;
	arrow->end = wf_expr_lex_at(&p->lexer, p->at - 1)->end - p->start;
	return &arrow->node;
}
