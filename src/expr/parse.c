/*
 * parse.c: the parser's frame: problems, nodes, constant folding, operators by precedence, postfix
 * chains. Primary expressions and functions are in parse_primary.c, names in names.c.
 *
 * The parser never throws for a wrong source: the first problem is kept, every function then returns
 * NULL and its callers pass that on. Nodes are made in CurrentMemoryContext. Nesting is bounded
 * twice, by WF_EXPR_MAX_DEPTH and by the stack, so that neither parsing nor evaluating a tree can
 * overrun it.
 */
#include "postgres.h"

#include "base/error.h"
#include "base/text.h"
#include "expr/code.h"
#include "expr/parser.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

/* Keeps the first problem; returns NULL for the caller to pass on. `pos` in bytes of the whole. */
void *
wf_expr_fail(WfParser *p, int pos, const char *hint, const char *fmt,...)
{
	char		buf[512];
	va_list		args;

	if (p->failed)
		return NULL;
	va_start(args, fmt);
	vsnprintf(buf, sizeof(buf), fmt, args);
	va_end(args);
	buf[pg_mbcliplen(buf, strlen(buf), sizeof(buf) - 1)] = '\0';
	p->failed = true;
	p->fail_pos = pos;
	p->message = pstrdup(buf);
	p->hint = hint;
	return NULL;
}

/* The problem that was kept last is final; NULL. */
void *
wf_expr_fail_finally(WfParser *p)
{
	p->fail_is_final = true;
	return NULL;
}

static void *
fail_depth(WfParser *p, int pos)
{
	if (!p->failed)
	{
		wf_expr_fail(p, pos, NULL, "expression is nested too deeply");
		p->fail_code = WF_ERRCODE_EXPRESSION_LIMIT;
	}
	return NULL;
}

/* Takes one level of nesting; false (with the problem kept) when there is none left. */
static bool
descend(WfParser *p)
{
	if (++p->depth <= WF_EXPR_MAX_DEPTH && !stack_is_too_deep())
		return true;
	fail_depth(p, peek(p)->pos);
	return false;
}

/* -- nodes -- */

/* Raises the node's depth above that of a child; false when that is too deep. */
bool
wf_expr_deepen(WfParser *p, WfExprNode *node, const WfExprNode *below)
{
	if (below == NULL || below->depth < node->depth)
		return true;
	node->depth = below->depth + 1;
	if (node->depth <= WF_EXPR_MAX_DEPTH)
		return true;
	fail_depth(p, p->start + node->pos);
	return false;
}

/* A zeroed node of `size` bytes; `pos` in bytes of the whole. NULL when too deep. */
void *
wf_expr_node(WfParser *p, Size size, WfNodeKind kind, int pos, WfNodeEval eval, const WfExprNode *a,
			 const WfExprNode *b, const WfExprNode *c)
{
	WfExprNode *node = palloc0(size);

	node->eval = eval;
	node->kind = kind;
	node->pos = pos - p->start;
	node->depth = 1;
	node->a = a;
	node->b = b;
	node->c = c;
	if (!wf_expr_deepen(p, node, a) || !wf_expr_deepen(p, node, b) || !wf_expr_deepen(p, node, c))
		return NULL;
	return node;
}

const WfExprNode *
wf_expr_const(WfParser *p, int pos, const WfValue *value)
{
	WfConstNode *node = wf_expr_node(p, sizeof(WfConstNode), WF_N_CONST, pos, wf_expr_eval_const, NULL, NULL, NULL);

	node->value = *value;
	if (value->tag == WF_V_STRING)
	{
		node->value.flags = WF_S_ASCII;
		for (uint32 i = 0; i < value->len; i++)
			if (IS_HIGHBIT_SET(value->u.str[i]))
			{
				node->value.flags = WF_S_WIDE;
				break;
			}
	}
	return &node->node;
}

static bool
is_primitive_const(const WfExprNode *node)
{
	return node == NULL || (node->kind == WF_N_CONST && ((const WfConstNode *) node)->value.tag < WF_V_BIGINT);
}

/*
 * Evaluates an operator whose operands are primitive constants (which cannot throw) and gives the
 * result as a constant; else the node itself.
 */
