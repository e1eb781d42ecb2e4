/*
 * validate.c: applying a compiled schema to a value.
 *
 * The evaluator goes down schema and instance together. Values are borrowed from the instance and
 * never copied; the way from the root is a chain of stack frames, made into text only for a report.
 *
 * Two modes. Without an error list the first failing keyword ends it. With one, every keyword of
 * every subschema is tried, so that a person sees all that is wrong at once, until the list is full;
 * alternatives (`anyOf`, `oneOf`) are first tried without a list and looked at again only when none
 * of them holds, see report_alternatives.
 *
 * What was evaluated (the annotations of properties, items, contains and so on) is kept as one bit
 * per member, and only below a schema that asks with unevaluatedProperties or unevaluatedItems.
 * Such a schema has a set of its own, since it must not see what its neighbours evaluated; a branch
 * that may fail without its parent failing gets a set of its own too, merged when it holds.
 *
 * Recursion ends with WF006 where the stack does; so does a reference that leads back to itself
 * without getting deeper into the instance, which no compiler can refuse in general.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/error.h"
#include "miscadmin.h"
#include "schema/schema_internal.h"
#include "utils/memutils.h"

int
wf_schema_kind(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return WF_SCHEMA_NULL;
		case jbvBool:
			return WF_SCHEMA_BOOLEAN;
		case jbvNumeric:
			return WF_SCHEMA_NUMBER;
		case jbvString:
		case jbvDatetime:
			return WF_SCHEMA_STRING;
		case jbvArray:
			return WF_SCHEMA_ARRAY;
		case jbvObject:
			return WF_SCHEMA_OBJECT;
		case jbvBinary:
			return JsonContainerIsObject(value->val.binary.data) ? WF_SCHEMA_OBJECT : WF_SCHEMA_ARRAY;
	}
	return WF_SCHEMA_NULL;
}

/* -- what was evaluated -- */

void
wf_schema_seen_begin(WfSchemaSeen *seen, const JsonbValue *value)
{
	Size		n_words;

	seen->n = wf_json_count(value);
	seen->few = 0;
	seen->words = &seen->few;
	if (seen->n > 64)
	{
		n_words = ((Size) seen->n + 63) / 64;
		seen->words = MemoryContextAllocExtended(CurrentMemoryContext, n_words * sizeof(uint64),
												 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	}
}

void
wf_schema_seen_end(WfSchemaSeen *seen)
{
	if (seen->words != &seen->few)
		pfree(seen->words);
}

/* Both are of the same instance. */
void
wf_schema_seen_merge(WfSchemaSeen *seen, const WfSchemaSeen *other)
{
	uint32		n_words = (seen->n + 63) / 64;

	Assert(seen->n == other->n);
	for (uint32 i = 0; i < n_words; i++)
		seen->words[i] |= other->words[i];
}

/* -- the evaluator -- */

static inline bool
is_full(const WfSchemaEval *e)
{
	return e->errors == NULL || list_length(*e->errors) >= e->most;
}

/* Applies the checks of a node that is no boolean. */
static bool
apply_checks(WfSchemaEval *e, const WfSchemaNode *node, const JsonbValue *value, const WfSchemaPath *path,
			 WfSchemaSeen *seen)
{
	int			kind = wf_schema_kind(value);
	bool		valid = true;

	for (int i = 0; i < node->n_checks; i++)
	{
		const WfSchemaCheck *check = &node->checks[i];

		if ((check->kinds & kind) == 0 || (check->phase == 2 && !valid))
			continue;
		if (check->apply(e, node, check, value, path, seen))
			continue;
		valid = false;
		if (check->phase == 0 || is_full(e))
			break;
	}
	return valid;
}

/*
 * True when `value` satisfies `node`. Throws WF006 when the stack is used up, WF009 when a pattern
 * exceeds its limit.
 */
bool
wf_schema_evaluate(WfSchemaEval *e, const WfSchemaNode *node, const JsonbValue *value, const WfSchemaPath *path,
				   WfSchemaSeen *seen)
{
	WfSchemaScope scope;
	const WfSchemaScope *outer = e->scope;
	bool		valid;

	if (node->is_boolean)
	{
		if (!node->boolean)
			wf_schema_report(e, node, NULL, path, NULL, "must not be there");
		return node->boolean;
	}
	CHECK_FOR_INTERRUPTS();
	if (stack_is_too_deep())
		ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED), errmsg("value or schema is nested too deeply to be validated"),
						errhint("A schema may also refer to itself without end; otherwise raise \"max_stack_depth\".")));
	if (outer == NULL || outer->resource != node->resource)
	{
		scope.outer = outer;
		scope.resource = node->resource;
		e->scope = &scope;
	}
	if (node->wants_seen)
	{
		WfSchemaSeen own;

		wf_schema_seen_begin(&own, value);
		valid = apply_checks(e, node, value, path, &own);
		if (valid && seen != NULL)
			wf_schema_seen_merge(seen, &own);
		wf_schema_seen_end(&own);
	}
	else
		valid = apply_checks(e, node, value, path, seen);
	e->scope = outer;
	return valid;
}

