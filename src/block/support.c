/*
 * support.c: the helpers that block.h promises to blocks, and those of support.h.
 *
 * Values made here are in CurrentMemoryContext, which is the step's memory while a block executes
 * and the graph's while it prepares. A WfJsonWriter borrows what is put into it until it is finished;
 * so whatever is computed item by item in a context that is reset goes through wf_block_keep.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/settings.h"
#include "base/text.h"
#include "block/block.h"
#include "block/support.h"
#include "common/int.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

/* -- outcomes -- */

WfOutcome
wf_block_done(int port, Jsonb *output)
{
	WfOutcome	outcome = {.kind = WF_OUTCOME_DONE, .port = port, .output = output};

	return outcome;
}

WfOutcome
wf_block_fail(WfError *error)
{
	WfOutcome	outcome = {.kind = WF_OUTCOME_FAIL, .error = error};

	return outcome;
}

WfOutcome
wf_block_enter(int region, const JsonbValue *input)
{
	WfOutcome	outcome = {.kind = WF_OUTCOME_ENTER};

	outcome.enter.region = region;
	outcome.enter.input = *input;
	return outcome;
}

WfOutcome
wf_block_blocked(void)
{
	WfOutcome	outcome = {.kind = WF_OUTCOME_BLOCKED};

	return outcome;
}

int
wf_block_port(const WfNode *node, const char *name)
{
	for (int i = 0; i < node->n_ports; i++)
	{
		if (strcmp(node->ports[i], name) == 0)
			return i;
	}
	return -1;
}

bool
wf_block_port_is_wired(const WfNode *node, int port)
{
	for (int i = 0; i < node->n_out; i++)
	{
		if (node->out[i]->port == port)
			return true;
	}
	return false;
}

bool
wf_block_region_is_empty(const WfStep *step, int region)
{
	return region >= step->node->n_regions || step->graph->regions[step->node->regions[region]].n_nodes == 0;
}

/* -- when the graph is compiled -- */

bool
wf_block_fixed(const WfNode *node, const char *key, JsonbValue *out)
{
	JsonbValue	config;

	if (node->config == NULL)
		return false;
	wf_json_root(node->config, &config);
	return wf_json_field(&config, key, out);
}

const char *
wf_block_fixed_string(const WfNode *node, const char *key, const char *otherwise)
{
	JsonbValue	value;

	if (!wf_block_fixed(node, key, &value) || !wf_json_is_string(&value))
		return otherwise;
	return wf_json_cstring(&value);
}

bool
wf_block_fixed_is(const WfNode *node, const char *key, const char *otherwise, const char *value)
{
	JsonbValue	member;

	if (!wf_block_fixed(node, key, &member) || !wf_json_is_string(&member))
		return otherwise != NULL && strcmp(otherwise, value) == 0;
	return member.val.string.len == (int) strlen(value) &&
		memcmp(member.val.string.val, value, member.val.string.len) == 0;
}

void
wf_block_report(const WfNode *node, WfDiagnostics *found, const char *where, const char *hint, const char *fmt, ...)
{
	StringInfoData message;
	StringInfoData path;

	initStringInfo(&message);
	WF_APPEND_ARGS(&message, fmt);
	initStringInfo(&path);
	appendStringInfo(&path, "%s.config%s%s", node->path, where[0] == '\0' || where[0] == '[' ? "" : ".", where);
	wf_diagnostics_add(found, WF_SEVERITY_ERROR, WF_ERRCODE_DEFINITION_INVALID, node->id, path.data, hint,
					   "%s", message.data);
	pfree(message.data);
	pfree(path.data);
}

static bool
duration_ms(const JsonbValue *value, int64 *out_ms)
{
	if (value->type != jbvString && value->type != jbvNumeric)
		return false;
	return wf_text_duration_ms(value->type == jbvString ? wf_json_cstring(value) : wf_json_text(value), out_ms);
}

bool
wf_block_is_template(const JsonbValue *value)
{
	return value->type == jbvString && strstr(wf_json_cstring(value), "{{") != NULL;
}

void
wf_block_check_duration_at(const WfNode *node, const JsonbValue *value, const char *where, WfDiagnostics *found)
{
	int64		ms;

	if ((value->type != jbvString && value->type != jbvNumeric) || wf_block_is_template(value))
		return;
	if (!duration_ms(value, &ms))
		wf_block_report(node, found, where, "Write an interval (5 minutes), ISO 8601 (PT5M), or a number of seconds.",
						"\"%s\" is not a duration", where);
}

void
wf_block_check_duration(const WfNode *node, const char *key, WfDiagnostics *found)
{
	JsonbValue	value;

	if (wf_block_fixed(node, key, &value))
		wf_block_check_duration_at(node, &value, key, found);
}

/* -- when a step runs -- */