const WfExprNode *
wf_expr_fold(WfParser *p, const WfExprNode *node)
{
	WfEval		ev;
	WfExpr		expr = {.root = node,.source = p->lexer.source,.len = 0};
	WfValue		value;

	if (node == NULL || !is_primitive_const(node->a) || !is_primitive_const(node->b) || !is_primitive_const(node->c))
		return node;
	wf_expr_begin(&ev, &expr, NULL);
	node->eval(&ev, node, &value);
	if (value.tag == WF_V_STRING)
	{
		if (value.len > 1000)
		{
			wf_expr_end(&ev);
			return node;
		}
		value.u.str = pnstrdup(value.u.str, value.len);
	}
	wf_expr_end(&ev);
	return wf_expr_const(p, node->pos + p->start, &value);
}

/* -- operators -- */

#define PREC_COALESCE	1
#define PREC_OR			2
#define PREC_AND		3
#define PREC_RELATION	8
#define PREC_POWER		12

/* Precedence of the binary operator that the token is; 0 for none. */
static int
precedence(const WfToken *t)
{
	if (t->kind == WF_T_NAME && !t->escaped)
	{
		if ((t->len == 2 && memcmp(t->text, "in", 2) == 0) ||
			(t->len == 10 && memcmp(t->text, "instanceof", 10) == 0))
			return PREC_RELATION;
		return 0;
	}
	if (t->kind != WF_T_PUNCT)
		return 0;
	switch (t->punct)
	{
		case P2('?', '?'):
			return PREC_COALESCE;
		case P2('|', '|'):
			return PREC_OR;
		case P2('&', '&'):
			return PREC_AND;
		case P1('|'):
			return 4;
		case P1('^'):
			return 5;
		case P1('&'):
			return 6;
		case P2('=', '='):
		case P2('!', '='):
		case P3('=', '=', '='):
		case P3('!', '=', '='):
			return 7;
		case P1('<'):
		case P1('>'):
		case P2('<', '='):
		case P2('>', '='):
			return PREC_RELATION;
		case P2('<', '<'):
		case P2('>', '>'):
		case P3('>', '>', '>'):
			return 9;
		case P1('+'):
		case P1('-'):
			return 10;
		case P1('*'):
		case P1('/'):
		case P1('%'):
			return 11;
		case P2('*', '*'):
			return PREC_POWER;
		default:
			return 0;
	}
}

const char *const wf_expr_statement_hint =
"Expressions only compute a value; variables, assignments, loops and functions with statements belong in a \"code\" block.";

bool
wf_expr_is_assignment(const WfToken *t)
{
	switch (t->kind == WF_T_PUNCT ? t->punct : 0)
	{
		case P1('='):
		case P2('+', '='):
		case P2('-', '='):
		case P2('*', '='):
		case P2('/', '='):
		case P2('%', '='):
		case P2('&', '='):
		case P2('|', '='):
		case P2('^', '='):
		case P3('*', '*', '='):
		case P3('<', '<', '='):
		case P3('>', '>', '='):
		case P4('>', '>', '>', '='):
		case P3('&', '&', '='):
		case P3('|', '|', '='):
		case P3('?', '?', '='):
			return true;
		default:
			return false;
	}
}

static const WfExprNode *
make_unary(WfParser *p, int pos, WfNodeEval eval, const WfExprNode *operand, WfNodeKind kind)
{
	const WfExprNode *node;

	if (operand == NULL)
		return NULL;
	node = wf_expr_fold(p, wf_expr_node(p, sizeof(WfExprNode), kind, pos, eval, operand, NULL, NULL));
	return node;
}