bool
wf_schema_test(WfSchemaEval *e, const WfSchemaNode *node, const JsonbValue *value, const WfSchemaPath *path,
			   WfSchemaSeen *seen)
{
	List	  **errors = e->errors;
	bool		valid;

	e->errors = NULL;
	valid = wf_schema_evaluate(e, node, value, path, seen);
	e->errors = errors;
	return valid;
}

/* A branch that may fail: its marks count only when it holds. */
static bool
test_branch(WfSchemaEval *e, const WfSchemaNode *node, const JsonbValue *value, const WfSchemaPath *path,
			WfSchemaSeen *seen)
{
	WfSchemaSeen own;
	bool		valid;

	if (seen == NULL)
		return wf_schema_test(e, node, value, path, NULL);
	wf_schema_seen_begin(&own, value);
	valid = wf_schema_test(e, node, value, path, &own);
	if (valid)
		wf_schema_seen_merge(seen, &own);
	wf_schema_seen_end(&own);
	return valid;
}

/* -- references -- */

/* The outermost schema in the dynamic scope with this dynamic anchor, or `otherwise`. */
static const WfSchemaNode *
resolve_dynamic(const WfSchemaEval *e, const char *name, const WfSchemaNode *otherwise)
{
	const WfSchemaNode *target = otherwise;
	int			len = strlen(name);

	for (const WfSchemaScope *scope = e->scope; scope != NULL; scope = scope->outer)
	{
		ListCell   *lc;

		if (!scope->resource->has_dynamic)
			continue;
		foreach(lc, scope->resource->anchors)
		{
			const WfSchemaAnchor *anchor = lfirst(lc);

			if (anchor->dynamic && anchor->node != NULL && strncmp(anchor->name, name, len) == 0 &&
				anchor->name_len == len)
				target = anchor->node;
		}
	}
	return target;
}

bool
wf_schema_apply_ref(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const JsonbValue *value,
					const WfSchemaPath *path, WfSchemaSeen *seen)
{
	const WfSchemaRef *ref = check->data;
	const WfSchemaNode *target = ref->target;

	if (ref->dynamic_name != NULL)
		target = resolve_dynamic(e, ref->dynamic_name, target);
	return wf_schema_evaluate(e, target, value, path, seen);
}

/* -- combinations -- */

bool
wf_schema_apply_all_of(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const JsonbValue *value,
					   const WfSchemaPath *path, WfSchemaSeen *seen)
{
	const WfSchemaList *list = check->data;
	bool		valid = true;

	for (int i = 0; i < list->n && (valid || !is_full(e)); i++)
		valid &= wf_schema_evaluate(e, list->nodes[i], value, path, seen);
	return valid;
}

/* How deep below `base` an error is, in steps of the instance. */
static int
error_depth(const WfSchemaError *error, const char *base)
{
	int			depth = 0;

	for (const char *p = error->instance_path + Min(strlen(base), strlen(error->instance_path)); *p != '\0'; p++)
		depth += *p == '/';
	return depth;
}

/* Does this error say that the branch was not meant, as the value is of another type or kind? */
static bool
tells_kind(const WfSchemaError *error, const char *base)
{
	int			depth = error_depth(error, base);

	if (depth == 0 && (strcmp(error->keyword, "type") == 0 || strcmp(error->keyword, "false") == 0))
		return true;
	return depth <= 1 && (strcmp(error->keyword, "const") == 0 || strcmp(error->keyword, "enum") == 0);
}

/* The first error of a branch that says it was not meant; NULL when it may have been. */
static const WfSchemaError *
find_telling(const List *errors, const char *base)
{
	ListCell   *lc;

	foreach(lc, errors)
	{
		if (tells_kind(lfirst(lc), base))
			return lfirst(lc);
	}
	return NULL;
}

