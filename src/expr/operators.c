/*
 * operators.c: evaluating operators and literals that are built: arrays, objects, templates,
 * functions.
 *
 * Each operator has its own function with a short way for two doubles; the rest is value.c's.
 */
#include "postgres.h"

#include <math.h>

#include "expr/parser.h"

#define OPERANDS() \
	WfValue		l; \
	WfValue		r; \
	node->a->eval(ev, node->a, &l); \
	node->b->eval(ev, node->b, &r)

#define BOTH_DOUBLES() (l.tag == WF_V_NUMBER && r.tag == WF_V_NUMBER)

/* -- arithmetic -- */

static void
eval_add(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	WfValue		left;
	WfValue		right;

	OPERANDS();
	if (BOTH_DOUBLES())
	{
		set_number(out, l.u.number + r.u.number);
		return;
	}
	if (WF_IS_STRING(&l) && WF_IS_STRING(&r))
	{
		wf_expr_concat(ev, &l, &r, out);
		return;
	}
	ev->pos = node->pos;
	wf_expr_to_primitive(ev, &l, 'd', &left);
	wf_expr_to_primitive(ev, &r, 'd', &right);
	if (WF_IS_STRING(&left) || WF_IS_STRING(&right))
	{
		wf_expr_to_string(ev, &left, &l);
		wf_expr_to_string(ev, &right, &r);
		wf_expr_concat(ev, &l, &r, out);
	}
	else if (left.tag == WF_V_BIGINT || right.tag == WF_V_BIGINT)
		wf_expr_bigint_binary(ev, '+', &left, &right, out);
	else
	{
		double		number = wf_expr_to_number(ev, &left);

		set_number(out, number + wf_expr_to_number(ev, &right));
	}
}

/* JavaScript's **, which differs from pow() at 1 ** NaN and (-1) ** Infinity. */
static double
power(double base, double exponent)
{
	if (isnan(exponent) || (fabs(base) == 1 && isinf(exponent)))
		return NAN;
	return pow(base, exponent);
}

/* Takes an operator on objects or BigInts as far as primitives; true when it was one on BigInts, and is done. */
static bool
on_bigints(WfEval *ev, char op, WfValue *l, WfValue *r, WfValue *out)
{
	WfValue		left;
	WfValue		right;

	wf_expr_to_primitive(ev, l, 'n', &left);
	wf_expr_to_primitive(ev, r, 'n', &right);
	*l = left;
	*r = right;
	if (left.tag != WF_V_BIGINT && right.tag != WF_V_BIGINT)
		return false;
	wf_expr_bigint_binary(ev, op, &left, &right, out);
	return true;
}

#define TRY_BIGINTS(op) \
	do { \
		if (unlikely(l.tag >= WF_V_BIGINT || r.tag >= WF_V_BIGINT) && on_bigints(ev, op, &l, &r, out)) \
			return; \
	} while (0)

#define ARITHMETIC(name, op, expression) \
static void \
name(WfEval *ev, const WfExprNode *node, WfValue *out) \
{ \
	double		a; \
	double		b; \
	OPERANDS(); \
	ev->pos = node->pos; \
	TRY_BIGINTS(op); \
	a = l.tag == WF_V_NUMBER ? l.u.number : wf_expr_to_number(ev, &l); \
	b = r.tag == WF_V_NUMBER ? r.u.number : wf_expr_to_number(ev, &r); \
	set_number(out, expression); \
}

ARITHMETIC(eval_subtract, '-', a - b)
ARITHMETIC(eval_multiply, '*', a * b)
ARITHMETIC(eval_divide, '/', a / b)
ARITHMETIC(eval_remainder, '%', fmod(a, b))
ARITHMETIC(eval_power, 'p', power(a, b))

#define BITWISE(name, op, expression) \
static void \
name(WfEval *ev, const WfExprNode *node, WfValue *out) \
{ \
	int32		a; \
	int32		b; \
	OPERANDS(); \
	ev->pos = node->pos; \
	TRY_BIGINTS(op); \
	a = wf_expr_to_int32(ev, &l); \
	b = wf_expr_to_int32(ev, &r); \
	set_number(out, expression); \
}

BITWISE(eval_bit_and, '&', a & b)
BITWISE(eval_bit_or, '|', a | b)
BITWISE(eval_bit_xor, '^', a ^ b)
BITWISE(eval_shift_left, '<', (int32) ((uint32) a << (b & 31)))
BITWISE(eval_shift_right, '>', a >> (b & 31))
BITWISE(eval_shift_zero, 'z', (uint32) a >> (b & 31))

