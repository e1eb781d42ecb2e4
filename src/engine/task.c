/*
 * task.c: a block's description of a task as a row.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/uuid.h"
#include "catalog/pg_type.h"
#include "engine/park.h"
#include "engine/personal.h"
#include "engine/task.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* An array of strings as text[]; NULL when it is missing or empty. */
static ArrayType *
text_array(const Jsonb *json)
{
	JsonbValue	root;
	JsonbValue	value;
	Datum	   *items;
	uint32		n;

	if (json == NULL)
		return NULL;
	wf_json_root(json, &root);
	n = wf_json_count(&root);
	if (n == 0)
		return NULL;
	items = palloc(sizeof(Datum) * n);
	for (uint32 i = 0; i < n; i++)
	{
		char	   *text;

		(void) wf_json_element(&root, i, &value);
		text = value.type == jbvString ? wf_json_cstring(&value) : wf_json_text(&value);
		items[i] = CStringGetTextDatum(text);
	}
	return construct_array(items, n, TEXTOID, -1, false, TYPALIGN_INT);
}

/* Those who may not see personal data see tokens; what is real is kept for who fills in the form, and for external workers. */
static void
seal(Run *run, WfTaskRow *row)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	if (row->title != NULL)
		wf_json_put_field_cstring(w, "title", row->title);
	if (row->body != NULL)
		wf_json_put_field_cstring(w, "body", row->body);
	wf_json_put_member(w, "form", row->form);
	wf_json_put_member(w, "payload", row->payload);
	wf_json_end_object(w);
	row->sealed = wf_json_finish(w);
	row->title = wf_personal_hide_text(run, row->title);
	row->body = wf_personal_hide_text(run, row->body);
	row->form = wf_personal_hide(run, row->form);
	row->payload = wf_personal_hide(run, row->payload);
}

void
wf_task_insert(Run *run, Frame *frame, const WfWait *wait)
{
	const WfTaskSpec *spec = wait->task;
	const OpenStep *open = frame->open;
	WfTaskRow	row = {0};

	row.tenant_id = run->tenant.tenant_id;
	wf_uuid_make(&row.task_id);
	row.run_id = run->run_id;
	row.step = open->seq;
	row.workflow_id = frame->activation->compiled->workflow_id;
	row.node = open->node->id;
	row.kind = spec->is_approval ? "approval" : "task";
	row.queue = spec->queue;
	row.title = spec->title;
	row.body = spec->body;
	row.assignees = text_array(spec->assignees);
	row.quorum = Max(spec->quorum, 1);
	row.allow_self = spec->allow_self;
	row.outcomes = text_array(spec->outcomes);
	row.form = spec->form;
	row.payload = spec->payload;
	row.lease_ms = spec->lease_ms;
	if (spec->escalate_ms > 0)
		row.escalate_at = TimestampTzPlusMilliseconds(wf_clock_now(), spec->escalate_ms);
	row.escalate_to = text_array(spec->escalate_to);
	row.max_attempts = spec->max_attempts;
	row.started_by = run->started_by;
	row.role = run->role;
	row.priority = run->priority;
	row.due_at = wf_park_wake_at(run, frame, open);
	if (run->is_personal)
		seal(run, &row);
	wf_store_insert_task(&row);
	WF_FAULT("task.inserted");
}