static const WfExprNode *
parse_unary(WfParser *p)
{
	const WfToken *t = peek(p);
	int			pos = t->pos;
	const WfExprNode *operand;
	WfNodeEval	eval = NULL;

	if (t->kind == WF_T_PUNCT)
	{
		if (t->punct == P2('+', '+') || t->punct == P2('-', '-'))
			return wf_expr_fail(p, pos, wf_expr_statement_hint, "%.2s changes a variable, which an expression cannot do",
								p->lexer.source + pos);
		eval = wf_expr_unary_eval(t->punct);
	}
	else if (t->kind == WF_T_NAME && !t->escaped)
	{
		if (t->len == 6 && memcmp(t->text, "typeof", 6) == 0)
			eval = wf_expr_eval_typeof;
		else if (t->len == 4 && memcmp(t->text, "void", 4) == 0)
			eval = wf_expr_eval_void;
	}
	if (eval == NULL)
		return wf_expr_parse_postfix(p);
	if (!descend(p))
		return NULL;
	p->at++;
	operand = parse_unary(p);
	p->depth--;
	if (operand != NULL && at_punct(p, P2('*', '*')))
		return wf_expr_fail(p, peek(p)->pos, "Put the left side in parentheses.",
							"the left side of ** cannot be a unary operator");
	return make_unary(p, pos, eval, operand, WF_N_OTHER);
}

static bool
check_mixed(WfParser *p, int pos, uint32 punct, const WfExprNode *left, const WfExprNode *right)
{
	WfNodeKind	refused;

	if (punct == P2('?', '?'))
		refused = WF_N_BINARY_LOGICAL;
	else if (punct == P2('|', '|') || punct == P2('&', '&'))
		refused = WF_N_COALESCE;
	else
		return true;
	if ((left->kind == refused && !(left->flags & WF_NF_PARENS)) ||
		(right->kind == refused && !(right->flags & WF_NF_PARENS)))
	{
		wf_expr_fail(p, pos, "Say with parentheses which comes first.", "?? cannot be mixed with && or || without parentheses");
		return false;
	}
	return true;
}

static const WfExprNode *
make_binary(WfParser *p, const WfToken *op, const WfExprNode *left, const WfExprNode *right)
{
	WfNodeKind	kind = WF_N_OTHER;
	const WfExprNode *node;

	if (op->kind == WF_T_NAME)
	{
		WfNodeEval	eval = op->len == 2 ? wf_expr_eval_in : wf_expr_eval_instanceof;

		return wf_expr_node(p, sizeof(WfExprNode), WF_N_OTHER, op->pos, eval, left, right, NULL);
	}
	if (!check_mixed(p, op->pos, op->punct, left, right))
		return NULL;
	if (op->punct == P2('?', '?'))
		kind = WF_N_COALESCE;
	else if (op->punct == P2('|', '|') || op->punct == P2('&', '&'))
		kind = WF_N_BINARY_LOGICAL;
	node = wf_expr_node(p, sizeof(WfExprNode), kind, op->pos, wf_expr_binary_eval(op->punct), left, right, NULL);
	return kind == WF_N_OTHER ? wf_expr_fold(p, node) : node;
}

static const WfExprNode *
parse_binary(WfParser *p, int least)
{
	const WfExprNode *left = parse_unary(p);

	while (left != NULL)
	{
		WfToken		op = *peek(p);
		int			level = precedence(&op);
		const WfExprNode *right;

		if (level == 0 || level < least)
			break;
		p->at++;
		if (!descend(p))
			return NULL;
		right = parse_binary(p, level == PREC_POWER ? level : level + 1);
		p->depth--;
		if (right == NULL)
			return NULL;
		left = make_binary(p, &op, left, right);
	}
	return left;
}

/* An AssignmentExpression: all but the comma. */
const WfExprNode *
wf_expr_parse_single(WfParser *p)
{
	const WfExprNode *test;
	const WfExprNode *yes;
	const WfExprNode *no;
	int			pos = peek(p)->pos;

	CHECK_FOR_INTERRUPTS();
	if (!descend(p))
		return NULL;
	if (wf_expr_at_arrow(p))
	{
		test = wf_expr_parse_arrow(p);
		p->depth--;
		return test;
	}
	test = parse_binary(p, 1);
	if (test != NULL && wf_expr_is_assignment(peek(p)))
		return wf_expr_fail(p, peek(p)->pos, wf_expr_statement_hint, "assignment is not available in an expression");
	if (test != NULL && (at_punct(p, P2('+', '+')) || at_punct(p, P2('-', '-'))))
		return wf_expr_fail(p, peek(p)->pos, wf_expr_statement_hint, "%.2s changes a variable, which an expression cannot do",
							p->lexer.source + peek(p)->pos);
	if (test != NULL && accept(p, P1('?')))
	{
		yes = wf_expr_parse_single(p);
		if (yes == NULL)
			return NULL;
		if (!accept(p, P1(':')))
			return wf_expr_fail(p, peek(p)->pos, NULL, "expected \":\" of the conditional expression");
		no = wf_expr_parse_single(p);
		if (no == NULL)
			return NULL;
		if (test->kind == WF_N_CONST)
			test = wf_expr_to_bool(&((const WfConstNode *) test)->value) ? yes : no;
		else
			test = wf_expr_node(p, sizeof(WfExprNode), WF_N_OTHER, pos, wf_expr_eval_ternary, test, yes, no);
	}
	p->depth--;
	return test;
}