/* -- comparisons -- */

#define RELATION(name, op, a, b, left_first, negate) \
static void \
name(WfEval *ev, const WfExprNode *node, WfValue *out) \
{ \
	bool		undefined; \
	bool		less; \
	OPERANDS(); \
	if (BOTH_DOUBLES()) \
	{ \
		set_bool(out, l.u.number op r.u.number); \
		return; \
	} \
	ev->pos = node->pos; \
	less = wf_expr_less(ev, a, b, left_first, &undefined); \
	set_bool(out, (negate) ? !less && !undefined : less); \
}

RELATION(eval_less, <, &l, &r, true, false)
RELATION(eval_greater, >, &r, &l, false, false)
RELATION(eval_less_equal, <=, &r, &l, false, true)
RELATION(eval_greater_equal, >=, &l, &r, true, true)

#define EQUALITY(name, expression) \
static void \
name(WfEval *ev, const WfExprNode *node, WfValue *out) \
{ \
	OPERANDS(); \
	ev->pos = node->pos; \
	set_bool(out, expression); \
}

EQUALITY(eval_strict_equal, wf_expr_strict_equal(ev, &l, &r))
EQUALITY(eval_strict_unequal, !wf_expr_strict_equal(ev, &l, &r))
EQUALITY(eval_equal, wf_expr_loose_equal(ev, &l, &r))
EQUALITY(eval_unequal, !wf_expr_loose_equal(ev, &l, &r))

/* -- logic -- */

static void
eval_and(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	node->a->eval(ev, node->a, out);
	if (wf_expr_to_bool(out))
		node->b->eval(ev, node->b, out);
}

static void
eval_or(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	node->a->eval(ev, node->a, out);
	if (!wf_expr_to_bool(out))
		node->b->eval(ev, node->b, out);
}

static void
eval_coalesce(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	node->a->eval(ev, node->a, out);
	if (WF_IS_NULLISH(out))
		node->b->eval(ev, node->b, out);
}

void
wf_expr_eval_ternary(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	const WfExprNode *taken;
	WfValue		test;

	node->a->eval(ev, node->a, &test);
	taken = wf_expr_to_bool(&test) ? node->b : node->c;
	taken->eval(ev, taken, out);
}

void
wf_expr_eval_sequence(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	node->a->eval(ev, node->a, out);
	node->b->eval(ev, node->b, out);
}

/* The function of a binary operator. */
WfNodeEval
wf_expr_binary_eval(uint32 punct)
{
	static const struct
	{
		uint32		punct;
		WfNodeEval	eval;
	}			table[] = {
		{P1('+'), eval_add}, {P1('-'), eval_subtract}, {P1('*'), eval_multiply}, {P1('/'), eval_divide},
		{P1('%'), eval_remainder}, {P2('*', '*'), eval_power}, {P1('&'), eval_bit_and}, {P1('|'), eval_bit_or},
		{P1('^'), eval_bit_xor}, {P2('<', '<'), eval_shift_left}, {P2('>', '>'), eval_shift_right},
		{P3('>', '>', '>'), eval_shift_zero}, {P1('<'), eval_less}, {P1('>'), eval_greater},
		{P2('<', '='), eval_less_equal}, {P2('>', '='), eval_greater_equal},
		{P3('=', '=', '='), eval_strict_equal}, {P3('!', '=', '='), eval_strict_unequal},
		{P2('=', '='), eval_equal}, {P2('!', '='), eval_unequal}, {P2('&', '&'), eval_and},
		{P2('|', '|'), eval_or}, {P2('?', '?'), eval_coalesce},
	};

	for (int i = 0; i < lengthof(table); i++)
		if (table[i].punct == punct)
			return table[i].eval;
	return NULL;
}

/* -- unary -- */

static void
eval_plus(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	WfValue		value;

	node->a->eval(ev, node->a, &value);
	ev->pos = node->pos;
	set_number(out, wf_expr_to_number(ev, &value));
}

/* As on_bigints, with one operand. */
static bool
bigint_operand(WfEval *ev, char op, WfValue *value, WfValue *out)
{
	WfValue		primitive;

	if (likely(value->tag < WF_V_BIGINT))
		return false;
	wf_expr_to_primitive(ev, value, 'n', &primitive);
	*value = primitive;
	if (primitive.tag != WF_V_BIGINT)
		return false;
	wf_expr_bigint_unary(ev, op, primitive.u.bigint, out);
	return true;
}

static void
eval_minus(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	WfValue		value;

	node->a->eval(ev, node->a, &value);
	ev->pos = node->pos;
	if (!bigint_operand(ev, '-', &value, out))
		set_number(out, -wf_expr_to_number(ev, &value));
}

