/*
 * task.c: the blocks that wait for somebody else's work: approval (a person's), task (an external worker's).
 *
 * Both describe a task (WfTaskSpec) and wait for it; who may see, claim and complete it is not decided here. An
 * approval has a port for each of its outcomes, in their order, and `timeout` behind them.
 *
 * What decides about rights is never guessed: assignees, quorum and allowSelf that are there but turn out to be null or
 * empty when the step runs fail it, where leaving them out would have meant "anybody".
 */
#include "postgres.h"

#include "base/text.h"
#include "block/block.h"
#include "block/saved.h"
#include "block/support.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/catcache.h"
#include "utils/syscache.h"

#define MOST_OUTCOMES 100
#define QUEUE_BYTES 255			/* what the index of open tasks can hold */
#define MAX_ATTEMPTS 10

/* -- approval: ports -- */

static const char *const approval_ports[] = {"approved", "rejected", "timeout", NULL};

static bool
is_reserved(const char *outcome)
{
	return strcmp(outcome, "timeout") == 0 || strcmp(outcome, "error") == 0;
}

/* The outcomes, each once and without reserved names, which the check refuses; then `timeout`. */
static const char *const *
approval_node_ports(const WfNode *node, int *n)
{
	JsonbValue	outcomes;
	WfItems		items;
	const char **ports;

	*n = lengthof(approval_ports) - 1;
	if (!wf_block_fixed(node, "outcomes", &outcomes) || !wf_json_is_array(&outcomes))
		return approval_ports;
	wf_block_items_of(&outcomes, &items);
	items.n = Min(items.n, MOST_OUTCOMES);	/* the schema refuses more */
	ports = palloc(sizeof(char *) * (items.n + 1));
	*n = 0;
	for (int i = 0; i < items.n; i++)
	{
		const char *outcome = wf_json_cstring(&items.values[i]);
		bool		is_new = outcome != NULL && !is_reserved(outcome);

		for (int j = 0; is_new && j < *n; j++)
			is_new = strcmp(ports[j], outcome) != 0;
		if (is_new)
			ports[(*n)++] = outcome;
	}
	ports[(*n)++] = "timeout";
	pfree(items.values);
	return ports;
}

/* -- approval: what can be told when it is saved -- */

static void
check_outcomes(const WfNode *node, WfDiagnostics *found)
{
	JsonbValue	outcomes;
	WfItems		items;

	if (!wf_block_fixed(node, "outcomes", &outcomes) || !wf_json_is_array(&outcomes))
		return;
	wf_block_items_of(&outcomes, &items);
	items.n = Min(items.n, MOST_OUTCOMES);
	for (int i = 0; i < items.n; i++)
	{
		const char *outcome = wf_json_cstring(&items.values[i]);

		if (outcome == NULL)
			continue;
		if (is_reserved(outcome))
			wf_block_report(node, found, psprintf("outcomes[%d]", i), NULL,
							"\"%s\" is a port of its own and cannot be an outcome", outcome);
		for (int j = 0; j < i; j++)
		{
			if (wf_json_equal(&items.values[i], &items.values[j]))
			{
				wf_block_report(node, found, psprintf("outcomes[%d]", i), NULL, "outcome \"%s\" is there twice",
								wf_text_clip(outcome));
				break;
			}
		}
	}
}

static void
approval_validate(const WfNode *node, WfDiagnostics *found)
{
	JsonbValue	escalate;
	JsonbValue	after;

	check_outcomes(node, found);
	wf_block_check_duration(node, "timeout", found);
	if (wf_block_fixed(node, "escalate", &escalate) && wf_json_field(&escalate, "after", &after))
		wf_block_check_duration_at(node, &after, "escalate.after", found);
}

/* The outcomes as an array; the form is looked at here, when it has no template. */
static void *
approval_prepare(const WfNode *node, const WfTemplate *config, const char *search_path, WfDiagnostics *found)
{
	const WfTemplate *form = wf_template_field(config, "form");
	WfJsonWriter *w = wf_json_writer_begin();

	if (form != NULL && form->kind == WF_TEMPLATE_CONSTANT && wf_json_is_object(&form->constant))
	{
		const char *problem = wf_block_schema_problem(wf_json_copy(&form->constant));

		if (problem != NULL)
			wf_block_report(node, found, "form", NULL, "\"form\" is not a valid JSON Schema: %s", problem);
	}
	wf_json_begin_array(w);
	for (int i = 0; i < node->n_ports && strcmp(node->ports[i], "timeout") != 0; i++)
		wf_json_put_cstring(w, node->ports[i]);
	wf_json_end_array(w);
	return wf_json_finish(w);
}