/* An Expression: singles with commas between. */
const WfExprNode *
wf_expr_parse_list(WfParser *p)
{
	const WfExprNode *first = wf_expr_parse_single(p);

	while (first != NULL && at_punct(p, P1(',')))
	{
		int			pos = peek(p)->pos;
		const WfExprNode *next;

		p->at++;
		next = wf_expr_parse_single(p);
		if (next == NULL)
			return NULL;
		first = wf_expr_node(p, sizeof(WfExprNode), WF_N_OTHER, pos, wf_expr_eval_sequence, first, next, NULL);
	}
	return first;
}

/* -- postfix chains -- */

/* Arguments, the token at `(` or at a template; false when refused. */
bool
wf_expr_parse_arguments(WfParser *p, WfCallNode *call)
{
	int			capacity = 4;

	if (wf_expr_at_template(p))
		return wf_expr_parse_tagged(p, call);
	call->args = palloc(capacity * sizeof(*call->args));
	p->at++;
	while (!at_punct(p, P1(')')))
	{
		int			pos = peek(p)->pos;
		bool		spread = accept(p, P3('.', '.', '.'));
		const WfExprNode *arg = wf_expr_parse_single(p);

		if (arg != NULL && spread)
			arg = wf_expr_node(p, sizeof(WfExprNode), WF_N_SPREAD, pos, arg->eval, arg, NULL, NULL);
		if (arg == NULL || !wf_expr_deepen(p, &call->node, arg))
			return false;
		if (spread)
			call->node.flags |= WF_NF_SPREAD;
		if (call->n == capacity)
			call->args = repalloc(call->args, (capacity *= 2) * sizeof(*call->args));
		call->args[call->n++] = arg;
		if (!accept(p, P1(',')))
			break;
	}
	if (!accept(p, P1(')')))
	{
		wf_expr_fail(p, peek(p)->pos, NULL, "expected \")\" after the arguments");
		return false;
	}
	return true;
}

static bool
is_secret(const WfExprNode *node)
{
	return node->kind == WF_N_PATH && ((const WfPathNode *) node)->root == WF_ROOT_SECRETS;
}

/* `base(...)` */
static const WfExprNode *
parse_call(WfParser *p, const WfExprNode *base, bool optional)
{
	WfCallNode *call;

	if (is_secret(base))
		return wf_expr_fail(p, peek(p)->pos, NULL, "a secret is not a function");
	if (base->kind == WF_N_CONST)
	{
		const WfValue *value = &((const WfConstNode *) base)->value;

		if (value->tag == WF_V_NAMESPACE && value->u.space->call == NULL)
			return wf_expr_fail(p, peek(p)->pos, value->u.space->construct ? psprintf("Write new %s(...).", value->u.space->name) :
								NULL, "%s is not a function", value->u.space->name);
	}
	call = wf_expr_node(p, sizeof(WfCallNode), WF_N_CALL, p->start + base->pos, wf_expr_eval_call, base, NULL, NULL);
	if (call == NULL || !wf_expr_parse_arguments(p, call))
		return NULL;
	call->optional_call = optional;
	return &call->node;
}

