/*
 * object.c: the keywords of objects.
 *
 * jsonb keeps the members of an object in one order (by length of the key, then by its bytes), and
 * `properties` are compiled in the same order, being read from jsonb themselves. So one pass along
 * both finds every member's subschema without looking anything up.
 */
#include "postgres.h"

#include "base/compat.h"
#include "miscadmin.h"
#include "schema/schema_internal.h"

static inline bool
is_full(const WfSchemaEval *e)
{
	return e->errors == NULL || list_length(*e->errors) >= e->most;
}

/* jsonb's order of keys. */
static inline int
compare_key(const WfSchemaName *name, const JsonbValue *key)
{
	if (name->name_len != key->val.string.len)
		return name->name_len < key->val.string.len ? -1 : 1;
	return memcmp(name->name, key->val.string.val, name->name_len);
}

/*
 * A member that no property or pattern names: additionalProperties or unevaluatedProperties. Plain
 * `false`, by far the most frequent, is reported at the object and names the property.
 */
static bool
evaluate_other(WfSchemaEval *e, const WfSchemaNode *node, const char *keyword, const WfSchemaNode *other,
			   const JsonbValue *member, const WfSchemaPath *step)
{
	if (other->is_boolean)
	{
		if (!other->boolean && e->errors != NULL)
			wf_schema_report(e, node, keyword, step->parent, pnstrdup(step->name, step->name_len),
							 "must not have the property %s", wf_schema_show_name(step->name, step->name_len));
		return other->boolean;
	}
	return wf_schema_evaluate(e, other, member, step, NULL);
}

/* One member against every pattern that its name matches. */
static bool
apply_patterns(WfSchemaEval *e, const WfSchemaMembers *members, const JsonbValue *member, const WfSchemaPath *step,
			   bool *matched)
{
	bool		valid = true;

	for (int i = 0; i < members->n_patterns && (valid || !is_full(e)); i++)
	{
		const WfSchemaPattern *pattern = &members->patterns[i];

		if (wf_regex_match(pattern->regex, step->name, step->name_len, 0, false, NULL, 0) == 0)
			continue;
		*matched = true;
		valid &= wf_schema_evaluate(e, pattern->node, member, step, NULL);
	}
	return valid;
}

/* properties, patternProperties, additionalProperties. */
bool
wf_schema_apply_members(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const JsonbValue *value,
						const WfSchemaPath *path, WfSchemaSeen *seen)
{
	const WfSchemaMembers *members = check->data;
	const WfSchemaName *property = members->properties.names;
	const WfSchemaName *end = property + members->properties.n;
	bool		only_properties = members->n_patterns == 0 && members->additional == NULL;
	WfSchemaPath step = {.parent = path};
	bool		valid = true;
	WfJsonIter	it;
	JsonbValue	key,
				member;

	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &member))
	{
		bool		matched = false;
		bool		holds = true;

		step.name = key.val.string.val;
		step.name_len = key.val.string.len;
		while (property < end && compare_key(property, &key) < 0)
			property++;
		if (property < end && compare_key(property, &key) == 0)
		{
			matched = true;
			holds = wf_schema_evaluate(e, property->node, &member, &step, NULL);
		}
		else if (property == end && only_properties)
			break;
		if (members->n_patterns > 0 && (holds || !is_full(e)))
			holds &= apply_patterns(e, members, &member, &step, &matched);
		if (!matched && members->additional != NULL)
		{
			holds = evaluate_other(e, node, "additionalProperties", members->additional, &member, &step);
			matched = true;
		}
		if (holds && matched && seen != NULL)
			wf_schema_seen_mark(seen, it.index - 1);
		valid &= holds;
		if (!holds && is_full(e))
			break;
	}
	return valid;
}

bool
wf_schema_apply_unevaluated_properties(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check,
									   const JsonbValue *value, const WfSchemaPath *path, WfSchemaSeen *seen)
{
	WfSchemaPath step = {.parent = path};
	bool		valid = true;
	WfJsonIter	it;
	JsonbValue	key,
				member;

	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &member))
	{
		if (wf_schema_seen_has(seen, it.index - 1))
			continue;
		step.name = key.val.string.val;
		step.name_len = key.val.string.len;
		if (evaluate_other(e, node, "unevaluatedProperties", check->data, &member, &step))
			wf_schema_seen_mark(seen, it.index - 1);
		else
		{
			valid = false;
			if (is_full(e))
				break;
		}
	}
	return valid;
}