/* -- approval: what the database tells -- */

static void
warn(const WfNode *node, WfDiagnostics *found, int sqlstate, const char *where, const char *hint, const char *message)
{
	wf_diagnostics_add(found, WF_SEVERITY_WARNING, sqlstate, node->id, psprintf("%s.config.%s", node->path, where), hint,
					   "%s", message);
}

/* Warns of roles in a list that do not exist. True when the list is known, and everybody in it is one person. */
static bool
look_at_roles(const WfNode *node, const JsonbValue *roles, const char *where, WfDiagnostics *found)
{
	bool		persons = true;
	WfItems		items;

	if (!wf_json_is_array(roles))
		return false;
	wf_block_items_of(roles, &items);
	for (int i = 0; i < items.n; i++)
	{
		const char *name = wf_json_cstring(&items.values[i]);
		CatCList   *members;
		Oid			role;

		if (name == NULL || wf_block_is_template(&items.values[i]))
		{
			persons = false;
			continue;
		}
		role = get_role_oid(name, true);
		if (!OidIsValid(role))
		{
			warn(node, found, ERRCODE_UNDEFINED_OBJECT, psprintf("%s[%d]", where, i),
				 "It may be created before the workflow runs.",
				 psprintf("role \"%s\" does not exist", wf_text_clip(name)));
			persons = false;
			continue;
		}
		members = SearchSysCacheList1(AUTHMEMROLEMEM, ObjectIdGetDatum(role));
		persons = persons && members->n_members == 0;
		ReleaseCatCacheList(members);
	}
	return persons;
}

static void
approval_look(const WfNode *node, void *prepared, WfDiagnostics *found)
{
	JsonbValue	value;
	JsonbValue	quorum;
	int64		number;

	if (wf_block_fixed(node, "assignees", &value) && look_at_roles(node, &value, "assignees", found) &&
		wf_block_fixed(node, "quorum", &quorum) && wf_json_int64(&quorum, &number) &&
		number > (int64) wf_json_count(&value))
		warn(node, found, WF_ERRCODE_DEFINITION_INVALID, "quorum", "A role with members counts as so many people.",
			 psprintf("\"quorum\" is " INT64_FORMAT ", but there are only %u assignees", number, wf_json_count(&value)));
	if (wf_block_fixed(node, "escalate", &value) && wf_json_field(&value, "to", &value))
		(void) look_at_roles(node, &value, "escalate.to", found);
}

/* -- approval: running -- */

/* A list of role names. */
static Jsonb *
read_roles(const JsonbValue *value, const char *key)
{
	WfItems		items;

	if (!wf_json_is_array(value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" must be an array of role names, not %s", key, wf_json_type_name(value))));
	wf_block_items_of(value, &items);
	if (items.n == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"%s\" must not be empty", key)));
	for (int i = 0; i < items.n; i++)
	{
		if (!wf_json_is_string(&items.values[i]) || items.values[i].val.string.len == 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("\"%s\" must hold names of roles, not %s", key,
								   wf_text_clip(wf_json_text(&items.values[i])))));
	}
	return wf_json_copy(value);
}

static Jsonb *
read_form(WfStep *step)
{
	JsonbValue	value;
	Jsonb	   *form;
	const char *problem;

	if (!wf_block_config(step, "form", &value) || value.type == jbvNull)
		return NULL;
	if (!wf_json_is_object(&value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"form\" must be a JSON Schema, not %s", wf_json_type_name(&value))));
	form = wf_json_copy(&value);
	problem = wf_block_schema_problem(form);
	if (problem != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"form\" is not a valid JSON Schema: %s", problem)));
	return form;
}