/* `base.key(...)`, or `base[computed](...)` */
static const WfExprNode *
parse_method(WfParser *p, const WfExprNode *base, const char *key, uint32 len, const WfExprNode *computed, int pos,
			 bool optional, bool optional_call)
{
	WfCallNode *call = wf_expr_node(p, sizeof(WfCallNode), WF_N_METHOD, pos, wf_expr_eval_method, base, computed, NULL);

	if (call == NULL)
		return NULL;
	call->key = key;
	call->len = len;
	call->optional_call = optional_call;
	if (optional)
		call->node.flags |= WF_NF_OPTIONAL;
	if (key != NULL)
	{
		wf_expr_method_ref(key, len, &call->ref);
	}
	if (!wf_expr_parse_arguments(p, call))
		return NULL;
	return &call->node;
}

/* A member of a namespace (Math.PI, JSON.stringify): known now, or refused now. */
static const WfExprNode *
namespace_member(WfParser *p, const WfNamespace *space, const char *key, uint32 len, int pos)
{
	WfValue		value;

	if (!wf_expr_namespace_member(space, key, len, &value))
	{
		const char *nearest = wf_expr_nearest_member(space, pnstrdup(key, len));

		return wf_expr_fail(p, pos, nearest ? psprintf("Did you mean %s.%s?", space->name, nearest) : NULL,
							"unknown function \"%s.%.*s\"", space->name, (int) Min(len, 64), key);
	}
	return wf_expr_const(p, pos, &value);
}

/* What follows `base` is the member `key`. */
static const WfExprNode *
parse_member(WfParser *p, const WfExprNode *base, const char *key, uint32 len, int pos, bool optional)
{
	WfMemberNode *member;
	bool		optional_call = false;

	if (base->kind == WF_N_CONST && ((const WfConstNode *) base)->value.tag == WF_V_NAMESPACE &&
		wf_expr_method(wf_expr_class(&((const WfConstNode *) base)->value), key, len) == NULL)
		return namespace_member(p, ((const WfConstNode *) base)->value.u.space, key, len, pos);
	if (base->kind == WF_N_PATH && (((const WfPathNode *) base)->node_index < 0 || is_secret(base)))
		return wf_expr_path_member(p, base, key, len, pos, optional);
	if (at_punct(p, P2('?', '.')) && wf_expr_lex_at(&p->lexer, p->at + 1)->kind == WF_T_PUNCT &&
		wf_expr_lex_at(&p->lexer, p->at + 1)->punct == P1('('))
	{
		optional_call = true;
		p->at++;
	}
	if (at_punct(p, P1('(')) || wf_expr_at_template(p))
		return parse_method(p, base, key, len, NULL, pos, optional, optional_call);
	if (base->kind == WF_N_PATH && !(base->flags & WF_NF_PARENS))
		return wf_expr_path_member(p, base, key, len, pos, optional);
	member = wf_expr_node(p, sizeof(WfMemberNode), WF_N_MEMBER, pos, wf_expr_eval_member, base, NULL, NULL);
	if (member == NULL)
		return NULL;
	member->key = key;
	member->len = len;
	if (optional)
		member->node.flags |= WF_NF_OPTIONAL;
	return &member->node;
}

/* What follows `base` is `[...]`, the token behind the bracket. */
static const WfExprNode *
parse_index(WfParser *p, const WfExprNode *base, int pos, bool optional)
{
	const WfExprNode *key = wf_expr_parse_list(p);
	WfMemberNode *member;

	if (key == NULL)
		return NULL;
	if (!accept(p, P1(']')))
		return wf_expr_fail(p, peek(p)->pos, NULL, "expected \"]\"");
	if (key->kind == WF_N_CONST)
	{
		const WfValue *value = &((const WfConstNode *) key)->value;

		if (value->tag == WF_V_STRING)
			return parse_member(p, base, value->u.str, value->len, pos, optional);
		if (value->tag == WF_V_NUMBER && base->kind == WF_N_PATH && !(base->flags & WF_NF_PARENS) &&
			value->u.number >= 0 && value->u.number < PG_INT32_MAX && value->u.number == (int) value->u.number &&
			!at_punct(p, P1('(')) && !wf_expr_at_template(p) && ((const WfPathNode *) base)->node_index >= 0)
		{
			const WfExprNode *path = wf_expr_path_member(p, base, NULL, 0, pos, optional);

			if (path != NULL)
				((WfPathNode *) path)->steps[((const WfPathNode *) path)->n - 1].index = (uint32) value->u.number;
			return path;
		}
	}
	if (is_secret(base))
		return wf_expr_path_member(p, base, NULL, 0, pos, optional);
	if (base->kind == WF_N_PATH && ((const WfPathNode *) base)->node_index < 0)
		return wf_expr_fail(p, pos, "Write the node's id or name as a constant: $node.id or $node[\"Name\"].",
							"$node needs a fixed name");
	if (at_punct(p, P1('(')) || wf_expr_at_template(p))
		return parse_method(p, base, NULL, 0, key, pos, optional, false);
	member = wf_expr_node(p, sizeof(WfMemberNode), WF_N_INDEX, pos, wf_expr_eval_index, base, key, NULL);
	if (member != NULL && optional)
		member->node.flags |= WF_NF_OPTIONAL;
	return member ? &member->node : NULL;
}