/* Appends why one alternative does not hold. */
static void
append_reason(StringInfo out, const WfSchemaError *error, const char *base)
{
	int			base_len = Min(strlen(base), strlen(error->instance_path));

	appendStringInfo(out, "%s%s%s%s", out->len == 0 ? ": " : "; or ", error->instance_path + base_len,
					 error_depth(error, base) > 0 ? " " : "", error->message);
}

/*
 * Says why none of several alternatives holds. When the value is plainly meant for one of them (of
 * the right type, with the right constants, wrong further in), the errors of that one are what a
 * person needs; otherwise each alternative's first reason is.
 */
static void
report_alternatives(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const JsonbValue *value,
					const WfSchemaPath *path)
{
	const WfSchemaList *list = check->data;
	List	  **errors = e->errors;
	List	   *meant = NIL;
	int			n_meant = 0;
	StringInfoData reasons;
	char	   *base;
	List	   *place = NIL;

	e->errors = &place;
	wf_schema_report(e, node, check->keyword, path, NULL, "%s", "");
	base = unconstify(char *, ((WfSchemaError *) linitial(place))->instance_path);
	initStringInfo(&reasons);
	for (int i = 0; i < list->n; i++)
	{
		List	   *found = NIL;
		const WfSchemaError *telling;

		e->errors = &found;
		wf_schema_evaluate(e, list->nodes[i], value, path, NULL);
		if (found == NIL)
			continue;
		telling = find_telling(found, base);
		if (telling == NULL && n_meant++ == 0)
			meant = found;
		if (i < 4)
			append_reason(&reasons, telling != NULL ? telling : linitial(found), base);
	}
	e->errors = errors;
	if (n_meant == 1)
	{
		ListCell   *lc;

		foreach(lc, meant)
		{
			if (list_length(*errors) < e->most)
				*errors = lappend(*errors, lfirst(lc));
		}
	}
	else
		wf_schema_report(e, node, check->keyword, path, NULL, "must match %s of %d alternatives%s%s",
						 strcmp(check->keyword, "oneOf") == 0 ? "exactly one" : "at least one", list->n,
						 reasons.data, list->n > 4 ? "; ..." : "");
}

bool
wf_schema_apply_any_of(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const JsonbValue *value,
					   const WfSchemaPath *path, WfSchemaSeen *seen)
{
	const WfSchemaList *list = check->data;
	bool		valid = false;

	/* all of them when marks are wanted, as each that holds adds its own */
	for (int i = 0; i < list->n && (!valid || seen != NULL); i++)
		valid |= test_branch(e, list->nodes[i], value, path, seen);
	if (!valid && !is_full(e))
		report_alternatives(e, node, check, value, path);
	return valid;
}

bool
wf_schema_apply_one_of(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const JsonbValue *value,
					   const WfSchemaPath *path, WfSchemaSeen *seen)
{
	const WfSchemaList *list = check->data;
	int			first = -1;

	for (int i = 0; i < list->n; i++)
	{
		if (!test_branch(e, list->nodes[i], value, path, seen))
			continue;
		if (first >= 0)
		{
			wf_schema_report(e, node, check->keyword, path, NULL,
							 "must match exactly one of %d alternatives, but matches numbers %d and %d", list->n,
							 first + 1, i + 1);
			return false;
		}
		first = i;
	}
	if (first < 0 && !is_full(e))
		report_alternatives(e, node, check, value, path);
	return first >= 0;
}

bool
wf_schema_apply_not(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const JsonbValue *value,
					const WfSchemaPath *path, WfSchemaSeen *seen)
{
	if (!wf_schema_test(e, check->data, value, path, NULL))
		return true;
	wf_schema_report(e, node, check->keyword, path, NULL, "must not be what the schema at \"not\" describes");
	return false;
}

bool
wf_schema_apply_if(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const JsonbValue *value,
				   const WfSchemaPath *path, WfSchemaSeen *seen)
{
	const WfSchemaIf *data = check->data;
	const WfSchemaNode *next = test_branch(e, data->condition, value, path, seen) ? data->then_node : data->else_node;

	return next == NULL || wf_schema_evaluate(e, next, value, path, seen);
}

/* -- the whole -- */

bool
wf_schema_validate(const WfSchema *schema, const JsonbValue *value, List **errors, int most)
{
	WfSchemaEval e = {.schema = schema, .errors = most > 0 ? errors : NULL, .most = most};

	if (e.errors != NULL)
		e.most += list_length(*errors);
	return wf_schema_evaluate(&e, schema->root, value, NULL, NULL);
}