static void
read_escalation(WfStep *step, WfTaskSpec *spec)
{
	JsonbValue	escalate;
	JsonbValue	after;
	JsonbValue	to;

	if (!wf_block_config(step, "escalate", &escalate) || escalate.type == jbvNull)
		return;
	if (!wf_json_field(&escalate, "after", &after) || !wf_json_field(&escalate, "to", &to))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"escalate\" must be an object with \"after\" and \"to\"")));
	spec->escalate_ms = Max(wf_block_duration(&after, "escalate.after"), 1);
	(void) wf_block_until(spec->escalate_ms, "escalate.after");
	spec->escalate_to = read_roles(&to, "escalate.to");
}

static bool
read_bool(WfStep *step, const char *key, bool otherwise)
{
	JsonbValue	value;

	if (!wf_block_config(step, key, &value))
		return otherwise;
	if (value.type != jbvBool)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" must be a boolean, not %s", key, wf_json_type_name(&value))));
	return value.val.boolean;
}

static int
read_quorum(WfStep *step)
{
	JsonbValue	value;

	if (wf_block_config(step, "quorum", &value) && value.type == jbvNull)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"quorum\" must be an integer, not null")));
	return (int) wf_block_config_int(step, "quorum", 1, 1, PG_INT32_MAX);
}

static WfOutcome
wait_for_task(WfStep *step, const WfTaskSpec *spec)
{
	WfOutcome	outcome = {.kind = WF_OUTCOME_WAIT};
	int64		timeout_ms = wf_block_config_duration(step, "timeout");

	outcome.wait.kind = WF_WAIT_TASK;
	outcome.wait.until = timeout_ms > 0 ? wf_block_until(timeout_ms, "timeout") : 0;
	outcome.wait.task = spec;
	return outcome;
}

static WfOutcome
approval_execute(WfStep *step)
{
	WfTaskSpec *spec = palloc0(sizeof(WfTaskSpec));
	JsonbValue	assignees;

	spec->is_approval = true;
	spec->title = wf_block_config_text(step, "title");
	if (spec->title == NULL)
		spec->title = step->node->name != NULL ? step->node->name : step->node->id;
	spec->body = wf_block_config_text(step, "body");
	if (wf_block_config(step, "assignees", &assignees))
		spec->assignees = read_roles(&assignees, "assignees");
	spec->quorum = read_quorum(step);
	spec->allow_self = read_bool(step, "allowSelf", true);
	spec->outcomes = step->prepared;
	spec->form = read_form(step);
	read_escalation(step, spec);
	return wait_for_task(step, spec);
}

/* The task's answer when the time was up. */
static Jsonb *
no_decision(void)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "outcome", NULL);
	wf_json_key(w, "data", 4);
	wf_json_begin_object(w);
	wf_json_end_object(w);
	wf_json_put_field_cstring(w, "by", NULL);
	wf_json_put_field_cstring(w, "at", NULL);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static WfOutcome
approval_resume(WfStep *step, const WfReply *reply)
{
	const char *outcome;
	int			port;

	if (reply->timed_out)
		return wf_block_done(wf_block_port(step->node, "timeout"), no_decision());
	if (reply->failed)
		return wf_block_fail(wf_block_keep_error(reply->error));
	outcome = wf_json_get_cstring(&reply->output, "outcome");
	port = outcome == NULL || is_reserved(outcome) ? -1 : wf_block_port(step->node, outcome);
	if (port < 0)
		wf_block_saved_refuse(step->node, "it has no outcome \"%s\"", outcome == NULL ? "" : wf_text_clip(outcome));
	return wf_block_done(port, wf_json_copy(&reply->output));
}