static void
eval_not(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	WfValue		value;

	node->a->eval(ev, node->a, &value);
	set_bool(out, !wf_expr_to_bool(&value));
}

static void
eval_bit_not(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	WfValue		value;

	node->a->eval(ev, node->a, &value);
	ev->pos = node->pos;
	if (!bigint_operand(ev, '~', &value, out))
		set_number(out, ~wf_expr_to_int32(ev, &value));
}

void
wf_expr_eval_typeof(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	WfValue		value;
	const char *name;

	node->a->eval(ev, node->a, &value);
	name = wf_expr_typeof(&value);
	set_string(out, name, strlen(name), WF_S_ASCII);
}

void
wf_expr_eval_void(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	node->a->eval(ev, node->a, out);
	set_undefined(out);
}

WfNodeEval
wf_expr_unary_eval(uint32 punct)
{
	switch (punct)
	{
		case P1('+'):
			return eval_plus;
		case P1('-'):
			return eval_minus;
		case P1('!'):
			return eval_not;
		case P1('~'):
			return eval_bit_not;
		default:
			return NULL;
	}
}

/* `key in object` */
void
wf_expr_eval_in(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	WfValue		key;
	WfValue		member;

	OPERANDS();
	ev->pos = node->pos;
	if (!WF_IS_OBJECT(&r))
		wf_expr_throw(ev, "the right side of \"in\" must be an object, not %s", wf_expr_kind_name(&r));
	wf_expr_to_key(ev, &l, &key);
	if (wf_expr_own_member(ev, &r, key.u.str, key.len, &member))
		set_bool(out, true);
	else
	{
		const WfBuiltin *method = wf_expr_method(wf_expr_class(&r), key.u.str, key.len);

		set_bool(out, method != NULL && !method->helper);
	}
}

/* `value instanceof Name` for the names that are known here */
void
wf_expr_eval_instanceof(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	const char *name;

	OPERANDS();
	ev->pos = node->pos;
	if (r.tag != WF_V_NAMESPACE || r.u.space == &wf_expr_math || r.u.space == &wf_expr_json)
		wf_expr_throw(ev, "the right side of \"instanceof\" must be a class");
	name = r.u.space->name;
	if (strcmp(name, "Object") == 0)
		set_bool(out, WF_IS_OBJECT(&l));
	else if (strcmp(name, "Array") == 0)
		set_bool(out, is_array(&l));
	else if (strcmp(name, "Date") == 0)
		set_bool(out, l.tag == WF_V_DATE);
	else if (strcmp(name, "DateTime") == 0)
		set_bool(out, l.tag == WF_V_DATETIME);
	else if (strcmp(name, "Duration") == 0)
		set_bool(out, l.tag == WF_V_DURATION);
	else if (strcmp(name, "RegExp") == 0)
		set_bool(out, l.tag == WF_V_REGEXP);
	else if (strcmp(name, "Set") == 0)
		set_bool(out, l.tag == WF_V_SET);
	else if (strcmp(name, "Map") == 0)
		set_bool(out, l.tag == WF_V_MAP);
	else
		set_bool(out, false);
}

/* -- literals -- */

/* The elements of a spread at the end of the array; `more` come after it. */
static void
spread_items(WfEval *ev, WfArray *array, const WfValue *from, Size more)
{
	WfItemIter	it;
	WfValue		value;

	wf_expr_items_begin(ev, &it, from);
	if (from->tag == WF_V_ARRAY || from->tag == WF_V_JSON_ARRAY)
		wf_expr_array_reserve(ev, array, (Size) wf_expr_array_count(from) + more);
	while (wf_expr_items_next(ev, &it, &value))
	{
		if (value.tag == WF_V_HOLE)
			set_undefined(&value);
		*wf_expr_array_add(ev, array) = value;
	}
}

