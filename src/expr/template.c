/*
 * template.c: config values in which strings may hold `{{ expr }}`.
 *
 * Compiling copies the value into the template's memory context, walks it once and leaves behind a
 * tree only where there is an expression: everything else is one CONSTANT. Data is never scanned for
 * templates: what an expression gives is not looked into.
 *
 * A string that is one `{{ }}` and nothing else keeps the value's type; otherwise the parts are
 * joined as text: null and undefined as nothing, objects and arrays as JSON.
 */
#include "postgres.h"

#include "base/error.h"
#include "expr/parser.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"

typedef struct Compiler
{
	const WfNames *names;
	WfStringKindOf kind_of;
	void	   *kind_arg;
	const char *node;
	const char *base;			/* jsonpath of the root value */
	StringInfoData path;		/* below it */
	StringInfoData pattern;		/* the same with * for indexes and without the leading dot */
	WfDiagnostics *found;
	bool		failed;
	int			depth;
} Compiler;

static void
add_problem(Compiler *c, const WfExprProblem *problem)
{
	char	   *path = psprintf("%s%s", c->base ? c->base : "$", c->path.data);

	c->failed = true;
	if (c->found)
		wf_diagnostics_add(c->found, WF_SEVERITY_ERROR, problem->sqlstate, c->node, path, problem->hint,
						   "%s, at position %d", problem->message, problem->position);
}

static WfTemplate *
make_template(WfTemplateKind kind)
{
	WfTemplate *tpl = palloc0(sizeof(WfTemplate));

	tpl->kind = kind;
	return tpl;
}

static WfTemplate *
make_constant(const JsonbValue *value)
{
	WfTemplate *tpl = make_template(WF_TEMPLATE_CONSTANT);

	tpl->constant = *value;
	return tpl;
}

/* The names that may be used at this place. */
static const WfNames *
names_here(const Compiler *c, WfNames *copy)
{
	if (c->names == NULL || c->names->takes_secrets == NULL)
		return c->names;
	*copy = *c->names;
	copy->allow_secrets = c->names->takes_secrets(c->names, c->pattern.data);
	return copy;
}

static WfTemplate *
compile_bare(Compiler *c, const JsonbValue *value)
{
	WfTemplate *tpl = make_template(WF_TEMPLATE_BARE);
	WfExprProblem problem;
	WfNames		copy;

	tpl->has_bare = true;
	tpl->expr = wf_expr_compile(value->val.string.val, value->val.string.len, names_here(c, &copy), &problem);
	if (tpl->expr == NULL)
		add_problem(c, &problem);
	return tpl;
}

static void
add_part(WfTemplate *tpl, int *capacity, const char *text, int len, const WfExpr *expr)
{
	WfTemplatePart *part;

	if (text != NULL && len == 0)
		return;
	if (tpl->n == *capacity)
	{
		*capacity = *capacity == 0 ? 4 : *capacity * 2;
		tpl->parts = tpl->parts == NULL ? palloc(*capacity * sizeof(WfTemplatePart)) :
			repalloc(tpl->parts, *capacity * sizeof(WfTemplatePart));
	}
	part = &tpl->parts[tpl->n++];
	part->text = text;
	part->text_len = len;
	part->expr = expr;
}

static WfTemplate *
compile_string(Compiler *c, const JsonbValue *value)
{
	const char *s = value->val.string.val;
	int			len = value->val.string.len;
	const char *open = memmem(s, len, "{{", 2);
	WfTemplate *tpl;
	WfNames		copy;
	const WfNames *names;
	int			capacity = 0;
	int			at = 0;

	if (open == NULL)
		return make_constant(value);
	tpl = make_template(WF_TEMPLATE_TEXT);
	names = names_here(c, &copy);
	while (open != NULL)
	{
		WfExprProblem problem;
		const WfExpr *expr;
		int			end = len;

		add_part(tpl, &capacity, s + at, open - s - at, NULL);
		expr = wf_expr_parse_at(s, len, open - s + 2, true, names, &end, &problem);
		if (expr == NULL)
		{
			add_problem(c, &problem);
			return tpl;
		}
		add_part(tpl, &capacity, NULL, 0, expr);
		at = end;
		open = memmem(s + at, len - at, "{{", 2);
	}
	add_part(tpl, &capacity, s + at, len - at, NULL);
	if (tpl->n == 1)
	{
		tpl->kind = WF_TEMPLATE_EXPR;
		tpl->expr = tpl->parts[0].expr;
	}
	return tpl;
}