const WfBlock wf_block_approval = {
	.type = "approval",
	.category = "flow",
	.summary = "waits for people to decide",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"title": {"description": "One line for those who decide; the node's name unless given."},
			"body": {"description": "What they need to know."},
			"assignees": {
				"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1},
				"description": "Roles that may decide, themselves or by their members; all who may complete tasks unless given."
			},
			"quorum": {
				"type": "integer", "minimum": 1, "default": 1,
				"description": "How many must choose the first outcome; any other decides at once."
			},
			"outcomes": {
				"type": "array", "minItems": 1, "maxItems": 100, "x-fixed": true, "default": ["approved", "rejected"],
				"items": {"type": "string", "minLength": 1, "maxLength": 63},
				"description": "What may be decided; each is a port."
			},
			"form": {
				"type": "object",
				"description": "A JSON Schema that the data given with a decision must match."
			},
			"timeout": {
				"type": ["string", "number", "null"], "minimum": 0,
				"description": "How long to wait; then on at timeout. For ever unless given."
			},
			"escalate": {
				"type": ["object", "null"],
				"properties": {
					"after": {"type": ["string", "number"], "minimum": 0, "description": "A duration."},
					"to": {
						"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1},
						"description": "Roles."
					}
				},
				"required": ["after", "to"],
				"additionalProperties": false,
				"description": "When nothing is decided by then, these roles may decide, too."
			},
			"allowSelf": {
				"type": "boolean", "default": true,
				"description": "Whether who started the run may decide."
			}
		},
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object", "required": ["outcome", "data", "by", "at"],
		"properties": {
			"outcome": {"type": ["string", "null"], "description": "What was decided; null when the time was up."},
			"data": {"description": "What was given with the decision."},
			"by": {"description": "Who decided."},
			"at": {"type": ["string", "null"], "format": "date-time"}
		}
	}),
	.ports = approval_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_SUSPENDS,
	.execute = approval_execute,
	.validate = approval_validate,
	.prepare = approval_prepare,
	.resume = approval_resume,
	.node_ports = approval_node_ports,
	.look = approval_look,
};

/* -- task -- */

static const char *const task_ports[] = {"out", "timeout", NULL};

enum
{
	PORT_OUT,
	PORT_TIMEOUT
};

static void
task_validate(const WfNode *node, WfDiagnostics *found)
{
	JsonbValue	queue;

	if (wf_block_fixed(node, "queue", &queue) && wf_json_is_string(&queue) && !wf_block_is_template(&queue) &&
		queue.val.string.len > QUEUE_BYTES)
		wf_block_report(node, found, "queue", NULL, "\"queue\" must have at most %d bytes, not %d", QUEUE_BYTES,
						queue.val.string.len);
	wf_block_check_duration(node, "lease", found);
	wf_block_check_duration(node, "timeout", found);
}

static WfOutcome
task_execute(WfStep *step)
{
	WfTaskSpec *spec = palloc0(sizeof(WfTaskSpec));
	JsonbValue	payload;

	spec->queue = wf_block_config_name(step, "queue", QUEUE_BYTES);
	if (!wf_block_config(step, "payload", &payload))
		payload = step->input;
	spec->payload = wf_json_copy(&payload);
	spec->lease_ms = wf_block_config_duration(step, "lease");
	(void) wf_block_until(spec->lease_ms, "lease");
	spec->max_attempts = (int) wf_block_config_int(step, "maxAttempts", MAX_ATTEMPTS, 1, PG_INT16_MAX);
	spec->allow_self = true;
	return wait_for_task(step, spec);
}

static WfOutcome
task_resume(WfStep *step, const WfReply *reply)
{
	if (reply->timed_out)
		return wf_block_done(PORT_TIMEOUT, wf_json_empty_object());
	if (reply->failed)
		return wf_block_fail(wf_block_keep_error(reply->error));
	return wf_block_done(PORT_OUT, wf_json_copy(&reply->output));
}

const WfBlock wf_block_task = {
	.type = "task",
	.category = "flow",
	.summary = "waits for the work of an external worker",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"queue": {
				"type": "string", "minLength": 1,
				"description": "Where workers find it, as in wf_poll_tasks; at most 255 bytes."
			},
			"payload": {"description": "What the worker gets; the input of the node unless given."},
			"lease": {
				"type": ["string", "number", "null"], "minimum": 0,
				"description": "How long a worker has it before another may; as it says itself unless given."
			},
			"maxAttempts": {
				"type": "integer", "minimum": 1, "maximum": 32767, "default": 10,
				"description": "How often workers may fail or lose it before the node fails."
			},
			"timeout": {
				"type": ["string", "number", "null"], "minimum": 0,
				"description": "How long to wait for the result; then on at timeout. For ever unless given."
			}
		},
		"required": ["queue"],
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({"description": "The result that the worker gave; {} when the time was up."}),
	.ports = task_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_SUSPENDS,
	.execute = task_execute,
	.validate = task_validate,
	.resume = task_resume,
};