void
wf_expr_eval_array(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	const WfListNode *list = (const WfListNode *) node;
	WfArray    *array = NULL;
	WfValue		value;

	wf_expr_spend(ev, list->n);
	if (list->n > 0 && list->items[0]->kind == WF_N_SPREAD)
	{
		list->items[0]->a->eval(ev, list->items[0]->a, &value);
		ev->pos = list->items[0]->pos;
		if (value.tag == WF_V_ARRAY)
			array = wf_expr_array_extend(ev, value.u.array, list->n - 1);
		else
			spread_items(ev, array = wf_expr_new_array(ev, 0), &value, list->n - 1);
	}
	else
		array = wf_expr_new_array(ev, list->n);
	for (int i = list->n > 0 && list->items[0]->kind == WF_N_SPREAD; i < list->n; i++)
	{
		const WfExprNode *item = list->items[i];

		if (item->kind == WF_N_HOLE)
		{
			set_array(&value, array);
			wf_expr_array_add(ev, wf_expr_own_array(ev, &value))->tag = WF_V_HOLE;
		}
		else if (item->kind == WF_N_SPREAD)
		{
			item->a->eval(ev, item->a, &value);
			ev->pos = item->pos;
			spread_items(ev, array, &value, list->n - i - 1);
		}
		else
		{
			item->eval(ev, item, &value);
			*wf_expr_array_add(ev, array) = value;
		}
	}
	set_array(out, array);
}

void
wf_expr_eval_object(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	const WfObjectNode *literal = (const WfObjectNode *) node;
	bool		spreads = literal->n > 0 && literal->properties[0].spread;
	WfObject   *object = wf_expr_new_object(ev, spreads ? 0 : literal->n);

	wf_expr_spend(ev, literal->n);
	for (int i = 0; i < literal->n; i++)
	{
		const WfProperty *property = &literal->properties[i];
		WfValue		key;
		WfValue		value;
		WfValue		member;
		WfEntryIter it;

		if (property->spread)
		{
			property->value->eval(ev, property->value, &value);
			if (value.tag == WF_V_OBJECT)
			{
				wf_expr_object_spread(ev, object, value.u.object, literal->n - i - 1);
				continue;
			}
			wf_expr_entries_begin(ev, &it, &value);
			while (wf_expr_entries_next(ev, &it, &key, &member))
				wf_expr_object_put(ev, object, key.u.str, key.len, &member);
			continue;
		}
		if (property->computed != NULL)
		{
			property->computed->eval(ev, property->computed, &value);
			wf_expr_to_key(ev, &value, &key);
		}
		else
			set_string(&key, property->key, property->len, 0);
		property->value->eval(ev, property->value, &value);
		wf_expr_object_put(ev, object, key.u.str, key.len, &value);
	}
	set_object(out, object);
}

void
wf_expr_eval_arrow(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	WfClosure  *closure = wf_expr_alloc(ev, sizeof(WfClosure));

	closure->arrow = (const WfArrowNode *) node;
	closure->env = ev->env;
	out->tag = WF_V_CLOSURE;
	out->u.closure = closure;
}

#define LONG_TEXT	128			/* bytes */

/*
 * Pieces and texts in turn. A first value that is text already is appended to, as by `+`: a reduce that
 * begins with its accumulator does not copy it each time.
 */
void
wf_expr_eval_template(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	const WfListNode *list = (const WfListNode *) node;
	WfBuffer	buffer;
	WfValue		first;
	WfValue		value;
	WfValue		text;

	set_literal(&first, "");
	wf_expr_buffer_begin(&buffer, ev);
	for (int i = 0; i < list->n; i++)
	{
		list->items[i]->eval(ev, list->items[i], &value);
		ev->pos = list->items[i]->pos;
		wf_expr_to_string(ev, &value, &text);
		if (i == 0 && text.len > LONG_TEXT)
			first = text;
		else
			wf_expr_buffer_string(&buffer, &text);
	}
	wf_expr_buffer_end(&buffer, out);
	if (first.len > 0)
	{
		value = *out;
		wf_expr_concat(ev, &first, &value, out);
	}
}

/* The texts of a tagged template: an array with a second one as its member `raw`. */
void
wf_expr_eval_tagged(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	const WfListNode *list = (const WfListNode *) node;
	WfArray    *texts = wf_expr_new_array(ev, list->n / 2);
	WfArray    *raw = wf_expr_new_array(ev, list->n / 2);
	WfValue		value;

	for (int i = 0; i < list->n; i += 2)
	{
		list->items[i]->eval(ev, list->items[i], wf_expr_array_add(ev, texts));
		list->items[i + 1]->eval(ev, list->items[i + 1], wf_expr_array_add(ev, raw));
	}
	set_array(&value, raw);
	texts->extra = wf_expr_new_object(ev, 1);
	wf_expr_put_field(ev, texts->extra, "raw", &value);
	set_array(out, texts);
}

void
wf_expr_eval_regexp(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	WfRegExp   *regexp = wf_expr_alloc(ev, sizeof(WfRegExp));

	*regexp = ((const WfRegExpNode *) node)->regexp;
	regexp->last_index = 0;
	out->tag = WF_V_REGEXP;
	out->u.regexp = regexp;
}