bool
wf_block_config(WfStep *step, const char *key, JsonbValue *out)
{
	const WfTemplate *field = wf_template_field(step->config, key);

	if (field == NULL)
	{
		wf_json_set_null(out);
		return false;
	}
	if (field->kind == WF_TEMPLATE_BARE)
		wf_expr_eval(field->expr, step->scope, out);
	else
		wf_template_eval(field, step->scope, out);
	return true;
}

const WfExpr *
wf_block_config_expr(const WfTemplate *config, const char *key)
{
	const WfTemplate *field = wf_template_field(config, key);

	return field != NULL && field->kind == WF_TEMPLATE_BARE ? field->expr : NULL;
}

bool
wf_block_test(const WfTemplate *condition, WfScope *scope)
{
	JsonbValue	value;

	if (condition->kind == WF_TEMPLATE_BARE)
		return wf_expr_test(condition->expr, scope);
	wf_template_eval(condition, scope, &value);
	return wf_expr_truthy(&value);
}

int64
wf_block_config_int(WfStep *step, const char *key, int64 otherwise, int64 least, int64 most)
{
	JsonbValue	value;
	int64		number;

	if (!wf_block_config(step, key, &value) || value.type == jbvNull)
		return otherwise;
	if (!wf_json_int64(&value, &number))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" must be an integer, not %s", key,
							   value.type == jbvNumeric ? wf_json_text(&value) : wf_json_type_name(&value))));
	if (number < least || number > most)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" must be between " INT64_FORMAT " and " INT64_FORMAT ", not " INT64_FORMAT,
							   key, least, most, number)));
	return number;
}

int64
wf_block_duration(const JsonbValue *value, const char *key)
{
	int64		ms;

	if (!duration_ms(value, &ms))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" is not a duration: %s", key, wf_text_clip(wf_json_text(value))),
						errhint("Write an interval (5 minutes), ISO 8601 (PT5M), or a number of seconds.")));
	return ms;
}

int64
wf_block_config_duration(WfStep *step, const char *key)
{
	JsonbValue	value;

	if (!wf_block_config(step, key, &value) || value.type == jbvNull)
		return 0;
	return wf_block_duration(&value, key);
}

TimestampTz
wf_block_until(int64 ms, const char *key)
{
	TimestampTz now = wf_clock_now();
	TimestampTz until;

	if (ms > PG_INT64_MAX / 1000 || pg_add_s64_overflow(now, ms * 1000, &until) || !IS_VALID_TIMESTAMP(until))
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						errmsg("\"%s\" leads beyond the last time there is", key)));
	return until;
}

char *
wf_block_config_string(WfStep *step, const char *key)
{
	JsonbValue	value;

	if (!wf_block_config(step, key, &value) || value.type == jbvNull)
		return NULL;
	if (!wf_json_is_string(&value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" must be a string, not %s", key, wf_json_type_name(&value))));
	return wf_json_cstring(&value);
}

char *
wf_block_config_name(WfStep *step, const char *key, int most_bytes)
{
	char	   *name = wf_block_config_string(step, key);

	if (name == NULL || name[0] == '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"%s\" must not be empty", key)));
	if (strlen(name) > (Size) most_bytes)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" must have at most %d bytes, not %zu", key, most_bytes, strlen(name))));
	return name;
}

char *
wf_block_config_text(WfStep *step, const char *key)
{
	JsonbValue	value;

	if (!wf_block_config(step, key, &value) || value.type == jbvNull)
		return NULL;
	return wf_json_is_string(&value) ? wf_json_cstring(&value) : wf_json_text(&value);
}

void
wf_block_items_of(const JsonbValue *array, WfItems *out)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;

	out->whole = *array;
	out->n = 0;
	out->values = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(JsonbValue) * (Size) Max(wf_json_count(array), 1));
	wf_json_iter_begin(&it, array);
	while (wf_json_iter_next(&it, &key, &value))
		out->values[out->n++] = value;
}

void
wf_block_items(WfStep *step, const char *key, WfItems *out)
{
	JsonbValue	value;

	wf_block_config(step, key, &value);
	if (!wf_json_is_array(&value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" must be an array, not %s", key, wf_json_type_name(&value)),
						value.type != jbvNull ? 0 :
						errhint("Where nothing is to mean an empty list, write {{ ... ?? [] }}.")));
	wf_block_items_of(&value, out);
}

/* -- item scopes -- */