/* Marks all links of an optional chain and puts its end around it. */
static const WfExprNode *
close_chain(WfParser *p, const WfExprNode *node)
{
	WfExprNode *link = (WfExprNode *) node;

	if (node->kind == WF_N_PATH)
		return node;			/* ends by itself */
	while (link != NULL && (link->kind == WF_N_MEMBER || link->kind == WF_N_INDEX || link->kind == WF_N_METHOD ||
							link->kind == WF_N_CALL || link->kind == WF_N_PATH))
	{
		if (link->flags & WF_NF_PARENS)
			break;
		link->flags |= WF_NF_CHAIN;
		link = (WfExprNode *) link->a;
	}
	return wf_expr_node(p, sizeof(WfExprNode), WF_N_CHAIN, p->start + node->pos, wf_expr_eval_chain, node, NULL, NULL);
}

/* One link more on `base`; NULL when there is none (with p->failed unset) or it is refused. */
static const WfExprNode *
parse_link(WfParser *p, const WfExprNode *base, bool *optional_seen)
{
	WfToken		t = *peek(p);
	bool		optional = false;

	if (wf_expr_at_template(p))
		return parse_call(p, base, false);
	if (t.kind != WF_T_PUNCT)
		return NULL;
	if (t.punct == P2('?', '.'))
	{
		optional = *optional_seen = true;
		p->at++;
		t = *peek(p);
		if (t.kind == WF_T_PUNCT && t.punct == P1('('))
			return parse_call(p, base, true);
	}
	else if (t.punct == P1('('))
		return parse_call(p, base, false);
	if (t.kind == WF_T_PUNCT && t.punct == P1('['))
	{
		p->at++;
		return parse_index(p, base, t.pos, optional);
	}
	if (!optional)
	{
		if (t.punct != P1('.'))
			return NULL;
		p->at++;
		t = *peek(p);
	}
	if (t.kind != WF_T_NAME)
		return wf_expr_fail(p, t.pos, NULL, "expected a name after \"%s\"", optional ? "?." : ".");
	p->at++;
	return parse_member(p, base, t.text, t.len, t.pos, optional);
}

const WfExprNode *
wf_expr_parse_postfix(WfParser *p)
{
	const WfExprNode *node = wf_expr_parse_primary(p);
	bool		optional_seen = false;

	while (node != NULL)
	{
		const WfExprNode *next = parse_link(p, node, &optional_seen);

		if (p->failed)
			return NULL;
		if (next == NULL)
			break;
		node = next;
	}
	if (node != NULL && node->kind == WF_N_PATH && ((const WfPathNode *) node)->node_index < 0)
		return wf_expr_fail(p, node->pos + p->start, "Write $node.id.output or $node[\"Name\"].output.",
							"$node needs the name of a node");
	return node != NULL && optional_seen ? close_chain(p, node) : node;
}

/* -- the whole -- */