static WfTemplate *compile_value(Compiler *c, const JsonbValue *value);

/* True when the key can stand after a dot in a jsonpath. */
static bool
is_plain_key(const char *key, int len)
{
	for (int i = 0; i < len; i++)
		if (!(isalnum((unsigned char) key[i]) || key[i] == '_'))
			return false;
	return len > 0 && !isdigit((unsigned char) key[0]);
}

static WfTemplate *
compile_object(Compiler *c, const JsonbValue *value)
{
	WfTemplate *tpl = make_template(WF_TEMPLATE_OBJECT);
	int			path_len = c->path.len;
	int			pattern_len = c->pattern.len;
	bool		constant = true;
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	member;

	tpl->fields = palloc(Max(wf_json_count(value), 1) * sizeof(WfTemplateField));
	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &member))
	{
		WfTemplateField *field = &tpl->fields[tpl->n++];

		field->key = key.val.string.val;
		field->key_len = key.val.string.len;
		if (is_plain_key(field->key, field->key_len))
			appendStringInfo(&c->path, ".%.*s", field->key_len, field->key);
		else
			appendStringInfo(&c->path, "[\"%.*s\"]", field->key_len, field->key);
		appendStringInfo(&c->pattern, "%s%.*s", pattern_len ? "." : "", field->key_len, field->key);
		field->value = compile_value(c, &member);
		constant &= field->value->kind == WF_TEMPLATE_CONSTANT;
		tpl->has_bare |= field->value->has_bare;
		c->path.data[c->path.len = path_len] = '\0';
		c->pattern.data[c->pattern.len = pattern_len] = '\0';
	}
	return constant ? make_constant(value) : tpl;
}

static WfTemplate *
compile_array(Compiler *c, const JsonbValue *value)
{
	WfTemplate *tpl = make_template(WF_TEMPLATE_ARRAY);
	int			path_len = c->path.len;
	int			pattern_len = c->pattern.len;
	bool		constant = true;
	WfJsonIter	it;
	JsonbValue	item;

	tpl->items = palloc(Max(wf_json_count(value), 1) * sizeof(WfTemplate *));
	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, NULL, &item))
	{
		appendStringInfo(&c->path, "[%d]", tpl->n);
		appendStringInfoString(&c->pattern, pattern_len ? ".*" : "*");
		tpl->items[tpl->n] = compile_value(c, &item);
		constant &= tpl->items[tpl->n]->kind == WF_TEMPLATE_CONSTANT;
		tpl->has_bare |= tpl->items[tpl->n]->has_bare;
		tpl->n++;
		c->path.data[c->path.len = path_len] = '\0';
		c->pattern.data[c->pattern.len = pattern_len] = '\0';
	}
	return constant ? make_constant(value) : tpl;
}

static WfTemplate *
compile_value(Compiler *c, const JsonbValue *value)
{
	WfTemplate *tpl;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (value->type == jbvString)
	{
		switch (c->kind_of == NULL ? WF_STRING_TEMPLATE : c->kind_of(c->kind_arg, c->pattern.data))
		{
			case WF_STRING_BARE:
				return compile_bare(c, value);
			case WF_STRING_LITERAL:
				return make_constant(value);
			case WF_STRING_TEMPLATE:
				return compile_string(c, value);
		}
	}
	if (wf_json_is_object(value))
		tpl = compile_object(c, value);
	else if (wf_json_is_array(value))
		tpl = compile_array(c, value);
	else
		tpl = make_constant(value);
	return tpl;
}

WfTemplate *
wf_template_compile(const JsonbValue *value, const WfNames *names, WfStringKindOf kind_of, void *kind_arg,
					const char *node, const char *path, WfDiagnostics *found)
{
	Compiler	c = {.names = names,.kind_of = kind_of,.kind_arg = kind_arg,.node = node,.base = path,.found = found};
	JsonbValue	root;
	WfTemplate *tpl;

	wf_json_root(wf_json_copy(value), &root);
	initStringInfo(&c.path);
	initStringInfo(&c.pattern);
	tpl = compile_value(&c, &root);
	pfree(c.path.data);
	pfree(c.pattern.data);
	return c.failed ? NULL : tpl;
}

/* -- evaluating -- */