/* Reports each of the names that the object lacks; `because`: the property that asks for them. */
static bool
has_all(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const JsonbValue *value,
		const WfSchemaPath *path, const WfSchemaName *names, int n, const WfSchemaName *because)
{
	bool		valid = true;
	JsonbValue	member;

	for (int i = 0; i < n && (valid || !is_full(e)); i++)
	{
		if (wf_json_get(value, names[i].name, names[i].name_len, &member))
			continue;
		valid = false;
		if (e->errors != NULL)
			wf_schema_report(e, node, check->keyword, path, pnstrdup(names[i].name, names[i].name_len),
							 "must have the property %s%s%s", wf_schema_show_name(names[i].name, names[i].name_len),
							 because == NULL ? "" : " beside ",
							 because == NULL ? "" : wf_schema_show_name(because->name, because->name_len));
	}
	return valid;
}

bool
wf_schema_apply_required(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const JsonbValue *value,
						 const WfSchemaPath *path, WfSchemaSeen *seen)
{
	const WfSchemaNames *names = check->data;

	return has_all(e, node, check, value, path, names->names, names->n, NULL);
}

bool
wf_schema_apply_dependent_required(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check,
								   const JsonbValue *value, const WfSchemaPath *path, WfSchemaSeen *seen)
{
	const WfSchemaNames *names = check->data;
	bool		valid = true;
	JsonbValue	member;

	for (int i = 0; i < names->n && (valid || !is_full(e)); i++)
	{
		const WfSchemaName *name = &names->names[i];

		if (wf_json_get(value, name->name, name->name_len, &member))
			valid &= has_all(e, node, check, value, path, name->others, name->n_others, name);
	}
	return valid;
}

/* dependentSchemas, and dependencies, whose members may be lists of names. */
bool
wf_schema_apply_dependent_schemas(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check,
								  const JsonbValue *value, const WfSchemaPath *path, WfSchemaSeen *seen)
{
	const WfSchemaNames *names = check->data;
	bool		valid = true;
	JsonbValue	member;

	for (int i = 0; i < names->n && (valid || !is_full(e)); i++)
	{
		const WfSchemaName *name = &names->names[i];

		if (!wf_json_get(value, name->name, name->name_len, &member))
			continue;
		if (name->node != NULL)
			valid &= wf_schema_evaluate(e, name->node, value, path, seen);
		else
			valid &= has_all(e, node, check, value, path, name->others, name->n_others, name);
	}
	return valid;
}

bool
wf_schema_apply_property_names(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check,
							   const JsonbValue *value, const WfSchemaPath *path, WfSchemaSeen *seen)
{
	const WfSchemaPath *outer = e->name_of;
	WfSchemaPath step = {.parent = path};
	bool		valid = true;
	WfJsonIter	it;
	JsonbValue	key,
				member;

	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &member))
	{
		step.name = key.val.string.val;
		step.name_len = key.val.string.len;
		e->name_of = &step;
		valid &= wf_schema_evaluate(e, check->data, &key, path, NULL);
		e->name_of = outer;
		if (!valid && is_full(e))
			break;
	}
	return valid;
}

static bool
report_count(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const WfSchemaPath *path,
			 const char *words)
{
	int64		bound = *(int64 *) check->data;

	wf_schema_report(e, node, check->keyword, path, NULL, "must have %s " INT64_FORMAT " %s", words, bound,
					 bound == 1 ? "property" : "properties");
	return false;
}

bool
wf_schema_apply_min_properties(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check,
							   const JsonbValue *value, const WfSchemaPath *path, WfSchemaSeen *seen)
{
	return wf_json_count(value) >= *(int64 *) check->data || report_count(e, node, check, path, "at least");
}

bool
wf_schema_apply_max_properties(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check,
							   const JsonbValue *value, const WfSchemaPath *path, WfSchemaSeen *seen)
{
	return wf_json_count(value) <= *(int64 *) check->data || report_count(e, node, check, path, "at most");
}