static bool
item_scope_root(WfScope *scope, WfRoot root, JsonbValue *out)
{
	WfItemScope *self = (WfItemScope *) scope;

	if (root == WF_ROOT_ITEM)
	{
		*out = *self->item;
		return true;
	}
	if (root == WF_ROOT_INDEX)
	{
		wf_json_set_int64(out, self->index);
		return true;
	}
	if (root == WF_ROOT_ITEMS && self->items != NULL)
	{
		*out = *self->items;
		return true;
	}
	if (root == WF_ROOT_ERROR && self->error != NULL)
	{
		*out = *self->error;
		return true;
	}
	if (root == WF_ROOT_INPUT && self->input != NULL)
	{
		*out = *self->input;
		return true;
	}
	return self->outer->root(self->outer, root, out);
}

static bool
item_scope_node(WfScope *scope, int node_index, WfNodePart part, JsonbValue *out)
{
	WfItemScope *self = (WfItemScope *) scope;

	return self->outer->node(self->outer, node_index, part, out);
}

static void
item_scope_secret(WfScope *scope, const char *name, int name_len, JsonbValue *out)
{
	WfItemScope *self = (WfItemScope *) scope;

	self->outer->secret(self->outer, name, name_len, out);
}

static Jsonb *
item_scope_call_code(WfScope *scope, const struct WfCodeCall *call, struct WfError **error)
{
	WfItemScope *self = (WfItemScope *) scope;

	return self->outer->call_code(self->outer, call, error);
}

void
wf_block_item_scope(WfItemScope *scope, WfStep *step, const JsonbValue *items)
{
	memset(scope, 0, sizeof(*scope));
	scope->scope.root = item_scope_root;
	scope->scope.secret = step->scope->secret != NULL ? item_scope_secret : NULL;
	scope->scope.node = item_scope_node;
	scope->scope.call_code = step->scope->call_code != NULL ? item_scope_call_code : NULL;
	scope->scope.now = step->scope->now;
	scope->outer = step->scope;
	scope->items = items;
}

void
wf_block_eval_item(WfStep *step, const WfExpr *expr, const JsonbValue *item, int64 index, const JsonbValue *items,
				   JsonbValue *out)
{
	WfItemScope scope;

	wf_block_item_scope(&scope, step, items);
	scope.item = item;
	scope.index = index;
	wf_expr_eval(expr, &scope.scope, out);
}

/* -- values -- */

int64
wf_block_output_limit(const WfStep *step)
{
	if (step->graph->settings.max_output_bytes > 0)
		return step->graph->settings.max_output_bytes;
	return (int64) wf_setting_max_output_size * 1024;
}

void
wf_block_check_size(const WfStep *step, int64 bytes)
{
	if (bytes <= wf_block_output_limit(step))
		return;
	ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
					errmsg("output is larger than the limit of " INT64_FORMAT " bytes", wf_block_output_limit(step)),
					errhint("Keep less in the output, or raise settings.maxOutputSize or workflow.max_output_size.")));
}

void
wf_block_keep(const JsonbValue *value, JsonbValue *out)
{
	*out = *value;
	switch (value->type)
	{
		case jbvString:
			out->val.string.val = MemoryContextAllocHuge(CurrentMemoryContext, value->val.string.len + 1);
			memcpy(out->val.string.val, value->val.string.val, value->val.string.len);
			out->val.string.val[value->val.string.len] = '\0';
			break;
		case jbvNumeric:
			out->val.numeric = palloc(VARSIZE_ANY(value->val.numeric));
			memcpy(out->val.numeric, value->val.numeric, VARSIZE_ANY(value->val.numeric));
			break;
		case jbvBinary:
			out->val.binary.data = MemoryContextAllocHuge(CurrentMemoryContext, value->val.binary.len);
			memcpy(out->val.binary.data, value->val.binary.data, value->val.binary.len);
			break;
		case jbvArray:
		case jbvObject:
			wf_json_root(wf_json_copy(value), out);
			break;
		default:
			break;
	}
}

static const char *
keep_text(const char *text)
{
	return text == NULL ? NULL : pstrdup(text);
}

WfError *
wf_block_keep_error(const WfError *error)
{
	WfError    *copy = palloc(sizeof(WfError));

	*copy = *error;
	copy->code = keep_text(error->code);
	copy->message = keep_text(error->message);
	copy->detail = keep_text(error->detail);
	copy->hint = keep_text(error->hint);
	copy->context = keep_text(error->context);
	copy->node = keep_text(error->node);
	if (error->details != NULL)
	{
		copy->details = palloc(sizeof(JsonbValue));
		wf_block_keep(error->details, copy->details);
	}
	return copy;
}

Jsonb *
wf_block_object1(const char *key, const JsonbValue *value)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field(w, key, value);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

Jsonb *
wf_block_items_output(const JsonbValue *values, int n)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_key(w, "items", 5);
	wf_json_begin_array(w);
	for (int i = 0; i < n; i++)
		wf_json_put(w, &values[i]);
	wf_json_end_array(w);
	wf_json_put_field_int64(w, "count", n);
	wf_json_end_object(w);
	return wf_json_finish(w);
}