/* Appends the text that a value is within a text. */
static void
append_text(StringInfo buf, const JsonbValue *value)
{
	WfEval		ev;
	WfExpr		expr = {.source = "",.len = 0};
	WfValue		v;
	WfValue		text;

	switch (value->type)
	{
		case jbvNull:
			break;
		case jbvString:
			appendBinaryStringInfo(buf, value->val.string.val, value->val.string.len);
			break;
		case jbvBool:
			appendStringInfoString(buf, value->val.boolean ? "true" : "false");
			break;
		case jbvNumeric:
		default:
			wf_expr_begin(&ev, &expr, NULL);
			wf_expr_from_json(value, &v);
			if (WF_IS_OBJECT(&v))
				wf_expr_stringify(&ev, &v, &text);
			else
				wf_expr_to_string(&ev, &v, &text);
			appendBinaryStringInfo(buf, text.u.str, text.len);
			wf_expr_end(&ev);
			break;
	}
}

static void
eval_text(const WfTemplate *tpl, WfScope *scope, JsonbValue *out)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < tpl->n; i++)
	{
		JsonbValue	value;

		if (tpl->parts[i].text != NULL)
		{
			appendBinaryStringInfo(&buf, tpl->parts[i].text, tpl->parts[i].text_len);
			continue;
		}
		wf_expr_eval(tpl->parts[i].expr, scope, &value);
		append_text(&buf, &value);
	}
	wf_json_set_string(out, buf.data, buf.len);
}

static void
write_template(const WfTemplate *tpl, WfScope *scope, WfJsonWriter *w)
{
	JsonbValue	value;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	switch (tpl->kind)
	{
		case WF_TEMPLATE_OBJECT:
			wf_json_begin_object(w);
			for (int i = 0; i < tpl->n; i++)
			{
				if (tpl->fields[i].value->kind == WF_TEMPLATE_BARE)
					continue;
				wf_json_key(w, tpl->fields[i].key, tpl->fields[i].key_len);
				write_template(tpl->fields[i].value, scope, w);
			}
			wf_json_end_object(w);
			break;
		case WF_TEMPLATE_ARRAY:
			wf_json_begin_array(w);
			for (int i = 0; i < tpl->n; i++)
				write_template(tpl->items[i], scope, w);
			wf_json_end_array(w);
			break;
		case WF_TEMPLATE_BARE:
			wf_json_put_null(w);
			break;
		default:
			wf_template_eval(tpl, scope, &value);
			wf_json_put(w, &value);
			break;
	}
}

void
wf_template_eval(const WfTemplate *tpl, WfScope *scope, JsonbValue *out)
{
	WfJsonWriter *w;

	switch (tpl->kind)
	{
		case WF_TEMPLATE_CONSTANT:
			*out = tpl->constant;
			break;
		case WF_TEMPLATE_EXPR:
			wf_expr_eval(tpl->expr, scope, out);
			break;
		case WF_TEMPLATE_TEXT:
			eval_text(tpl, scope, out);
			break;
		case WF_TEMPLATE_BARE:
			wf_json_set_null(out);
			break;
		default:
			w = wf_json_writer_begin();
			write_template(tpl, scope, w);
			wf_json_root(wf_json_finish(w), out);
			break;
	}
}

const WfTemplate *
wf_template_field(const WfTemplate *tpl, const char *key)
{
	int			len = strlen(key);
	JsonbValue	member;

	if (tpl->kind == WF_TEMPLATE_OBJECT)
	{
		for (int i = 0; i < tpl->n; i++)
			if (tpl->fields[i].key_len == len && memcmp(tpl->fields[i].key, key, len) == 0)
				return tpl->fields[i].value;
	}
	else if (tpl->kind == WF_TEMPLATE_CONSTANT && wf_json_get(&tpl->constant, key, len, &member))
		return make_constant(&member);
	return NULL;
}

void
wf_template_walk(const WfTemplate *tpl, void (*visit) (const WfExpr *expr, void *arg), void *arg)
{
	check_stack_depth();
	if (tpl->expr != NULL)
		visit(tpl->expr, arg);
	for (int i = 0; i < tpl->n; i++)
	{
		if (tpl->kind == WF_TEMPLATE_OBJECT)
			wf_template_walk(tpl->fields[i].value, visit, arg);
		else if (tpl->kind == WF_TEMPLATE_ARRAY)
			wf_template_walk(tpl->items[i], visit, arg);
		else if (tpl->kind == WF_TEMPLATE_TEXT && tpl->parts[i].expr != NULL)
			visit(tpl->parts[i].expr, arg);
	}
}