static WfExpr *
make_expr(WfParser *p, const WfExprNode *root, int end)
{
	WfExpr	   *expr = palloc0(sizeof(WfExpr));

	expr->root = root;
	expr->len = end - p->start;
	expr->source = pnstrdup(p->lexer.source + p->start, expr->len);
	expr->offset = pg_mbstrlen_with_len(p->lexer.source, p->start);
	expr->nodes = p->nodes;
	expr->n_nodes = p->n_nodes;
	expr->secrets = p->secrets;
	expr->roots = p->roots;
	expr->any_node = p->any_node;
	return expr;
}

/* Refuses the next token; NULL. */
void *
wf_expr_unexpected(WfParser *p)
{
	const WfToken *t = peek(p);

	if (t->kind == WF_T_BAD)
		wf_expr_fail(p, t->pos, NULL, "%s", p->lexer.message);
	else if (t->kind == WF_T_END)
		wf_expr_fail(p, t->pos, NULL, "expression ends too early");
	else if (t->kind == WF_T_PUNCT && t->punct == P1(';'))
		wf_expr_fail(p, t->pos, wf_expr_statement_hint, "an expression cannot hold statements");
	else
	{
		const char *what = NULL;
		const char *hint = t->kind == WF_T_NAME ? wf_expr_keyword_hint(t, &what) : NULL;

		wf_expr_fail(p, t->pos, hint, "unexpected \"%.*s\"", Min(t->end - t->pos, 40), p->lexer.source + t->pos);
	}
	return NULL;
}

/* Parses the whole expression; *stop is the byte behind it, white space included. NULL when refused. */
static const WfExprNode *
parse_whole(WfParser *p, bool in_braces, int *stop)
{
	const char *whole = p->lexer.source;
	const WfToken *t = peek(p);
	const WfExprNode *root;

	p->start = Min(t->pos, p->lexer.len);
	if (t->kind == WF_T_END || (in_braces && t->kind == WF_T_PUNCT && t->punct == P1('}')))
		return wf_expr_fail(p, t->pos, NULL, "expression is empty");
	root = wf_expr_parse_list(p);
	if (root == NULL)
		return p->failed ? NULL : wf_expr_unexpected(p);
	t = peek(p);
	*stop = t->pos;
	if (!in_braces)
		return t->kind == WF_T_END ? root : wf_expr_unexpected(p);
	if (t->kind == WF_T_PUNCT && t->punct == P1('}') && t->pos + 1 < p->lexer.len && whole[t->pos + 1] == '}')
		return root;
	if (t->kind == WF_T_END)
		return wf_expr_fail(p, t->pos, NULL, "expected \"}}\" at the end of the expression");
	return wf_expr_unexpected(p);
}

/*
 * Parses the expression at byte `start` of a string; `in_braces`: it must end at `}}`, and *end is
 * the byte behind them. NULL when refused, with the problem.
 */
WfExpr *
wf_expr_parse_at(const char *whole, int whole_len, int start, bool in_braces, const WfNames *names, int *end,
				 WfExprProblem *problem)
{
	WfParser	p = {0};
	const WfExprNode *root;
	int			stop = whole_len;

	if (GetDatabaseEncoding() != PG_UTF8)
	{
		problem->position = 0;
		problem->message = "expressions need a database with the encoding UTF8";
		problem->hint = NULL;
		problem->sqlstate = WF_ERRCODE_EXPRESSION_INVALID;
		return NULL;
	}
	wf_expr_lex_begin(&p.lexer, whole, whole_len, start);
	p.names = names;
	p.start = start;
	p.fail_code = WF_ERRCODE_EXPRESSION_INVALID;
	root = parse_whole(&p, in_braces, &stop);
	if (root == NULL && names != NULL && names->allow_code && p.fail_code == WF_ERRCODE_EXPRESSION_INVALID && !p.fail_is_final)
		root = wf_expr_parse_code(&p, in_braces, &stop);
	if (p.failed)
	{
		problem->position = pg_mbstrlen_with_len(whole, Min(p.fail_pos, whole_len));
		problem->message = p.message;
		problem->hint = p.hint;
		problem->sqlstate = p.fail_code;
		return NULL;
	}
	if (!in_braces)
		return make_expr(&p, root, whole_len);
	*end = stop + 2;
	while (stop > p.start && strchr(" \t\r\n", whole[stop - 1]))
		stop--;
	return make_expr(&p, root, stop);
}
