/*
 * request.c: a block's description of a request as a row of the outbox.
 *
 * The lane is what shares limits: the tenant's requests to a host; those of a node that has limits of its own are apart, so that they do
 * not stand in the way of others while they wait for their turn.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/uuid.h"
#include "base/wake.h"
#include "engine/personal.h"
#include "engine/request.h"
#include "engine/start.h"
#include "lib/stringinfo.h"
#include "store/request.h"

static char *
lane_of(const WfRequestRow *row, const WfRequestSpec *spec)
{
	StringInfoData lane;

	initStringInfo(&lane);
	appendStringInfo(&lane, "%s %s", wf_engine_uuid_text(&row->tenant_id), spec->host);
	if (spec->own_limits)
		appendStringInfo(&lane, " %s/%s", wf_engine_uuid_text(&row->workflow_id), row->node);
	return lane.data;
}

/* Its path is for people to read; its bodies are not logged. */
static void
hide(Run *run, WfRequestRow *row)
{
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	root;

	wf_json_begin_object(w);
	wf_json_root(row->request, &root);
	wf_json_put_members(w, &root, NULL);
	wf_json_put_field_bool(w, "personal", true);
	wf_json_end_object(w);
	row->request = wf_json_finish(w);
	row->path = wf_personal_hide_text(run, row->path);
}

static void
fill_row(Run *run, const Frame *frame, const WfRequestSpec *spec, WfRequestRow *row)
{
	memset(row, 0, sizeof(*row));
	row->tenant_id = run->tenant.tenant_id;
	row->run_id = run->run_id;
	row->step = frame->open->seq;
	wf_uuid_make(&row->request_id);
	row->workflow_id = frame->activation->compiled->workflow_id;
	row->node = frame->open->node->id;
	row->lane = lane_of(row, spec);
	row->created_at = wf_clock_now();
	row->due_at = row->created_at;
	row->role = run->role;
	row->priority = run->priority;
	row->method = spec->method;
	row->host = spec->host;
	row->path = spec->path;
	row->forget = spec->forget;
	row->trace = run->options.correlation_id != NULL ? run->options.correlation_id : wf_engine_uuid_text(&run->run_id);
	row->request = spec->request;
	if (run->is_personal && run->mode != WF_RUN_DRY)
		hide(run, row);
}

pg_uuid_t
wf_request_insert(Run *run, const Frame *frame, const WfWait *wait)
{
	WfRequestRow row;

	if (run->mode != WF_RUN_DRY && !wf_wake_available())
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("node \"%s\" sends a request, and there is no process that could", frame->open->node->id),
						errhint("Add workflow to shared_preload_libraries and restart the server.")));
	fill_row(run, frame, wait->request, &row);
	wf_store_insert_request(&row);
	WF_FAULT("request.inserted");
	return row.request_id;
}

void
wf_request_perform_now(Run *run, const Frame *frame, const WfWait *wait, WfReply *reply)
{
	WfRequestRow row;
	Jsonb	   *output = NULL;

	if (!wf_store_allows(&run->tenant, WF_CODE_WRITE, &run->workflow_id))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied for requests within the transaction"),
						errdetail("The permission \"%s\" is missing.", wf_store_permission_name(WF_CODE_WRITE))));
	if (run->mode == WF_RUN_DRY)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("a dry run sends no request"), errhint("Give its answer in the option \"mocks\".")));
	fill_row(run, frame, wait->request, &row);
	reply->error = wf_request_perform(&row, &output);
	reply->failed = reply->error != NULL;
	if (!reply->failed)
		wf_json_root(output, &reply->output);
}
